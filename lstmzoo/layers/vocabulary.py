"""The output layer of a language model: a softmax over all token ids, or one in clusters."""

import itertools
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from lstmzoo.errors import ConfigError


@keras.saving.register_keras_serializable(package="lstmzoo")
class TokenSoftmax(keras.layers.Layer):
    """Negative log-likelihoods of tokens, and log-probabilities of all of them, from hidden states.

    With ``cutoffs``, the softmax is adaptive: the most frequent ids, and one entry for each cluster of rarer ones, share a
    softmax, and each cluster has its own, which is computed only where the target lies in it. Every cluster keeps the full
    size of the hidden state, so that the matrix can be the input embedding's as well.

    Sizes: B batch, T time, D hidden, V vocabulary.

    Args:
        vocab_size: V.
        cutoffs: The first id of each cluster, ascending, ids by falling frequency; empty for one softmax over all.
        embedding: A ``keras.layers.Embedding`` of size D, whose matrix is shared (tied weights); None for a matrix of its own.

    Raises:
        ConfigError: If the cutoffs do not ascend from above 0 to below V.

    References:
        Grave et al., "Efficient softmax approximation for GPUs", ICML 2017.
        Press & Wolf, "Using the Output Embedding to Improve Language Models", EACL 2017.

    Examples:
        >>> import numpy as np
        >>> softmax = TokenSoftmax(10, cutoffs=(4,))
        >>> hidden, targets = np.ones((2, 3, 8), "float32"), np.array([[1, 5, 9], [0, 0, 4]])
        >>> tuple(softmax(hidden, targets).shape)
        (2, 3)
        >>> log_probs = ops.convert_to_numpy(softmax.log_probs(hidden[0]))
        >>> log_probs.shape, bool(np.allclose(np.exp(log_probs).sum(-1), 1))
        ((3, 10), True)
    """

    def __init__(
        self,
        vocab_size: int,
        *,
        cutoffs: Sequence[int] = (),
        embedding: keras.layers.Embedding | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        edges = [0, *cutoffs, vocab_size]
        if any(a >= b for a, b in itertools.pairwise(edges)):
            raise ConfigError(
                f"cutoffs {list(cutoffs)} must ascend, from above 0 to below the vocabulary's {vocab_size}"
            )
        self.vocab_size = vocab_size
        self.cutoffs = tuple(cutoffs)
        self.embedding = embedding

    def build(self, hidden_shape: tuple, targets_shape: tuple | None = None) -> None:
        size = hidden_shape[-1]
        if self.embedding is None:
            self.kernel = self.add_weight(shape=(self.vocab_size, size), name="kernel")
        self.bias = self.add_weight(shape=(self.vocab_size,), initializer="zeros", name="bias")
        if self.cutoffs:
            self.cluster_kernel = self.add_weight(shape=(len(self.cutoffs), size), name="cluster_kernel")
            self.cluster_bias = self.add_weight(shape=(len(self.cutoffs),), initializer="zeros", name="cluster_bias")

    @property
    def _matrix(self) -> Any:
        return ops.convert_to_tensor(self.kernel if self.embedding is None else self.embedding.embeddings)

    @property
    def _clusters(self) -> list[tuple[int, int]]:
        return list(itertools.pairwise([*self.cutoffs, self.vocab_size]))

    def call(self, hidden: Any, targets: Any, capacities: Sequence[int | None] | None = None) -> Any:
        """Negative log-likelihoods ``(B, T)``, in nats.

        Args:
            hidden: ``(B, T, D)``.
            targets: ``(B, T)`` ids.
            capacities: For each cluster, how many of the targets lie in it at the most, and no more than all; or None. The
                others cost nothing then. More than that would be left out of account, so it must hold.
        """
        flat = ops.reshape(hidden, (-1, hidden.shape[-1]))
        wanted = ops.cast(ops.reshape(targets, (-1,)), "int32")
        head = wanted
        for number, (first, _) in enumerate(self._clusters):
            head = ops.where(wanted >= first, self.cutoffs[0] + number, head)
        nll = ops.sparse_categorical_crossentropy(head, self._head(flat), from_logits=True)
        for number, (first, last) in enumerate(self._clusters):
            inside = ops.logical_and(wanted >= first, wanted < last)
            some = None if capacities is None else capacities[number]
            nll = nll + self._within(flat, wanted, inside, first, last, some)
        return ops.reshape(nll, ops.shape(targets))

    def _head(self, flat: Any) -> Any:
        """Logits of the most frequent ids, and of each cluster as a whole."""
        if not self.cutoffs:
            return self._logits(flat, 0, self.vocab_size)
        clusters = ops.matmul(flat, ops.transpose(self.cluster_kernel)) + self.cluster_bias
        return ops.concatenate([self._logits(flat, 0, self.cutoffs[0]), clusters], axis=-1)

    def _logits(self, flat: Any, first: int, last: int) -> Any:
        return ops.matmul(flat, ops.transpose(self._matrix[first:last])) + self.bias[first:last]

    def _within(self, flat: Any, wanted: Any, inside: Any, first: int, last: int, capacity: int | None) -> Any:
        """``(N,)`` of a token among those of its cluster; 0 for tokens of others."""
        count = ops.shape(flat)[0]
        if capacity is None or (isinstance(count, int) and capacity >= count):
            targets = ops.where(inside, wanted - first, 0)
            nll = ops.sparse_categorical_crossentropy(targets, self._logits(flat, first, last), from_logits=True)
            return ops.where(inside, nll, 0.0)
        if capacity == 0:
            return 0.0
        _, members = ops.top_k(ops.cast(inside, "float32"), capacity)
        nll = self._within(
            ops.take(flat, members, axis=0), ops.take(wanted, members), ops.take(inside, members), first, last, None
        )
        return ops.scatter(ops.expand_dims(members, -1), nll, (count,))

    def log_probs(self, flat: Any) -> Any:
        """Of all ids ``(N, V)``, from hidden states ``(N, D)``."""
        head = ops.log_softmax(self._head(flat), axis=-1)
        if not self.cutoffs:
            return head
        size = self.cutoffs[0]
        parts = [head[:, :size]]
        for number, (first, last) in enumerate(self._clusters):
            within = ops.log_softmax(self._logits(flat, first, last), axis=-1)
            parts.append(within + head[:, size + number : size + number + 1])
        return ops.concatenate(parts, axis=-1)

    def compute_output_shape(self, hidden_shape: tuple, targets_shape: tuple | None = None) -> tuple:
        return hidden_shape[:2]

    def get_config(self) -> dict[str, Any]:
        if self.embedding is not None:
            raise NotImplementedError("a softmax that shares an embedding's matrix cannot be described without it")
        return {**super().get_config(), "vocab_size": self.vocab_size, "cutoffs": self.cutoffs}


@keras.saving.register_keras_serializable(package="lstmzoo")
class ActivationPenalty(keras.layers.Layer):
    """Adds to the loss, in training, what keeps outputs small (AR) and slow (TAR); gives the second of its inputs.

    Args:
        size: Factor of the mean square of the outputs after dropout (AR).
        change: Factor of the mean square difference of one step's output, before dropout, from the next's (TAR).

    References:
        Merity, McCann & Socher, "Revisiting Activation Regularization for Language RNNs", arXiv:1708.01009, 2017.
    """

    def __init__(self, size: float, change: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.size = size
        self.change = change

    def call(self, raw: Any, dropped: Any, training: bool = False) -> Any:
        """Outputs before and after dropout, each ``(B, T, D)``, to the latter."""
        if training and self.size:
            self.add_loss(self.size * ops.mean(ops.square(dropped)))
        if training and self.change and raw.shape[1] != 1:
            self.add_loss(self.change * ops.mean(ops.square(raw[:, 1:] - raw[:, :-1])))
        return dropped

    def compute_output_shape(self, raw_shape: tuple, dropped_shape: tuple) -> tuple:
        return dropped_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "size": self.size, "change": self.change}
