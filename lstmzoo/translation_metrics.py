"""The metrics of translations, computed by sacreBLEU."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lstmzoo.errors import DataError

if TYPE_CHECKING:
    from sacrebleu.metrics.base import Metric


def bleu(references: Sequence[str], hypotheses: Sequence[str]) -> float:
    """BLEU of a corpus, from 0 to 100: the geometric mean of the precisions of 1-grams to 4-grams of words.

    N-grams are counted over all sentences, and a corpus that is too short gets a brevity penalty. The score is sacreBLEU's with
    its defaults (13a tokens, case-sensitive, exponential smoothing), so pass sentences as people write them, not tokenized.

    Args:
        references: The correct translations, one for each sentence.
        hypotheses: The translations to score, in the same order.

    Raises:
        DataError: If there are no sentences, the numbers of both differ, or one is not a string.

    References:
        Papineni et al., "BLEU: a Method for Automatic Evaluation of Machine Translation", ACL 2002.
        Post, "A Call for Clarity in Reporting BLEU Scores", WMT 2018.

    Examples:
        >>> round(bleu(["the cat sat on the mat"], ["the cat sat on a mat"]), 2)
        53.73
    """
    from sacrebleu.metrics import BLEU

    return _corpus_score(BLEU(), references, hypotheses)


def chrf(references: Sequence[str], hypotheses: Sequence[str]) -> float:
    """chrF2 of a corpus, from 0 to 100: the F-score of n-grams of 1 to 6 characters, with more weight on recall.

    It needs no words, so it suits languages with long words or without spaces. The score is sacreBLEU's with its defaults.
    Arguments and errors are those of :func:`bleu`.

    References:
        Popović, "chrF: character n-gram F-score for automatic MT evaluation", WMT 2015.

    Examples:
        >>> round(chrf(["the cat sat on the mat"], ["the cat sat on a mat"]), 2)
        65.98
    """
    from sacrebleu.metrics import CHRF

    return _corpus_score(CHRF(), references, hypotheses)


def ter(references: Sequence[str], hypotheses: Sequence[str]) -> float:
    """Translation edit rate of a corpus, in percent: edits (insertions, deletions, substitutions, shifts) per reference word.

    Lower is better, and values above 100 are possible. The score is sacreBLEU's with its defaults: words are separated by
    spaces, and case is ignored. Arguments and errors are those of :func:`bleu`.

    References:
        Snover et al., "A Study of Translation Edit Rate with Targeted Human Annotation", AMTA 2006.

    Examples:
        >>> round(ter(["the cat sat on the mat"], ["the cat sat on a mat"]), 2)
        16.67
    """
    from sacrebleu.metrics import TER

    return _corpus_score(TER(), references, hypotheses)


def translation_scores(references: Sequence[str], hypotheses: Sequence[str]) -> dict[str, float | str]:
    """Return ``bleu``, ``chrf``, ``ter``, and BLEU's ``signature``, without which BLEU cannot be compared.

    The signature is sacreBLEU's settings and version. Arguments and errors are those of :func:`bleu`.

    Examples:
        >>> scores = translation_scores(["the cat sat on the mat"], ["the cat sat on a mat"])
        >>> scores["signature"]
        'nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:...'
    """
    from sacrebleu.metrics import BLEU, CHRF, TER

    metrics = {"bleu": BLEU(), "chrf": CHRF(), "ter": TER()}
    scores = {name: _corpus_score(metric, references, hypotheses) for name, metric in metrics.items()}
    return {**scores, "signature": str(metrics["bleu"].get_signature())}


def _corpus_score(metric: "Metric", references: Sequence[str], hypotheses: Sequence[str]) -> float:
    for name, texts in (("references", references), ("hypotheses", hypotheses)):
        if isinstance(texts, str):
            raise DataError(f"{name}: expected a list of sentences, got one string: put it in a list")
        odd = next((i for i, text in enumerate(texts) if not isinstance(text, str)), None)
        if odd is not None:
            raise DataError(f"{name}: expected strings, but number {odd} is {texts[odd]!r}")
    if len(references) != len(hypotheses):
        raise DataError(
            f"there are {len(references)} references and {len(hypotheses)} hypotheses: each hypothesis needs its reference"
        )
    if not len(references):
        raise DataError("there is nothing to score: pass at least one sentence")
    return float(metric.corpus_score(list(hypotheses), [list(references)]).score)
