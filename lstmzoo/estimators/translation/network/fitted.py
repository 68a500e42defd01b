"""Fitted translators: beam search, sampling, likelihoods, alignments and ensembles."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lstmzoo.decoding import BeamSearch, Sampling
from lstmzoo.decoding.shapes import SERVED
from lstmzoo.errors import ConfigError, DataError, arg
from lstmzoo.estimators._base import TokenizingEstimator, as_json, preprocessor, spec
from lstmzoo.estimators.translation._base import SentenceTranslator, blanked, blanked_pairs
from lstmzoo.estimators.translation.network.batches import (
    Translations,
    check_lengths,
    pair_batches,
    pair_nll,
    pair_token_log_probs,
    translate_by_beam,
    translate_by_sampling,
    translate_greedily,
)
from lstmzoo.estimators.translation.network.writer import Writer
from lstmzoo.options import checked_options
from lstmzoo.outputs import check_picture
from lstmzoo.preprocessing import PairPreprocessor, check_sentences
from lstmzoo.saving import check_same
from lstmzoo.spec import TranslationSpec
from lstmzoo.training import Weights

if TYPE_CHECKING:
    from lstmzoo.figures import Figure

_MOST_DRAWN = 200  # tokens of each side of an alignment


@dataclass(frozen=True, eq=False)
class Alignment:
    """Attention weights between a sentence and its translation.

    Attributes:
        source: S tokens; the last one is the end of the sentence.
        target: T tokens; the last one is the end of the sentence.
        weights: ``(T, S)``. Rows sum to 1, or to less with a ``local_window``.
    """

    source: list[str]
    target: list[str]
    weights: np.ndarray


class FittedTranslator(TokenizingEstimator, SentenceTranslator):
    """Base of :class:`lstmzoo.Translator`: the methods of a fitted network."""

    _saved = (
        *as_json("padding_", "tokens_", "left_out_", "_ratio"),
        spec(TranslationSpec),
        preprocessor(PairPreprocessor, "pairs"),
    )
    spec_: TranslationSpec
    preprocessor_: PairPreprocessor
    _ratio: float
    _averaged: list[Weights]
    _writers: dict[tuple[int, ...], Writer]

    def predict(
        self, sentences: Any, *, beam_size: int = 5, length_penalty: float = 1.0, coverage_penalty: float = 0.0,
        no_repeat_ngram: int = 0, n_best: int = 1, ensemble: Sequence["FittedTranslator"] = (), return_score: bool = False,
        return_alignment: bool = False,
    ) -> Any:  # fmt: skip
        """Translate sentences by beam search.

        A translation is cut off at twice the usual number of tokens for its source plus 10. The score of such a translation
        does not include an end.

        Args:
            sentences: A list, tuple, array or series of strings. The translation of an empty string or of white space is empty.
            beam_size: Number of hypotheses that the search keeps; 1 takes the most probable token at each step.
            length_penalty: Above 0, longer translations are preferred: log-likelihoods are divided by
                ``((5 + tokens) / 6) ** length_penalty``.
            coverage_penalty: Above 0, translations that attend to the whole source are preferred. Requires attention.
            no_repeat_ngram: No n-gram of this length occurs twice in a translation; 0 allows repetition.
            n_best: Number of translations of each sentence, the best first; at most ``beam_size``.
            ensemble: Other translators, whose probabilities are averaged with this one's. They must have the same vocabularies,
                so fit them on the same pairs and ``validation`` pairs; or use :meth:`averaged_epochs`.
            return_score: Whether to return scores: log-likelihoods in nats, with the penalties.
            return_alignment: Whether to return an :class:`Alignment` of this model for each translation.

        Returns:
            A list of translations; if ``n_best`` is above 1, a list of lists. With scores or alignments, a tuple of such lists,
            in this order.

        Raises:
            NotFittedError: If the translator is not fitted.
            ConfigError: If an argument is out of range, or requires attention and the entry has none.
            DataError: If the sentences are refused.
        """
        self._check_fitted()
        return self._predict_by(
            self._writer(ensemble), sentences, beam_size=beam_size, length_penalty=length_penalty,
            coverage_penalty=coverage_penalty, no_repeat_ngram=no_repeat_ngram, n_best=n_best, return_score=return_score,
            return_alignment=return_alignment,
        )  # fmt: skip

    def _predict_by(
        self, writer: Writer, sentences: Any, *, beam_size: int, length_penalty: float, coverage_penalty: float,
        no_repeat_ngram: int, n_best: int, return_score: bool, return_alignment: bool,
    ) -> Any:  # fmt: skip
        """Translate sentences by a writer, of this model or of an ensemble; see :meth:`predict`."""
        checked_options(
            beam_size=beam_size, length_penalty=length_penalty, coverage_penalty=coverage_penalty,
            no_repeat_ngram=no_repeat_ngram, n_best=n_best,
        )  # fmt: skip
        if n_best > beam_size:
            raise ConfigError(f"{arg('n_best')}: at most {arg('beam_size')}, which is {beam_size}, got {n_best}")
        texts = check_sentences(sentences, "sentences")
        for name, asked in (("coverage_penalty", coverage_penalty), ("return_alignment", return_alignment)):
            if asked:
                self._check_attends(name)
        sources = self._encoded(texts)
        if beam_size == 1 and not (coverage_penalty or no_repeat_ngram or return_score):
            found = translate_greedily(writer, sources, self._ratio)
        else:
            beam = BeamSearch(beam_size, length_penalty, coverage_penalty or None, no_repeat_ngram)
            found = translate_by_beam(writer, sources, self._ratio, beam, n_best)
        parts: list[list[Any]] = [[[self.preprocessor_.decode(ids) for ids in one.tokens] for one in found]]
        parts += [[one.scores for one in found]] if return_score else []
        parts += [self._alignments(sources, found)] if return_alignment else []
        nested = parts if n_best > 1 else [[best[0] for best in part] for part in parts]
        return nested[0] if len(nested) == 1 else tuple(nested)

    def sample(
        self, sentences: Any, *, n: int = 1, temperature: float = 1.0, top_k: int | None = None, top_p: float = 1.0,
        random_state: int | None = None,
    ) -> Any:  # fmt: skip
        """Sample translations, token by token.

        Args:
            sentences: As for :meth:`predict`.
            n: Number of translations of each sentence.
            temperature: Divisor of the logits: below 1, likely tokens become likelier; 0 always takes the most probable token.
            top_k: Sample from this many of the most probable tokens; None for all.
            top_p: Sample from the smallest set of most probable tokens whose probabilities sum to at least this.
            random_state: Seed of the sampling; None for a fresh one.

        Returns:
            A list of translations, or, if ``n`` is above 1, of lists of them.

        Raises:
            NotFittedError: If the translator is not fitted.
            ConfigError: If an argument is out of range.
            DataError: If the sentences are refused.
        """
        self._check_fitted()
        return self._sample_by(
            self._writer(()),
            sentences,
            n=n,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            random_state=random_state,
        )

    def _sample_by(
        self, writer: Writer, sentences: Any, *, n: int, temperature: float, top_k: int | None, top_p: float,
        random_state: int | None,
    ) -> Any:  # fmt: skip
        """Sample translations by a writer, of this model or of an ensemble; see :meth:`sample`."""
        checked_options(temperature=temperature, top_k=top_k, top_p=top_p, n=n, random_state=random_state)
        sources, size = self._encoded(check_sentences(sentences, "sentences")), self.spec_.target_vocab_size
        sampling = Sampling(
            temperature, min(top_k or size, size), top_p, 1.0, filtered=top_k is not None or top_p < 1, penalized=False
        )
        found = translate_by_sampling(writer, sources, self._ratio, sampling, n, random_state)
        texts = [[self.preprocessor_.decode(ids) for ids in one.tokens] for one in found]
        return texts if n > 1 else [drawn[0] for drawn in texts]

    def score_samples(self, source: Any, target: Any) -> np.ndarray:
        """Return the log-likelihood ``(n,)`` of each translation given its source, in nats. The end is included.

        Args:
            source: Sentences.
            target: Translations, in the same order.

        Raises:
            NotFittedError: If the translator is not fitted.
            DataError: If the sentences are refused.
        """
        self._check_fitted()
        ids = self._encoded_pairs(source, target)
        return -pair_nll(self.model_.stepper, list(pair_batches(*ids)), calls=1)

    def held_out_predictions(self, source: Any, target: Any) -> np.ndarray:
        """Return the probability ``(T,)`` of each token of the targets, ends included, for a search that chooses an ensemble.

        The probabilities of translators with the same vocabularies can be averaged.

        Args:
            source: Sentences.
            target: Translations, in the same order.

        Raises:
            NotFittedError: If the translator is not fitted.
            DataError: If the sentences are refused.
        """
        self._check_fitted()
        return np.exp(pair_token_log_probs(self.model_.stepper, *self._encoded_pairs(source, target)))

    def prediction_key(self) -> str:
        """Return a text that is the same for translators whose predictions can be averaged: both vocabularies' SHA-256."""
        return " ".join(side.vocabulary_digest() for side in (self.preprocessor_.source, self.preprocessor_.target))

    def plot_alignment(self, sentence: str, translation: str | None = None, path: str | Path | None = None) -> "Figure":
        """Draw the attention between a sentence and its translation as a heat map.

        Args:
            sentence: The source.
            translation: The translation; if None, the model translates the sentence.
            path: File to save the figure to; its suffix names the format. If None, it is not saved.

        Raises:
            NotFittedError: If the translator is not fitted.
            ConfigError: If the entry has no attention, or the path has an unknown format or cannot be written.
            DataError: If the sentence or the translation is not text, or too long.
        """
        self._check_fitted()
        self._check_attends("plot_alignment")
        if path is not None:
            check_picture(path)
        sources = self._encoded(check_sentences([sentence], "sentence"))
        texts = self.predict([sentence]) if translation is None else check_sentences([translation], "translation")
        targets = self.preprocessor_.encode_target(texts)
        check_lengths(targets, "translation")
        (alignment,) = self._aligned(sources, targets)
        figure = draw_alignment(alignment)
        if path is not None:
            figure.savefig(path)
        return figure

    def averaged_epochs(self) -> list["FittedTranslator"]:
        """Return translators with the weights of the single epochs that were averaged: an ensemble of checkpoints.

        They belong to the last ``average_epochs`` epochs up to the best, the oldest first. Each call builds new translators.
        They are not saved with this one; save each of them as a model of its own.

        Raises:
            NotFittedError: If the translator is not fitted.
            ConfigError: If no weights were averaged, or the translator was loaded, copied or updated.
        """
        self._check_fitted()
        if not self._averaged:
            why = (
                "average_epochs is 1"
                if self.config_.training.average_epochs == 1
                else "this one was loaded, copied or updated"
            )
            raise ConfigError(f"{why}: only a translator fitted with average_epochs above 1 has averaged epochs")
        first = self.best_epoch_ + 1 - len(self._averaged)
        return [self._of_epoch(number, weights) for number, weights in enumerate(self._averaged, first)]

    def check_ensemble(self, ensemble: Any) -> None:
        """Check that this translator can be ensembled with others.

        Args:
            ensemble: As for :meth:`predict`.

        Raises:
            ConfigError: If it is not a list of translators, or one has different vocabularies; its number is named.
            NotFittedError: If one is not fitted.
        """
        if not isinstance(ensemble, list | tuple):
            raise ConfigError(f"{arg('ensemble')}: expected a list of translators, got a {type(ensemble).__name__}")
        for number, other in enumerate(ensemble):
            if not isinstance(other, FittedTranslator):
                raise ConfigError(f"{arg('ensemble')}: number {number} is a {type(other).__name__}, not a Translator")
            other._check_fitted()
            if other.preprocessor_.to_json() != self.preprocessor_.to_json():
                raise ConfigError(
                    f"{arg('ensemble')}: number {number} has different vocabularies: fit all on the same pairs, with the same "
                    "validation pairs"
                )

    def _encoded(self, texts: list[str]) -> list[np.ndarray]:
        """Return the token ids of sources; a source that is only white space has none."""
        sources = self.preprocessor_.encode_source(blanked(texts))
        check_lengths(sources, "sentence")
        return sources

    def _encoded_pairs(self, source: Any, target: Any) -> tuple[list[np.ndarray], list[np.ndarray]]:
        sources, targets = blanked_pairs(source, target)
        ids = self._encoded(sources), self.preprocessor_.encode_target(targets)
        check_lengths(ids[1], "target")
        return ids

    def _writer(self, ensemble: Sequence["FittedTranslator"]) -> Writer:
        """Return the writer of this model or of an ensemble. That of this model and the last ensemble's are kept compiled."""
        self.check_ensemble(ensemble)
        models = [self.model_, *(other.model_ for other in ensemble)]
        key = tuple(map(id, models))
        writers = self._writers  # another thread may replace the attribute
        if key not in writers:
            alone: dict[tuple[int, ...], Writer] = {kept: writer for kept, writer in writers.items() if len(kept) == 1}
            writer = Writer([model.stepper for model in models], self.preprocessor_.target.banned)
            self._writers = writers = {**alone, key: writer}
        return writers[key]

    def _of_epoch(self, epoch: int, weights: Weights) -> "FittedTranslator":
        """Return a copy as it was after an epoch. ``copy`` builds a new network, as loading does."""
        other = copy.copy(self)
        other.model_.set_weights(weights)
        other.best_epoch_, other.history_ = epoch, self.history_[:epoch]
        return other

    def _check_attends(self, what: str) -> None:
        if not self.model_.stepper.attends:
            raise ConfigError(
                f"{arg(what)}: {self.config_.name} has no attention: choose an entry with the tag attention"
            )

    def _alignments(self, sources: list[np.ndarray], found: list[Translations]) -> list[list[Alignment]]:
        flat = [(source, ids) for source, one in zip(sources, found, strict=True) for ids in one.tokens]
        aligned = iter(self._aligned([source for source, _ in flat], [ids for _, ids in flat]))
        return [[next(aligned) for _ in one.tokens] for one in found]

    def _aligned(self, sources: list[np.ndarray], targets: list[np.ndarray]) -> list[Alignment]:
        """Return the alignment of each pair."""
        found: dict[int, Alignment] = {}
        names = [side.token for side in (self.preprocessor_.source, self.preprocessor_.target)]
        for members, inputs in pair_batches(sources, targets):
            weights = self.model_.stepper.align(inputs["source"], inputs["previous"])
            for row, i in enumerate(members):
                ids = [*sources[i], 0], [*targets[i], 0]
                source, target = ([name(int(one)) for one in side] for name, side in zip(names, ids, strict=True))
                found[i] = Alignment(source, target, weights[row, : len(ids[1]), : len(ids[0])])
        return [found[i] for i in range(len(sources))]

    def _answered(self, sentences: list[str], params: dict[str, Any]) -> list[str]:
        return self._answer_by(self._writer(()), sentences, params)

    def _answer_by(self, writer: Writer, sentences: list[str], params: dict[str, Any]) -> list[str]:
        """Translate as :meth:`predict` does, in few compiled shapes for all parameters."""
        if params["coverage_penalty"]:
            self._check_attends("coverage_penalty")
        coverage = params["coverage_penalty"] if self.model_.stepper.attends else None
        beam = BeamSearch(params["beam_size"], params["length_penalty"], coverage, params["no_repeat_ngram"])
        found = translate_by_beam(writer, self._encoded(sentences), self._ratio, beam, 1, SERVED)
        return [self.preprocessor_.decode(one.tokens[0]) for one in found]

    def _complete(self) -> None:
        self._writers, self._averaged = {}, []
        pairs, spec = self.preprocessor_, self.spec_
        check_same("source ids", pairs.source.vocab_size_, spec.source_vocab_size)
        check_same("target ids", pairs.target.vocab_size_, spec.target_vocab_size)
        check_same("joint", (pairs.joint, spec.joint), (self.config_.data.joint,) * 2)
        check_same("tokenizer", pairs.tokenizer, self.config_.data.tokenizer)
        check_same("vocab_size", pairs.vocab_size, self.config_.data.vocab_size)


def draw_alignment(alignment: Alignment) -> "Figure":
    """Draw a heat map, with the source from left to right and the target from top to bottom.

    Raises:
        DataError: If there are too many tokens to draw.
    """
    from lstmzoo.figures import Figure

    source, target, weights = alignment.source, alignment.target, alignment.weights
    if max(weights.shape) > _MOST_DRAWN:
        raise DataError(
            f"an alignment of {len(source)} and {len(target)} tokens cannot be drawn: at most {_MOST_DRAWN} of each"
        )
    figure = Figure(figsize=(2 + 0.3 * len(source), 1.5 + 0.3 * len(target)), layout="constrained")
    axis = figure.subplots()
    image = axis.imshow(weights, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for axes, tokens in ((axis.xaxis, source), (axis.yaxis, target)):
        axes.set_ticks(range(len(tokens)), [token.replace("$", r"\$") for token in tokens])
    axis.tick_params(axis="x", rotation=90)
    axis.set_xlabel("source")
    axis.set_ylabel("translation")
    figure.colorbar(image, label="attention")
    return figure
