"""The field's metrics, by well-kept libraries."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from utilsforecast import losses

from lstmzoo.errors import ConfigError, DataError


def mase(actual: np.ndarray, forecast: np.ndarray, history: Sequence[np.ndarray], season_length: int) -> np.ndarray:
    """Mean absolute scaled error of each series: its error over the in-sample error of the seasonal naive forecast.

    Args:
        actual: ``(N, H)``; missing steps, NaN, are left out.
        forecast: ``(N, H)``.
        history: What came before, N arrays of any lengths; pairs of steps a season apart with a NaN are left out.
        season_length: Of the seasonal naive forecast.

    Returns:
        ``(N,)``; NaN for a series whose history does not vary, or is no longer than a season, or of which nothing is
        observed; infinity for a forecast that is not finite.

    References:
        Hyndman & Koehler, "Another look at measures of forecast accuracy", Int. J. Forecasting 22(4), 2006.

    Examples:
        >>> mase(np.array([[4.0, 6.0]]), np.array([[3.0, 3.0]]), [np.array([1.0, 2.0, 3.0])], season_length=1)
        array([2.])
    """
    actual, forecast, history = _in_units(actual, forecast, history)
    table = losses.mase(_frame(actual, y_hat=forecast), ["y_hat"], season_length, _past(history))
    values = _by_series(table, actual, forecast)
    return np.where(_naive_error(history, season_length) > 0, values, np.nan)


def rmsse(actual: np.ndarray, forecast: np.ndarray, history: Sequence[np.ndarray], season_length: int) -> np.ndarray:
    """Root mean squared scaled error of each series: as :func:`mase`, but with squared errors; M5's, at a season of 1.

    Args:
        actual: ``(N, H)``; missing steps, NaN, are left out.
        forecast: ``(N, H)``.
        history: What came before, N arrays of any lengths.
        season_length: Of the seasonal naive forecast.

    Returns:
        ``(N,)``; NaN and infinity as of :func:`mase`.

    References:
        Makridakis, Spiliotis & Assimakopoulos, "M5 accuracy competition", Int. J. Forecasting 38(4), 2022.

    Examples:
        >>> rmsse(np.array([[4.0, 6.0]]), np.array([[3.0, 3.0]]), [np.array([1.0, 2.0, 3.0])], season_length=1).round(3)
        array([2.236])
    """
    actual, forecast, history = _in_units(actual, forecast, history)
    table = losses.rmsse(_frame(actual, y_hat=forecast), ["y_hat"], season_length, _past(history))
    values = _by_series(table, actual, forecast)
    return np.where(_naive_error(history, season_length) > 0, values, np.nan)


def smape(actual: np.ndarray, forecast: np.ndarray) -> np.ndarray:
    """Symmetric mean absolute percentage error of each series ``(N,)``, from 0 to 200 as the M competitions define it.

    NaN for a series of which nothing is observed; infinity for a forecast that is not finite.

    Args:
        actual: ``(N, H)``; missing steps, NaN, are left out.
        forecast: ``(N, H)``.

    References:
        Makridakis, Spiliotis & Assimakopoulos, "The M4 Competition", Int. J. Forecasting 36(1), 2020.

    Examples:
        >>> smape(np.array([[1.0, 2.0]]), np.array([[3.0, 2.0]]))
        array([50.])
    """
    return 200 * _by_series(losses.smape(_frame(actual, y_hat=forecast), ["y_hat"]), actual, forecast)


def mae(actual: np.ndarray, forecast: np.ndarray) -> np.ndarray:
    """Mean absolute error of each series ``(N,)``, in its own units.

    NaN for a series of which nothing is observed; infinity for a forecast that is not finite.

    Args:
        actual: ``(N, H)``; missing steps, NaN, are left out.
        forecast: ``(N, H)``.

    Examples:
        >>> mae(np.array([[1.0, 2.0]]), np.array([[3.0, 2.0]]))
        array([1.])
    """
    return _by_series(losses.mae(_frame(actual, y_hat=forecast), ["y_hat"]), actual, forecast)


def rmse(actual: np.ndarray, forecast: np.ndarray) -> np.ndarray:
    """Root mean squared error of each series ``(N,)``, in its own units; NaN and infinity as of :func:`mae`.

    Args:
        actual: ``(N, H)``; missing steps, NaN, are left out.
        forecast: ``(N, H)``.

    Examples:
        >>> rmse(np.array([[1.0, 2.0]]), np.array([[3.0, 2.0]])).round(3)
        array([1.414])
    """
    unit = np.array([_power_of_two(values) for values in actual])
    scaled, guess = actual / unit[:, None], forecast / unit[:, None]
    return unit * _by_series(losses.rmse(_frame(scaled, y_hat=guess), ["y_hat"]), actual, forecast)


def mape(actual: np.ndarray, forecast: np.ndarray) -> np.ndarray:
    """Mean absolute percentage error of each series ``(N,)``, in percent of the values; NaN and infinity as of :func:`mae`.

    Args:
        actual: ``(N, H)``; missing steps, NaN, and those whose value is 0 are left out.
        forecast: ``(N, H)``.

    Examples:
        >>> mape(np.array([[1.0, 2.0, 0.0]]), np.array([[3.0, 2.0, 1.0]]))
        array([100.])
    """
    actual, forecast, _ = _in_units(actual, forecast, actual)
    return 100 * _by_series(losses.mape(_frame(actual, y_hat=forecast), ["y_hat"]), actual, forecast)


def wape(actual: np.ndarray, forecast: np.ndarray) -> np.ndarray:
    """Weighted absolute percentage error of each series ``(N,)``: the sum of errors in percent of the sum of values.

    NaN and infinity as of :func:`mae`; NaN too for a series that is all zeros.

    Args:
        actual: ``(N, H)``; missing steps, NaN, are left out.
        forecast: ``(N, H)``.

    References:
        Kolassa & Schütz, "Advantages of the MAD/Mean ratio over the MAPE", Foresight 6, 2007.

    Examples:
        >>> wape(np.array([[1.0, 3.0]]), np.array([[3.0, 3.0]]))
        array([50.])
    """
    actual, forecast, _ = _in_units(actual, forecast, actual)
    return 100 * _by_series(losses.nd(_frame(actual, y_hat=forecast), ["y_hat"]), actual, forecast)


def bias(actual: np.ndarray, forecast: np.ndarray) -> np.ndarray:
    """Mean of forecast minus value of each series ``(N,)``; above 0, forecasts are too high. NaN and infinity as of :func:`mae`.

    Args:
        actual: ``(N, H)``; missing steps, NaN, are left out.
        forecast: ``(N, H)``.

    Examples:
        >>> bias(np.array([[1.0, 2.0]]), np.array([[3.0, 1.0]]))
        array([0.5])
    """
    return _by_series(losses.bias(_frame(actual, y_hat=forecast), ["y_hat"]), actual, forecast)


def coverage(actual: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Share of each series' steps that lie within their interval, bounds included; NaN if nothing is observed.

    Args:
        actual: ``(N, H)``; missing steps, NaN, are left out.
        low: ``(N, H)``.
        high: ``(N, H)``.

    Returns:
        ``(N,)``, from 0 to 1.

    Examples:
        >>> coverage(np.array([[1.0, 2.0, 3.0, np.nan]]), np.full((1, 4), 1.5), np.full((1, 4), 3.0)).round(2)
        array([0.67])
    """
    table = _frame(actual, **{"y_hat-lo-0": low, "y_hat-hi-0": high})
    return _by_series(losses.coverage(table, ["y_hat"], level=0), actual)


