"""A task from outside of the package: the sum of a few numbers. The tests name this file in ``LSTMZOO_MODULES``."""

from dataclasses import dataclass
from typing import ClassVar

import keras
import numpy as np
import pandas as pd

from lstmzoo.checks import TOYS, Toy, Toys
from lstmzoo.cli._base import Evaluation, Measure, Source, Task, register_task
from lstmzoo.cli._parsing import option
from lstmzoo.config import ModelConfig, Strict
from lstmzoo.estimators._base import (
    Prepared,
    Untrained,
    ZooEstimator,
    ZooNetworkEstimator,
    as_json,
    preprocessor,
    spec,
)
from lstmzoo.registry import register_model
from lstmzoo.spec import DataSpec
from lstmzoo.training import Batches
from lstmzoo.values import digest


@dataclass(frozen=True)
class SummingSpec(DataSpec):
    """How many numbers are added."""

    task: ClassVar[str] = "summing"
    length: int


class SummingData(Strict):
    """Whether numbers are divided by the largest."""

    scaled: bool


class SummingConfig(ModelConfig):
    """A zoo entry for summing."""

    task: ClassVar[str] = "summing"
    estimators: ClassVar[tuple[str, ...]] = ("Summer",)
    spec: ClassVar[type[DataSpec]] = SummingSpec
    data: SummingData


@register_model
def recurrent_summer(spec, *, units: int, dropout: float):
    numbers = keras.Input((spec.length, 1), name="numbers")
    read = keras.layers.SimpleRNN(units, name="reader")(numbers)
    kept = keras.layers.Dropout(dropout, name="dropout")(read)
    return keras.Model({"numbers": numbers}, keras.layers.Dense(1, name="head")(kept), name="recurrent_summer")


@dataclass(frozen=True)
class Scale:
    """What numbers are divided by."""

    size: float

    def to_json(self):
        return {"size": self.size}

    @classmethod
    def from_json(cls, document):
        return cls(**document)


@dataclass(frozen=True, kw_only=True)
class Sums(Prepared):
    x: np.ndarray
    y: np.ndarray


class _Summing(ZooEstimator):
    """What the network and its baseline have in common."""

    task: ClassVar[str] = "summing"

    def score(self, X, y):
        return -float(np.abs(self.predict(X) - np.asarray(y)).mean())

    def data_digest(self, X, y):
        return digest(np.asarray(X, "float32"), np.asarray(y, "float32"))

    def serving_example(self):
        return pd.DataFrame({"numbers": ["1 2 3"]})

    def serving_schema(self):
        return []

    def serving_steps(self, model_input, params):
        return len(model_input), "rows"

    def serve(self, model_input, params):
        numbers = np.stack([np.array(text.split(), "float32") for text in model_input["numbers"]])
        return pd.DataFrame({"sum": self.predict(numbers)})


class MeanSum(Untrained, _Summing):
    """The mean of all sums."""

    _saved = as_json("mean_")

    def __init__(self) -> None:
        """Nothing to set."""

    def fit(self, X, y):
        self.mean_, self.seconds_, self.data_digest_ = float(np.mean(y)), 0.0, self.data_digest(X, y)
        return self

    def predict(self, X):
        self._check_fitted()
        return np.full(len(X), self.mean_)


class Summer(_Summing, ZooNetworkEstimator[Sums]):
    """A network that adds."""

    _saved = (spec(SummingSpec), preprocessor(Scale, "scale"))

    def __init__(
        self,
        model: str = "rnn",
        *,
        hyperparameters: dict | None = None,
        validation_size: float = 0.2,
        time_limit: float | None = None,
        random_state: int | None = None,
        verbose: int = 1,
    ) -> None:
        self.model = model
        self.hyperparameters = hyperparameters
        self.validation_size = validation_size
        self.time_limit = time_limit
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X, y, *, checkpoint_dir=None):
        return self._fit_network(X, y, checkpoint_dir=checkpoint_dir)

    def update(self, X, y, *, epochs=1):
        return self._update_network(epochs, X, y)

    def predict(self, X):
        self._check_fitted()
        size = self.preprocessor_.size
        inputs = {"numbers": np.asarray(X, "float32")[..., None] / np.float32(size)}
        return np.ravel(self.model_.predict(inputs, verbose=0)).astype(float) * size

    def baselines(self):
        return {"mean": MeanSum()}

    def holdout_split(self, X, y):
        kept = len(X) - max(1, int(len(X) * (self.validation_size or 0.2)))
        return (X[:kept], y[:kept]), (X[kept:], y[kept:])

    def restrict(self, search_space, *data):
        return {key: one for key, one in search_space.items() if key not in (self.hyperparameters or {})}

    def read_once(self, X, y):
        return np.asarray(X, "float32"), np.asarray(y, "float32")

    def network_sizes(self, X, y):
        return self._network_sizes(X, y)

    def _prepare(self, config, seed, X, y):
        X, y = self.read_once(X, y)
        return self._sums(Scale(float(np.abs(y).max()) if config.data.scaled else 1.0), X, y)

    def _prepare_update(self, config, seed, X, y):
        return self._sums(self.preprocessor_, *self.read_once(X, y))

    def _sums(self, scale, X, y):
        spec, x, targets = SummingSpec(X.shape[1]), X[..., None] / scale.size, y[:, None] / scale.size
        return Sums(preprocessor=scale, spec=spec, digest=self.data_digest(X, y), x=x, y=targets)

    def _batches(self, model, prepared, config, seed):
        t = config.training
        return Batches(
            lambda rows: ({"numbers": prepared.x[rows]}, prepared.y[rows]), num_items=len(prepared.x),
            batch_size=t.batch_size, steps_per_epoch=t.steps_per_epoch, seed=seed,
        )  # fmt: skip

    def _loss(self, prepared, overrides):
        return lambda y, output: (y - output) ** 2


def _toy(model, spec, rng):
    numbers = rng.normal(size=(6, spec.length, 1)).astype("float32")
    return Toy(model, {"numbers": numbers}, numbers.sum(axis=1), "mse")


TOYS["summing"] = Toys(lambda config: SummingSpec(length=3), _toy, {"units": 4})


def _read(path, options):
    lines = path.read_text().splitlines()[options.get("skip", 0) :]
    table = np.array([line.replace("=", " ").split() for line in lines], "float32")
    return Source((table[:, :-1], table[:, -1]), {}, {})


def _evaluate(estimator, path, options):
    mae = -estimator.score(*_read(path, options).data)
    return Evaluation({"mae": mae}, ("score", "value"), [("MAE", mae)])


SKIP = {"skip": option(int | None, "Lines to skip.", panel="Summing", min=0)}
register_task(
    Task(
        name="summing",
        holds="sums",
        suffixes=(".sums",),
        read=_read,
        read_more=lambda path, options, _: _read(path, options).data,
        evaluate=_evaluate,
        score="negative mean absolute error",
        measure=Measure("mae", "MAE"),
        reference="mean",
        use=("evaluate", "scores sums"),
        options=SKIP,
        evaluation_options=SKIP,
        update_options=SKIP,
        about=lambda estimator: {"length": estimator.spec_.length},
    )
)
