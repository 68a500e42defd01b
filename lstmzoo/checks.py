"""Conformance checks that any zoo entry and any estimator can be put through, one's own included.

    from lstmzoo import checks
    checks.check_entry("forecasting/lstm")
    checks.check_estimator(Forecaster("lstm", horizon=4, random_state=0, verbose=0), (series,))

Each check raises an AssertionError that says what does not hold. lstmzoo's own tests run all of them on all entries.
"""

import json
import pickle
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from inspect import signature
from pathlib import Path
from typing import Any

import keras
import numpy as np
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from lstmzoo.backend import jit_compile, train_batch
from lstmzoo.config import ModelConfig, load_config
from lstmzoo.estimators import load
from lstmzoo.layers import DISTRIBUTIONS, distribution_loss, pinball_loss
from lstmzoo.models._base import SteppingModel
from lstmzoo.registry import build_model, hyperparameter_names
from lstmzoo.seeding import seeded
from lstmzoo.spec import ForecastingSpec, LanguageModellingSpec, TranslationSpec


def check_entry(name: str) -> None:
    """Put a zoo entry through all of :data:`ENTRY_CHECKS`."""
    for check in ENTRY_CHECKS:
        check(name)


def check_estimator(estimator: Any, data: tuple[Any, ...]) -> None:
    """Put an unfitted estimator through all of :data:`ESTIMATOR_CHECKS`.

    Args:
        estimator: With a ``random_state``, if it draws anything.
        data: What ``fit`` takes; a few seconds' worth of training.
    """
    for check in ESTIMATOR_CHECKS:
        check(clone(estimator), data)


def check_keys_match_builder(name: str) -> None:
    """The config's hyperparameters are the builder's keywords, no more and no fewer."""
    config = load_config(name)
    expected, found = set(hyperparameter_names(config.builder)), set(config.hyperparameters)
    assert found == expected, f"{name}: hyperparameters differ from the builder's: {sorted(found ^ expected)}"


def check_layers_are_named(name: str) -> None:
    """Weights are found again by path: a second build gives the same paths, each once."""
    first, second = ([w.path for w in _toy(name).model.weights] for _ in range(2))
    assert first == second, f"{name}: weight paths change from build to build: {sorted(set(first) ^ set(second))}"
    assert len(set(first)) == len(first), f"{name}: two weights share a path"


def check_training(name: str) -> None:
    """Training changes every weight, the loss is finite; and with one seed, dropout on, it gives the same bits twice."""
    runs = []
    for _ in range(2):
        toy = _toy(name)
        before = [w.numpy().copy() for w in toy.model.trainable_weights]
        losses = toy.train(steps=3, run_eagerly=True)
        assert np.isfinite(losses).all(), f"{name}: the loss is {losses}"
        runs.append(toy.model.get_weights())
        weights = zip(toy.model.trainable_weights, before, strict=True)
        idle = [w.path for w, old in weights if np.array_equal(w.numpy(), old)]
        assert not idle, f"{name}: weights that training leaves alone: {idle}"
    assert all(np.array_equal(a, b) for a, b in zip(*runs, strict=True)), f"{name}: same seed, other weights"


def check_dropout_is_of_training(name: str) -> None:
    """Two training losses of one batch, by weights that stay, differ if and only if the entry drops something."""
    for without_dropout in (False, True):
        losses = _toy(name, without_dropout=without_dropout).losses_of_training()
        assert (losses[0] == losses[1]) == without_dropout, (
            f"{name}: two losses of one batch are {losses}, {'without' if without_dropout else 'with'} dropout"
        )


def check_overfits_one_batch(name: str) -> None:
    """Trained on one small batch, without dropout, the network learns it."""
    toy = _toy(name, without_dropout=True)
    losses = toy.train(steps=150, rate=1e-2, enough=0.3)
    assert losses[-1] - toy.floor < 0.3 * (losses[0] - toy.floor), (
        f"{name}: the loss of one batch fell from {losses[0]:.3f} to {losses[-1]:.3f} only"
    )


