"""Write golden/smoothing.json: exponential smoothing and seasonal patterns by statsmodels, of generated series.

pip install statsmodels
python tests/_smoothing_golden.py
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

PATH = Path(__file__).parent / "golden" / "smoothing.json"
LENGTHS = (12, 15, 25, 40, 60, 90, 120, 150)
HORIZON, SEASON = 8, 12
STARTS = (0.02, 0.3, 0.9)  # of alpha, and of beta / alpha


def generated() -> list[list[float]]:
    """Return random walks with noise, trends and a season, all above 0."""
    rng = np.random.default_rng(0)
    series = []
    for i, length in enumerate(LENGTHS):
        level = np.cumsum((0.3 + i % 2) * rng.normal(size=length)) + 0.1 * (i % 3) * np.arange(length)
        wave = np.sin(2 * np.pi * np.arange(length) / SEASON) * (i % 3)
        series.append((60 + level + wave + (0.2 + i % 4) * rng.normal(size=length)).round(4).tolist())
    return series


def smoothed(y: np.ndarray, *, trend: bool) -> dict[str, Any]:
    """Return forecasts by maximum likelihood from several starts, and their variances relative to the first one's."""
    from statsmodels.tsa.exponential_smoothing.ets import ETSModel

    model = ETSModel(pd.Series(y), error="add", trend="add" if trend else None, damped_trend=trend)
    starts = [[alpha, y[0]] for alpha in STARTS]
    if trend:
        rise = (y[-1] - y[0]) / len(y)
        starts = [[alpha, alpha * share, 0.9, y[0], rise] for alpha in STARTS for share in STARTS]
    results = [model.fit(start, disp=False, maxiter=5000, ftol=1e-14, gtol=1e-9) for start in starts]
    result = min(results, key=lambda one: one.sse)
    ahead = result.get_prediction(start=len(y), end=len(y) + HORIZON - 1)
    variances = np.asarray(ahead.forecast_variance)
    mean = np.asarray(ahead.predicted_mean)
    return {"squares": float(result.sse), "mean": mean.tolist(), "variances": (variances / variances[0]).tolist()}


def theta(y: np.ndarray) -> dict[str, Any]:
    """Return the mean of the extended trend line and of the smoothed line with twice the curvature."""
    place = np.arange(len(y) + HORIZON)
    line = np.polyval(np.polyfit(place[: len(y)], y, 1), place)
    curved = smoothed(2 * y - line[: len(y)], trend=False)
    return {"squares": curved["squares"], "mean": ((line[len(y) :] + curved["mean"]) / 2).tolist()}


def pattern(y: np.ndarray, model: str) -> list[float] | None:
    """Return the seasonal pattern of series that repeat it at least twice."""
    from statsmodels.tsa.seasonal import seasonal_decompose

    return (
        seasonal_decompose(y, model=model, period=SEASON).seasonal[:SEASON].tolist() if len(y) >= 2 * SEASON else None
    )


def main() -> None:
    rows = []
    for values in generated():
        y = np.array(values)
        rows.append(
            {
                "y": values,
                "ses": smoothed(y, trend=False),
                "damped": smoothed(y, trend=True),
                "theta": theta(y),
                "additive": pattern(y, "additive"),
                "multiplicative": pattern(y, "multiplicative"),
            }
        )
    PATH.write_text(json.dumps(rows, indent=None).replace('{"y"', '\n{"y"') + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
