"""The cost of a generated token after a short and a long prompt, for one text and for 64 texts at a time.

The model is ``lstm`` with 256 units, on characters and on 4,000 pieces of words. It is trained for a few steps, so
that its texts do not end. The cost is measured over 1,024 tokens after the first piece of a stream, so that reading
the prompt is not part of it. Short and long prompts take turns. For 64 texts, it is the difference between 1,040
tokens and 16, divided by 1,024.
"""

import statistics
import time
from typing import Any

from _report import parser, progress, setting, table

from lstmzoo import LanguageModel, datasets

SHORT, LONG = 10, 10_000
FEW, MANY = 16, 1040


def main() -> None:
    args = parser(__doc__)
    args.add_argument("--rounds", type=int, default=5)
    args.add_argument("--layers", type=int, default=2)
    args = args.parse_args()
    rounds = 1 if args.smoke else args.rounds
    text = " ".join(datasets.load_python_reference())
    rows = []
    for tokenizer in ("char", "bpe"):
        settings = {"epochs": 1, "steps_per_epoch": 20, "units": 256, "num_layers": args.layers}
        model = LanguageModel("lstm", tokenizer=tokenizer, hyperparameters=settings, random_state=0, verbose=0)
        model.fit(text[:200_000])
        ids = model.preprocessor_.encode(text[:100_000])
        prompts = {length: model.preprocessor_.decode(ids[:length]) for length in (SHORT, LONG)}
        found: dict[int, list[float]] = {SHORT: [], LONG: []}
        many: list[float] = []
        for number in range(rounds + 1):  # the first round compiles
            for length in (SHORT, LONG) if number % 2 else (LONG, SHORT):
                seconds = streamed(model, prompts[length])
                found[length] += [seconds] * (number > 0)
            many += [per_token(model, [prompts[SHORT]] * 64, 64)] * (number > 0)
            progress(f"{tokenizer}, round {number}")
        short, long, batch = (statistics.median(times) for times in (found[SHORT], found[LONG], many))
        ratios = [b / a for a, b in zip(found[SHORT], found[LONG], strict=True)]
        rows.append(
            [
                f"{tokenizer} ({model.spec_.vocab_size:,} ids)", f"{1000 * short:.3f}", f"{1000 * long:.3f}",
                f"{statistics.median(ratios):.3f}", f"{1 / short:,.0f}", f"{1 / batch:,.0f}", f"{short / batch:.1f}",
            ]
        )  # fmt: skip
    columns = [
        "tokens",
        f"ms a token after {SHORT}",
        f"after {LONG:,}",
        "ratio",
        "tokens/s",
        "tokens/s, 64 texts",
        "ratio",
    ]
    print(f"`lstm`, {args.layers} layers of 256 units; medians of {rounds} rounds.\n")
    print(table(columns, rows) + "\n")
    print(setting(seeds=[0], smoke=args.smoke))


def streamed(model: Any, prompt: str) -> float:
    """Measure seconds per token, without the first piece of 16."""
    pieces, times = [], []
    for piece in model.stream(prompt, max_tokens=MANY, random_state=0):
        pieces.append(piece)
        times.append(time.perf_counter())
    if len(times) < (MANY - FEW) / FEW:
        raise AssertionError("the text ended early, which makes its tokens look cheap")
    return (times[-1] - times[0]) / (MANY - FEW)


def per_token(model: Any, prompts: Any, rows: int) -> float:
    """Measure seconds per token of one text."""
    few, many = (timed(model, prompts, tokens) for tokens in (FEW, MANY))
    return (many - few) / (MANY - FEW) / rows


def timed(model: Any, prompts: Any, tokens: int) -> float:
    started = time.perf_counter()
    made = model.generate(prompts, max_tokens=tokens, random_state=0)
    seconds = time.perf_counter() - started
    texts = [made] if isinstance(made, str) else made
    if (
        max(len(model.preprocessor_.encode(text)) for text in texts) < 0.5 * tokens
    ):  # rows are generated until the last one ends
        raise AssertionError("all texts ended early, which makes their tokens look cheap")
    return seconds


if __name__ == "__main__":
    main()
