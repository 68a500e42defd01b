"""Build the network of a saved model, but no more of it than the stored weights.

The config of a saved model (``units: 1e9``, ``num_layers: 2000``) is not trusted. The network is built under a guard that
compares each variable with the stored shapes before memory is allocated, and counts the layers.
"""

import functools
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from typing import Any

import keras
import numpy as np

from lstmzoo.errors import SavedModelError

_LAYERS_PER_VARIABLE = 10  # some layers, such as dropouts, have no variables
_MOST_SETTING = 100_000  # largest integer in the hyperparameters, unless more weights are stored

_guard: ContextVar["_Guard | None"] = ContextVar("_guard", default=None)


class _Guard:
    """The variables and layers that may still be made."""

    def __init__(self, weights: Mapping[str, np.ndarray]) -> None:
        self.shapes = Counter(array.shape for array in weights.values())
        self.layers = 100 + _LAYERS_PER_VARIABLE * len(weights)

    def layer(self) -> None:
        self.layers -= 1
        if self.layers < 0:
            raise SavedModelError(
                "weights.safetensors: the config describes more layers than the stored weights can have"
            )

    def variable(self, shape: Any) -> None:
        shape = () if shape is None else tuple(shape) if isinstance(shape, list | tuple) else (shape,)
        self.shapes[shape] -= 1
        if self.shapes[shape] < 0:
            raise SavedModelError(
                f"weights.safetensors: the config describes a variable of shape {shape} for which nothing is stored"
            )


def check_settings(settings: Mapping[str, Any], weights: Mapping[str, np.ndarray]) -> None:
    """Refuse integers that no network with the stored weights can have.

    Raises:
        SavedModelError: If there is one; the message names the first.
    """
    most = max(_MOST_SETTING, sum(array.size for array in weights.values()))
    for name, value in settings.items():
        if isinstance(value, int) and abs(value) > most:
            raise SavedModelError(f"params.json: {name} = {value} is more than any network with the stored weights has")


def build_like(weights: Mapping[str, np.ndarray], build: Callable[[], keras.Model]) -> keras.Model:
    """Build a network, all of whose variables must be among the stored ones.

    Args:
        weights: The stored arrays.
        build: Makes a network. Its variables are made by :meth:`keras.Layer.add_weight`.

    Raises:
        SavedModelError: As soon as ``build`` makes a variable whose shape is not stored, or too many layers.

    Examples:
        >>> def dense(units):
        ...     return keras.Sequential([keras.Input((3,)), keras.layers.Dense(units)])
        >>> stored = {v.path: np.asarray(v) for v in dense(2).weights}
        >>> build_like(stored, lambda: dense(2)).count_params()
        8
        >>> build_like(stored, lambda: dense(10**9))
        Traceback (most recent call last):
        lstmzoo.errors.SavedModelError: weights.safetensors: the config describes a variable of shape (3, 1000000000) ...
    """
    with _patched:
        token = _guard.set(_Guard(weights))  # of this thread: layers that others make at the same time do not ask it
        try:
            return build()
        finally:
            _guard.reset(token)


class _Patched:
    """Makes Keras' layers ask the guard of their thread, from the start of the first load to the end of the last.

    No lock is held meanwhile: a builder may itself load a model, in its own thread or in another one.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loads = 0
        self._originals: Any = None

    def __enter__(self) -> None:
        layer = keras.layers.Layer
        with self._lock:
            self._loads += 1
            if self._loads == 1:
                self._originals = layer.__new__, layer.add_weight
                layer.__new__, layer.add_weight = _asking(*self._originals)

    def __exit__(self, *_: object) -> None:
        layer = keras.layers.Layer
        with self._lock:
            self._loads -= 1
            if not self._loads:
                new, layer.add_weight = self._originals
                layer.__new__ = staticmethod(new)


def _asking(new: Any, add_weight: Any) -> tuple[Any, Any]:
    """Wrap two methods of a layer, so that they ask the guard first."""

    def checked_new(cls: Any, *args: Any, **kwargs: Any) -> Any:
        if (now := _guard.get()) is not None:
            now.layer()
        return new(cls, *args, **kwargs)

    @functools.wraps(add_weight)
    def checked_add_weight(self: Any, *args: Any, **kwargs: Any) -> Any:
        if (now := _guard.get()) is not None:
            now.variable(kwargs.get("shape", args[0] if args else None))
        return add_weight(self, *args, **kwargs)

    return staticmethod(checked_new), checked_add_weight


_patched = _Patched()