def check_batch_company_changes_nothing(name: str) -> None:
    """An item's output is the same alone as in a batch."""
    toy = _toy(name)
    together = _called(toy.model, toy.inputs)
    for i in (0, len(together) - 1):
        alone = _called(toy.model, {key: value[i : i + 1] for key, value in toy.inputs.items()})
        np.testing.assert_allclose(alone[0], together[i], rtol=1e-4, atol=1e-5, err_msg=f"{name}: item {i}")


def check_search_space_builds(name: str) -> None:
    """Both ends of each range of the search space that concerns the network build a network."""
    config = load_config(name)
    for key, span in config.search_space.items():
        if key in config.hyperparameters:
            for value in span.values if span.type == "categorical" else (span.min, span.max):
                changed = config.override({key: value})
                build_model(changed.builder, _TOYS[config.task].spec(config), changed.hyperparameters)


def check_stepping_equals_whole(name: str) -> None:
    """An entry tagged ``streaming`` gives the same, its state carried from step to step, as all at once; others cannot step."""
    toy = _toy(name)
    tagged = "streaming" in load_config(name).tags
    can_step = isinstance(toy.model, SteppingModel)
    assert can_step == tagged, f"{name}: the tag 'streaming' and what the model can do differ"
    if can_step:
        whole, stepped = _called(toy.model, toy.inputs), toy.step_through(toy.model, toy.inputs)
        np.testing.assert_allclose(stepped, whole, rtol=1e-4, atol=1e-5, err_msg=f"{name}: stepping")


ENTRY_CHECKS: tuple[Callable[[str], None], ...] = (
    check_keys_match_builder,
    check_layers_are_named,
    check_training,
    check_dropout_is_of_training,
    check_overfits_one_batch,
    check_batch_company_changes_nothing,
    check_search_space_builds,
    check_stepping_equals_whole,
)


def check_params_are_stored(estimator: Any, data: tuple[Any, ...]) -> None:
    """``__init__`` only assigns, ``fit`` leaves parameters alone; ``clone``, ``get_params``, ``set_params`` and ``repr`` work."""
    params = estimator.get_params()
    for name, value in estimator.get_params(deep=False).items():
        assert getattr(estimator, name) is value, f"__init__ changes {name}"
    assert clone(estimator).set_params(**params).get_params() == params, "clone or set_params loses parameters"
    assert type(estimator).__name__ in repr(estimator)
    assert estimator.fit(*data) is estimator, "fit does not return self"
    assert estimator.get_params() == params, "fit changes parameters"


def check_unfitted_refuses(estimator: Any, data: tuple[Any, ...]) -> None:
    """Before ``fit``, the other methods raise ``NotFittedError``, and nothing learned is there."""
    learned = [name for name in vars(estimator) if name.endswith("_") and not name.endswith("__")]
    assert not learned, f"__init__ sets {learned}"
    answers = [getattr(estimator, name) for name in ("predict", "generate") if hasattr(estimator, name)]
    assert answers, "it can neither predict nor generate"
    asked: list[Callable] = [partial(answer, *data[: _required(answer)]) for answer in answers]
    for call in (*asked, lambda: estimator.score(*data), lambda: estimator.save("unfitted")):
        try:
            call()
        except NotFittedError:
            continue
        raise AssertionError("an unfitted estimator answers")


def _required(answer: Callable) -> int:
    """How many arguments it cannot do without; as many of the data's are like them."""
    return sum(
        p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD for p in signature(answer).parameters.values()
    )


def check_fit_is_reproducible(estimator: Any, data: tuple[Any, ...]) -> None:
    """Two fits with one ``random_state`` answer and score the same bits, and leave NumPy's global generator alone."""
    state = np.random.get_state(legacy=True)[1]  # type: ignore[index]  # noqa: NPY002
    first, second = (clone(estimator).fit(*data) for _ in range(2))
    assert _served(first).equals(_served(second)), "same random_state, other answers"
    assert first.score(*data) == second.score(*data), "same random_state, another score"
    unchanged = np.array_equal(state, np.random.get_state(legacy=True)[1])  # type: ignore[index]  # noqa: NPY002
    assert unchanged, "fit changes NumPy's global random state"


