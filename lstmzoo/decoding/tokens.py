"""Sampling of tokens in a loop that is compiled as a whole."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from keras import ops

from lstmzoo.backend import State, Tensor
from lstmzoo.layers import LOG_ZERO

_FARTHEST = 88.0  # tokens whose logits are further below the most probable are never drawn
_HALVINGS = 30  # steps of bisection
_NUMBERS = {"temperature": "float32", "top_k": "int32", "top_p": "float32", "repetition_penalty": "float32"}


@dataclass(frozen=True)
class Sampling:
    """How a token is drawn from logits ``(B, V)``; numbers or scalar tensors.

    Attributes:
        temperature: Divisor of the logits; 0 takes the most probable token.
        top_k: Number of the most probable tokens to draw from; V for all.
        top_p: Probability of the most probable tokens to draw from; 1 for all.
        repetition_penalty: Divisor of the logits of tokens that are in the text already; negative logits are multiplied by it. 1
            for no penalty.
        filtered: Whether to use ``top_k`` and ``top_p``.
        penalized: Whether to use ``repetition_penalty``.

    References:
        Fan et al., "Hierarchical Neural Story Generation", ACL 2018 (top k).
        Holtzman et al., "The Curious Case of Neural Text Degeneration", ICLR 2020 (top p).
        Keskar et al., "CTRL: A Conditional Transformer Language Model for Controllable Generation", 2019 (repetition).
    """

    temperature: Any
    top_k: Any
    top_p: Any
    repetition_penalty: Any
    filtered: bool
    penalized: bool

    def numbers(self) -> dict[str, np.ndarray]:
        """The attributes that a compiled function takes as inputs, so that it serves for all their values."""
        return {name: np.asarray(getattr(self, name), dtype) for name, dtype in _NUMBERS.items()}

    def given(self, inputs: dict[str, Any]) -> "Sampling":
        """Replace the :meth:`numbers` by those among the inputs of a compiled function."""
        return replace(self, **{name: inputs[name] for name in _NUMBERS})

    def draw(self, logits: Tensor, noise: Tensor, seen: Tensor) -> Tensor:
        """Draw tokens ``(B,)``.

        Args:
            logits: ``(B, V)``; ``LOG_ZERO`` for a banned token.
            noise: ``(B, V)`` from the standard Gumbel distribution: the largest of logits plus noise is a sample.
            seen: ``(B, V)`` whether a token is in the text already; None unless ``penalized``.
        """
        if self.penalized:
            punished = ops.where(logits > 0, logits / self.repetition_penalty, logits * self.repetition_penalty)
            logits = ops.where(ops.logical_and(seen, logits > LOG_ZERO), punished, logits)
        if self.filtered:
            logits = ops.where(self._allowed(logits), logits, LOG_ZERO)
        drawn = ops.where(self.temperature > 0, logits + self.temperature * noise, logits)
        return ops.cast(ops.argmax(ops.where(logits > LOG_ZERO, drawn, LOG_ZERO), axis=-1), "int32")

    def _allowed(self, logits: Tensor) -> Tensor:
        """Whether fewer than ``top_k`` tokens are likelier, with a total probability below ``top_p``: ``(B, V)``.

        The smallest allowed logit is found by bisection, which is several times faster than sorting.
        """
        warm = (logits - ops.max(logits, axis=-1, keepdims=True)) / ops.maximum(self.temperature, 1e-6)
        share = ops.softmax(warm, axis=-1)

        def halved(_: Any, span: Tensor) -> Tensor:
            low, high = span
            middle = (low + high) / 2
            likelier = warm > middle
            mass = ops.sum(ops.where(likelier, share, 0.0), axis=-1, keepdims=True)
            count = ops.sum(ops.cast(likelier, "int32"), axis=-1, keepdims=True)
            within = ops.logical_and(mass < self.top_p, count < self.top_k)
            return ops.where(within, low, middle), ops.where(within, middle, high)

        high = ops.zeros_like(warm[:, :1])
        low, _ = ops.fori_loop(0, _HALVINGS, halved, (high - _FARTHEST, high))
        return warm > low


def generate_tokens(
    step: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]],
    noise: Callable[[Tensor], Tensor],
    first: Tensor,
    state: State,
    seen: Tensor,
    sampling: Sampling,
    length: int,
) -> tuple[Tensor, Tensor, Tensor]:
    """Sample ``length`` tokens one after the other. The cost of a token does not depend on the number of tokens before it.

    Args:
        step: ``(tokens (B,), state) -> (logits (B, V), state)``.
        noise: From the number of a token, from 0, to Gumbel noise ``(B, V)``.
        first: ``(B,)`` the last tokens.
        state: Before the last tokens.
        seen: ``(B, V)`` whether a token is in the text already.
        sampling: How to draw tokens.
        length: Number of tokens.

    Returns:
        The tokens ``(B, length)``, the state before the last of them, and ``seen`` with all of them.

    Examples:
        >>> import numpy as np
        >>> step = lambda tokens, state: (ops.one_hot(tokens + 1, 5), state)
        >>> greedy = Sampling(0.0, 5, 1.0, 1.0, filtered=False, penalized=False)
        >>> first, seen = np.array([0, 1], dtype="int32"), np.zeros((2, 5), dtype="bool")
        >>> tokens, _, _ = generate_tokens(step, lambda i: ops.zeros((2, 5)), first, [], seen, greedy, 3)
        >>> ops.convert_to_numpy(tokens)
        array([[1, 2, 3], [2, 3, 4]], dtype=int32)
    """
    size = seen.shape[-1]
    places = ops.expand_dims(ops.arange(length, dtype="int32"), 0)

    def body(i: Tensor, carry: Tensor) -> Tensor:
        tokens, last, state, seen = carry
        logits, state = step(last, state)
        last = sampling.draw(logits, noise(i), seen)
        if sampling.penalized:
            seen = ops.logical_or(seen, ops.cast(ops.one_hot(last, size), "bool"))
        tokens = ops.where(places == i, ops.expand_dims(last, -1), tokens)
        return tokens, last, state, seen

    tokens = ops.zeros((first.shape[0], length), dtype="int32")
    tokens, _, state, seen = ops.fori_loop(0, length, body, (tokens, ops.cast(first, "int32"), state, seen))
    return tokens, state, seen
