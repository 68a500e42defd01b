"""The output layer of language models: a softmax over all token ids, or an adaptive one."""

import itertools
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from lstmzoo.backend import Tensor
from lstmzoo.errors import ConfigError
from lstmzoo.layers._base import ConfiguredLayer


@keras.saving.register_keras_serializable(package="lstmzoo")
class TokenSoftmax(keras.layers.Layer):
    """Computes negative log-likelihoods of targets, and log-probabilities of all tokens, from hidden states.

    With ``cutoffs``, the softmax is adaptive. The most frequent ids share a softmax, which has one more entry for each cluster of
    rarer ids. Each cluster has its own softmax, which is computed only for targets in it. Clusters use the full hidden state, so
    that the matrix can be that of the input embedding.

    Sizes: B batch, T time, D hidden, V vocabulary.

    Args:
        vocab_size: V.
        cutoffs: The first id of each cluster, ascending; empty for one softmax over all ids. Ids should be roughly sorted by
            falling frequency; any other order is correct, but slower.
        embedding: A ``keras.layers.Embedding`` of size D whose matrix is shared (tied weights); None for a matrix of its own.

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
        self, vocab_size: int, *, cutoffs: Sequence[int] = (), embedding: keras.layers.Embedding | None = None,
        **kwargs: Any,
    ) -> None:  # fmt: skip
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

    def start_from(self, counts: np.ndarray) -> None:
        """Set the biases, so that hidden states of zeros predict each token by its frequency.

        Args:
            counts: ``(V,)``, how often each token occurs in the training text.
        """
        share = (counts + 1.0) / (counts + 1.0).sum()
        bias = np.log(share)
        whole = [share[first:last].sum() for first, last in self._clusters]
        for (first, last), total in zip(self._clusters, whole, strict=True):
            bias[first:last] -= np.log(total)
        self.bias.assign(bias)
        if self.cutoffs:
            self.cluster_bias.assign(np.log(whole))

    def _parts(self) -> tuple[list[Tensor], list[Tensor]]:
        """Split matrix and biases into the parts of the head and of each cluster.

        They are not sliced, because the gradient of each slice would be a matrix of the full size.
        """
        matrix = ops.copy(self.kernel if self.embedding is None else self.embedding.embeddings)
        bias = ops.copy(self.bias)
        if not self.cutoffs:
            return [matrix], [bias]
        return ops.split(matrix, self.cutoffs, axis=0), ops.split(bias, self.cutoffs, axis=0)

    @property
    def _clusters(self) -> list[tuple[int, int]]:
        return list(itertools.pairwise([*self.cutoffs, self.vocab_size]))

    def call(
        self, hidden: Tensor, targets: Tensor, capacities: Sequence[int | None] | None = None, smoothing: float = 0.0
    ) -> Tensor:
        """Negative log-likelihoods ``(B, T)``, in nats.

        Args:
            hidden: ``(B, T, D)``.
            targets: ``(B, T)`` ids.
            capacities: The maximal number of targets in each cluster, at most all, or None. Only so many are computed, and more
                would be ignored, so the number must hold.
            smoothing: Share of the probability that is spread evenly over all ids instead of the target: label smoothing
                (Szegedy et al., "Rethinking the Inception Architecture for Computer Vision", CVPR 2016). Not with cutoffs.

        Raises:
            ConfigError: If there are both smoothing and cutoffs.
        """
        if smoothing and self.cutoffs:
            raise ConfigError("label smoothing needs one softmax over all ids: leave out the cutoffs")
        flat = ops.reshape(hidden, (-1, hidden.shape[-1]))
        wanted = ops.cast(ops.reshape(targets, (-1,)), "int32")
        (matrix, *matrices), (bias, *biases) = self._parts()
        head = wanted
        for number, (first, _) in enumerate(self._clusters):
            head = ops.where(wanted >= first, self.cutoffs[0] + number, head)
        logits = self._head(flat, matrix, bias)
        nll = ops.sparse_categorical_crossentropy(head, logits, from_logits=True)
        if smoothing:
            even = ops.logsumexp(logits, axis=-1) - ops.mean(logits, axis=-1)
            nll = (1 - smoothing) * nll + smoothing * even
        for number, (first, last) in enumerate(self._clusters):
            places = ops.where(ops.logical_and(wanted >= first, wanted < last), wanted - first, -1)
            some = None if capacities is None else capacities[number]
            nll = nll + _within(flat, places, matrices[number], biases[number], some)
        return ops.reshape(nll, ops.shape(targets))

    def _head(self, flat: Tensor, matrix: Tensor, bias: Tensor) -> Tensor:
        """Compute the logits of the most frequent ids, and of each cluster as a whole."""
        if self.cutoffs:
            matrix = ops.concatenate([matrix, ops.copy(self.cluster_kernel)], axis=0)
            bias = ops.concatenate([bias, ops.copy(self.cluster_bias)], axis=0)
        return _logits(flat, matrix, bias)

    def log_probs(self, flat: Tensor) -> Tensor:
        """Compute log-probabilities ``(N, V)`` of all ids from hidden states ``(N, D)``."""
        (matrix, *matrices), (bias, *biases) = self._parts()
        head = ops.log_softmax(self._head(flat, matrix, bias), axis=-1)
        if not self.cutoffs:
            return head
        size = self.cutoffs[0]
        parts = [head[:, :size]]
        for number, (within, its_bias) in enumerate(zip(matrices, biases, strict=True)):
            own = ops.log_softmax(_logits(flat, within, its_bias), axis=-1)
            parts.append(own + head[:, size + number : size + number + 1])
        return ops.concatenate(parts, axis=-1)

    def compute_output_shape(self, hidden_shape: tuple, targets_shape: tuple | None = None) -> tuple:
        return hidden_shape[:2]

    def get_config(self) -> dict[str, Any]:
        if self.embedding is not None:
            raise NotImplementedError("a softmax that shares the matrix of an embedding has no config of its own")
        return {**super().get_config(), "vocab_size": self.vocab_size, "cutoffs": self.cutoffs}


def _logits(flat: Tensor, matrix: Tensor, bias: Tensor) -> Tensor:
    """Compute logits at least in float32: under a mixed precision policy, likelihoods would have three digits."""
    logits = ops.matmul(flat, ops.transpose(matrix))
    dtype = keras.backend.result_type(logits.dtype, "float32")
    return ops.cast(logits, dtype) + ops.cast(bias, dtype)


def _within(flat: Tensor, places: Tensor, matrix: Tensor, bias: Tensor, capacity: int | None) -> Tensor:
    """Negative log-likelihoods ``(N,)`` of tokens within their cluster.

    Args:
        flat: ``(N, D)``.
        places: ``(N,)`` places in the cluster; -1 for tokens of other clusters, whose result is 0.
        matrix: Matrix of the cluster.
        bias: Bias of the cluster.
        capacity: Maximal number of tokens in the cluster; None if it is unknown.
    """
    count = ops.shape(flat)[0]
    if capacity is None or (isinstance(count, int) and capacity >= count):
        nll = ops.sparse_categorical_crossentropy(ops.maximum(places, 0), _logits(flat, matrix, bias), from_logits=True)
        return ops.where(places >= 0, nll, 0.0)
    if capacity == 0:
        return 0.0
    _, members = ops.top_k(ops.cast(places >= 0, "float32"), capacity)
    nll = _within(ops.take(flat, members, axis=0), ops.take(places, members), matrix, bias, None)
    return ops.scatter(ops.expand_dims(members, -1), nll, (count,))


@keras.saving.register_keras_serializable(package="lstmzoo")
class ActivationPenalty(ConfiguredLayer):
    """Adds penalties of large (AR) and fast-changing outputs (TAR) to the loss in training; returns its second input.

    Args:
        size: Factor of the mean square of the outputs after dropout (AR).
        change: Factor of the mean square difference between the outputs of neighbouring steps, before dropout (TAR).

    References:
        Merity, McCann & Socher, "Revisiting Activation Regularization for Language RNNs", arXiv:1708.01009, 2017.
    """

    def __init__(self, size: float, change: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.size = size
        self.change = change

    def call(self, raw: Tensor, dropped: Tensor, training: bool = False) -> Tensor:
        """From outputs before and after dropout, each ``(B, T, D)``, to the latter."""
        if training and self.size:
            self.add_loss(self.size * _mean_square(dropped))
        if training and self.change and raw.shape[1] != 1:
            self.add_loss(self.change * _mean_square(raw[:, 1:] - raw[:, :-1]))
        return dropped

    def compute_output_shape(self, raw_shape: tuple, dropped_shape: tuple) -> tuple:
        return dropped_shape


def _mean_square(x: Tensor) -> Tensor:
    """Compute the mean square at least in float32, like losses."""
    return ops.mean(ops.square(ops.cast(x, keras.backend.result_type(x.dtype, "float32"))))