def check_predictions_survive_storage(estimator: Any, data: tuple[Any, ...]) -> None:
    """Saved and loaded, or pickled, an estimator answers and scores the same bits; what is saved holds no code."""
    estimator.fit(*data)
    expected, score = _served(estimator), estimator.score(*data)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model"
        estimator.save(path)
        kinds = {file.suffix for file in path.iterdir()}
        assert kinds <= {".json", ".safetensors"}, f"a saved model holds {sorted(kinds)}"
        loaded = load(path)
    for other in (loaded, pickle.loads(pickle.dumps(estimator))):
        assert _served(other).equals(expected), "answers change in storage"
        assert other.score(*data) == score, "the score changes in storage"
        assert other.get_params() == estimator.get_params(), "parameters change in storage"


def check_serves(estimator: Any, data: tuple[Any, ...]) -> None:
    """The serving example is answered, with finite numbers, and the parameters are JSON."""
    estimator.fit(*data)
    answer = _served(estimator)
    assert len(answer), "serving answers nothing"
    assert np.isfinite(answer.select_dtypes("number")).all(axis=None), "serving answers NaN or infinity"
    words = answer.select_dtypes(exclude=["number", "datetime", "datetimetz"])
    assert words.map(lambda value: isinstance(value, str)).all(axis=None), "serving answers neither numbers nor text"


def check_search_hooks(estimator: Any, data: tuple[Any, ...]) -> None:
    """The held-out split can be fitted and scored, and so can each baseline."""
    train, valid = estimator.holdout_split(*data)
    for candidate in (estimator, *estimator.baselines().values()):
        assert np.isfinite(candidate.fit(*train).score(*valid)), f"{candidate} has no finite score"


ESTIMATOR_CHECKS: tuple[Callable[[Any, tuple[Any, ...]], None], ...] = (
    check_params_are_stored,
    check_unfitted_refuses,
    check_fit_is_reproducible,
    check_predictions_survive_storage,
    check_serves,
    check_search_hooks,
)


@dataclass
class _Toy:
    """A network on a small batch.

    Attributes:
        model: The network.
        inputs: Of the batch.
        target: Of the batch.
        loss: From targets and outputs.
        floor: What the loss can fall to.
        step_through: From the model and the inputs to its output, got step by step.
        trainer: From the toy to the model that is trained, and the inputs that it takes.
    """

    model: keras.Model
    inputs: dict[str, np.ndarray]
    target: np.ndarray
    loss: Callable
    floor: float
    step_through: Callable[[Any, dict[str, np.ndarray]], np.ndarray]
    trainer: Callable[["_Toy"], tuple[keras.Model, dict[str, np.ndarray]]]

    def train(
        self, steps: int, rate: float = 5e-3, run_eagerly: bool = False, enough: float | None = None
    ) -> list[float]:
        """The loss of each of so many steps of Adam; eagerly where tracing would take longer than a few steps.

        They end before, where the loss has fallen below ``enough`` times the first.
        """
        jit = False if run_eagerly else jit_compile(steps=0)
        optimizer = keras.optimizers.Adam(rate)
        self.model.compile(optimizer=optimizer, loss=self.loss, jit_compile=jit, run_eagerly=run_eagerly)
        losses: list[float] = []
        while len(losses) < steps:
            losses.append(train_batch(self.model, self.inputs, self.target)["loss"])
            if enough is not None and losses[-1] - self.floor < enough * (losses[0] - self.floor):
                break
        return losses

    def losses_of_training(self) -> tuple[float, float]:
        """Return the losses of two steps at learning rate 0, by the model that a fit trains."""
        model, inputs = self.trainer(self)
        eager = keras.backend.backend() == "tensorflow"
        model.compile(keras.optimizers.SGD(0.0), self.loss, jit_compile=jit_compile(steps=0), run_eagerly=eager)
        first, second = (train_batch(model, inputs, self.target)["loss"] for _ in range(2))
        return first, second


@dataclass(frozen=True)
class _Task:
    """How a task's toys are made.

    Attributes:
        spec: Small sizes for an entry.
        make: The toy of an entry and its network, from noise.
        sizes: Settings that are made small, for entries that have them.
    """

    spec: Callable[[ModelConfig], Any]
    make: Callable[[keras.Model, Any, np.random.Generator], _Toy]
    sizes: dict[str, Any]


