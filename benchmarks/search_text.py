"""A search of text models beside the default entry, at equal seconds and with all defaults: WikiText-2 and Multi30k.

`ZooSearchCV(LanguageModel(), time_limit=...)` and `LanguageModel(time_limit=...)` get the train part, and nothing else; so
do the two translators. Each holds out a part of it by itself. WikiText-2 is scored by the perplexity per word, Multi30k
(English to German) by the BLEU of beams of 5. With --validate, the official validation part is scored, and the test part is
never read.

    python benchmarks/search_text.py --data wikitext2 multi30k --seconds 1200 --seeds 0 1 2
    python benchmarks/search_text.py --data multi30k --seconds 300 --validate
"""

import statistics
import time
from typing import Any

from _report import parser, progress, setting, table

from lstmzoo import LanguageModel, Translator, ZooSearchCV
from lstmzoo.datasets import fetch_multi30k, fetch_wikitext2

METRICS = {"wikitext2": "perplexity per word", "multi30k": "BLEU"}


def main() -> None:
    args = arguments()
    for name in args.data:
        train, judged = parts(name, validate=args.validate, smoke=args.smoke)
        rows, scores = [], dict[str, list[float]]()
        for seed in args.seeds:
            for method in ("default entry", "search"):
                model, seconds, note = fitted(name, method, train, args.seconds, seed)
                score = judge(name, model, judged)
                scores.setdefault(method, []).append(score)
                progress(f"{name}, {method}, seed {seed}: {score:.2f}, {seconds:.0f} s, {note}")
                rows.append([method, str(seed), f"{score:.2f}", f"{seconds:.1f}", note])
        part = "validation part" if args.validate else "test part"
        print(f"{name}, {part}, {args.seconds:g} s.\n")
        print(table(["method", "seed", METRICS[name], "seconds", "winner"], rows) + "\n")
        print(summary(name, scores) + "\n")
    print(setting(seeds=args.seeds, smoke=args.smoke))


def arguments() -> Any:
    made = parser(__doc__)
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


def parts(name: str, *, validate: bool, smoke: bool) -> tuple[tuple[list[str], ...], tuple[list[str], ...]]:
    """Return the arguments of ``fit``, and those to score."""
    data = fetch_wikitext2() if name == "wikitext2" else fetch_multi30k("en", "de")
    chosen = (data.train, data.valid if validate else data.test)
    sides = [(list(part),) if name == "wikitext2" else tuple(map(list, part)) for part in chosen]
    train, judged = [tuple(side[:500] for side in part) for part in sides] if smoke else sides
    return train, judged


def fitted(name: str, method: str, train: tuple, seconds: float, seed: int) -> tuple[Any, float, str]:
    """Return a fitted model, the seconds from the data to it, and a note on it."""
    estimator = LanguageModel if name == "wikitext2" else Translator
    began = time.perf_counter()
    if method == "search":
        search = ZooSearchCV(estimator(verbose=0), time_limit=seconds, random_state=seed, verbose=0).fit(*train)
        networks = sum(not record["baseline"] for record in search.records_)
        return search.best_estimator_, time.perf_counter() - began, f"`{search.best_params_['model']}` of {networks}"
    model = estimator(time_limit=seconds, random_state=seed, verbose=0).fit(*train)
    return model, time.perf_counter() - began, f"`{model.model}`, {len(model.history_)} epochs"


def judge(name: str, model: Any, judged: tuple) -> float:
    return float(model.perplexity(*judged) if name == "wikitext2" else model.score(*judged))


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
