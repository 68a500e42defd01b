"""One small model of every class, and what a saved one has to answer, for the golden folders of each saved format."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from lstmzoo import (
    BaselineForecaster,
    BaselineLanguageModel,
    BaselineTranslator,
    Forecaster,
    LanguageModel,
    Translator,
)

SHORT = {"epochs": 2, "steps_per_epoch": 5, "batch_size": 8}
QUIET = {"random_state": 0, "verbose": 0}
PROMPTS = ["the river ", "a stone"]
SENTENCES = ["one two three", "seven zero"]
TRANSLATIONS = ["drei zwei eins", "null sieben"]


class Golden(NamedTuple):
    """How a golden model is fitted, and what it is asked: from an estimator to a JSON document."""

    fit: Callable[[], Any]
    ask: Callable[[Any], dict[str, Any]]


def shops() -> pd.DataFrame:
    """Two daily series with covariates of every kind."""
    rng, steps = np.random.default_rng(0), np.arange(90)
    return pd.concat(
        pd.DataFrame({
            "unique_id": name,
            "ds": pd.date_range("2024-01-01", periods=len(steps), freq="D"),
            "y": 20.0 * k + 50 + 5 * np.sin(2 * np.pi * steps / 7) + rng.normal(size=len(steps)),
            "visitors": rng.normal(100, 10, len(steps)).round(3),
            "price": rng.normal(3, 1, len(steps)).round(3),
            "size": 10.0 * (k + 1),
            "region": region,
        })
        for k, (name, region) in enumerate([("s0", "north"), ("s1", "south")])
    )  # fmt: skip


def counts() -> np.ndarray:
    """A series without timestamps."""
    return np.random.default_rng(1).poisson(20 + 10 * np.sin(np.arange(80) * np.pi / 6)).astype(float)


def texts() -> list[str]:
    """Sentences over a few words."""
    rng = np.random.default_rng(2)
    words = np.array(["the", "river", "a", "stone", "runs", "under", "old", "bridge", "slowly", "and"])
    return [" ".join(rng.choice(words, 8)) for _ in range(120)]


def pairs() -> tuple[list[str], list[str]]:
    """Digits, and the same in German from right to left."""
    english = np.array(["zero", "one", "two", "three", "four", "five", "six", "seven"])
    german = np.array(["null", "eins", "zwei", "drei", "vier", "fünf", "sechs", "sieben"])
    rng = np.random.default_rng(4)
    rows = [rng.integers(0, 8, rng.integers(1, 5)) for _ in range(150)]
    return [" ".join(english[row]) for row in rows], [" ".join(german[row[::-1]]) for row in rows]


def rows_of(answer: Any) -> dict[str, Any]:
    """A forecast as lists."""
    if isinstance(answer, np.ndarray):
        return {"y_hat": answer.tolist()}
    return {
        str(name): [str(v) for v in column] if name in ("unique_id", "ds") else np.asarray(column, float).tolist()
        for name, column in answer.items()
    }


def ask_forecaster(estimator: Any) -> dict[str, Any]:
    return rows_of(estimator.predict())


def ask_with_future(estimator: Any) -> dict[str, Any]:
    future = estimator.make_future_frame()
    return rows_of(estimator.predict(future=future.assign(price=np.linspace(2, 4, len(future)))))


def ask_language_model(estimator: Any) -> dict[str, Any]:
    return {
        "score_samples": estimator.score_samples(PROMPTS).tolist(),
        "generate": list(estimator.generate(PROMPTS, max_tokens=4, temperature=0.0)),
    }


def ask_translator(estimator: Any) -> dict[str, Any]:
    return {
        "predict": estimator.predict(SENTENCES),
        "score_samples": estimator.score_samples(SENTENCES, TRANSLATIONS).tolist(),
    }


def _forecaster() -> Any:
    forecaster = Forecaster(
        "segment_gru", horizon=4, lookback=12, quantiles=[0.1, 0.9], conformal=True, past_covariates=["visitors"],
        future_covariates=["price"], static_covariates=["size", "region"], calendar=["weekday"], validation_size=12,
        hyperparameters={**SHORT, "units": 4}, **QUIET,
    )  # fmt: skip
    return forecaster.fit(shops())


def _deepar() -> Any:
    settings = {**SHORT, "units": 4}
    return Forecaster(
        "deepar_gru", horizon=3, lookback=12, hyperparameters=settings, quantiles=[0.2, 0.8], **QUIET
    ).fit(counts())


def _language_model(name: str, data: Any, **settings: Any) -> Any:
    settings = {**SHORT, "units": 8, "embedding_dim": 8, "bptt": 8, **settings}
    return LanguageModel(name, hyperparameters=settings, **QUIET).fit(data)


def _translator(name: str, **settings: Any) -> Any:
    settings = {**SHORT, "units": 8, "embedding_dim": 8, **settings}
    return Translator(name, hyperparameters=settings, **QUIET).fit(*pairs())


GOLDEN: dict[str, Golden] = {
    "forecaster": Golden(_forecaster, ask_with_future),
    "deepar": Golden(_deepar, ask_forecaster),
    "baseline-forecaster": Golden(
        lambda: BaselineForecaster("seasonal_naive", horizon=4, quantiles=[0.1, 0.9]).fit(
            shops()[["unique_id", "ds", "y"]]
        ),
        ask_forecaster,
    ),
    "language-model-char": Golden(lambda: _language_model("char_lstm", texts()), ask_language_model),
    "language-model-bpe": Golden(
        lambda: _language_model("gru", texts(), tokenizer="bpe", vocab_size=300), ask_language_model
    ),
    "baseline-language-model": Golden(
        lambda: BaselineLanguageModel("kneser_ney", tokenizer="word", order=3).fit(texts()), ask_language_model
    ),
    "translator": Golden(
        lambda: _translator("luong_gru", tokenizer="word", vocab_size=None, joint=False, tied="two_way"), ask_translator
    ),
    "translator-joint": Golden(
        lambda: _translator("conditional_gru_mini", tokenizer="bpe", vocab_size=300, joint=True), ask_translator
    ),
    "baseline-translator": Golden(lambda: BaselineTranslator("lexicon").fit(*pairs()), ask_translator),
}


def write(directory: Path) -> None:
    """Fit and save every golden model, with its answers beside it."""
    for name, golden in GOLDEN.items():
        estimator = golden.fit()
        estimator.save(directory / name / "model")
        answers = json.dumps(golden.ask(estimator), indent=1, ensure_ascii=False)
        (directory / name / "expected.json").write_text(answers + "\n", encoding="utf-8")
