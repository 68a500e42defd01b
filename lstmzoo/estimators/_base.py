"""What every estimator has: checked parameters, a seed, saving and loading."""

import functools
import hashlib
import inspect
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, get_type_hints

import keras
import numpy as np
from pydantic import ConfigDict, TypeAdapter, ValidationError
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError
from tokenizers import Tokenizer

from lstmzoo import saving
from lstmzoo._version import __version__
from lstmzoo.config import ModelConfig, TokenizerName, full_name, load_config, parse_config, without_numpy
from lstmzoo.errors import ConfigError, SavedModelError, UnknownNameError, arg
from lstmzoo.estimators.updating import chained_digest, train_further
from lstmzoo.migrations import FORMAT, migrate
from lstmzoo.outputs import check_file, check_folder
from lstmzoo.plugins import WAY_OUT
from lstmzoo.preprocessing import tokenizer_name
from lstmzoo.rebuilding import build_like, check_settings
from lstmzoo.registry import build_model, get_builder
from lstmzoo.seeding import seeded
from lstmzoo.training import Checkpoint, Trained, compile_for_prediction

_NESTED = "hyperparameters__"
CLASSES: dict[str, type["ZooEstimator"]] = {}


class ZooEstimator(BaseEstimator):
    """Base of the estimators: parameters are stored by ``__init__`` and checked by ``fit``; a fitted one can be saved.

    A subclass says what it has learned by :meth:`_learned` and takes it back by :meth:`_restore`.
    """

    task: ClassVar[str]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.__init__ is object.__init__:
            return  # a base of estimators, and none itself
        known = CLASSES.get(cls.__name__)
        if known is not None and known.__module__ != cls.__module__:
            raise ValueError(f"an estimator named {cls.__name__!r} is already defined by {known.__module__}")
        CLASSES[cls.__name__] = cls

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "seconds_")

    def save(self, path: str | Path, *, key: str | bytes | None = None) -> None:
        """Write a folder of JSON and safetensors; see :mod:`lstmzoo.saving`.

        Args:
            path: The folder, which must not exist or be a saved model; that is then replaced as a whole.
            key: Signs the folder, so that :func:`lstmzoo.load` with the same key shows that nobody without it made or changed
                it. If None, the content of the file that the environment variable ``LSTMZOO_KEY_FILE`` names, if it is set.

        Raises:
            NotFittedError: If the estimator is not fitted.
            ConfigError: If the key is empty or cannot be read, or a parameter was set since to a value that it must not have.
            SavedModelError: If the folder exists and is not a saved model, or cannot be written; the message says what is there.
        """
        self._check_savable()
        saving.write_bundle(path, *self._to_bundle(), key=saving.signing_key(key))

    def _check_fitted(self) -> None:
        if not self.__sklearn_is_fitted__():
            raise NotFittedError(f"this {type(self).__name__} is not fitted yet: call fit first")

    def _check_savable(self) -> None:
        """Refuse what would be saved and could not be loaded."""
        self._check_fitted()
        self._check_params()

    def _check_params(self) -> None:
        """Check each parameter against the type that ``__init__`` declares."""
        check_params(self)

    def _to_bundle(self) -> tuple[dict[str, Any], saving.Bundle]:
        learned, preprocessor, arrays = self._learned()
        params = {"params": {k: plain(v) for k, v in self.get_params(deep=False).items()}, "learned": learned}
        files: saving.Bundle = {
            "params.json": params,
            "preprocessor.json": preprocessor,
            "state.safetensors": arrays,
        }
        header = {"class": type(self).__name__, "keras": keras.__version__}
        if hasattr(self, "model_"):
            header["model"] = self.config_.name
            params["config"] = self.config_.model_dump()
            files["weights.safetensors"] = {v.path: np.asarray(v.numpy()) for v in self.model_.weights}
        return header, files

    def _from_bundle(self, files: saving.Bundle) -> None:
        document = files["params.json"]
        if "config" in document:
            self.config_ = parse_config(document["config"])
            _check_builder(self.config_.builder)
        self._restore(document["learned"], files["preprocessor.json"], files["state.safetensors"])
        if "config" in document:
            weights = files["weights.safetensors"]
            saving.check_arrays_finite(weights, "weights.safetensors")
            check_settings(self.config_.hyperparameters, weights)
            with seeded(0):
                self.model_ = build_like(weights, lambda: self._build(self.config_, self.spec_))
            set_weights(self.model_, weights)
            compile_for_prediction(self.model_)

    def _build(self, config: ModelConfig, spec: Any) -> keras.Model:
        return build_model(config.builder, spec, config.hyperparameters)

    def _learned(self) -> tuple[dict[str, Any], dict[str, Any], dict[str, np.ndarray]]:
        """What was learned, as JSON, the preprocessor, as JSON, and arrays."""
        raise NotImplementedError

    def _restore(self, learned: dict[str, Any], preprocessor: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        raise NotImplementedError

    def __getstate__(self) -> dict[str, Any]:
        if not self.__sklearn_is_fitted__():
            return super().__getstate__()
        return {"params": self.get_params(deep=False), "bundle": self._to_bundle()[1], "format": FORMAT}

    def __setstate__(self, state: dict[str, Any]) -> None:
        if "bundle" not in state:
            super().__setstate__(state)
            return
        format = state.get("format", 1)
        if format > FORMAT:
            raise SavedModelError(f"this {type(self).__name__} was pickled in format {format}; this is lstmzoo {__version__}, "
                                  f"which reads up to {FORMAT}: upgrade lstmzoo")  # fmt: skip
        for name, value in state["params"].items():
            setattr(self, name, value)
        migrate(state["bundle"], format, [base.__name__ for base in type(self).__mro__])
        self._from_bundle(state["bundle"])


class Untrained:
    """What searches ask of a trial, for baselines, which have no network."""

    @property
    def num_parameters_(self) -> int:
        """None is learned."""
        return 0

    @property
    def history_(self) -> list[dict[str, float]]:
        """There are no epochs."""
        return []


class ZooNetworkEstimator(ZooEstimator):
    """Base of the estimators that train a network named by a zoo config.

    Subclasses have the parameters ``model``, ``hyperparameters``, ``time_limit``, ``random_state`` and ``verbose``.
    """

    hyperparameters: dict[str, Any] | None
    data_digest_: str

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Parameters by name; with ``deep``, each of ``hyperparameters`` too, as ``hyperparameters__<name>``."""
        params = super().get_params(deep=False)
        given = params["hyperparameters"] or {} if deep else {}
        return {**params, **{f"{_NESTED}{name}": value for name, value in given.items()}}

    def set_params(self, **params: Any) -> "ZooNetworkEstimator":
        """Set parameters by name; ``hyperparameters__<name>`` sets, or adds, one of ``hyperparameters``.

        Raises:
            ValueError: If there is no parameter of such a name.

        Examples:
            >>> from lstmzoo import Forecaster
            >>> Forecaster(horizon=6).set_params(hyperparameters__units=8).hyperparameters
            {'units': 8}
        """
        nested = {key.removeprefix(_NESTED): value for key, value in params.items() if key.startswith(_NESTED)}
        super().set_params(**{key: value for key, value in params.items() if not key.startswith(_NESTED)})
        if nested:
            self.hyperparameters = {**(self.hyperparameters or {}), **nested}
        return self

    @property
    def num_parameters_(self) -> int:
        """Numbers in the network."""
        return int(self.model_.count_params())

    def _resolve_config(self) -> ModelConfig:
        config = load_config(full_name(self.model, self.task))
        return config.override(self.hyperparameters or {})

    def _seed(self) -> int:
        """The seed of one fit: ``random_state``, or a fresh one."""
        entropy = np.random.SeedSequence(self.random_state)
        return int(entropy.generate_state(1)[0] % (2**31 - 1))

    def _checkpoint(self, directory: str | Path | None, data_digest: str) -> Checkpoint | None:
        if directory is None:
            return None
        if self.random_state is None:
            raise ConfigError(
                f"{arg('checkpoint_dir')} needs a {arg('random_state')}: without one, a fit cannot be resumed"
            )
        check_folder(directory, arg("checkpoint_dir"))
        return Checkpoint(Path(directory), fingerprint=f"{data_digest} {self._fit_identity()}")

    def _fit_identity(self) -> str:
        """The parameters of a fit, in a form that is the same however they were written."""
        in_config = {"model", "hyperparameters", "tokenizer"}
        params = {k: v for k, v in self.get_params(deep=False).items() if k not in {"verbose", *in_config}}
        config = self._resolve_config().model_dump(include={"name", "builder", "hyperparameters", "data", "training"})
        return canonical_json({"params": params, "config": config})

    def _update(self, epochs: int, train: Callable[[ModelConfig, int], Trained] | None, new_digest: str) -> None:
        """Train on new data, if there is any to train on, and note that its digest is of the training data."""
        if train is not None:
            train_further(self, epochs, train)
        self.data_digest_ = chained_digest(self.data_digest_, new_digest)

    def refit_clone(self) -> "ZooNetworkEstimator":
        """An unfitted copy that trains on all data, without validation, for as many epochs as were best."""
        from sklearn.base import clone

        self._check_fitted()
        hyperparameters = {**(self.hyperparameters or {}), "epochs": self.best_epoch_}
        return clone(self).set_params(hyperparameters=hyperparameters, validation_size=0, time_limit=None)


class Tokenizing(ZooEstimator):
    """Base of the estimators with a parameter ``tokenizer``. A saved one has its own tokenizer in the preprocessor alone."""

    tokenizer: Any
    preprocessor_: Any

    def _check_savable(self) -> None:
        super()._check_savable()
        fitted = self.preprocessor_.library
        if isinstance(self.tokenizer, Tokenizer) and (fitted is None or fitted.to_str() != self.tokenizer.to_str()):
            raise ConfigError(
                f"{arg('tokenizer')}: it is another one than fit used, which alone is saved: set it back, or fit with the new one"
            )

    def _to_bundle(self) -> tuple[dict[str, Any], saving.Bundle]:
        header, files = super()._to_bundle()
        if isinstance(self.tokenizer, Tokenizer):
            files["params.json"]["params"]["tokenizer"] = "pretrained"
        return header, files

    def _from_bundle(self, files: saving.Bundle) -> None:
        super()._from_bundle(files)
        if self.tokenizer == "pretrained":
            self.tokenizer = self.preprocessor_.library


class TokenizingEstimator(Tokenizing, ZooNetworkEstimator):
    """Base of the estimators that cut text into tokens; these have a parameter ``tokenizer`` too, None for the entry's own."""

    def restrict(self, search_space: dict[str, Any], *data: Any) -> dict[str, Any]:
        """A search space without what this estimator's parameters set.

        Args:
            search_space: Ranges by key, as in a zoo config.
            *data: What is to be fitted, as for ``fit``.
        """
        own = {None: (), "pretrained": ("tokenizer", "vocab_size")}.get(tokenizer_name(self.tokenizer), ("tokenizer",))
        fixed = {*(self.hyperparameters or {}), *own}
        return {key: value for key, value in search_space.items() if key not in fixed}

    def _resolve_config(self) -> ModelConfig:
        if self.tokenizer is not None and "tokenizer" in (self.hyperparameters or {}):
            raise ConfigError(
                f"the parameter {arg('tokenizer')} and the hyperparameter tokenizer say the same: give one of them"
            )
        config = super()._resolve_config()
        if isinstance(self.tokenizer, Tokenizer):
            if (self.hyperparameters or {}).get("vocab_size") is not None:
                raise ConfigError("vocab_size: a tokenizer of your own has its own vocabulary: leave vocab_size out")
            return config.override({"tokenizer": "pretrained", "vocab_size": None})
        return config if self.tokenizer is None else config.override({"tokenizer": self.tokenizer})

    def _fit_identity(self) -> str:
        own = [self.tokenizer] if isinstance(self.tokenizer, Tokenizer) else []
        return " ".join([super()._fit_identity(), *map(canonical_json, own)])

    def _tokenizer(self, config: ModelConfig) -> TokenizerName | Tokenizer:
        """What the preprocessor is made of: the tokenizer that was passed in, or the config's."""
        return self.tokenizer if isinstance(self.tokenizer, Tokenizer) else config.data.tokenizer


def _check_builder(name: str) -> None:
    """Refuse a saved model whose builder is not known here.

    Raises:
        SavedModelError: If it is not; the message says how it becomes known.
    """
    try:
        get_builder(name)
    except UnknownNameError:
        raise SavedModelError(f"its network was built by {name!r}, which is not known here: {WAY_OUT}") from None
    except ConfigError as error:
        raise SavedModelError(f"its network was built by {name!r}, which is not known here: {error}") from error


def set_weights(model: keras.Model, arrays: dict[str, np.ndarray]) -> None:
    """Assign saved variables by path, after all names, shapes and dtypes have been compared.

    Raises:
        SavedModelError: If one does not fit.
    """
    expected = {v.path: (tuple(v.shape), str(v.dtype)) for v in model.weights}
    saving.check_arrays(arrays, expected, "weights.safetensors")
    for variable in model.weights:
        variable.assign(arrays[variable.path])


def digest(*arrays: np.ndarray) -> str:
    """SHA-256 of arrays, as 64 hexadecimal digits."""
    hasher = hashlib.sha256()
    for array in arrays:
        raw = np.ascontiguousarray(array)
        hasher.update(f"{raw.dtype}{raw.shape}".encode())
        hasher.update(canonical_json(raw).encode() if raw.dtype == object else raw.tobytes())
    return hasher.hexdigest()


def check_picture(path: str | Path) -> None:
    """Refuse, before any work is done, a file that a figure cannot be saved to.

    Raises:
        ConfigError: If its suffix is of no known format, or it cannot be written.
    """
    from matplotlib.backend_bases import FigureCanvasBase

    path, formats = Path(path), FigureCanvasBase.get_supported_filetypes()
    if path.suffix.lower().lstrip(".") not in formats:
        raise ConfigError(f"{path}: expected a name that ends in {', '.join(f'.{name}' for name in sorted(formats))}")
    check_file(path, "path")


def check_params(estimator: Any) -> None:
    """Check each parameter against the type that ``__init__`` declares; NumPy's numbers and tuples count as Python's.

    Raises:
        ConfigError: Naming the first that is wrong.
    """
    for name, adapter in _adapters(type(estimator)).items():  # type: ignore[arg-type]
        value = getattr(estimator, name)
        value = value if isinstance(value, Tokenizer) else plain(value)
        try:
            adapter.validate_python(value)
        except ValidationError as error:
            raise ConfigError(f"{arg(name)}: {error.errors()[0]['msg']}, got {shortened(value)}") from None


def plain(value: Any) -> Any:
    """A NumPy number or array as Python's, a tuple as a list, a tokenizer as its JSON, and so within lists and dicts."""
    if isinstance(value, Tokenizer):
        return value.to_str()
    value = without_numpy(value)
    if isinstance(value, list):
        return [plain(v) for v in value]
    return {k: plain(v) for k, v in value.items()} if isinstance(value, dict) else value


def canonical_json(value: Any) -> str:
    """JSON that is the same for values that mean the same, for hashing.

    Keys are sorted. NumPy numbers are written as Python's, tuples and arrays as lists, whole floats as integers, and what JSON
    lacks by its ``repr``.

    Examples:
        >>> canonical_json({"units": np.int64(8), "quantiles": (0.1, np.float64(2))})
        '{"quantiles": [0.1, 2], "units": 8}'
    """

    def same(value: Any) -> Any:
        if isinstance(value, dict):
            return {str(k): same(v) for k, v in value.items()}
        if isinstance(value, list):
            return [same(v) for v in value]
        return int(value) if isinstance(value, float) and value.is_integer() else value

    return json.dumps(same(plain(value)), sort_keys=True, default=repr)


def shortened(value: Any) -> str:
    """What a message shows of a value."""
    text = repr(value)
    return text if len(text) <= 60 and "\n" not in text else f"a {type(value).__name__}"


@functools.cache
def _adapters(cls: Any) -> dict[str, TypeAdapter]:
    hints = get_type_hints(cls.__init__, include_extras=True)
    names = list(inspect.signature(cls.__init__).parameters)[1:]
    return {
        name: TypeAdapter(hints[name], config=ConfigDict(strict=True, arbitrary_types_allowed=True)) for name in names
    }