def _toy(name: str, *, without_dropout: bool = False) -> _Toy:
    config = load_config(name)
    task = _TOYS[config.task]
    off = dict.fromkeys(_rates(config), 0.0) if without_dropout else {}
    config = config.override({**off, **{key: size for key, size in task.sizes.items() if key in config.settings}})
    spec = task.spec(config)
    with seeded(1):
        model = build_model(config.builder, spec, config.hyperparameters)
    return task.make(model, spec, np.random.default_rng(0))


def _rates(config: ModelConfig) -> list[str]:
    """The hyperparameters that are rates of a dropout."""
    return [key for key in config.hyperparameters if "drop" in key]


def _forecasting_spec(config: ModelConfig) -> ForecastingSpec:
    """Small sizes, with every kind of channel."""
    distribution = config.data.distribution
    return ForecastingSpec(
        lookback=10,
        horizon=4,
        num_references=2,
        num_outputs=3 if distribution == "quantiles" else DISTRIBUTIONS[distribution].num_parameters,
        median_index=1,
        distribution=distribution,
        num_known=1,
        num_past=1,
        num_static=1,
        cardinalities=(3,),
        num_series=4,
        season_length=2,
    )


def _forecasting_toy(model: keras.Model, spec: ForecastingSpec, rng: np.random.Generator) -> _Toy:
    """Noise, or counts where their distribution is forecast."""
    inputs = {
        "window": rng.normal(size=(6, spec.lookback, spec.num_features)).astype("float32"),
        "future": rng.normal(size=(6, spec.horizon, spec.num_future_features)).astype("float32"),
        "previous": rng.normal(size=(6, spec.horizon, 1)).astype("float32"),
        "static": rng.normal(size=(6, spec.num_static)).astype("float32"),
        "categories": rng.integers(0, 3, (6, len(spec.cardinalities))).astype("int32"),
        "series": rng.integers(0, spec.num_series + 1, 6).astype("int32"),
    }
    quantiles = spec.distribution == "quantiles"
    loss = pinball_loss([0.1, 0.5, 0.9]) if quantiles else distribution_loss(spec.distribution)
    counts = not quantiles and DISTRIBUTIONS[spec.distribution].target_channels == 2
    target = (_counts(rng, spec.horizon) if counts else rng.normal(size=(6, spec.horizon, 1))).astype("float32")
    floor = _floor(loss, target) if counts else 0.0
    return _Toy(model, {key: inputs[key] for key in model.input}, target, loss, floor, _forecast_step_by_step,
                lambda toy: (toy.model, toy.inputs))  # fmt: skip


def _counts(rng: np.random.Generator, horizon: int) -> np.ndarray:
    """``(6, horizon, 2)`` counts in units of their windows' scales, and the scales."""
    counts = rng.poisson(3, (6, horizon, 1))
    scale = np.full_like(counts, 4)
    return np.concatenate([counts / scale, scale], axis=-1)


def _floor(loss: Callable, target: np.ndarray) -> float:
    """What the loss of counts can fall to, for even a certain one has a probability below 1."""
    certain = np.maximum(target * [1, 0], 1e-4)
    return float(np.mean(keras.ops.convert_to_numpy(loss(target, certain))))


def _forecast_step_by_step(model: Any, inputs: dict[str, np.ndarray]) -> np.ndarray:
    stepper, window = model.stepper, inputs["window"]
    rest = {key: value for key, value in inputs.items() if key != "window"}
    _, state = stepper.encode({**rest, "window": window[:, :3]})
    if "previous" not in stepper.inputs:
        for t in range(3, window.shape[1]):
            output, state = stepper.step({**rest, "window": window[:, t : t + 1]}, state)
        return np.asarray(output)
    (_, state), parts = stepper.encode({**rest, "window": window[:, 3:]}, state), []
    for h in range(rest["future"].shape[1]):
        one = {key: value[:, h : h + 1] for key, value in rest.items() if key in ("previous", "future")}
        output, state = stepper.step({**rest, **one}, state)
        parts.append(np.asarray(output))
    return np.concatenate(parts, axis=1)


