"""The lstmzoo side of torch_translation.py.

python _translation_fit.py settings.json pairs.json        # prints one line of JSON
"""

import json
import statistics
import sys
import time
from pathlib import Path

from lstmzoo import Translator
from lstmzoo.preprocessing import PairBatches, PairPreprocessor


def main() -> None:
    told = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    source, target = json.loads(Path(sys.argv[2]).read_text(encoding="utf-8"))
    s = {**told["settings"], "steps_per_epoch": told["part"], "epochs": told["steps"] // told["part"]}
    model = Translator(told["model"], hyperparameters=s, validation_size=0, random_state=told["seed"], verbose=0)
    started = time.perf_counter()
    model.fit(source, target)
    seconds = time.perf_counter() - started
    began = time.perf_counter()
    pre = PairPreprocessor(s["tokenizer"], s["vocab_size"], s["joint"]).fit(source, target)
    ids = pre.encode_source(source), pre.encode_target(target)
    pieces = time.perf_counter() - began
    sizes = {key: s[key] for key in ("batch_size", "steps_per_epoch", "max_length")}
    batches = PairBatches(*ids, seed=model.seed_, **sizes)
    tokens, positions = [], 0.0
    for epoch in range(s["epochs"]):
        batches.set_epoch(epoch)
        tokens.append(batches.tokens)
        positions += batches.tokens / (1 - batches.padding)
    if tokens[0] != model.tokens_ or len(batches) != told["part"]:
        raise AssertionError("these are not the batches that were trained on, or fewer than were asked for")
    rates = [count / row["seconds"] for count, row in zip(tokens, model.history_, strict=True)]
    answer = {
        "fit_seconds": seconds,
        "pieces_seconds": pieces,
        "tokens": sum(tokens),
        "part_rate": statistics.median(rates[1:]),
        "padding": 1 - sum(tokens) / positions,
        "parameters": model.num_parameters_,
        "loss": model.history_[-1]["loss"],
    }
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
