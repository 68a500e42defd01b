"""All translators of the zoo, with about the same number of parameters, on one small task for the same seconds.

The task is dates and times in English and Hungarian, which need no download. The valid part chooses the best epoch,
and the test part is scored. ``units`` (and ``embedding_dim``) is a multiple of 16 that brings the number of
parameters as near to ``--parameters`` as possible. All other settings are the entry's, except that ``time_limit``
ends each fit, compilation included, instead of epochs and patience. Tokens/s are those of source and target in the
median epoch, its validation included.
"""

from typing import Any

import keras
import numpy as np
from _report import parser, progress, setting, table
from _zoo import ENDLESS, averaged, sizes

from lstmzoo import Translator, datasets, list_models
from lstmzoo.preprocessing import PairPreprocessor
from lstmzoo.spec import TranslationSpec


def main() -> None:
    args = arguments()
    data = datasets.load_dates(num_pairs=2_000 if args.smoke else args.pairs)
    if args.smoke:
        args.seconds, args.parameters = 5.0, 100_000
    pieces = PairPreprocessor("bpe", args.pieces, joint=True).fit(*data.train).source.vocab_size_
    rows = []
    for name, baseline in Translator().baselines().items():
        found = baseline.fit(*data.train).evaluate(*data.test)
        rows.append([f"*{name}*", "", f"{found['bleu']:.1f}", exact(baseline, data.test), "0", "", "", "", ""])
    for name in list_models(args.models):
        settings = {**ENDLESS, "vocab_size": args.pieces, "steps_per_epoch": args.steps_per_epoch}
        settings |= sizes(name, TranslationSpec(pieces, pieces, joint=True), args.parameters, step=16)
        scores, models = [], []
        for seed in args.seeds:
            model = Translator(name, hyperparameters=settings, time_limit=args.seconds, random_state=seed, verbose=0)
            models.append(model.fit(*data.train, validation=data.valid))
            scores.append(model.score(*data.test))
            progress(f"{name}, seed {seed}: {scores[-1]:.1f}, {len(model.history_)} epochs")
        looks = "yes" if models[0].model_.stepper.attends else "no"
        rows.append([name.split("/")[1], looks, averaged(scores, 1), exact(models[0], data.test), *about(models)])
        keras.utils.clear_session()
    rows.sort(key=lambda cells: -float(cells[2].split()[0]))
    print(f"{args.seconds:g} s of training for each; about {args.parameters:,} parameters; {pieces:,} pieces.\n")
    columns = [
        "entry", "attention", "BLEU", "exact, first seed", "parameters", "units", "tokens/s", "epochs (best)", "fit s",
    ]  # fmt: skip
    print(table(columns, rows) + "\n")
    print(setting(seeds=args.seeds, smoke=args.smoke))


def arguments() -> Any:
    made = parser(__doc__)
    made.add_argument("--seconds", type=float, default=90.0, help="training time of each entry")
    made.add_argument("--parameters", type=int, default=600_000, help="approximate number for each entry")
    made.add_argument("--pieces", type=int, default=1000, help="maximum number of pieces, both languages together")
    made.add_argument("--pairs", type=int, default=10_000)
    made.add_argument("--steps-per-epoch", type=int, default=60)
    made.add_argument("--models", nargs="+", default=["translation/*"], help="patterns of entries")
    made.add_argument("--seeds", type=int, nargs="+", default=[0])
    return made.parse_args()


def exact(model: Any, test: Any) -> str:
    """Return the share of sentences whose translation equals the reference exactly."""
    return f"{np.mean([a == b for a, b in zip(model.predict(test.source), test.target, strict=True)]):.1%}"


def about(models: list[Translator]) -> list[str]:
    first = models[0]
    seconds = np.median([row["seconds"] for model in models for row in model.history_])
    return [
        f"{first.num_parameters_:,}",
        str(first.config_.hyperparameters["units"]),
        f"{first.tokens_ / seconds:,.0f}",
        f"{np.mean([len(m.history_) for m in models]):.0f} ({np.mean([m.best_epoch_ for m in models]):.0f})",
        f"{np.mean([m.seconds_ for m in models]):.1f}",
    ]


if __name__ == "__main__":
    main()
