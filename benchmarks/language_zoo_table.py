"""All language models of the zoo, with about the same number of parameters, on one small corpus for the same seconds.

The corpus is CPython's language reference, which needs no download. The last tenth of its texts is scored, and the
last tenth of the others chooses the best epoch. All entries read the same pieces of words. ``units`` (and
``embedding_dim``) is a multiple of 8 that brings the number of parameters as near to ``--parameters`` as possible.
All other settings are the entry's, except that ``time_limit`` ends each fit, compilation included, instead of epochs
and patience. Tokens/s are those of the median epoch, its validation included.
"""

from typing import Any

import keras
import numpy as np
from _report import parser, progress, setting, table
from _zoo import ENDLESS, averaged, sizes

from lstmzoo import LanguageModel, datasets, list_models, load_config
from lstmzoo.errors import LstmzooError
from lstmzoo.preprocessing import Corpus, TextPreprocessor
from lstmzoo.spec import LanguageModellingSpec


def main() -> None:
    args = arguments()
    if args.smoke:
        args.seconds, args.parameters = 3.0, 100_000
    train, judged = Corpus(datasets.load_python_reference()).split(0.1)
    pieces = TextPreprocessor("bpe", args.pieces).fit(train).vocab_size_
    first = LanguageModel("lstm", tokenizer="bpe", hyperparameters={"vocab_size": args.pieces})
    rows = []
    for name, baseline in first.baselines().items():
        baseline.fit(train)
        rows.append([f"*{name}*", *perplexities([baseline], judged), "0", "", "", "", f"{baseline.seconds_:.1f}"])
    for name in list_models(args.models):
        settings = {**ENDLESS, "vocab_size": args.pieces, "steps_per_epoch": args.steps_per_epoch}
        spec = LanguageModellingSpec(vocab_size=pieces, bptt=load_config(name).data.bptt)
        settings |= sizes(name, spec, args.parameters, step=8)
        fitted = []
        for seed in args.seeds:
            model = LanguageModel(
                name, tokenizer="bpe", hyperparameters=settings, time_limit=args.seconds, random_state=seed, verbose=0
            )
            try:
                fitted.append(model.fit(train))
            except LstmzooError as error:
                progress(f"{name}, seed {seed}: {error}")
                continue
            progress(f"{name}, seed {seed}: {perplexities([model], judged)} {len(model.history_)} epochs")
        if fitted:
            rows.append([name.split("/")[1], *perplexities(fitted, judged), *about(fitted)])
        keras.utils.clear_session()
    rows.sort(key=lambda cells: float(cells[1].split()[0]))
    print(f"{args.seconds:g} s of training for each; about {args.parameters:,} parameters; {pieces:,} pieces.\n")
    columns = [
        "entry",
        "perplexity per word",
        "nats per char",
        "parameters",
        "units",
        "tokens/s",
        "epochs (best)",
        "fit s",
    ]
    print(table(columns, rows) + "\n")
    print(setting(seeds=args.seeds, smoke=args.smoke))


def arguments() -> Any:
    made = parser(__doc__)
    made.add_argument("--seconds", type=float, default=60.0, help="training time of each entry")
    made.add_argument("--parameters", type=int, default=1_000_000, help="approximate number for each entry")
    made.add_argument("--pieces", type=int, default=2000, help="maximum number of pieces of words")
    made.add_argument("--steps-per-epoch", type=int, default=50)
    made.add_argument("--models", nargs="+", default=["language_modelling/*"], help="patterns of entries")
    made.add_argument("--seeds", type=int, nargs="+", default=[0])
    return made.parse_args()


def perplexities(models: list[Any], texts: Any) -> list[str]:
    found = [(model.perplexity(texts), -model.score(texts)) for model in models]
    return [averaged([a for a, _ in found], 1), averaged([b for _, b in found], 3)]


def about(models: list[Any]) -> list[str]:
    config = models[0].config_
    tokens = config.training.batch_size * config.data.bptt * config.training.steps_per_epoch
    seconds = np.median([row["seconds"] for model in models for row in model.history_])
    return [
        f"{models[0].num_parameters_:,}",
        str(config.hyperparameters["units"]),
        f"{tokens / seconds:,.0f}",
        f"{np.mean([len(m.history_) for m in models]):.0f} ({np.mean([m.best_epoch_ for m in models]):.0f})",
        f"{np.mean([m.seconds_ for m in models]):.1f}",
    ]


if __name__ == "__main__":
    main()
