"""One translator on Multi30k, English to German: BLEU, cased and detokenized, by sacreBLEU.

The translator is fitted on the official train part, its epoch is chosen by the val part, and ``test_2016_flickr`` is
scored. The best published recurrent systems that read only the text reach about 38, on lower-cased and tokenized text
(Caglayan et al., "LIUM-CVC Submissions for WMT17 Multimodal Translation Task", WMT 2017).

With ``--validate``, the val part is scored: settings are chosen this way. Without it, the test part is read, once.
"""

import time
from typing import Any

from _report import key_value, parser, progress, setting, table

from lstmzoo import BaselineTranslator, Translator
from lstmzoo.datasets import fetch_multi30k


def main() -> None:
    args = arguments()
    data = fetch_multi30k("en", "de")
    judged = data.valid if args.validate else data.test
    train, valid = tuple(data.train), tuple(data.valid)
    if args.smoke:
        train, valid, judged = (tuple(side[:300] for side in part) for part in (train, valid, judged))
        args.seconds = 20.0
    rows = []
    for method in ("copy", "lexicon"):
        baseline = BaselineTranslator(method).fit(*train)
        rows.append([method, "", *shown(baseline.evaluate(*judged)), "", f"{baseline.seconds_:.0f}", "", "", ""])
    fitted: list[Any] = []
    for seed in args.seeds:
        model = Translator(args.model, hyperparameters=dict(args.set), time_limit=args.seconds, random_state=seed)
        fitted.append(model.fit(*train, validation=valid))
        for row in model.history_:
            progress(str({key: round(value, 4) for key, value in row.items()}))
        about = [
            f"{model.seconds_:.0f}", f"{len(model.history_)} ({model.best_epoch_})", f"{model.num_parameters_:,}",
            f"{model.padding_:.1%}",
        ]  # fmt: skip
        for title, options in (("greedy", {"beam_size": 1}), (f"beam {args.beam}", {"beam_size": args.beam})):
            rows.append([f"{args.model}, seed {seed}", title, *judge(model, judged, options), *about])
    for title, (first, *others) in (("seeds", fitted), ("epochs of the first", averaged(fitted[0]))):
        if others:
            scores = judge(first, judged, {"beam_size": args.beam, "ensemble": others})
            rows.append([f"ensemble of {1 + len(others)} {title}", f"beam {args.beam}", *scores, *[""] * 4])
    if args.save:
        fitted[0].save(args.save)
    columns = [
        "model",
        "decoding",
        "BLEU",
        "chrF",
        "TER",
        "decoding s",
        "fit s",
        "epochs (best)",
        "parameters",
        "padding",
    ]
    print(table(columns, rows) + "\n")
    signature = fitted[0].evaluate(judged[0][:2], judged[1][:2])["signature"]
    where = f"{'val' if args.validate else 'test_2016_flickr'}; BLEU {signature}"
    print(f"`{args.model}` with {dict(args.set)}; {where}; {setting(seeds=args.seeds, smoke=args.smoke)}")


def arguments() -> Any:
    made = parser(__doc__)
    made.add_argument("--model", default="conditional_gru")
    made.add_argument("--set", type=key_value, nargs="+", action="extend", default=[], metavar="KEY=VALUE")
    made.add_argument("--seconds", type=float, default=None, help="limit of the training")
    made.add_argument("--beam", type=int, default=5)
    made.add_argument("--validate", action="store_true", help="score the val part")
    made.add_argument("--save", default=None, metavar="FOLDER", help="where to save the first model")
    made.add_argument("--seeds", type=int, nargs="+", default=[0])
    return made.parse_args()


def averaged(model: Translator) -> list[Translator]:
    """Return the ensemble of the averaged epochs; the translator itself if there is one epoch."""
    return model.averaged_epochs() if model.config_.training.average_epochs > 1 else [model]


def judge(model: Translator, judged: tuple, options: dict[str, Any]) -> list[str]:
    """Return the scores and the seconds of decoding, compilation included."""
    started = time.perf_counter()
    scores = model.evaluate(*judged, **options)
    return [*shown(scores), f"{time.perf_counter() - started:.1f}"]


def shown(scores: dict[str, Any]) -> list[str]:
    return [f"{scores[name]:.2f}" for name in ("bleu", "chrf", "ter")]


if __name__ == "__main__":
    main()
