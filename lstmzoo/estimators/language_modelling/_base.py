"""The base of the language models, networks and baselines: texts in, likelihoods and texts out."""

import itertools
from collections.abc import Generator, Iterator
from typing import Annotated, Any

import narwhals as nw
import numpy as np
import pandas as pd
from pydantic import Field
from tokenizers import Tokenizer

from lstmzoo.config import TokenizerName
from lstmzoo.errors import DataError, arg
from lstmzoo.estimators._base import as_json
from lstmzoo.estimators.language_modelling.continuation import Continuation, check_stop
from lstmzoo.estimators.language_modelling.scoring import ScoredTexts
from lstmzoo.options import ServingParam, checked_options, checked_params, require_counts, served
from lstmzoo.preprocessing import Corpus, TextPreprocessor
from lstmzoo.seeding import row_seeds
from lstmzoo.turns import pause

Reader = Generator[np.ndarray, np.ndarray, None]
Share = Annotated[float, Field(ge=0, lt=1)]
_SIDE_BY_SIDE = 64  # rows that are generated in one batch
_SCHEMA = (
    ServingParam(
        name="mode", type=str, default="generate", choices=("generate", "score"),
        doc="`generate` continues each text, `score` returns its log-likelihood and reads no other parameter",
    ),
    served("max_tokens", 100, "Tokens to add to each text, at most", high=4096),
    served("temperature", 1.0, "Below 1, likely tokens become likelier; 0 takes the most probable"),
    served("top_k", 0, "Sample among this many of the most probable tokens; 0 for all", above=False),
    served("top_p", 1.0, "Sample among the most probable tokens that together have this probability"),
    served("repetition_penalty", 1.0, "Above 1, tokens that the text already has become less likely"),
    ServingParam(name="stop", type=str, default="", doc="Text that ends a continuation, left out of the answer; empty for none"),
    served("random_state", 0, "Seed of the samples"),
)  # fmt: skip


