"""The lstmzoo side of torch_language_model.py.

python _language_fit.py settings.json train.txt        # prints one line of JSON
"""

import json
import statistics
import sys
import time
from pathlib import Path

from lstmzoo import LanguageModel

_PARTS = 5  # epochs: steps are timed after the first, which compiles


def main() -> None:
    s = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    own = ("model", "steps", "seed", "threads")
    settings = {key: value for key, value in s.items() if key not in own}
    settings |= {"steps_per_epoch": s["steps"] // _PARTS, "epochs": _PARTS, "tied": True, "variable_bptt": False}
    lines = Path(sys.argv[2]).read_text(encoding="utf-8").split("\n")
    model = LanguageModel(
        s["model"], tokenizer="word", hyperparameters=settings, validation_size=0, random_state=s["seed"], verbose=0
    )
    started = time.perf_counter()
    model.fit(lines)
    seconds = time.perf_counter() - started
    answer = {
        "fit_seconds": seconds,
        "step_ms": 1000 * statistics.median(row["seconds"] for row in model.history_[1:]) / (s["steps"] // _PARTS),
        "parameters": model.num_parameters_,
        "loss": model.history_[-1]["loss"],
    }
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
