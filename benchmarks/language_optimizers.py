"""``awd_lstm`` trained for the same steps by Adam and by averaged SGD, the optimizer of its paper.

Merity et al. (ICLR 2018) train by SGD with a constant learning rate, and average the weights once validation no
longer improves (NT-ASGD). Here, the weights at the ends of the last epochs are averaged; each learning rate is tried
with and without averaging. Adam has the entry's own settings: a warm-up, a cosine schedule, and a short memory of
squares. All losses are of held-out text: they choose an optimizer, and do not judge a model.
"""

from typing import Any

import keras
from _report import parser, progress, setting, table

from lstmzoo import LanguageModel, datasets
from lstmzoo.errors import TrainingError

SGD = {"optimizer": "sgd", "schedule": "constant", "clipnorm": 0.25}


def main() -> None:
    made = parser(__doc__)
    made.add_argument("--epochs", type=int, default=20)
    made.add_argument("--steps-per-epoch", type=int, default=50)
    made.add_argument("--units", type=int, default=168)
    made.add_argument("--rates", type=float, nargs="+", default=[1.0, 4.0, 16.0], help="learning rates of SGD")
    made.add_argument("--average", type=int, default=5, help="number of averaged epochs")
    made.add_argument("--seed", type=int, default=0)
    args = made.parse_args()
    if args.smoke:
        args.epochs, args.steps_per_epoch, args.rates, args.average = 2, 2, [4.0], 2
    texts = datasets.load_python_reference()
    common = {
        "vocab_size": 2000, "units": args.units, "embedding_dim": args.units, "epochs": args.epochs, "patience": args.epochs,
        "steps_per_epoch": args.steps_per_epoch,
    }  # fmt: skip
    tried = [("adam, as the entry has it", {})]
    for rate in args.rates:
        for average in (1, args.average):
            mean = f", mean of {average} epochs" if average > 1 else ""
            tried.append((f"sgd, {rate:g}{mean}", {**SGD, "learning_rate": rate, "average_epochs": average}))
    rows = [[name, *fitted({**common, **changes}, texts, args.seed)] for name, changes in tried]
    print(
        table(["optimizer, learning rate", "nats per token, held out", "best epoch", "last loss", "fit s"], rows) + "\n"
    )
    print(setting(seeds=[args.seed], smoke=args.smoke))


def fitted(settings: dict[str, Any], texts: list[str], seed: int) -> list[str]:
    keras.utils.clear_session()
    model = LanguageModel("awd_lstm", tokenizer="bpe", hyperparameters=settings, random_state=seed, verbose=0)
    try:
        model.fit(texts)
    except TrainingError as error:
        progress(str(error))
        return ["diverged", "", "", ""]
    best = model.history_[model.best_epoch_ - 1]
    progress(f"{settings}: {best}")
    return [
        f"{best['val_loss']:.3f}",
        str(model.best_epoch_),
        f"{model.history_[-1]['loss']:.3f}",
        f"{model.seconds_:.0f}",
    ]


if __name__ == "__main__":
    main()
