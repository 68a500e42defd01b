"""The face of a network that steps: a state of fixed size goes in and comes out.

All models that generate, decode or stream have it, over the weights of the network itself::

    memory, state = model.stepper.encode(source)                   # once per input
    output, state = model.stepper.step(inputs, state, memory)      # the cost does not depend on earlier steps
"""

import math
from collections.abc import Callable, Sequence

import keras
import numpy as np
from keras import ops

from lstmzoo.backend import Arrays, Batch, State, Tensor, Tensors
from lstmzoo.programs import Programs, named, unnamed

# From a source, and a state or None, to memory and state.
Encode = Callable[[Tensors, State | None], tuple[State, State]]
Step = Callable[[Tensors, State, State], tuple[Tensor, State]]  # from inputs, state and memory to output and state


class Stepper:
    """Steps a network: arrays in, arrays out. Each shape of the inputs is compiled once.

    Args:
        network: Its weights are used.
        encode: Reads a source, from a state or from the beginning, and returns the memory, which all steps share, and a state.
        step: Returns the output of one step, and the state after it.
        state: A state of the network, for its structure.
        memory: A memory of the network, for its structure.
        sources: Names of the inputs that ``encode`` takes.
        inputs: Names of the inputs that ``step`` takes.

    Attributes:
        programs: What was compiled over the weights of the network, for all that use it.
    """

    def __init__(
        self, network: keras.Model, encode: Encode, step: Step, *, state: State, memory: State = (),
        sources: Sequence[str], inputs: Sequence[str],
    ) -> None:  # fmt: skip
        self.network = network
        self.state = state
        self.memory = memory
        self._encode, self._step = encode, step
        self.sources, self.inputs = tuple(sources), tuple(inputs)
        self.programs = Programs(network)

    def begin(self, rows: int) -> Arrays:
        """The state before the first step of sequences that begin from nothing: zeros."""
        flat = keras.tree.flatten(self.state)
        return [np.zeros((rows, *t.shape[1:]), keras.backend.standardize_dtype(t.dtype)) for t in flat]

    def encode(self, source: Batch, state: Arrays | None = None, *, calls: float = math.inf) -> tuple[Arrays, Arrays]:
        """Read a source, without an output.

        Args:
            source: Arrays ``(B, ...)`` by name; names that the network does not know are ignored.
            state: Before the source; None at the beginning.
            calls: How many times such shapes will be run. XLA compiles what runs often.

        Returns:
            The memory, which is empty unless the network attends to the source, and the state.
        """

        first = state is None

        def run(inputs: Tensors) -> Tensors:
            memory, after = self._encode(inputs, None if first else self.unpack_state(inputs))
            return {**named(memory, "memory"), **named(after)}

        given = {name: source[name] for name in self.sources}
        answer = self.programs.run(("encode",), run, {**given, **named(state or [])}, calls)
        return unnamed(answer, "memory"), unnamed(answer)

    def step(
        self, inputs: Batch, state: Arrays, memory: Sequence[np.ndarray] = (), *, calls: float = math.inf
    ) -> tuple[np.ndarray, Arrays]:
        """Take one step.

        Args:
            inputs: Arrays ``(B, ...)`` by name; names that the network does not know are ignored.
            state: From :meth:`begin`, :meth:`encode` or the last step.
            memory: From :meth:`encode`.
            calls: As for :meth:`encode`.

        Returns:
            The output ``(B, ...)`` and the state.
        """

        def run(inputs: Tensors) -> Tensors:
            known = keras.tree.pack_sequence_as(self.memory, unnamed(inputs, "memory"))
            output, after = self._step(inputs, self.unpack_state(inputs), known)
            return {"output": output, **named(after)}

        given = {name: inputs[name] for name in self.inputs}
        answer = self.programs.run(("step",), run, {**given, **named(state), **named(memory, "memory")}, calls)
        return answer["output"], unnamed(answer)

    def unpack_state(self, inputs: Tensors) -> State:
        """The state in the network's structure, from the inputs of a program."""
        return keras.tree.pack_sequence_as(self.state, unnamed(inputs))


@keras.saving.register_keras_serializable(package="lstmzoo")
class SteppingModel(keras.Model):
    """A functional model that steps.

    Attributes:
        stepper: Its face that steps.
    """

    stepper: Stepper


def mixed_log_probs(log_probs: Sequence[Tensor], weights: Sequence[float]) -> Tensor:
    """Return the logarithm of the weighted mean of probabilities.

    Args:
        log_probs: Logarithms of probabilities, of equal shapes.
        weights: Their weights, above 0 and of sum 1.
    """
    return ops.logsumexp(
        ops.stack([one + math.log(weight) for one, weight in zip(log_probs, weights, strict=True)]), axis=0
    )