def crps(actual: np.ndarray, quantile_forecasts: np.ndarray, levels: Sequence[float]) -> np.ndarray:
    """Scaled continuous ranked probability score of each series, by its quantile forecasts.

    ``2 mean_q sum_t pinball_q(t) / sum_t |actual(t)|``: twice the pinball loss, averaged over the levels and summed over the
    steps, over the sum of the series' own absolute values. With more and more evenly spaced levels it tends to the series'
    summed CRPS over that sum. For one number for all series, see :func:`weighted_quantile_loss`.

    Args:
        actual: ``(N, H)``; missing steps, NaN, are left out.
        quantile_forecasts: ``(N, H, Q)``.
        levels: The Q levels, in (0, 1).

    Returns:
        ``(N,)``; NaN for a series that is all zeros, or of which nothing is observed; infinity for forecasts that are not
        finite.

    References:
        Rangapuram et al., "End-to-End Learning of Coherent Probabilistic Forecasts for Hierarchical Time Series", ICML 2021.

    Examples:
        >>> crps(np.array([[4.0, 6.0]]), np.array([[[3.0, 5.0], [6.0, 7.0]]]), levels=[0.25, 0.75])
        array([0.075])
    """
    unit = np.array([_power_of_two(values) for values in actual])[:, None]
    actual, quantile_forecasts = actual / unit, quantile_forecasts / unit[..., None]
    columns = {f"q{i}": quantile_forecasts[..., i] for i in range(len(levels))}
    table = losses.scaled_crps(_frame(actual, **columns), {"y_hat": list(columns)}, np.array(levels))
    values = _by_series(table, actual, *columns.values())
    return np.where(np.nan_to_num(actual).any(axis=1), values, np.nan)


