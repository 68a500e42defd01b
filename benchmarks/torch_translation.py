"""``Translator("conditional_gru").fit`` and the same network in PyTorch, on the CPU.

Both sides train on English and German sentences of Multi30k, in the same pieces, for the same steps, with the entry's
own settings except for the averaging of weights: a bidirectional GRU encoder, a conditional GRU decoder with additive
attention, one matrix for both embeddings and the softmax, dropout at the same places, smoothed labels, Adam with a
cosine schedule, and clipping of the gradient's norm.

PyTorch's side (`_torch_translation_fit.py`) packs its sources. It computes the keys of the attention once, and
readout and softmax for all steps at once, without the padding. Its batches have 64 pairs each, sorted by length
within pools of a hundred batches. lstmzoo's batches have as many tokens, padding included, as 64 pairs of mean
length. PyTorch's decoder cells have a second bias each.

Each side runs in a process of its own. They take turns, and the order changes from round to round. The whole ``fit``
is timed, with compilation and without imports, and also in parts of a hundred steps; their median leaves out the
first part, which compiles. lstmzoo's ``fit`` includes learning and splitting into pieces, while PyTorch's side gets
numbers, so this is also timed separately. Tokens are those of source and target, each with its end, without padding.

    python3.11 -m venv torchenv && torchenv/bin/pip install torch==2.13.0 numpy
    python benchmarks/torch_translation.py --torch-python torchenv/bin/python
"""

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from _report import parser, progress, setting, spread, table, with_threads

from lstmzoo.config import load_config
from lstmzoo.datasets import fetch_multi30k
from lstmzoo.preprocessing import PairPreprocessor

HERE = Path(__file__).resolve().parent
MODEL = "conditional_gru"
PART = 100  # steps
SAME = {
    "tied": "three_way",
    "bpe_dropout": 0.0,
    "optimizer": "adam",
    "schedule": "cosine",
    "average_epochs": 1,
}  # instead of the entry's own
SCRIPTS = {"torch": "_torch_translation_fit.py", "lstmzoo": "_translation_fit.py"}


def main() -> None:
    args = arguments()
    rounds, steps, part = (1, 10, 2) if args.smoke else (args.rounds, args.steps, PART)
    train = fetch_multi30k("en", "de").train
    source, target = (side[:300] for side in train) if args.smoke else train
    config = load_config(f"translation/{MODEL}")
    settings = {**config.hyperparameters, **config.data.model_dump(), **config.training.model_dump(), **SAME}
    told = {
        "settings": settings, "model": MODEL, "steps": steps, "part": part, "threads": args.threads, "seed": args.seed,
    }  # fmt: skip
    found: dict[str, list[dict[str, Any]]] = {side: [] for side in SCRIPTS}
    with tempfile.TemporaryDirectory() as folder:
        file, data = Path(folder) / "settings.json", {"torch": "ids.npz", "lstmzoo": "pairs.json"}
        file.write_text(json.dumps(told), encoding="utf-8")
        (Path(folder) / data["lstmzoo"]).write_text(json.dumps([source, target]), encoding="utf-8")
        write_ids(Path(folder) / data["torch"], source, target, settings)
        for number in range(rounds):
            for side in reversed(SCRIPTS) if number % 2 else SCRIPTS:
                python = args.torch_python if side == "torch" else sys.executable
                command = [python, str(HERE / SCRIPTS[side]), str(file), str(Path(folder) / data[side])]
                found[side].append(run(command, args.threads))
                progress(f"round {number + 1}, {side}: {found[side][-1]}")
    rows = [
        [
            side, spread([r["fit_seconds"] for r in results], 1), spread([whole(r) for r in results], 0),
            spread([r["part_rate"] for r in results], 0), f"{results[0]['padding']:.1%}", f"{results[0]['parameters']:,}",
            f"{statistics.median(r['loss'] for r in results):.3f}",
        ]
        for side, results in found.items()
    ]  # fmt: skip
    pairs = list(zip(found["lstmzoo"], found["torch"], strict=True))
    ratios = [
        spread([whole(a) / whole(b) for a, b in pairs], 2),
        spread([whole(a, without=a["pieces_seconds"]) / whole(b) for a, b in pairs], 2),
        spread([a["part_rate"] / b["part_rate"] for a, b in pairs], 2),
    ]
    columns = [
        "side",
        "fit s",
        "tokens/s, whole fit",
        f"after {part} steps",
        "padding",
        "parameters",
        f"loss of the last {part} steps",
    ]
    print(
        f"`{MODEL}`; {len(source):,} pairs; {steps} steps of {settings['batch_size']} pairs; {args.threads} threads; ",
        end="",
    )
    print(f"medians of {rounds} rounds (lowest to highest). Learning the pieces and cutting the text takes ", end="")
    print(f"{spread([a['pieces_seconds'] for a in found['lstmzoo']], 1)} s of lstmzoo's fit.\n")
    print(table(columns, rows) + "\n")
    print("lstmzoo's tokens/s over torch's (above 1: lstmzoo is faster):\n")
    print(table(["whole fit", "whole fit, pieces given", f"after {part} steps"], [ratios]) + "\n")
    print(setting(seeds=[args.seed], smoke=args.smoke, others=found["torch"][0]["versions"]))


def arguments() -> Any:
    made = parser(__doc__)
    made.add_argument("--torch-python", default=sys.executable, help="interpreter with torch")
    made.add_argument(
        "--steps", type=int, default=500, help=f"training steps, a multiple of {PART}, at least {2 * PART}"
    )
    made.add_argument("--rounds", type=int, default=3)
    made.add_argument("--threads", type=int, default=2)
    made.add_argument("--seed", type=int, default=0)
    args = made.parse_args()
    if args.steps % PART or args.steps < 2 * PART:
        made.error(f"--steps: expected a multiple of {PART}, at least {2 * PART}, got {args.steps}")
    return args


def write_ids(file: Path, source: list[str], target: list[str], settings: dict[str, Any]) -> None:
    """Concatenate the numbers of the sentences, and return their lengths."""
    pre = PairPreprocessor(settings["tokenizer"], settings["vocab_size"], settings["joint"]).fit(source, target)
    arrays: dict[str, Any] = {"vocab_size": pre.target.vocab_size_}
    for side, ids in (("source", pre.encode_source(source)), ("target", pre.encode_target(target))):
        arrays |= {side: np.concatenate(ids), f"{side}_lengths": [len(some) for some in ids]}
    np.savez(file, **arrays)


def run(command: list[str], threads: int) -> dict[str, Any]:
    done = subprocess.run(command, env=with_threads(threads), stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def whole(result: dict[str, Any], without: float = 0.0) -> float:
    """Return the tokens per second of a fit, without some of its seconds."""
    return result["tokens"] / (result["fit_seconds"] - without)


if __name__ == "__main__":
    main()
