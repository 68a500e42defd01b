"""One language model on text with published results: perplexity per word, or nats per character.

- ``wikitext2``: words of the original text, plus one for the end of each line. The model is fitted on the train part,
  its epoch is chosen by the valid part, and test is scored. Published: 2 x 200 LSTM 102.3 (gluon-nlp), AWD-LSTM 65.8,
  50.6 with a cache (its authors).
- ``tiny_shakespeare``: characters. The model is fitted on the first 90 %, whose last tenth chooses the best epoch;
  ``--whole`` trains on all of the 90 % for all epochs. The last 10 % is scored. Published: 1.88 (nanoGPT, a CPU,
  minutes), 1.47 (a GPU).

With ``--validate``, the held-out text is scored: the valid part of WikiText-2, or the last tenth of Shakespeare's
first 90 %. Settings are chosen this way. Without it, the test text is read, once. ``--adapt`` tunes an adaptation on
held-out text.
"""

import time
from typing import Any

import numpy as np
from _report import key_value, parser, progress, setting, table

from lstmzoo import BaselineLanguageModel, LanguageModel, datasets
from lstmzoo.preprocessing import Corpus

PER = {"wikitext2": "word", "tiny_shakespeare": "char"}


def main() -> None:
    args = arguments()
    train, valid, judged = parts(args.data, validate=args.validate)
    if args.smoke:
        train, valid, judged = (_shortened(texts) for texts in (train, valid, judged))
        args.seconds, args.seeds = 5.0, args.seeds[:1]
    rows = []
    if args.ngrams:
        started = time.perf_counter()
        ngrams = BaselineLanguageModel("kneser_ney", tokenizer=args.tokenizer or "word", order=args.ngrams).fit(train)
        rows.append(
            [
                f"Kneser-Ney, order {args.ngrams}",
                *scores(ngrams, judged, args.data, None),
                f"{time.perf_counter() - started:.0f}",
            ]
        )
        rows[-1] += ["", "", "", ""]
    for seed in args.seeds:
        model = LanguageModel(
            args.model, tokenizer=args.tokenizer, hyperparameters=dict(args.set), time_limit=args.seconds, random_state=seed,
        )  # fmt: skip
        if args.whole:
            whole = [*train, *valid] if args.data == "wikitext2" else ["".join([*train, *valid])]
            model.set_params(validation_size=0).fit(whole)
        else:
            model.fit(train, validation=valid)
        shown = about(model)
        progress(f"seed {seed}: {model.history_[-1]}")
        rows.append([f"lstmzoo {args.model}, seed {seed}", *scores(model, judged, args.data, None), *shown])
        progress(" | ".join(rows[-1]))
        for adapt in args.adapt:
            started = time.perf_counter()
            settings = model.tune_adaptation(_shortened(valid, args.tune), adapt)
            tuned = time.perf_counter() - started
            found = scores(model, judged, args.data, adapt)
            rows.append([f"the same, {adapt} {settings}", *found, f"{tuned:.0f} of tuning", "", "", "", ""])
            progress(" | ".join(rows[-1]))
    what = f"perplexity per {PER[args.data]}"
    print(
        table(
            [
                "model",
                what,
                "nats per char",
                "fit s",
                "tokens/s, validation included",
                "epochs (best)",
                "parameters",
                "vocabulary",
            ],
            rows,
        )
        + "\n"
    )
    print(f"`{args.model}` with {dict(args.set)}; {setting(seeds=args.seeds, smoke=args.smoke)}")


def arguments() -> Any:
    made = parser(__doc__)
    made.add_argument("--data", choices=PER, required=True)
    made.add_argument("--model", default="lstm")
    made.add_argument("--tokenizer", default=None)
    made.add_argument("--set", type=key_value, nargs="+", action="extend", default=[], metavar="KEY=VALUE")
    made.add_argument("--seconds", type=float, default=None, help="limit of the training")
    made.add_argument("--adapt", choices=("cache", "dynamic"), nargs="*", default=[])
    made.add_argument("--tune", type=int, default=200_000, help="characters of held-out text to tune the adaptation on")
    made.add_argument("--ngrams", type=int, default=0, help="order of a Kneser-Ney model to compare with")
    made.add_argument("--validate", action="store_true", help="score the held-out text")
    made.add_argument("--whole", action="store_true", help="train on the held-out text as well, for all epochs")
    made.add_argument("--seeds", type=int, nargs="+", default=[0])
    args = made.parse_args()
    if args.validate and args.whole:
        made.error("--whole trains on the text that --validate judges on")
    return args


def parts(name: str, *, validate: bool) -> tuple[list[str], list[str], list[str]]:
    """Return the texts to train on, to choose the epoch by, and to score."""
    if name == "wikitext2":
        data = datasets.fetch_wikitext2()
        return data.train, data.valid, data.valid if validate else data.test
    data = datasets.fetch_tiny_shakespeare()
    train, valid = (list(part) for part in Corpus(data.train).split(0.1))
    return train, valid, valid if validate else data.valid


def scores(model: Any, texts: list[str], data: str, adapt: str | None) -> list[str]:
    """Compute perplexity and nats in one pass."""
    corpus = Corpus(texts)
    sizes = corpus.sizes()
    units = {"word": sizes.words, "char": sizes.chars}[PER[data]] + sizes.texts
    perplexity = model.perplexity(corpus, PER[data], adapt)
    nats = np.log(perplexity) * units / (sizes.chars + sizes.texts)
    return [f"{perplexity:.3f}", f"{nats:.4f}"]


def about(model: Any) -> list[str]:
    rows = model.history_
    seconds = np.median([row["seconds"] for row in rows])
    steps, data = model.config_.training, model.config_.data
    per_epoch = steps.steps_per_epoch * steps.batch_size * data.bptt
    return [
        f"{model.seconds_:.0f}",
        f"{per_epoch / seconds:,.0f}",
        f"{len(rows)} ({model.best_epoch_})",
        f"{model.num_parameters_:,}",
        f"{model.spec_.vocab_size:,}",
    ]


def _shortened(texts: list[str], chars: int = 20_000) -> list[str]:
    """Return the first texts, up to this many characters."""
    kept, left = [], chars
    for text in texts:
        if left <= 0:
            break
        kept.append(text[:left])
        left -= len(text) + 1
    return kept


if __name__ == "__main__":
    main()