def weighted_quantile_loss(actual: np.ndarray, quantile_forecasts: np.ndarray, levels: Sequence[float]) -> float:
    """Mean weighted quantile loss of all series together: as :func:`crps`, but both sums are over series and steps.

    Large series weigh more. This is the number that probabilistic forecasting papers report as CRPS or wQL.

    Args:
        actual: ``(N, H)``; missing steps, NaN, are left out.
        quantile_forecasts: ``(N, H, Q)``.
        levels: The Q levels, in (0, 1).

    References:
        Alexandrov et al., "GluonTS: Probabilistic and Neural Time Series Modeling in Python", JMLR 21(116), 2020.

    Examples:
        >>> weighted_quantile_loss(np.array([[4.0], [6.0]]), np.array([[[3.0]], [[7.0]]]), levels=[0.5])
        0.2
    """
    return float(crps(actual.reshape(1, -1), quantile_forecasts.reshape(1, -1, len(levels)), levels)[0])


def msis(
    actual: np.ndarray,
    low: np.ndarray,
    high: np.ndarray,
    history: Sequence[np.ndarray],
    season_length: int,
    level: float,
) -> np.ndarray:
    """Mean scaled interval score of each series: widths and penalties over the seasonal naive's in-sample error.

    A step outside of its interval costs its distance, ``2 / (1 - level)`` times.

    Args:
        actual: ``(N, H)``; missing steps, NaN, are left out.
        low: ``(N, H)``.
        high: ``(N, H)``.
        history: What came before, N arrays of any lengths.
        season_length: Of the seasonal naive forecast.
        level: Of the interval, in (0, 1); 0.95 in M4.

    Returns:
        ``(N,)``; NaN and infinity as of :func:`mase`.

    Raises:
        ConfigError: If the level is not in (0, 1).

    References:
        Makridakis, Spiliotis & Assimakopoulos, "The M4 Competition", Int. J. Forecasting 36(1), 2020.
        Gneiting & Raftery, "Strictly Proper Scoring Rules, Prediction, and Estimation", JASA 102(477), 2007.

    Examples:
        >>> past = [np.array([1.0, 3.0, 5.0])]
        >>> msis(np.array([[4.0, 6.0]]), np.array([[3.0, 3.0]]), np.array([[5.0, 5.0]]), past, 1, level=0.5)
        array([2.])
    """
    if not 0 < level < 1:
        raise ConfigError(f"level must be between 0 and 1, such as 0.95, but it is {level}")
    outside = np.maximum(low - actual, 0) + np.maximum(actual - high, 0)
    scores = _frame(actual, y_hat=high - low + 2 / (1 - level) * outside).groupby("unique_id", as_index=False).mean()
    naive = _naive_error(history, season_length)
    return _by_series(scores, actual, low, high) / np.where(naive > 0, naive, np.nan)


def mean_over_series(values: np.ndarray, name: str = "mase") -> float:
    """The mean over the series for which a metric is defined.

    Args:
        values: ``(N,)``, NaN where it is not.
        name: Of the metric, for the message.

    Raises:
        DataError: If it is defined for none.
    """
    if np.isnan(values).all():
        scaled = "no series varies in its history, or none is longer than a season, or "
        relative = "all that was forecast is zero, or "
        why = {"mase": scaled, "rmsse": scaled, "mape": relative, "wape": relative, "crps": relative}.get(name, "")
        raise DataError(f"{name.upper()} is undefined: {why}nothing is observed of what was forecast")
    return float(np.nanmean(values))


