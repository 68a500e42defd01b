"""A search of text models beside the default entry, at equal seconds and with all defaults: WikiText-2 and Multi30k.

`ZooSearchCV(LanguageModel(), time_limit=...)` and `LanguageModel(time_limit=...)` get the train part, and nothing else; so
do the two translators. Each holds out a part of it by itself. WikiText-2 is scored by the perplexity per word, Multi30k
(English to German) by the BLEU of beams of 5. With --validate, the official validation part is scored, and the test part is
never read; otherwise it is read after the last model is trained. There is a model and a file for each method and seed under
`--results`; a run skips what is there already. Each model is trained in a process of its own.

    python benchmarks/search_text.py --data wikitext2 multi30k --seconds 1200 --seeds 0 1 2 --results results
    python benchmarks/search_text.py --data multi30k --seconds 300 --validate --results results
"""

import math
import statistics
import time
from functools import partial
from pathlib import Path
from typing import Any

from _report import parser, progress, setting, table
from _results import Result, isolated, stem, stored

from lstmzoo import LanguageModel, Translator, ZooSearchCV, load
from lstmzoo.datasets import fetch_multi30k, fetch_wikitext2
from lstmzoo.records import is_network

METRICS = {"wikitext2": "perplexity per word", "multi30k": "BLEU"}
METHODS = ("default entry", "search")


def main() -> None:
    args = arguments()
    runs = [(seed, method) for seed in args.seeds for method in METHODS]
    fits = {(name, *run): trained(args, name, *run) for name in args.data for run in runs}
    for name in args.data:
        rows, scores = [], dict[str, list[float]]()
        for seed, method in runs:
            made = fits[name, seed, method]
            score = judged(args, name, seed, method) if "error" not in made else math.nan
            progress(f"{name}, {method}, seed {seed}: {score:.2f}")
            scores.setdefault(method, []).append(score)
            rows.append([method, str(seed), f"{score:.2f}", f"{made['seconds']:.1f}", made.get("note", "failed")])
        print(f"{name}, {'validation' if args.validate else 'test'} part, {args.seconds:g} s.\n")
        print(table(["method", "seed", METRICS[name], "seconds", "winner"], rows) + "\n")
        print(summary(name, scores) + "\n")
    print(setting(seeds=args.seeds, smoke=args.smoke, made=[made["conditions"] for made in fits.values()]))


def arguments() -> Any:
    made = parser(__doc__, results=True)
    made.add_argument("--data", choices=METRICS, nargs="+", default=list(METRICS))
    made.add_argument(
        "--seconds", type=float, default=1200.0, help="time limit of the search, and of the default entry"
    )
    made.add_argument("--seeds", type=int, nargs="+", default=[0])
    made.add_argument("--validate", action="store_true", help="score the validation part, not the test part")
    args = made.parse_args()
    if args.smoke:
        args.seconds = 30.0
    return args


def run_name(args: Any, name: str, seed: int, method: str) -> tuple[object, ...]:
    return (f"{name}_smoke" if args.smoke else name, method, f"{args.seconds:g}s", seed)


def model_path(args: Any, *run: Any) -> Path:
    return args.results / "models" / stem(run_name(args, *run))


def trained(args: Any, name: str, seed: int, method: str) -> Result:
    """Return the seconds of a training and a note on its model, which is saved; from their file if there is one."""
    fit = partial(isolated, fitted, name, method, args.seconds, seed, args.smoke, model_path(args, name, seed, method))
    return stored(args.results, run_name(args, name, seed, method), fit)


def part(name: str, which: str, *, smoke: bool) -> tuple[list[str], ...]:
    """Return the part ``train``, ``valid`` or ``test``: a list of lines, or two lists of sentences."""
    data = fetch_wikitext2() if name == "wikitext2" else fetch_multi30k("en", "de")
    chosen = getattr(data, which)
    sides = (chosen,) if name == "wikitext2" else chosen
    return tuple(list(side)[: 500 if smoke else None] for side in sides)


def fitted(name: str, method: str, seconds: float, seed: int, smoke: bool, path: Path) -> Result:
    """Train and save a model, and return the seconds from the data to it, and a note on it."""
    train = part(name, "train", smoke=smoke)
    estimator = LanguageModel if name == "wikitext2" else Translator
    began = time.perf_counter()
    if method == "search":
        search = ZooSearchCV(estimator(verbose=0), time_limit=seconds, random_state=seed, verbose=0).fit(*train)
        model, networks = search.best_estimator_, sum(map(is_network, search.records_))
        note = f"`{search.best_params_['model']}` of {networks}"
    else:
        model = estimator(time_limit=seconds, random_state=seed, verbose=0).fit(*train)
        note = f"`{model.model}`, {len(model.history_)} epochs"
    taken = time.perf_counter() - began
    path.parent.mkdir(parents=True, exist_ok=True)
    model.save(path)
    return {"seconds": taken, "note": note}


def judged(args: Any, *run: Any) -> float:
    """Return the score of a saved model."""
    name, model = run[0], load(model_path(args, *run))
    data = part(name, "valid" if args.validate else "test", smoke=args.smoke)
    return float(model.perplexity(*data) if name == "wikitext2" else model.score(*data))


def summary(name: str, scores: dict[str, list[float]]) -> str:
    """Return the means, and by how much the search is better, in percent."""
    means = {method: statistics.mean(values) for method, values in scores.items()}
    default, search = means["default entry"], means["search"]
    gain = default / search - 1 if name == "wikitext2" else search / default - 1 if default else 0.0
    shown = ", ".join(
        f"{method} {mean:.2f}" + (f" ± {statistics.stdev(scores[method]):.2f}" if len(scores[method]) > 1 else "")
        for method, mean in means.items()
    )
    return f"Mean over {len(scores['search'])} seeds: {shown}; the search is better by {gain:.1%}."


if __name__ == "__main__":
    main()
