"""Functions of arrays, compiled over the weights of networks."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import keras

from lstmzoo.backend import jit_compile


class FunctionModel(keras.Model):
    """A model whose ``call`` is the method ``run`` of its subclass, and whose layers know whether they are in training.

    Keras tells the layers that another *layer* calls. A model's ``call`` is not always called as a layer: on JAX, compiled
    steps run it by itself, and the layers in it would take every step for inference, without dropout.

    Inputs reach ``run`` with their own dtypes; under a mixed precision policy, the layers cast what they read.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name=name, autocast=False)
        self._body = _Body(self.run, name="body", autocast=False)

    def run(self, inputs: Any) -> Any:
        """The model's outputs; a subclass defines it."""
        raise NotImplementedError

    def call(self, inputs: Any, training: bool = False) -> Any:
        return self._body(inputs, training=training)


class _Body(keras.layers.Layer):
    """A function as a layer, which tells the layers in it whether they are in training."""

    def __init__(self, function: Callable, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._function = function

    def call(self, inputs: Any, training: bool = False) -> Any:
        return self._function(inputs)


class Programs:
    """Functions that are compiled when they are first run, and kept.

    Each shape of inputs needs a key of its own: TensorFlow would else trace the second one with a shape that it does not know.

    Args:
        networks: Whose weights the functions read.
    """

    def __init__(self, *networks: keras.Model) -> None:
        self._networks = networks
        self._programs: dict[tuple, keras.Model] = {}

    def run(self, key: tuple, function: Callable, inputs: dict[str, Any], calls: float = math.inf) -> dict[str, Any]:
        """What the function of tensors, by name, gives for arrays.

        Args:
            key: Of the function and the inputs' shapes.
            function: From a dict of tensors to a dict of tensors.
            inputs: Arrays.
            calls: How often it will be run so: XLA compiles it where that pays.
        """
        jit = jit_compile(calls)
        if (*key, jit) not in self._programs:
            program = _Program(self._networks, function)
            program.compile(jit_compile=jit)
            self._programs[*key, jit] = program
        return self._programs[*key, jit].predict_on_batch(inputs)


class _Program(FunctionModel):
    """A function as a model."""

    def __init__(self, networks: Sequence[keras.Model], function: Callable) -> None:
        super().__init__(name="program")
        self.networks = list(networks)
        self._function = function

    def run(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """What the function gives."""
        return self._function(inputs)


def named(tensors: Any, name: str = "state") -> dict[str, Any]:
    """A nest of tensors as a dict: ``state_0``, ``state_1``, ..."""
    return {f"{name}_{i}": tensor for i, tensor in enumerate(keras.tree.flatten(tensors))}


def unnamed(values: dict[str, Any], name: str = "state") -> list[Any]:
    """The tensors that :func:`named` named, in their order."""
    return [values[f"{name}_{i}"] for i in range(sum(key.startswith(f"{name}_") for key in values))]
