"""Time and memory of translating 1,000 sentences, greedily and by beam search, and of 100,000.

The translator is a ``conditional_gru``: a saved one (``--load``, from ``benchmarks/translation.py --save``), or one
that is fitted for a while to Multi30k's train part, because an untrained translator does not end its sentences. It
translates the first 1,000 English sentences of the val part; more lines are these sentences repeated and shuffled. No
score is computed.

Each row is a process of its own, with its own peak of resident memory, imports and compilation included. The first
call compiles. With 1,000 lines, the later time is the median of several calls.

    python benchmarks/decoding.py --load conditional_gru_multi30k
"""

import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from typing import Any

import numpy as np
from _report import parser, progress, setting, spread, table, with_threads

MODEL = "conditional_gru"
SENTENCES = 1_000
GIB = 2**20  # in KiB, the unit of peaks of memory


def main() -> None:
    args = arguments()
    if args.smoke:
        args.seconds, args.lines, args.rounds = 5.0, [20, 40], 1
    if args.worker:
        print(json.dumps(fit(args) if args.worker == "fit" else decode(args)))
        return
    with tempfile.TemporaryDirectory() as folder:
        if args.load is None:
            args.load = f"{folder}/model"
            progress(f"fitted: {work(args, 'fit', seconds=args.seconds)}")
        found = []
        for beam, lines in [(1, count) for count in args.lines] + [(args.beam, args.lines[0])]:
            rounds = args.rounds if lines <= SENTENCES else 1
            found.append(work(args, "decode", beam=beam, lines=lines, rounds=rounds))
            progress(str(found[-1]))
    rows = [
        [
            "greedy" if answer["beam"] == 1 else f"beam {answer['beam']}", f"{answer['lines']:,}", f"{answer['first']:.1f}",
            spread(answer["later"], 2), f"{1000 * each(answer):.2f}",
            f"{answer['tokens'] / statistics.median(answer['later']):,.0f}", f"{answer['peak'] / GIB:.2f}",
        ]
        for answer in found
    ]  # fmt: skip
    few, many = found[0], found[len(args.lines) - 1]
    print(f"`{few['model']}`, {few['parameters']:,} parameters; {args.threads} threads; a translation has ", end="")
    print(f"{few['tokens'] / few['lines']:.1f} tokens, its end included, and a person's {few['wanted']:.1f}.\n")
    columns = ["decoding", "lines", "s, first call", "s", "ms a sentence", "tokens/s", "peak GiB"]
    print(table(columns, rows) + "\n")
    print(f"A sentence of {many['lines']:,} takes {each(many) / each(few):.2f} times as long as one of ", end="")
    print(f"{few['lines']:,}.\n")
    print(setting(seeds=[0], smoke=args.smoke))


def arguments() -> Any:
    made = parser(__doc__)
    made.add_argument("--load", default=None, metavar="FOLDER", help="a saved translator from English")
    made.add_argument("--seconds", type=float, default=120.0, help="training time, if no model is loaded")
    made.add_argument(
        "--lines",
        type=int,
        nargs="+",
        default=[1_000, 10_000, 100_000],
        help="ascending; the first is also translated by beam search",
    )
    made.add_argument("--beam", type=int, default=5)
    made.add_argument("--rounds", type=int, default=3, help="later calls")
    made.add_argument("--threads", type=int, default=2)
    made.add_argument("--worker", choices=("fit", "decode"), help="(used by the script itself)")
    return made.parse_args()


def work(args: Any, worker: str, **options: Any) -> dict[str, Any]:
    """Measure in a process of its own."""
    given = [f"--{key}={value}" for key, value in {"load": args.load, **options}.items()]
    command = [sys.executable, __file__, *given, "--worker", worker]
    done = subprocess.run(command, env=with_threads(args.threads), stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def fit(args: Any) -> dict[str, Any]:
    from lstmzoo import Translator
    from lstmzoo.datasets import fetch_multi30k

    model = Translator(MODEL, validation_size=0, time_limit=args.seconds, random_state=0, verbose=0)
    model.fit(*fetch_multi30k("en", "de").train).save(args.load)
    return {"seconds": model.seconds_, "epochs": len(model.history_), "loss": model.history_[-1]["loss"]}


def decode(args: Any) -> dict[str, Any]:
    import lstmzoo
    from lstmzoo.datasets import fetch_multi30k

    model, (lines,) = lstmzoo.load(args.load), args.lines
    source, target = (side[:SENTENCES] for side in fetch_multi30k("en", "de").valid)
    places = np.random.default_rng(0).permutation(np.resize(np.arange(len(source)), lines))
    sentences, times = [source[i] for i in places], []
    for _ in range(args.rounds + 1):
        started = time.perf_counter()
        texts = model.predict(sentences, beam_size=args.beam)
        times.append(time.perf_counter() - started)
    written, wanted = (
        1 + sum(map(len, model.preprocessor_.encode_target(side))) / len(side) for side in (texts, target)
    )
    return {
        "model": model.model,
        "parameters": model.num_parameters_,
        "beam": args.beam,
        "lines": lines,
        "first": times[0],
        "later": times[1:],
        "tokens": round(written * lines),
        "wanted": wanted,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
    }


def each(answer: dict[str, Any]) -> float:
    """Seconds per sentence, without compilation."""
    return statistics.median(answer["later"]) / answer["lines"]


if __name__ == "__main__":
    main()