def _language_spec(config: ModelConfig) -> LanguageModellingSpec:
    """Small sizes, with clusters for an adaptive softmax."""
    return LanguageModellingSpec(vocab_size=30, bptt=6, cutoffs=(8, 20))


def _language_toy(model: keras.Model, spec: LanguageModellingSpec, rng: np.random.Generator) -> _Toy:
    tokens = rng.integers(0, spec.vocab_size, (4, spec.bptt + 1)).astype("int32")
    inputs = {"tokens": tokens[:, :-1], "targets": tokens[:, 1:]}
    return _Toy(model, inputs, np.zeros((4, spec.bptt), "float32"), lambda _, nll: nll, 0.0, _score_step_by_step,
                _stream_trainer)  # fmt: skip


def _stream_trainer(toy: _Toy) -> tuple[keras.Model, dict[str, np.ndarray]]:
    """What a language model is trained as; each batch begins from a state of zeros."""
    rows = len(toy.target)
    return toy.model.stepper.trainer(rows), {**toy.inputs, "begin": np.ones((rows, 1), "float32")}


def _score_step_by_step(model: Any, inputs: dict[str, np.ndarray]) -> np.ndarray:
    """Three tokens, and then one by one."""
    tokens, targets = inputs["tokens"], inputs["targets"]
    state, parts = model.stepper.begin(len(tokens)), []
    for part in (slice(0, 3), *(slice(t, t + 1) for t in range(3, tokens.shape[1]))):
        nll, _, state = model.stepper.score(tokens[:, part], targets[:, part], state)
        parts.append(nll)
    return np.concatenate(parts, axis=1)


def _translation_spec(config: ModelConfig) -> TranslationSpec:
    """Small sizes, one vocabulary for both languages."""
    return TranslationSpec(source_vocab_size=30, target_vocab_size=30, joint=True)


def _translation_toy(model: keras.Model, spec: TranslationSpec, rng: np.random.Generator) -> _Toy:
    """Sentences of several lengths; the first and the last ones are not the longest."""
    source, targets = np.zeros((4, 6), "int32"), np.zeros((4, 5), "int32")
    for row, (length, its_length) in enumerate([(3, 2), (5, 4), (1, 3), (4, 1)]):
        source[row, :length] = rng.integers(1, spec.source_vocab_size, length)
        targets[row, :its_length] = rng.integers(1, spec.target_vocab_size, its_length)
    inputs = {"source": source, "previous": np.pad(targets[:, :-1], ((0, 0), (1, 0))), "targets": targets}
    return _Toy(model, inputs, np.zeros(targets.shape, "float32"), lambda _, nll: nll, 0.0,
                _translate_step_by_step, lambda toy: (toy.model.stepper.trainer(), toy.inputs))  # fmt: skip


def _translate_step_by_step(model: Any, inputs: dict[str, np.ndarray]) -> np.ndarray:
    """The source at once, and then token by token; what comes after the end counts nothing."""
    memory, state = model.stepper.encode({"source": inputs["source"]}, calls=1)
    parts = []
    for previous, targets in zip(inputs["previous"].T, inputs["targets"].T, strict=True):
        log_probs, state = model.stepper.step({"tokens": previous}, state, memory, calls=1)
        parts.append(-log_probs[np.arange(len(targets)), targets])
    ends = np.cumsum(inputs["targets"] == 0, axis=1)
    return np.where((ends == 0) | ((ends == 1) & (inputs["targets"] == 0)), np.stack(parts, axis=1), 0)


_TOYS = {
    "forecasting": _Task(_forecasting_spec, _forecasting_toy, {}),
    "language_modelling": _Task(_language_spec, _language_toy, {"units": 16, "embedding_dim": 16, "num_layers": 2}),
    "translation": _Task(_translation_spec, _translation_toy, {"units": 16, "embedding_dim": 16}),
}


def _called(model: keras.Model, inputs: dict[str, np.ndarray]) -> np.ndarray:
    return keras.ops.convert_to_numpy(model(inputs, training=False))


def _served(estimator: Any) -> Any:
    """What a fitted estimator answers to its own example; the parameters are JSON."""
    params = json.loads(json.dumps(estimator.serving_params()))
    return estimator.serve(estimator.serving_example(), params)
