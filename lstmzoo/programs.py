"""Functions of arrays, compiled over the weights of networks."""

import math
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from lstmzoo.backend import Batch, State, Tensor, Tensors, jit_compile, predict_batch

MOST_PROGRAMS = 64  # kept per network: more than one use of it needs

Program = Callable[[Tensors], Tensors]


class FunctionModel(keras.Model):
    """A model that calls the method ``run`` of its subclass, and passes ``training`` on to the layers in it.

    Keras passes ``training`` on only from a layer to the layers that it calls. On JAX, compiled steps call a model's ``call``
    directly, and its layers would run as in inference, without dropout. So ``run`` is wrapped in a layer.

    Inputs keep their dtypes; under a mixed precision policy, the layers cast what they read.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name=name, autocast=False)
        self._body = _Body(self.run, name="body", autocast=False)

    def run(self, inputs: Tensors) -> Tensor:
        """Compute the model's outputs; a subclass defines it."""
        raise NotImplementedError

    def call(self, inputs: Tensors, training: bool = False) -> Tensor:
        return self._body(inputs, training=training)


class NetworkTrainer(FunctionModel):
    """A model that trains the network in it. Callbacks that save it save the network."""

    network: keras.Model

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save the network."""
        self.network.save(*args, **kwargs)

    def save_weights(self, *args: Any, **kwargs: Any) -> None:
        """Save the network's weights."""
        self.network.save_weights(*args, **kwargs)


class _Body(keras.layers.Layer):
    """A function as a layer."""

    def __init__(self, function: Callable, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._function = function

    def call(self, inputs: Tensors, training: bool = False) -> Tensor:
        return self._function(inputs)


class Programs:
    """Functions of a network's weights, each compiled when it is first run, and kept until many others have been run since.

    Each shape of the inputs is compiled on its own; otherwise TensorFlow would trace the second shape as one that is unknown.
    Threads may share them.

    Args:
        networks: The networks whose weights the functions use.

    Attributes:
        usual_calls: How many times shapes will be run if :meth:`run` is not told.

    Examples:
        >>> import numpy as np
        >>> network = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, kernel_initializer="ones", name="one")])
        >>> programs = Programs(network)
        >>> answer = programs.run(("twice",), lambda given: {"y": 2 * network(given["x"])}, {"x": np.ones((1, 1))}, calls=1)
        >>> answer["y"], len(programs)
        (array([[2.]], dtype=float32), 1)
    """

    def __init__(self, *networks: keras.Model) -> None:
        self.usual_calls = math.inf
        self._networks = networks
        self._programs: OrderedDict[tuple, keras.Model] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._programs)

    def run(self, key: tuple, function: Program, inputs: Batch, calls: float = math.inf) -> Batch:
        """Run a function on arrays.

        Args:
            key: Identifies the function, with all that it does not read from its inputs.
            function: From tensors by name to tensors by name.
            inputs: Arrays by name.
            calls: How many times such shapes will be run; ``usual_calls`` if infinite. XLA compiles what runs often.
        """
        jit = jit_compile(self.usual_calls if calls == math.inf else calls)
        key = (*key, tuple((name, np.shape(array)) for name, array in inputs.items()), jit)
        with self._lock:
            if key not in self._programs:
                program = _Program(self._networks, function)
                program.compile(jit_compile=jit)
                self._programs[key] = program
            self._programs.move_to_end(key)
            program = self._programs[key]
            if len(self._programs) > MOST_PROGRAMS:
                self._programs.popitem(last=False)
        return predict_batch(program, inputs)


class _Program(FunctionModel):
    """A function as a model."""

    def __init__(self, networks: Sequence[keras.Model], function: Program) -> None:
        super().__init__(name="program")
        self.networks = list(networks)
        self._function = function

    def run(self, inputs: Tensors) -> Tensors:
        """The function's outputs."""
        return self._function(inputs)


def named(tensors: State, name: str = "state") -> Tensors:
    """Name nested tensors ``state_0``, ``state_1``, ..."""
    return {f"{name}_{i}": tensor for i, tensor in enumerate(keras.tree.flatten(tensors))}


def unnamed(values: Tensors, name: str = "state") -> list[Tensor]:
    """The tensors that :func:`named` named, in their order."""
    return [values[f"{name}_{i}"] for i in range(sum(key.startswith(f"{name}_") for key in values))]
