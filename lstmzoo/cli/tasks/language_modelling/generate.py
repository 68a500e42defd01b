"""``lstmzoo generate``: text of a saved language model, printed as it is generated."""

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
MaxTokens = Annotated[int, typer.Option(min=1, help="Maximum number of tokens to add; a text may end earlier.")]
Temperature = Annotated[
    float, typer.Option(min=0, help="Sampling temperature; 0 always takes the most probable token.")
]
TopK = Annotated[
    int | None, typer.Option(min=1, help="Sample from this many of the most probable tokens; default: all.")
]
TopP = Annotated[float, typer.Option(help="Sample from the most probable tokens with this total probability.")]
Penalty = Annotated[float, typer.Option(help="Above 1, tokens that already occurred become less likely.")]
Stop = Annotated[list[str] | None, typer.Option(help="Text before which generation stops; may be repeated.")]
Count = Annotated[int, typer.Option("--n", min=1, help="Number of continuations.")]


def generate(
    model: o.Saved, prompts: Prompts = None, *, max_tokens: MaxTokens = 100, temperature: Temperature = 1.0,
    top_k: TopK = None, top_p: TopP = 1.0, repetition_penalty: Penalty = 1.0, stop: Stop = None, n: Count = 1,
    random_state: o.RandomState = None, tracking_uri: o.TrackingUri = None, json: o.Json = False,
) -> None:  # fmt: skip
    """Generate text with a saved language model, streaming it to the terminal."""
    prompt = read_stdin() if prompts == "-" else prompts
    if prompt == "":
        raise DataError("PROMPT is empty: pass at least one character, or leave it out to start a new text")
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
    """Return a prompt as the start of the printed text; models of words generate no white space after it."""
    words = estimator.preprocessor_.tokenizer == "word"
    return f"{prompt} " if prompt and words and not prompt[-1].isspace() else prompt or ""
