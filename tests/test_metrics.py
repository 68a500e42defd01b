"""Metrics against values worked out by hand."""

from collections import Counter

import numpy as np
import pytest
from scipy.stats import norm

from lstmzoo.errors import ConfigError, DataError
from lstmzoo.metrics import (
    bleu,
    chrf,
    coverage,
    crps,
    mase,
    mean_over_series,
    msis,
    rmsse,
    smape,
    ter,
    translation_scores,
    weighted_quantile_loss,
)

HISTORY = [np.array([1.0, 3.0, 2.0, 5.0]), np.array([0.0, 10.0, 0.0, 10.0])]
NAN = np.nan


def test_mase_by_hand():
    actual, forecast = np.array([[4.0, 4.0], [1.0, 1.0]]), np.array([[3.0, 6.0], [2.0, 2.0]])
    np.testing.assert_allclose(mase(actual, forecast, HISTORY, 1), [1.5 / 2, 1 / 10])
    np.testing.assert_allclose(mase(actual, forecast, HISTORY, 2), [1.5 / 1.5, NAN])


def test_rmsse_by_hand():
    actual, forecast = np.array([[4.0, 4.0], [1.0, 1.0]]), np.array([[3.0, 6.0], [2.0, 2.0]])
    np.testing.assert_allclose(rmsse(actual, forecast, HISTORY, 1), [np.sqrt(2.5 / (14 / 3)), 1 / 10])
    np.testing.assert_allclose(rmsse(actual, forecast, HISTORY, 2), [np.sqrt(2.5 / 2.5), NAN])


def test_a_forecast_that_is_not_finite_is_not_left_out():
    history = [np.array([1.0, 2.0, 3.0])] * 2
    scores = mase(np.ones((2, 1)), np.array([[1.5], [np.inf]]), history, 1)
    assert mean_over_series(scores) == np.inf
    assert mean_over_series(mase(np.ones((1, 1)), np.array([[NAN]]), history[:1], 1)) == np.inf
    actual, forecast = np.ones((1, 2)), np.array([[1.0, NAN]])
    assert mase(actual, forecast, history[:1], 1) == np.inf
    assert rmsse(actual, forecast, history[:1], 1) == np.inf
    assert smape(actual, forecast) == np.inf
    assert crps(actual, forecast[..., None], [0.5]) == np.inf
    assert msis(actual, actual, forecast, history[:1], 1, 0.9) == np.inf
    assert coverage(actual, actual, forecast) == 0.5


def test_no_series_that_varies():
    with pytest.raises(DataError, match="no series varies"):
        mean_over_series(mase(np.ones((1, 2)), np.ones((1, 2)), [np.ones(5)], 1))


def test_smape_is_the_m_competitions():
    np.testing.assert_allclose(smape(np.array([[100.0]]), np.array([[110.0]])), 200 * 10 / 210)


def test_coverage_by_hand():
    actual = np.array([[1.0, 2.0, 3.0, 4.0], [0.0, 0.0, 0.0, 9.0]])
    low, high = np.full((2, 4), 2.0), np.full((2, 4), 3.0)
    np.testing.assert_allclose(coverage(actual, low, high), [0.5, 0.0])


def test_crps_by_hand():
    actual = np.array([[10.0, -5.0], [2.0, 2.0], [0.0, 0.0]])
    forecasts = np.array([[[8.0, 11.0], [-6.0, -3.0]], [[2.0, 2.0], [2.0, 2.0]], [[0.0, 1.0], [0.0, 1.0]]])
    pinball = (0.1 * 2 + 0.1 * 1) + (0.1 * 1 + 0.1 * 2)
    np.testing.assert_allclose(crps(actual, forecasts, [0.1, 0.9]), [2 * pinball / 2 / 15, 0, NAN], atol=1e-12)
    np.testing.assert_allclose(crps(actual[:1], forecasts[:1, :, ::-1], [0.9, 0.1]), [pinball / 15])
    together = 2 * (pinball + 2 * 0.1 * 1) / 2 / 19
    np.testing.assert_allclose(weighted_quantile_loss(actual, forecasts, [0.1, 0.9]), together)


def test_crps_of_the_median_alone_is_the_absolute_error():
    rng = np.random.default_rng(0)
    actual, forecast = rng.normal(size=(3, 5)), rng.normal(size=(3, 5))
    expected = np.abs(actual - forecast).sum(axis=1) / np.abs(actual).sum(axis=1)
    np.testing.assert_allclose(crps(actual, forecast[..., None], [0.5]), expected)


def test_crps_of_many_levels_is_that_of_the_distribution():
    levels = (np.arange(40) + 0.5) / 40
    exact = 1.5 * (2 * norm.cdf(1.5) - 1) + 2 * norm.pdf(1.5) - 1 / np.sqrt(np.pi)
    np.testing.assert_allclose(crps(np.array([[1.5]]), norm.ppf(levels)[None, None], levels), exact / 1.5, rtol=0.01)


def test_msis_by_hand():
    actual = np.array([[4.0, 8.0, 1.0], [1.0, 1.0, 1.0]])
    low, high = np.full((2, 3), 3.0), np.full((2, 3), 6.0)
    expected = [(3 + (3 + 40 * 2) + (3 + 40 * 2)) / 3 / 2, (3 + 40 * 2) / 10]
    np.testing.assert_allclose(msis(actual, low, high, HISTORY, 1, level=0.95), expected)
    np.testing.assert_allclose(msis(actual, low, high, HISTORY, 2, level=0.95)[1], NAN)
    with pytest.raises(ConfigError, match="level: expected a number between 0 and 1"):
        msis(actual, low, high, HISTORY, 1, level=95)


