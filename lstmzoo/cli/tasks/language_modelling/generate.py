"""``lstmzoo generate``: texts from a saved language model, as they are made."""

import itertools
from typing import Annotated, Any

import typer

from lstmzoo.cli import _options as o
from lstmzoo.cli._base import check_task
from lstmzoo.cli._output import print_json, print_stream
from lstmzoo.cli._saved import load_any
from lstmzoo.cli._text import read_stdin
from lstmzoo.errors import DataError

Prompts = Annotated[
    str | None,
    typer.Argument(metavar="PROMPT", help="Text to continue; - reads standard input; default: start a new text."),
]
MaxTokens = Annotated[int, typer.Option(min=1, help="Tokens to add, at the most; a text may end before.")]
Temperature = Annotated[
    float, typer.Option(min=0, help="Below 1, likely tokens become likelier; at 0, the likeliest is taken.")
]
TopK = Annotated[int | None, typer.Option(min=1, help="Draw among so many of the likeliest tokens; else all.")]
TopP = Annotated[float, typer.Option(help="Draw among the likeliest tokens that together have this probability.")]
Penalty = Annotated[float, typer.Option(help="Above 1, tokens that are in the text already become less likely.")]
Stop = Annotated[list[str] | None, typer.Option(help="Text that generation ends before; may be repeated.")]
Count = Annotated[int, typer.Option("--n", min=1, help="Continuations of the prompt.")]


def generate(
    model: o.Saved, prompts: Prompts = None, *, max_tokens: MaxTokens = 100, temperature: Temperature = 1.0,
    top_k: TopK = None, top_p: TopP = 1.0, repetition_penalty: Penalty = 1.0, stop: Stop = None, n: Count = 1,
    random_state: o.RandomState = None, tracking_uri: o.TrackingUri = None, json: o.Json = False,
) -> None:  # fmt: skip
    """Continue a text, or begin one, with a saved language model; it is printed as it is made."""
    prompt = read_stdin() if prompts == "-" else prompts
    if prompt == "":
        raise DataError("PROMPT is empty: give it a character at the least, or leave it out to begin a text")
    estimator = load_any(model, tracking_uri)
    check_task(estimator, model, "language_modelling")
    sampling: dict[str, Any] = {
        "max_tokens": max_tokens, "temperature": temperature, "top_k": top_k, "top_p": top_p,
        "repetition_penalty": repetition_penalty, "stop": list(stop or ()), "random_state": random_state,
    }  # fmt: skip
    if not json and n == 1:
        pieces = estimator.stream(prompt, **sampling)
        print_stream(itertools.chain([_begin(estimator, prompt)], pieces))
        return
    texts = estimator.generate(prompt, n=n, **sampling)
    texts = texts if n > 1 else [texts]
    if json:
        print_json({"prompt": prompt, "texts": texts})
        return
    for number, text in enumerate(texts, 1):
        print(f"--- {number} of {n}")
        print(_begin(estimator, prompt) + text)


def _begin(estimator: Any, prompt: str | None) -> str:
    """A prompt as a text goes on from it: models of words know nothing of the white space between them."""
    words = estimator.preprocessor_.tokenizer == "word"
    return f"{prompt} " if prompt and words and not prompt[-1].isspace() else prompt or ""
