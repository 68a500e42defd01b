"""``LanguageModel("lstm").fit`` and ``("awd_lstm").fit`` and the same networks in PyTorch, on the CPU.

Both sides get the same lines of WikiText-2 and the same vocabulary size. Both split the lines into words, number the
words by frequency, lay out the stream in rows, and train for the same steps on the same batches: embedding, stacked
LSTMs, dropout at the same places, a tied softmax, Adam with a cosine schedule, and clipping of the gradient's norm.
The state is carried from window to window. PyTorch's side (`_torch_language_fit.py`) is its word-language-model
example: ``nn.LSTM`` and a full softmax, and weight drop as in Merity's code. Two ratios are given: lstmzoo with a
full softmax, which is the same work on both sides, and lstmzoo with its default, an adaptive softmax.

Each side runs in a process of its own. They take turns, and the order changes from round to round. The whole ``fit``
is timed, from the text, with compilation and without imports.

    python3.11 -m venv torchenv && torchenv/bin/pip install torch==2.13.0 numpy
    python benchmarks/torch_language_model.py --torch-python torchenv/bin/python
"""

import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from _report import parser, progress, setting, spread, table, with_threads

from lstmzoo.datasets import fetch_wikitext2

HERE = Path(__file__).resolve().parent
SHAPES = {
    "lstm, 2 x 256, batch 32 x 64, 10,000 words": {
        "model": "lstm", "units": 256, "num_layers": 2, "embedding_dim": 256, "dropout": 0.2, "batch_size": 32, "bptt": 64,
        "vocab_size": 10_000, "learning_rate": 2e-3, "clipnorm": 1.0,
    },
    "awd_lstm, 512 512 256, batch 32 x 64, 10,000 words": {
        "model": "awd_lstm", "units": 512, "num_layers": 3, "embedding_dim": 256, "embedding_dropout": 0.1, "input_dropout": 0.3,
        "hidden_dropout": 0.2, "output_dropout": 0.3, "weight_drop": 0.3, "activation_penalty": 2.0, "change_penalty": 1.0,
        "batch_size": 32, "bptt": 64, "vocab_size": 10_000, "learning_rate": 2e-3, "clipnorm": 1.0,
    },
}  # fmt: skip


def main() -> None:
    args = arguments()
    steps = 6 if args.smoke else args.steps
    rounds = 1 if args.smoke else args.rounds
    lines = fetch_wikitext2().train
    rows, ratios, versions = [], [], {}
    for title, shape in SHAPES.items():
        if args.models and shape["model"] not in args.models:
            continue
        found: dict[str, list[dict[str, Any]]] = {"lstmzoo, full softmax": [], "lstmzoo": [], "torch": []}
        with tempfile.TemporaryDirectory() as folder:
            corpus, file = Path(folder) / "train.txt", Path(folder) / "settings.json"
            corpus.write_text("\n".join(lines[: args.lines]), encoding="utf-8")
            for number in range(rounds):
                for side in found if number % 2 else reversed(found):
                    softmax = "full" if "full" in side else "adaptive"
                    told = {**shape, "softmax": softmax, "steps": steps, "seed": args.seed, "threads": args.threads}
                    file.write_text(json.dumps(told), encoding="utf-8")
                    torch = side == "torch"
                    script = HERE / ("_torch_language_fit.py" if torch else "_language_fit.py")
                    result = run(
                        [args.torch_python if torch else sys.executable, str(script), str(file), str(corpus)],
                        args.threads,
                    )
                    found[side].append(result)
                    progress(f"{title}, round {number + 1}, {side}: {result}")
        if len({r["parameters"] for side in ("torch", "lstmzoo, full softmax") for r in found[side]}) != 1:
            progress("parameters differ: torch's LSTMs have a second bias each")
        versions |= found["torch"][0]["versions"]
        for side, results in found.items():
            tokens = shape["batch_size"] * shape["bptt"] * steps
            seconds = [r["fit_seconds"] for r in results]
            rows.append(
                [
                    title, side, spread(seconds, 1), f"{tokens / statistics.median(seconds):,.0f}",
                    spread([r["step_ms"] for r in results], 1), f"{results[0]['parameters']:,}",
                    f"{statistics.median(r['loss'] for r in results):.3f}",
                ]
            )  # fmt: skip
        for side in ("lstmzoo, full softmax", "lstmzoo"):
            pairs = list(zip(found[side], found["torch"], strict=True))
            ratios.append(
                [title, side, *(spread([b[key] / a[key] for a, b in pairs], 2) for key in ("fit_seconds", "step_ms"))]
            )
    print(f"{steps} steps; {args.threads} threads; medians of {rounds} rounds (lowest to highest).\n")
    print(table(["shape", "side", "fit s", "tokens/s", "ms a step", "parameters", "last loss"], rows) + "\n")
    print("Torch's time over lstmzoo's (above 1: lstmzoo is faster):\n")
    print(table(["shape", "side", "whole fit", "a step"], ratios) + "\n")
    print(setting(seeds=[args.seed], smoke=args.smoke, others=versions))


def arguments() -> Any:
    made = parser(__doc__)
    made.add_argument("--torch-python", default=sys.executable, help="interpreter with torch")
    made.add_argument("--steps", type=int, default=300, help="training steps")
    made.add_argument("--lines", type=int, default=20_000, help="lines of WikiText-2's train part")
    made.add_argument("--rounds", type=int, default=3)
    made.add_argument("--threads", type=int, default=2)
    made.add_argument("--models", nargs="+", choices=("lstm", "awd_lstm"), help="only these")
    made.add_argument("--seed", type=int, default=0)
    return made.parse_args()


def run(command: list[str], threads: int) -> dict[str, Any]:
    done = subprocess.run(command, env=with_threads(threads), stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    main()
