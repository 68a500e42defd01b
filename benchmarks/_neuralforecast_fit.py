"""The neuralforecast side of neuralforecast_compare.py, in an environment with neuralforecast.

python _neuralforecast_fit.py settings.json data.npz forecast.npz        # prints one line of JSON
"""

import inspect
import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import neuralforecast
import numpy as np
import pandas as pd
import pytorch_lightning as pl
import torch
from neuralforecast import NeuralForecast, models


class StepTimes(pl.Callback):
    """The times at which training steps end."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def on_train_batch_end(self, *_: Any) -> None:
        self.times.append(time.perf_counter())


def main() -> None:
    s = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    torch.set_num_threads(s["threads"])
    data = np.load(sys.argv[2])
    frame = pd.DataFrame({name: data[name] for name in ("unique_id", "ds", "y")})
    default = inspect.signature(getattr(models, s["model"])).parameters["max_steps"].default
    steps, step_ms = affordable(s, frame, default)
    forecaster, fit_seconds = fit(s, frame, steps)
    forecast = forecaster.predict()
    column = next(name for name in (f"{s['model']}-median", s["model"]) if name in forecast)
    np.savez(
        sys.argv[3],
        unique_id=forecast["unique_id"].to_numpy().astype("U"),
        ds=forecast["ds"].to_numpy(),
        y_hat=forecast[column].to_numpy(),
    )
    answer = {
        "fit_seconds": fit_seconds,
        "step_ms": step_ms,
        "steps": steps,
        "default_steps": default,
        "column": column,
        "parameters": sum(p.numel() for p in forecaster.models[0].parameters() if p.requires_grad),
        "versions": {
            "neuralforecast": neuralforecast.__version__,
            "pytorch-lightning": pl.__version__,
            "torch": torch.__version__,
            "NumPy beside torch": np.__version__,
        },
    }
    print(json.dumps(answer))


def affordable(s: dict[str, Any], frame: pd.DataFrame, default: int) -> tuple[int, float]:
    """Measure by a short fit: steps that fit into the seconds, at most the default number, and milliseconds per step."""
    forecaster, seconds = fit(s, frame, s["trial_steps"], callbacks=[StepTimes()])
    (recorder,) = forecaster.models[0].trainer_kwargs["callbacks"]  # neuralforecast copies its arguments
    step = statistics.median(np.diff(recorder.times))
    startup = max(0.0, seconds - step * s["trial_steps"])
    return min(default, max(1, int((s["seconds"] - startup) / step))), 1000 * step


def fit(s: dict[str, Any], frame: pd.DataFrame, steps: int, **trainer: Any) -> tuple[NeuralForecast, float]:
    """The library's defaults, without progress bar, summary and logger, which cost time."""
    started = time.perf_counter()
    model = getattr(models, s["model"])(
        h=s["horizon"],
        max_steps=steps,
        random_seed=s["seed"],
        enable_progress_bar=False,
        enable_model_summary=False,
        logger=False,
        **trainer,
    )
    forecaster = NeuralForecast(models=[model], freq=1)
    forecaster.fit(frame)
    return forecaster, time.perf_counter() - started


if __name__ == "__main__":
    main()