class TextModel(ScoredTexts):
    """Base of the language models: generation, serving, and what :class:`ScoredTexts` has.

    A subclass sets ``data_digest_`` and ``_example`` too. It gives next tokens by :meth:`_next_log_probs` and :meth:`_read_on`.
    """

    _saved = as_json("_example")
    _example: str

    def predict_proba(self, prompts: Any = None) -> np.ndarray:
        """Return the probability ``(n, V)`` of each token id after each prompt; column 0 is the end of the text.

        Args:
            prompts: A text, or a list of them; None asks for the first token of a text.

        Raises:
            NotFittedError: If the model is not fitted.
            DataError: If a prompt is empty, or not text.
        """
        self._check_fitted()
        return np.exp(self._next_log_probs([self._encoded(prompt) for prompt in _prompts(prompts)[0]]))

    def next_tokens(self, prompt: str | None = None, *, n: int = 10) -> pd.DataFrame:
        """Return the most probable next tokens, in descending order: ``token``, ``id`` and ``probability``.

        Args:
            prompt: A text; None asks for the first token of a text.
            n: Number of tokens; at most V are returned.

        Raises:
            NotFittedError: If the model is not fitted.
            ConfigError: If ``n`` is not a whole number above 0.
            DataError: If the prompt is empty, or not text.
        """
        require_counts(n=n)
        if prompt is not None and not isinstance(prompt, str):
            raise DataError(f"next_tokens: expected one prompt, a text, got {type(prompt).__name__}")
        (probs,) = self.predict_proba(prompt)
        ids = np.argsort(-probs, kind="stable")[:n]
        tokens = [self.preprocessor_.token(int(i)) for i in ids]
        return pd.DataFrame({"token": tokens, "id": ids, "probability": probs[ids]})

    def generate(
        self, prompts: Any = None, *, max_tokens: int = 100, temperature: float = 1.0, top_k: int | None = None,
        top_p: float = 1.0, repetition_penalty: float = 1.0, stop: str | list[str] | None = None, n: int = 1,
        random_state: int | None = None,
    ) -> Any:  # fmt: skip
        """Continue prompts. The cost of a token does not depend on the number of tokens before it.

        Args:
            prompts: A text, or a list of texts; None begins a new text.
            max_tokens: Generate at most this many tokens; a text may end earlier.
            temperature: Divisor of the logits: below 1, likely tokens become likelier; 0 always takes the most probable token.
            top_k: Sample from this many of the most probable tokens; None for all.
            top_p: Sample from the smallest set of most probable tokens whose probabilities sum to at least this.
            repetition_penalty: Above 1, tokens that the text already has become less likely.
            stop: One or several strings. The text ends before the first one that occurs.
            n: Number of continuations of each prompt.
            random_state: Seed of the sampling; None for a fresh one.

        Returns:
            The continuation, without the prompt; for a list of prompts, a list. With ``n`` above 1, each continuation becomes
            a list.

        Raises:
            NotFittedError: If the model is not fitted.
            ConfigError: If an argument is out of range.
            DataError: If a prompt is empty, or not text.
        """
        self._check_fitted()
        options = checked_options(
            max_tokens=max_tokens, temperature=temperature, top_k=top_k, top_p=top_p, n=n,
            repetition_penalty=repetition_penalty, random_state=random_state,
        )  # fmt: skip
        stops, (given, single) = check_stop(stop), _prompts(prompts)
        repeated = [p for p in given for _ in range(n)]
        texts: list[str] = []
        for first in range(0, len(repeated), _SIDE_BY_SIDE):
            some = repeated[first : first + _SIDE_BY_SIDE]
            rows = [Continuation(self.preprocessor_, stops, max_tokens) for _ in some]
            texts += map("".join, zip(*self._pieces(some, rows, options, first), strict=True))
        nested = [texts[i * n : (i + 1) * n] if n > 1 else texts[i] for i in range(len(given))]
        return nested[0] if single else nested

    def stream(
        self, prompt: str | None = None, *, max_tokens: int = 100, temperature: float = 1.0, top_k: int | None = None,
        top_p: float = 1.0, repetition_penalty: float = 1.0, stop: str | list[str] | None = None,
        random_state: int | None = None,
    ) -> Iterator[str]:  # fmt: skip
        """Continue one prompt, and yield the text piece by piece. The joined pieces are the text of :meth:`generate`.

        Args:
            prompt: A text; None begins a new text.
            max_tokens, temperature, top_k, top_p, repetition_penalty, stop, random_state: As for :meth:`generate`.

        Raises:
            NotFittedError: If the model is not fitted.
            ConfigError: If an argument is out of range.
            DataError: If the prompt is empty, or not text.
        """
        self._check_fitted()
        options = checked_options(
            max_tokens=max_tokens, temperature=temperature, top_k=top_k, top_p=top_p, n=1,
            repetition_penalty=repetition_penalty, random_state=random_state,
        )  # fmt: skip
        if prompt is not None and not isinstance(prompt, str):
            raise DataError(f"{arg('prompt')}: expected one text, got {type(prompt).__name__}")
        row = Continuation(self.preprocessor_, check_stop(stop), max_tokens)
        pieces = self._pieces(_prompts(prompt)[0], [row], options)
        return (piece for (piece,) in pieces if piece)

    def serving_schema(self) -> tuple[ServingParam, ...]:
        """Declare the parameters that :meth:`serve` takes."""
        return _SCHEMA

    def serving_example(self) -> pd.DataFrame:
        """Return rows that :meth:`serve` takes: the beginning of the training texts."""
        return pd.DataFrame({"text": [self._example]})

    def serving_steps(self, model_input: pd.DataFrame, params: dict[str, Any]) -> tuple[int, str]:
        """Return the characters and tokens of a request, and how they are counted."""
        characters = int(model_input["text"].str.len().sum())
        if params["mode"] == "score":
            return characters, "characters"
        rows = len(model_input)
        return characters + rows * params["max_tokens"], f"{rows:,} rows: their characters, and max_tokens for each"

    def serving_warmup(self) -> list[dict[str, Any]]:
        """Return the parameters of requests that compile what usual requests need."""
        kinds = itertools.product((0, 1), (1.0, 1.1))
        generate = [{"max_tokens": 1, "top_k": top_k, "repetition_penalty": penalty} for top_k, penalty in kinds]
        return [*generate, {"mode": "score"}]

    def serve(self, model_input: pd.DataFrame, params: dict[str, Any]) -> pd.DataFrame:
        """Continue texts, or score them.

        Args:
            model_input: A column ``text``.
            params: Values by name, for parameters of :meth:`serving_schema`.

        Returns:
            A column ``text`` with the continuation of each, or ``log_likelihood`` of each, in nats.

        Raises:
            ConfigError: If a parameter is out of bounds.
            UnknownNameError: If a parameter or the mode is unknown.
            DataError: If a text is empty.
        """
        options, texts = checked_params(_SCHEMA, params), list(model_input["text"])
        if options.pop("mode") == "score":
            return pd.DataFrame({"log_likelihood": self.score_samples(texts)})
        options |= {"top_k": options["top_k"] or None, "stop": options["stop"] or None}
        return pd.DataFrame({"text": self.generate(texts, **options)})

    def _encoded(self, prompt: str | None) -> np.ndarray:
        return np.zeros(0, np.int32) if prompt is None else self.preprocessor_.encode(prompt)

    def _pieces(
        self, prompts: list, rows: list[Continuation], options: dict[str, Any], first: int = 0
    ) -> Iterator[list[str]]:
        """Yield new text of each row, step by step, until all rows have ended; ``first`` is the number of the first row."""
        encoded = [self._encoded(prompt) for prompt in prompts]
        for tokens in self._continue(encoded, options, first):
            pause()
            yield [row.feed(ids) for row, ids in zip(rows, tokens, strict=True)]
            if all(row.ended for row in rows):
                return

    def _next_log_probs(self, prompts: list[np.ndarray]) -> np.ndarray:
        """Return the log probabilities ``(n, V)`` of the tokens that follow prompts."""
        raise NotImplementedError

    def _continue(self, prompts: list[np.ndarray], options: dict[str, Any], first: int) -> Iterator[np.ndarray]:
        """Yield tokens ``(B, any)`` that continue the prompts, endlessly.

        Args:
            prompts: Token ids of at most 64 prompts.
            options: Arguments of :meth:`generate`, checked.
            first: Number of the first prompt. Sampling depends on the seed and on the prompt's number.
        """
        rngs = [*map(np.random.default_rng, row_seeds(options["random_state"], range(first, first + len(prompts))))]
        seen = [np.isin(np.arange(self.preprocessor_.vocab_size_), prompt) for prompt in prompts]
        reader = self._read_on(prompts)
        log_probs = next(reader)
        while True:
            tokens = np.array([self._draw(*row, options) for row in zip(log_probs, seen, rngs, strict=True)], np.int32)
            for met, token in zip(seen, tokens, strict=True):
                met[token] = True
            yield tokens[:, None]
            log_probs = reader.send(tokens)

    def _draw(self, log_probs: np.ndarray, seen: np.ndarray, rng: np.random.Generator, options: dict[str, Any]) -> int:
        """Sample the next token by the options that networks use, with log probabilities ``(V,)`` as logits."""
        logits = log_probs.copy()
        logits[self.preprocessor_.banned] = -np.inf
        logits[seen] *= options["repetition_penalty"]
        if options["temperature"] == 0:
            return int(logits.argmax())
        order = np.argsort(-logits, kind="stable")
        share = np.exp((logits[order] - logits[order[0]]) / options["temperature"])
        share /= share.sum()
        allowed = (np.cumsum(share) - share < options["top_p"]) & (
            np.arange(len(order)) < (options["top_k"] or len(order))
        )
        share = np.where(allowed, share, 0)
        return int(rng.choice(order, p=share / share.sum()))

    def _read_on(self, prompts: list[np.ndarray]) -> Reader:
        """Yield the log probabilities ``(B, V)`` of the tokens after prompts; the tokens ``(B,)`` that follow are sent back."""
        raise NotImplementedError


