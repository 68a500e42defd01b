"""Functions of arrays, compiled over the weights of networks."""

import math
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

import keras

from lstmzoo.backend import jit_compile, predict_batch

MOST_PROGRAMS = 64  # kept of a network: more than one use of it needs


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


class NetworkTrainer(FunctionModel):
    """A model that trains the network in it. What callbacks save of it is the network."""

    network: keras.Model

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save the network."""
        self.network.save(*args, **kwargs)

    def save_weights(self, *args: Any, **kwargs: Any) -> None:
        """Save the network's weights."""
        self.network.save_weights(*args, **kwargs)


class _Body(keras.layers.Layer):
    """A function as a layer, which tells the layers in it whether they are in training."""

    def __init__(self, function: Callable, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._function = function

    def call(self, inputs: Any, training: bool = False) -> Any:
        return self._function(inputs)


class Programs:
    """Functions that are compiled when they are first run, and kept until many others have been run since.

    Each shape of inputs needs a key of its own: TensorFlow would else trace the second one with a shape that it does not know.
    Threads may share them.

    Args:
        networks: Whose weights the functions read.

    Examples:
        >>> import numpy as np
        >>> network = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, kernel_initializer="ones", name="one")])
        >>> programs = Programs(network)
        >>> answer = programs.run(("twice",), lambda given: {"y": 2 * network(given["x"])}, {"x": np.ones((1, 1))}, calls=1)
        >>> answer["y"], len(programs)
        (array([[2.]], dtype=float32), 1)
    """

    def __init__(self, *networks: keras.Model) -> None:
        self._networks = networks
        self._programs: OrderedDict[tuple, keras.Model] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._programs)

    def run(self, key: tuple, function: Callable, inputs: dict[str, Any], calls: float = math.inf) -> dict[str, Any]:
        """What the function of tensors, by name, gives for arrays.

        Args:
            key: Of the function and the inputs' shapes.
            function: From a dict of tensors to a dict of tensors.
            inputs: Arrays.
            calls: How often it will be run so: XLA compiles it where that pays.
        """
        jit = jit_compile(calls)
        with self._lock:
            if (*key, jit) not in self._programs:
                program = _Program(self._networks, function)
                program.compile(jit_compile=jit)
                self._programs[*key, jit] = program
            self._programs.move_to_end((*key, jit))
            program = self._programs[*key, jit]
            if len(self._programs) > MOST_PROGRAMS:
                self._programs.popitem(last=False)
        return predict_batch(program, inputs)


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
