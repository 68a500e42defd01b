"""Bases of all estimators: checked parameters, and learned attributes that can be saved and restored."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import keras
import numpy as np
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError
from tokenizers import Tokenizer

from lstmzoo import saving
from lstmzoo._version import __version__
from lstmzoo.config import ModelConfig, parse_config
from lstmzoo.contracts import Servable
from lstmzoo.errors import ConfigError, SavedModelError, UnknownNameError, arg, unknown_name
from lstmzoo.estimators._base._base import Searched
from lstmzoo.migrations import FORMAT, migrate
from lstmzoo.plugins import WAY_OUT, look_for
from lstmzoo.rebuilding import build_like, check_settings
from lstmzoo.registry import build_model, get_builder
from lstmzoo.seeding import seeded
from lstmzoo.training import compile_for_prediction
from lstmzoo.values import check_params, plain

PARAMS, PREPROCESSOR, STATE = "params.json", "preprocessor.json", "state.safetensors"
Parts = dict[str, dict[str, Any]]  # of a saved model: what is learned, by file and key
CLASSES: dict[str, type["ZooEstimator"]] = {}


def _same(value: Any) -> Any:
    return value


@dataclass(frozen=True)
class Learned:
    """A learned attribute, and its place in a saved model.

    Attributes:
        name: Name of the attribute.
        file: File that holds it.
        key: Key in the file; the attribute's name if empty.
        dump: Function from the value to JSON.
        load: Function from JSON to the value.

    Examples:
        >>> from types import SimpleNamespace
        >>> pair, parts = Learned("pair_", dump=list, load=tuple), {PARAMS: {}}
        >>> pair.save(SimpleNamespace(pair_=(1, 2)), parts)
        >>> parts
        {'params.json': {'pair_': [1, 2]}}
        >>> estimator = SimpleNamespace()
        >>> pair.restore(estimator, parts)
        >>> estimator.pair_
        (1, 2)
    """

    name: str
    file: str = PARAMS
    key: str = ""
    dump: Callable[[Any], Any] = _same
    load: Callable[[Any], Any] = _same

    def save(self, estimator: Any, parts: Parts) -> None:
        """Put the estimator's value into the parts."""
        parts[self.file][self.key or self.name] = self.dump(getattr(estimator, self.name))

    def restore(self, estimator: Any, parts: Parts) -> None:
        """Give the estimator the value that the parts hold; those declared before it are restored already."""
        setattr(estimator, self.name, self.load(parts[self.file][self.key or self.name]))


@dataclass(frozen=True)
class LearnedArray(Learned):
    """A learned array, or None."""

    file: str = STATE

    def save(self, estimator: Any, parts: Parts) -> None:
        """Put the array into the parts, if there is one."""
        if getattr(estimator, self.name) is not None:
            super().save(estimator, parts)

    def restore(self, estimator: Any, parts: Parts) -> None:
        """Give the estimator the array, or None if the parts lack it."""
        setattr(estimator, self.name, parts[self.file].get(self.key or self.name))


@dataclass(frozen=True)
class LearnedArrays(Learned):
    """A learned object that is all arrays, or None. ``dump`` and ``load`` give and take a dict of arrays."""

    file: str = STATE

    def save(self, estimator: Any, parts: Parts) -> None:
        """Put the object's arrays into the parts, if there is one."""
        value = getattr(estimator, self.name)
        parts[self.file] |= {} if value is None else self.dump(value)

    def restore(self, estimator: Any, parts: Parts) -> None:
        """Give the estimator the object, or None if the parts have no arrays."""
        arrays = parts[self.file]
        setattr(estimator, self.name, self.load(arrays) if arrays else None)


def as_json(*names: str) -> tuple[Learned, ...]:
    """Declare attributes that are JSON as they are."""
    return tuple(map(Learned, names))


def spec(cls: type) -> Learned:
    """Declare ``spec_``, a dataclass of sizes."""

    def load(document: dict[str, Any]) -> Any:
        return cls(**{key: tuple(value) if isinstance(value, list) else value for key, value in document.items()})

    return Learned("spec_", key="spec", dump=asdict, load=load)


