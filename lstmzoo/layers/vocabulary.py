"""The output layer of a language model: a softmax over all token ids, or one in clusters."""

import itertools
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
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
        cutoffs: The first id of each cluster, ascending; empty for one softmax over all. Ids should fall in frequency, more or
            less: any other order is as right, but slower.
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

    def start_from(self, counts: np.ndarray) -> None:
        """Set the biases, so that hidden states of zeros say each token to be as frequent as it was.

        Args:
            counts: ``(V,)`` of the tokens in the training text.
        """
        share = (counts + 1.0) / (counts + 1.0).sum()
        bias = np.log(share)
        whole = [share[first:last].sum() for first, last in self._clusters]
        for (first, last), total in zip(self._clusters, whole, strict=True):
            bias[first:last] -= np.log(total)
        self.bias.assign(bias)
        if self.cutoffs:
            self.cluster_bias.assign(np.log(whole))

    def _parts(self) -> tuple[list[Any], list[Any]]:
        """Matrix and biases, cut into those of the head's ids and of each cluster's.

        Split, and not sliced: the gradient of so many slices is as many matrices of the whole size.
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
        self, hidden: Any, targets: Any, capacities: Sequence[int | None] | None = None, smoothing: float = 0.0
    ) -> Any:
        """Negative log-likelihoods ``(B, T)``, in nats.

        Args:
            hidden: ``(B, T, D)``.
            targets: ``(B, T)`` ids.
            capacities: For each cluster, how many of the targets lie in it at the most, and no more than all; or None. The
                others cost nothing then. More than that would be left out of account, so it must hold.
            smoothing: Share of the wanted probability that is spread evenly over all ids, in place of the target: label
                smoothing (Szegedy et al., "Rethinking the Inception Architecture for Computer Vision", CVPR 2016). Not with
                cutoffs.

        Raises:
            ConfigError: If labels are to be smoothed over clusters.
        """
        if smoothing and self.cutoffs:
            raise ConfigError("labels are smoothed over one softmax, and not over clusters: leave out the cutoffs")
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

    def _head(self, flat: Any, matrix: Any, bias: Any) -> Any:
        """Logits of the most frequent ids, and of each cluster as a whole."""
        if self.cutoffs:
            matrix = ops.concatenate([matrix, ops.copy(self.cluster_kernel)], axis=0)
            bias = ops.concatenate([bias, ops.copy(self.cluster_bias)], axis=0)
        return _logits(flat, matrix, bias)

    def log_probs(self, flat: Any) -> Any:
        """Of all ids ``(N, V)``, from hidden states ``(N, D)``."""
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
            raise NotImplementedError("a softmax that shares an embedding's matrix cannot be described without it")
        return {**super().get_config(), "vocab_size": self.vocab_size, "cutoffs": self.cutoffs}


def _logits(flat: Any, matrix: Any, bias: Any) -> Any:
    """At least in float32: under a mixed precision policy, likelihoods would else have three digits."""
    logits = ops.matmul(flat, ops.transpose(matrix))
    dtype = keras.backend.result_type(logits.dtype, "float32")
    return ops.cast(logits, dtype) + ops.cast(bias, dtype)


def _within(flat: Any, places: Any, matrix: Any, bias: Any, capacity: int | None) -> Any:
    """``(N,)`` of tokens among those of their cluster.

    Args:
        flat: ``(N, D)``.
        places: ``(N,)`` in the cluster; -1 for tokens of others, which have 0.
        matrix: Of the cluster.
        bias: Of the cluster.
        capacity: How many tokens of the cluster there are at the most; None if that is not known.
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
            self.add_loss(self.size * _mean_square(dropped))
        if training and self.change and raw.shape[1] != 1:
            self.add_loss(self.change * _mean_square(raw[:, 1:] - raw[:, :-1]))
        return dropped

    def compute_output_shape(self, raw_shape: tuple, dropped_shape: tuple) -> tuple:
        return dropped_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "size": self.size, "change": self.change}


def _mean_square(x: Any) -> Any:
    """In float32 at least, as losses are."""
    return ops.mean(ops.square(ops.cast(x, keras.backend.result_type(x.dtype, "float32"))))