def bleu(references: Sequence[str], hypotheses: Sequence[str]) -> float:
    """BLEU of a corpus, from 0 to 100: the geometric mean of the shares of runs of 1, 2, 3 and 4 words that are right.

    Runs are counted over all sentences together, and translations that are too short in all are punished. sacreBLEU counts,
    with its defaults (13a tokens, case matters, exponential smoothing): sentences are as people write them, not tokenized.

    Args:
        references: The right translations, one for each sentence.
        hypotheses: Those to score, in the same order.

    Raises:
        DataError: If there are none, not as many of both, or one is no string.

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
    """chrF2 of a corpus, from 0 to 100: how many runs of 1 to 6 characters are shared, with more weight on recall.

    It needs no words, and so suits languages whose words are long or have no spaces between. sacreBLEU counts, with its
    defaults.

    Args:
        references: The right translations, one for each sentence.
        hypotheses: Those to score, in the same order.

    Raises:
        DataError: As of :func:`bleu`.

    References:
        Popović, "chrF: character n-gram F-score for automatic MT evaluation", WMT 2015.

    Examples:
        >>> round(chrf(["the cat sat on the mat"], ["the cat sat on a mat"]), 2)
        65.98
    """
    from sacrebleu.metrics import CHRF

    return _corpus_score(CHRF(), references, hypotheses)


def ter(references: Sequence[str], hypotheses: Sequence[str]) -> float:
    """Translation edit rate of a corpus, in percent: words inserted, deleted, replaced and runs moved, over reference words.

    Lower is better; above 100 is possible. sacreBLEU counts, with its defaults: words are what is between spaces, and case
    does not matter.

    Args:
        references: The right translations, one for each sentence.
        hypotheses: Those to score, in the same order.

    Raises:
        DataError: As of :func:`bleu`.

    References:
        Snover et al., "A Study of Translation Edit Rate with Targeted Human Annotation", AMTA 2006.

    Examples:
        >>> round(ter(["the cat sat on the mat"], ["the cat sat on a mat"]), 2)
        16.67
    """
    from sacrebleu.metrics import TER

    return _corpus_score(TER(), references, hypotheses)


def translation_scores(references: Sequence[str], hypotheses: Sequence[str]) -> dict[str, float | str]:
    """All three of :func:`bleu`, :func:`chrf` and :func:`ter`, and BLEU's signature, without which it cannot be compared.

    Args:
        references: The right translations, one for each sentence.
        hypotheses: Those to score, in the same order.

    Returns:
        ``bleu``, ``chrf``, ``ter`` and ``signature``: sacreBLEU's settings and version.

    Raises:
        DataError: As of :func:`bleu`.

    Examples:
        >>> scores = translation_scores(["the cat sat on the mat"], ["the cat sat on a mat"])
        >>> scores["signature"]
        'nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:...'
    """
    from sacrebleu.metrics import BLEU, CHRF, TER

    metrics = {"bleu": BLEU(), "chrf": CHRF(), "ter": TER()}
    scores = {name: _corpus_score(metric, references, hypotheses) for name, metric in metrics.items()}
    return {**scores, "signature": str(metrics["bleu"].get_signature())}


def _corpus_score(metric: Any, references: Sequence[str], hypotheses: Sequence[str]) -> float:
    for name, texts in (("references", references), ("hypotheses", hypotheses)):
        if isinstance(texts, str):
            raise DataError(f"{name}: expected a list of sentences, got one string: put it into a list")
        odd = next((i for i, text in enumerate(texts) if not isinstance(text, str)), None)
        if odd is not None:
            raise DataError(f"{name}: expected strings, but number {odd} is {texts[odd]!r}")
    if len(references) != len(hypotheses):
        raise DataError(
            f"there are {len(references)} references and {len(hypotheses)} hypotheses: each hypothesis needs its reference"
        )
    if not len(references):
        raise DataError("there is nothing to score: pass one sentence or more")
    return float(metric.corpus_score(list(hypotheses), [list(references)]).score)


def _in_units(
    actual: np.ndarray, forecast: np.ndarray, history: Sequence[np.ndarray] | np.ndarray
) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """Each series in units of its size, so that no square overflows or vanishes."""
    unit = np.array([_power_of_two(np.concatenate(both)) for both in zip(actual, history, strict=True)])
    return actual / unit[:, None], forecast / unit[:, None], [h / u for h, u in zip(history, unit, strict=True)]


def _power_of_two(values: np.ndarray) -> float:
    """The largest power of two that is at most the largest absolute value; 1 if all are 0 or missing."""
    largest = float(np.max(np.abs(values), initial=0.0, where=np.isfinite(values)))
    return 2.0 ** int(np.frexp(largest)[1] - 1) if largest > 0 else 1.0


def _frame(actual: np.ndarray, **forecasts: np.ndarray) -> pd.DataFrame:
    """The steps that are observed."""
    observed = ~np.isnan(actual)
    numbers = np.broadcast_to(np.arange(len(actual))[:, None], actual.shape)
    columns = {"y": actual, **forecasts}
    return pd.DataFrame({"unique_id": numbers[observed]} | {name: array[observed] for name, array in columns.items()})


def _past(history: Sequence[np.ndarray]) -> pd.DataFrame:
    numbers = np.repeat(np.arange(len(history)), [len(h) for h in history])
    return pd.DataFrame({"unique_id": numbers, "y": np.concatenate(list(history))})


def _naive_error(history: Sequence[np.ndarray], season_length: int) -> np.ndarray:
    """``(N,)`` mean absolute in-sample errors of the seasonal naive forecast; NaN where it has none."""
    errors = [np.abs(h[season_length:] - h[:-season_length]) for h in history]
    return np.array([np.nanmean(e) if np.isfinite(e).any() else np.nan for e in errors])


def _by_series(table: pd.DataFrame, actual: np.ndarray, *forecasts: np.ndarray) -> np.ndarray:
    """The scores ``(N,)`` in a table; NaN if nothing is observed, infinity if the forecast of an observed step is not finite."""
    scores, observed = table.set_index("unique_id")["y_hat"], ~np.isnan(actual)
    values = scores.reindex(range(len(actual))).to_numpy(dtype=float, copy=True)
    values[~observed.any(axis=1)] = np.nan
    for forecast in forecasts:
        values[(observed & ~np.isfinite(forecast)).any(axis=1)] = np.inf
    return values