def preprocessor(cls: Any, key: str) -> Learned:
    """Declare ``preprocessor_``, of a class with ``to_json`` and ``from_json``."""
    return Learned("preprocessor_", PREPROCESSOR, key, cls.to_json, cls.from_json)


class ZooEstimator(Searched, BaseEstimator):
    """Base of the estimators: ``__init__`` stores parameters, ``fit`` checks them, and a fitted estimator can be saved.

    A subclass declares in ``_saved`` what it learns beside what its bases do.
    """

    task: ClassVar[str]
    _saved: ClassVar[tuple[Learned, ...]] = as_json("seconds_", "data_digest_")
    seconds_: float
    data_digest_: str
    spec_: Any
    holdout_split: Any

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.__init__ is object.__init__:
            return  # a base class that is no estimator itself
        known = CLASSES.get(cls.__name__)
        if known is not None and known.__module__ != cls.__module__:
            raise ValueError(f"an estimator named {cls.__name__!r} is already defined by {known.__module__}")
        CLASSES[cls.__name__] = cls

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "seconds_")

    def save(self, path: str | Path, *, key: str | bytes | None = None) -> None:
        """Write a folder of JSON and safetensors; see :mod:`lstmzoo.saving`.

        Args:
            path: The folder. If it exists, it must be a saved model, which is replaced as a whole.
            key: Key that signs the folder. :func:`lstmzoo.load` with the same key then refuses a folder that was made or
                changed without it. If None, the content of the file named by the environment variable ``LSTMZOO_KEY_FILE``;
                without that variable, the folder is not signed.

        Raises:
            NotFittedError: If the estimator is not fitted.
            ConfigError: If the key is empty or cannot be read, or a parameter was changed to an invalid value after ``fit``.
            SavedModelError: If the folder exists and is not a saved model, or cannot be written.
        """
        self._check_savable()
        saving.write_bundle(path, *self._to_bundle(), key=saving.signing_key(key))

    def serving_params(self: Servable) -> dict[str, Any]:
        """Return the default of each parameter that :meth:`serve` takes."""
        return {param.name: param.default for param in self.serving_schema()}

    def serving_nullable(self) -> list[str]:
        """Return the columns of requests that may have missing values; by default none."""
        return []

    def serving_warmup(self) -> list[dict[str, Any]]:
        """Return the parameters of requests that compile what usual requests need; by default of one with all defaults."""
        return [{}]

    def _check_fitted(self) -> None:
        if not self.__sklearn_is_fitted__():
            raise NotFittedError(f"this {type(self).__name__} is not fitted yet: call fit first")

    def _check_savable(self) -> None:
        """Refuse to save what could not be loaded."""
        self._check_fitted()
        self._check_params()

    def _check_params(self) -> None:
        """Check each parameter against the type that ``__init__`` declares."""
        check_params(self)

    def _to_bundle(self) -> tuple[dict[str, Any], saving.Bundle]:
        parts: Parts = {PARAMS: {}, PREPROCESSOR: {}, STATE: {}}
        for learned in self._declared():
            learned.save(self, parts)
        params = {"params": {k: plain(v) for k, v in self.get_params(deep=False).items()}, "learned": parts[PARAMS]}
        files: saving.Bundle = {**parts, PARAMS: params}
        header = {"class": type(self).__name__, "keras": keras.__version__}
        if hasattr(self, "model_"):
            header["model"] = self.config_.name
            params["config"] = self.config_.model_dump()
            files["weights.safetensors"] = {v.path: np.asarray(v.numpy()) for v in self.model_.weights}
        return header, files

    @classmethod
    def _migrate(cls, files: saving.Bundle, format: int) -> None:
        """Migrate the files of a saved model, in place, from an earlier format."""
        migrate(files, format, [base.__name__ for base in cls.__mro__])

    @classmethod
    def _unfitted(cls, files: saving.Bundle) -> Self:
        """Return an estimator with the parameters of a saved model, checked."""
        estimator = cls(**files[PARAMS]["params"])
        estimator._check_params()
        return estimator

    def _from_bundle(self, files: saving.Bundle) -> None:
        document = files[PARAMS]
        if "config" in document:
            self.config_ = parse_config(document["config"])
            _check_builder(self.config_.builder)
        parts = {PARAMS: document["learned"], PREPROCESSOR: files[PREPROCESSOR], STATE: files[STATE]}
        for learned in self._declared():
            learned.restore(self, parts)
        self._complete()
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

    @classmethod
    def _declared(cls) -> list[Learned]:
        """Return what the class and its bases declare in ``_saved``, that of the bases first."""
        declared = [learned for base in reversed(cls.__mro__) for learned in vars(base).get("_saved", ())]
        return list({learned.name: learned for learned in declared}.values())

    def _complete(self) -> None:
        """Check that restored attributes are consistent, and set those that are not saved. The network is restored later.

        Raises:
            SavedModelError: If they are not consistent.
        """

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
        self._migrate(state["bundle"], format)
        for name, value in state["bundle"][PARAMS]["params"].items():
            if name not in state["params"]:
                setattr(self, name, value)
        self._from_bundle(state["bundle"])


