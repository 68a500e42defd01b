"""Recurrent decoders whose recurrence includes the attention."""

from collections.abc import Callable
from typing import Any

import keras
from keras import ops

from lstmzoo.backend import State, Tensor
from lstmzoo.errors import ConfigError, UnknownNameError
from lstmzoo.layers._base import ConfiguredLayer, loop
from lstmzoo.layers.attention import Attention
from lstmzoo.layers.recurrence import gru_step, lstm_step

_CELLS = ("gru", "lstm")  # in the order of how many states they have
Reader = Callable[[Tensor], tuple[Tensor, Tensor]]  # from queries (B, U) to contexts (B, M) and weights (B, S)
Transition = Callable[[Tensor, State], list[Tensor]]  # from inputs (B, any) and states to states, h first
# From inputs (B, any) and states to (output, context, weights) and states.
Step = Callable[[Tensor, State], tuple[tuple[Tensor, Tensor, Tensor], list[Tensor]]]


class _AttentiveLayer(ConfiguredLayer):
    """Cells and an attention in one loop over time.

    The product of the inputs with their kernel and the attention's keys are computed before the loop, for all steps at once.
    Weights are read before the loop too; TensorFlow would read them again in each step.

    Sizes: B batch, S memory steps, T steps, E features of the inputs, M features of the memory, U units.
    """

    def __init__(self, units: int, *, attention: Attention, cell: str = "gru", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if cell not in _CELLS:
            raise UnknownNameError("cell", cell, _CELLS)
        self.units = units
        self.attention = attention
        self.cell = cell
        self.first = self._new_cell("first")

    def _new_cell(self, name: str) -> keras.layers.Layer:
        """Make the weights of a cell; :func:`_transition` is its step."""
        if self.cell == "gru":
            return keras.layers.GRUCell(self.units, reset_after=False, dtype=self.dtype_policy, name=name)
        return keras.layers.LSTMCell(self.units, dtype=self.dtype_policy, name=name)

    def build(self, x_shape: tuple, memory_shape: tuple) -> None:
        if not self.attention.built:
            self.attention.build((None, None, self.units), memory_shape)
        self.first.build((None, x_shape[-1]))
        self._build_rest(memory_shape[-1], self.first.kernel.shape[-1])

    def _build_rest(self, memory: int, gates: int) -> None:
        """Make the weights other than the first cell's, for M and the number of columns of a cell's kernel."""
        raise NotImplementedError

    def _step(self, read: Reader) -> Step:
        """Return one step. Its inputs ``(B, gates)`` are already multiplied by the first cell's kernel."""
        raise NotImplementedError

    def state_count(self) -> int:
        """The number of states ``(B, U)``."""
        return _CELLS.index(self.cell) + 1

    def call(
        self, x: Tensor, memory: Tensor, mask: Tensor = None, initial_state: State = None, keys: Tensor = None
    ) -> tuple:
        """Return outputs ``(B, T, U)``, contexts ``(B, T, M)``, weights ``(B, T, S)`` and the final states ``(B, U)``.

        Args:
            x: ``(B, T, E)``.
            memory: ``(B, S, M)``.
            mask: bool ``(B, S)``, False at the padding of the memory; see :class:`Attention`.
            initial_state: A list of states ``(B, U)``; None for zeros.
            keys: The result of ``attention.project`` for the memory, if it is known already.

        Raises:
            ConfigError: If there are more or fewer initial states than the layer has states.
        """
        count = self.state_count()
        if initial_state is None:
            initial_state = [ops.zeros((ops.shape(x)[0], self.units), dtype=self.compute_dtype)] * count
        if len(initial_state) != count:
            raise ConfigError(f"layer {self.name!r} has {count} states, got {len(initial_state)} in initial_state")
        read = self.attention.reader(memory, mask, keys)

        def read_once(query: Tensor) -> tuple[Tensor, Tensor]:
            context, weights = read(ops.expand_dims(query, 1))
            return ops.squeeze(context, 1), ops.squeeze(weights, 1)

        projected = ops.matmul(x, self.first.kernel) + self.first.bias
        _, outputs, states = loop(self._step(read_once), projected, list(initial_state), return_sequences=True)
        return (*outputs, *states)

    def compute_mask(self, x: Tensor, previous_mask: Tensor) -> None:
        """None: the mask is that of the memory, and the outputs have none."""

    def compute_output_shape(self, x_shape: tuple, memory_shape: tuple) -> tuple:
        (batch, steps, _), (_, places, memory) = x_shape, memory_shape
        outputs = [(batch, steps, size) for size in (self.units, memory, places)]
        return (*outputs, *[(batch, self.units)] * self.state_count())

    def get_config(self) -> dict[str, Any]:
        attention = keras.saving.serialize_keras_object(self.attention)
        # Otherwise it would be built before this layer owns it, and the paths of its weights would differ.
        attention.pop("build_config", None)
        return {**super().get_config(), "attention": attention}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "_AttentiveLayer":
        """Make the layer from the options that :meth:`get_config` returned."""
        return cls(**{**config, "attention": keras.saving.deserialize_keras_object(config["attention"])})


def _transition(cell: keras.layers.Layer) -> Transition:
    """Return the step of a cell for inputs that are already multiplied by its kernel."""
    step = lstm_step(cell) if isinstance(cell, keras.layers.LSTMCell) else gru_step(cell)
    return lambda x, states: step(x, states)[1]


def _whole_transition(cell: keras.layers.Layer) -> Transition:
    """Return the step of a cell for inputs that are known only in the loop."""
    kernel, bias, step = ops.copy(cell.kernel), ops.copy(cell.bias), _transition(cell)
    return lambda x, states: step(ops.matmul(x, kernel) + bias, states)


@keras.saving.register_keras_serializable(package="lstmzoo")
class AttentiveRNN(_AttentiveLayer):
    """A decoder that attends and then steps: ``c_i = attention(s_{i-1})``, ``s_i = cell([y_{i-1}; c_i], s_{i-1})``.

    From inputs ``(B, T, E)`` and a memory ``(B, S, M)`` it computes outputs s ``(B, T, U)``, contexts ``(B, T, M)``, weights
    ``(B, T, S)`` and the final states, ``(B, U)`` each: h of a GRU, or h and c of an LSTM. As in the paper, the GRU resets the
    state before the matrix product. A sequence may be read in parts, from state to state.

    Args:
        units: U.
        attention: An :class:`Attention` or a :class:`LocalAttention`.
        cell: ``gru`` or ``lstm``.

    Raises:
        UnknownNameError: If there is no such cell.

    References:
        Bahdanau, Cho & Bengio, "Neural Machine Translation by Jointly Learning to Align and Translate", ICLR 2015, section 3.

    Examples:
        >>> import numpy as np
        >>> layer = AttentiveRNN(4, attention=Attention(score="additive", units=8))
        >>> answer = layer(np.ones((2, 3, 5), "float32"), np.ones((2, 7, 6), "float32"))
        >>> [tuple(part.shape) for part in answer]
        [(2, 3, 4), (2, 3, 6), (2, 3, 7), (2, 4)]
    """

    def _build_rest(self, memory: int, gates: int) -> None:
        self.context_kernel = self.add_weight(shape=(memory, gates), name="context_kernel")

    def _step(self, read: Reader) -> Step:
        transition, kernel = _transition(self.first), ops.copy(self.context_kernel)

        def step(x: Tensor, states: State) -> tuple[tuple[Tensor, Tensor, Tensor], list[Tensor]]:
            context, weights = read(states[0])
            states = transition(x + ops.matmul(context, kernel), states)
            return (states[0], context, weights), states

        return step


@keras.saving.register_keras_serializable(package="lstmzoo")
class ConditionalRNN(_AttentiveLayer):
    """A decoder with a cell before and after the attention, which share one state: with GRUs, the conditional GRU.

    ``s' = first(y_{i-1}, s_{i-1})``, ``c_i = attention(s')``, ``s_i = second(c_i, s')``. Arguments, outputs and states are
    those of :class:`AttentiveRNN`.

    References:
        Sennrich et al., "Nematus: a Toolkit for Neural Machine Translation", EACL 2017, section 2.

    Examples:
        >>> import numpy as np
        >>> layer = ConditionalRNN(4, attention=Attention(score="additive", units=8), cell="lstm")
        >>> answer = layer(np.ones((2, 3, 5), "float32"), np.ones((2, 7, 6), "float32"))
        >>> [tuple(part.shape) for part in answer]
        [(2, 3, 4), (2, 3, 6), (2, 3, 7), (2, 4), (2, 4)]
    """

    def __init__(self, units: int, *, attention: Attention, cell: str = "gru", **kwargs: Any) -> None:
        super().__init__(units, attention=attention, cell=cell, **kwargs)
        self.second = self._new_cell("second")

    def _build_rest(self, memory: int, gates: int) -> None:
        self.second.build((None, memory))

    def _step(self, read: Reader) -> Step:
        first, second = _transition(self.first), _whole_transition(self.second)

        def step(x: Tensor, states: State) -> tuple[tuple[Tensor, Tensor, Tensor], list[Tensor]]:
            states = first(x, states)
            context, weights = read(states[0])
            states = second(context, states)
            return (states[0], context, weights), states

        return step


@keras.saving.register_keras_serializable(package="lstmzoo")
class InputFeedingRNN(_AttentiveLayer):
    """A decoder that steps a stack of cells and then attends, and reads its last output in the next step.

    The stack reads ``[y_{i-1}; a_{i-1}]``. Its highest h is the query of the context c. The output is the attentional state
    ``a_i = tanh(W [c; h])``, without dropout. Outputs are those of :class:`AttentiveRNN`. The states are those of the cells,
    from the lowest to the highest, and then a, ``(B, U)`` each.

    Args:
        num_layers: Number of cells. The other arguments are those of :class:`AttentiveRNN`.

    Raises:
        ConfigError: If ``num_layers`` is less than 1.

    References:
        Luong, Pham & Manning, "Effective Approaches to Attention-based Neural Machine Translation", EMNLP 2015, section 3.3.

    Examples:
        >>> import numpy as np
        >>> layer = InputFeedingRNN(4, attention=Attention(score="general", units=4), cell="gru", num_layers=2)
        >>> answer = layer(np.ones((2, 3, 5), "float32"), np.ones((2, 7, 6), "float32"))
        >>> [tuple(part.shape) for part in answer]
        [(2, 3, 4), (2, 3, 6), (2, 3, 7), (2, 4), (2, 4), (2, 4)]
    """

    def __init__(
        self, units: int, *, attention: Attention, cell: str = "lstm", num_layers: int = 1, **kwargs: Any
    ) -> None:
        super().__init__(units, attention=attention, cell=cell, **kwargs)
        if num_layers < 1:
            raise ConfigError(f"num_layers={num_layers} is less than 1: give 1 or more")
        self.num_layers = num_layers
        self.higher = [self._new_cell(f"higher_{i}") for i in range(1, num_layers)]

    def state_count(self) -> int:
        """The number of states ``(B, U)``."""
        return super().state_count() * self.num_layers + 1

    def _build_rest(self, memory: int, gates: int) -> None:
        self.feed_kernel = self.add_weight(shape=(self.units, gates), name="feed_kernel")
        for cell in self.higher:
            cell.build((None, self.units))
        self.output_kernel = self.add_weight(shape=(memory + self.units, self.units), name="output_kernel")

    def _step(self, read: Reader) -> Step:
        transitions = [_transition(self.first), *map(_whole_transition, self.higher)]
        feed, output = ops.copy(self.feed_kernel), ops.copy(self.output_kernel)
        each = super().state_count()

        def step(x: Tensor, states: State) -> tuple[tuple[Tensor, Tensor, Tensor], list[Tensor]]:
            x, after = x + ops.matmul(states[-1], feed), []
            for i, transition in enumerate(transitions):
                after += transition(x, states[i * each : (i + 1) * each])
                x = after[-each]
            context, weights = read(x)
            fed = ops.tanh(ops.matmul(ops.concatenate([context, x], axis=-1), output))
            return (fed, context, weights), [*after, fed]

        return step