def tokenized(
    corpus: Corpus, tokenizer: TokenizerName | Tokenizer, vocab_size: int | None
) -> tuple[TextPreprocessor, np.ndarray]:
    """Return a preprocessor fitted on texts, and their token ids with an end of text first; the corpus remembers both."""
    key = tokenizer, vocab_size
    if key not in corpus.remembered:
        preprocessor = TextPreprocessor(tokenizer, vocab_size).fit(corpus)
        stream = preprocessor.encode_stream(corpus, opened=True, spooled=corpus.spooled)
        corpus.remembered[key] = preprocessor, stream
    return corpus.remembered[key]


def opening(texts: Any) -> str:
    """Return the first words of the first text that has words, or white space if none has, as an example of a request."""
    words = next((text.strip() for text in texts if text.strip()), None)
    return next(text for text in texts if text)[:40] if words is None else words[:40]


def _prompts(prompts: Any) -> tuple[list[str | None], bool]:
    """Return the prompts as a list, and whether a single one was passed."""
    if prompts is None:
        return [None], True
    single = isinstance(prompts, str)
    if nw.dependencies.is_into_series(prompts):
        prompts = nw.from_native(prompts, series_only=True).to_list()
    given = [prompts] if single else list(prompts) if isinstance(prompts, list | tuple | np.ndarray) else None
    if given is None:
        raise DataError(f"{arg('prompts')}: expected a text, or a list of texts, got {type(prompts).__name__}")
    if not given:
        raise DataError(f"{arg('prompts')}: the list is empty")
    for i, prompt in enumerate(given):
        where = "the prompt" if single else f"prompt {i}"
        if not isinstance(prompt, str):
            raise DataError(f"{where} must be text, got {type(prompt).__name__}")
        if not prompt:
            raise DataError(f"{where} is empty: pass at least one character, or {arg(prompts=None)} to begin a text")
    return given, single