class Tokenizing(ZooEstimator):
    """Base of the estimators with a parameter ``tokenizer``. A saved model holds a tokenizer once, in the preprocessor."""

    tokenizer: Any
    preprocessor_: Any

    def _check_savable(self) -> None:
        super()._check_savable()
        fitted = self.preprocessor_.library
        if isinstance(self.tokenizer, Tokenizer) and (fitted is None or fitted.to_str() != self.tokenizer.to_str()):
            raise ConfigError(
                f"{arg('tokenizer')}: it was changed after fit, and only the fitted one is saved: set it back, or fit again"
            )

    def _to_bundle(self) -> tuple[dict[str, Any], saving.Bundle]:
        header, files = super()._to_bundle()
        if isinstance(self.tokenizer, Tokenizer):
            files[PARAMS]["params"]["tokenizer"] = "pretrained"
        return header, files

    def _from_bundle(self, files: saving.Bundle) -> None:
        super()._from_bundle(files)
        if self.tokenizer == "pretrained":
            self.tokenizer = self.preprocessor_.library


class Untrained:
    """Base of the baselines, which have no network: the attributes that a search reads from each trial."""

    @property
    def num_parameters_(self) -> int:
        """The number of weights: 0."""
        return 0

    @property
    def history_(self) -> list[dict[str, float]]:
        """The rows of the epochs: none."""
        return []


def class_named(name: str) -> type[ZooEstimator]:
    """Return the class of a saved model by name.

    Raises:
        SavedModelError: If there is no such class; the message lists them.
    """
    look_for(name, CLASSES, "lstmzoo.estimators")
    if name not in CLASSES:
        raise SavedModelError(f"{unknown_name('class', name, CLASSES)}; for one of your own, {WAY_OUT}")
    return CLASSES[name]


def _check_builder(name: str) -> None:
    """Refuse a saved model whose builder is not registered; the message says how to register it."""
    try:
        get_builder(name)
    except UnknownNameError:
        raise SavedModelError(f"its network was built by {name!r}, which is not known here: {WAY_OUT}") from None
    except ConfigError as error:
        raise SavedModelError(f"its network was built by {name!r}, which is not known here: {error}") from error


def set_weights(model: keras.Model, arrays: dict[str, np.ndarray]) -> None:
    """Assign saved weights by path, after comparing all names, shapes and dtypes.

    Raises:
        SavedModelError: If one differs.
    """
    expected = {v.path: (tuple(v.shape), str(v.dtype)) for v in model.weights}
    saving.check_arrays(arrays, expected, "weights.safetensors")
    for variable in model.weights:
        variable.assign(arrays[variable.path])