METRICS = {
    "mase": lambda actual, low, high, past: mase(actual, low, past, 1),
    "rmsse": lambda actual, low, high, past: rmsse(actual, low, past, 1),
    "smape": lambda actual, low, high, past: smape(actual, low),
    "coverage": lambda actual, low, high, past: coverage(actual, low, high),
    "crps": lambda actual, low, high, past: crps(actual, np.stack([low, high], axis=-1), [0.1, 0.9]),
    "msis": lambda actual, low, high, past: msis(actual, low, high, past, 1, 0.8),
}


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("missing", ["000 000", "010 000", "011 100", "111 000", "010 111", "111 111"])
def test_missing_steps_are_left_out(name, missing):
    rng, gaps = np.random.default_rng(1), np.array([list(row) for row in missing.split()]) == "1"
    arrays = [rng.gamma(2, 2, (2, 3)), rng.gamma(1, 1, (2, 3)), 3 + rng.gamma(1, 1, (2, 3))]
    expected = [
        METRICS[name](*(array[i : i + 1, ~gaps[i]] for array in arrays), HISTORY[i : i + 1])[0]
        if not gaps[i].all()
        else NAN
        for i in range(2)
    ]
    arrays[0][gaps] = NAN
    np.testing.assert_allclose(METRICS[name](*arrays, HISTORY), expected)


def test_missing_steps_of_the_history_are_left_out():
    gappy, still = [np.array([1.0, NAN, 2.0, 5.0, 7.0])], [np.array([1.0, NAN, 2.0, 2.0])]
    actual, forecast = np.array([[4.0]]), np.array([[3.0]])
    np.testing.assert_allclose(mase(actual, forecast, gappy, 1), 1 / 2.5)
    np.testing.assert_allclose(rmsse(actual, forecast, gappy, 1), np.sqrt(1 / 6.5))
    np.testing.assert_allclose(msis(actual, forecast, forecast + 2, gappy, 1, 0.9), 2 / 2.5)
    for metric in (mase, rmsse):
        np.testing.assert_allclose(metric(actual, forecast, still, 1), NAN)


# --- of translations

REFERENCES = ["The cat sat on the mat today.", "It is 5 o'clock."]
HYPOTHESES = ["The cat sat on a mat today.", "It is 5 o'clock."]


def shared(reference, hypothesis, n):
    """Return the number of n-grams of the hypothesis that match the reference, clipped, and of all its n-grams."""
    runs = [Counter(tuple(text[i : i + n]) for i in range(len(text) - n + 1)) for text in (reference, hypothesis)]
    return (runs[0] & runs[1]).total(), runs[1].total()


def test_bleu_by_hand():
    pairs = [
        (r.replace(".", " .").split(), h.replace(".", " .").split())
        for r, h in zip(REFERENCES, HYPOTHESES, strict=True)
    ]
    counts = np.array([[shared(r, h, n) for n in range(1, 5)] for r, h in pairs]).sum(axis=0)
    expected = 100 * np.exp(np.log(counts[:, 0] / counts[:, 1]).mean())
    np.testing.assert_allclose(bleu(REFERENCES, HYPOTHESES), expected)
    short = ["The cat sat on the mat", "It is 5 o'clock."]  # 11 tokens, all right, for 13
    np.testing.assert_allclose(bleu(REFERENCES, short), 100 * np.exp(1 - 13 / 11))
    assert bleu(REFERENCES, [text.lower() for text in REFERENCES]) < 90


def test_chrf_by_hand():
    texts = [[list(text.replace(" ", "")) for text in side] for side in (REFERENCES, HYPOTHESES)]
    scores = []
    for n in range(1, 7):
        right, said = np.sum([shared(r, h, n) for r, h in zip(*texts, strict=True)], axis=0)
        wanted = sum(len(r) - n + 1 for r in texts[0])
        precision, recall = right / said, right / wanted
        scores.append([precision, recall])
    precision, recall = np.mean(scores, axis=0)
    np.testing.assert_allclose(chrf(REFERENCES, HYPOTHESES), 100 * 5 * precision * recall / (4 * precision + recall))


def test_ter_by_hand():
    np.testing.assert_allclose(ter(REFERENCES, HYPOTHESES), 100 * 1 / 11)
    np.testing.assert_allclose(ter(["a b c d e"], ["d e a b c"]), 100 * 1 / 5)  # one run is moved
    np.testing.assert_allclose(ter(["a b"], ["A x y z b"]), 100 * 3 / 2)


def test_translation_scores_are_those_with_a_signature():
    scores = translation_scores(REFERENCES, HYPOTHESES)
    assert scores.pop("signature").startswith("nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp|version:")
    assert scores == {
        "bleu": bleu(REFERENCES, HYPOTHESES),
        "chrf": chrf(REFERENCES, HYPOTHESES),
        "ter": ter(REFERENCES, HYPOTHESES),
    }
    assert all(type(score) is float for score in scores.values())
    best = translation_scores(tuple(REFERENCES), np.array(REFERENCES, object))
    assert [best["bleu"], best["chrf"], best["ter"]] == pytest.approx([100, 100, 0])


@pytest.mark.parametrize("metric", [bleu, chrf, ter, translation_scores])
def test_what_cannot_be_scored(metric):
    with pytest.raises(DataError, match="there are 2 references and 1 hypotheses: each hypothesis needs its reference"):
        metric(REFERENCES, HYPOTHESES[:1])
    with pytest.raises(DataError, match="nothing to score"):
        metric([], [])
    with pytest.raises(DataError, match="references: expected a list of sentences, got one string"):
        metric("abc", ["a", "b", "c"])
    with pytest.raises(DataError, match="hypotheses: expected strings, but number 1 is None"):
        metric(REFERENCES, ["a", None])
