"""The base of the language models, networks and baselines: texts in, likelihoods and texts out."""

import itertools
from collections.abc import Iterator
from typing import Annotated, Any, ClassVar, Literal, get_args

import narwhals as nw
import numpy as np
import pandas as pd
from pydantic import Field

from lstmzoo.errors import DataError, UnknownNameError, arg
from lstmzoo.estimators._base import ZooEstimator, as_json, preprocessor
from lstmzoo.estimators.language_modelling.continuation import Continuation, check_stop
from lstmzoo.options import ServingParam, checked_options, checked_params, require_counts, served
from lstmzoo.preprocessing import Corpus, TextPreprocessor
from lstmzoo.turns import pause

Per = Literal["word", "token", "char", "byte"]
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


class TextModel(ZooEstimator):
    """Base of the language models: scores, perplexities, generation and the hooks of search and serving.

    A subclass sets ``preprocessor_``, ``data_digest_`` and ``_example``. It gives likelihoods by
    :meth:`_carried_nll` and :meth:`_separate_nll`, and tokens by :meth:`_continue`.
    """

    task: ClassVar[str] = "language_modelling"
    _saved = (*as_json("_example"), preprocessor(TextPreprocessor, "text"))
    _metrics = ("log_likelihood", *(f"perplexity_{per}" for per in get_args(Per)))
    preprocessor_: TextPreprocessor
    _example: str

    def score(self, texts: Any, y: None = None, *, metric: str = "log_likelihood") -> float:
        """Return the mean log-likelihood per character, in nats, or a negative perplexity. An end of text counts as a character.

        The state is carried from text to text. The mean is per character, so that models with different tokens can be compared.
        But a word or character that the vocabulary lacks is scored as ``<unk>``, which is likelier than the word itself. Compare
        models with such a vocabulary only with models that have the same one.

        Args:
            texts: As for :meth:`fit`.
            y: Ignored; scikit-learn's searches pass it.
            metric: A key of :meth:`evaluate`. Perplexities are negative, so that greater is better.

        Raises:
            NotFittedError: If the model is not fitted.
            UnknownNameError: If the metric is unknown.
            DataError: If the texts are refused.
        """
        self.check_metric(metric)
        value = self.evaluate(texts)[metric]
        return value if metric == "log_likelihood" else -value

    def score_samples(self, texts: Any) -> np.ndarray:
        """Return the log-likelihood ``(n,)`` of each text by itself, its end included, in nats.

        Args:
            texts: As for :meth:`fit`.

        Raises:
            NotFittedError: If the model is not fitted.
            DataError: If the texts are refused.
        """
        return np.array([-nll.sum() for nll in self._separate_nll(self._encoded_streams(texts))])

    def score_tokens(self, texts: Any) -> pd.DataFrame:
        """Return the log-likelihood of each token of texts, each text by itself, in nats.

        Args:
            texts: As for :meth:`fit`.

        Returns:
            A row per token; the last token of each text is ``<eos>``. The columns are ``text`` (the index of the text),
            ``position`` (the index in the text), ``id``, ``token`` and ``log_likelihood``. The sums of ``log_likelihood`` over
            each text are :meth:`score_samples`.

        Raises:
            NotFittedError: If the model is not fitted.
            DataError: If the texts are refused.
        """
        streams = self._encoded_streams(texts)
        counts = [len(stream) - 1 for stream in streams]
        ids = np.concatenate([stream[1:] for stream in streams])
        return pd.DataFrame(
            {
                "text": np.repeat(np.arange(len(streams)), counts),
                "position": np.concatenate([np.arange(count) for count in counts]),
                "id": ids,
                "token": [self.preprocessor_.token(int(i)) for i in ids],
                "log_likelihood": -np.concatenate(self._separate_nll(streams)),
            }
        )

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

    def perplexity(self, texts: Any, per: Per = "word", adapt: str | None = None) -> float:
        """Return the exponential of the mean negative log-likelihood. The state is carried from text to text.

        Args:
            texts: As for :meth:`fit`.
            per: Unit of the mean: ``word`` (between white space), ``char``, ``byte`` or ``token``. The first three count the
                original texts and compare models with different tokens. The end of each text counts as one more unit, as
                ``<eos>`` does in WikiText.
            adapt: ``cache`` or ``dynamic`` to let the model adapt to the text that it has read; see
                :meth:`lstmzoo.LanguageModel.tune_adaptation`.

        Raises:
            NotFittedError: If the model is not fitted.
            UnknownNameError: If ``per`` or ``adapt`` is unknown.
            DataError: If the texts are refused.
        """
        if per not in get_args(Per):
            raise UnknownNameError(arg("per"), per, get_args(Per))
        with np.errstate(over="ignore"):
            return float(np.exp(self._mean_nll(texts, adapt)[per]))

    def evaluate(self, texts: Any, adapt: str | None = None) -> dict[str, float]:
        """Return all perplexities and the score; the texts are read once.

        Args:
            texts: As for :meth:`fit`.
            adapt: As for :meth:`perplexity`.

        Returns:
            ``perplexity_word``, ``perplexity_token``, ``perplexity_char``, ``perplexity_byte``, and ``log_likelihood``, the mean
            per character.

        Raises:
            NotFittedError: If the model is not fitted.
            UnknownNameError: If ``adapt`` is unknown.
            DataError: If the texts are refused.
        """
        means = self._mean_nll(texts, adapt)
        with np.errstate(over="ignore"):
            perplexities = {f"perplexity_{per}": float(np.exp(mean)) for per, mean in means.items()}
        return {**perplexities, "log_likelihood": -means["char"]}

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

    def holdout_split(self, texts: Any) -> tuple[tuple[Any], tuple[Any]]:
        """Split texts, as for :meth:`fit`, into a training set and a held-out end, which has a tenth of the characters.

        Raises:
            DataError: If the texts are refused, or too short to be split.
        """
        train, valid = Corpus(texts).split(0.1)
        return (train,), (valid,)

    def read_once(self, texts: Any) -> tuple[Corpus]:
        """Read and check texts, as for :meth:`fit`, once, for a search that passes them on many times.

        Raises:
            DataError: If the texts are refused.
        """
        return (Corpus(texts),)

    def data_digest(self, texts: Any) -> str:
        """Return the SHA-256 of the texts."""
        return Corpus(texts).digest()

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

    def _mean_nll(self, texts: Any, adapt: str | None) -> dict[str, float]:
        """Return the mean negative log-likelihood by unit."""
        self._check_fitted()
        corpus = Corpus(texts)
        stream, sizes = self._encoded_stream(corpus), corpus.sizes()
        total = float(self._carried_nll(stream, adapt).sum())
        units = {"word": sizes.words, "token": len(stream) - 1 - sizes.texts, "char": sizes.chars, "byte": sizes.bytes}
        return {per: total / (count + sizes.texts) for per, count in units.items()}

    def _encoded_stream(self, texts: Any) -> np.ndarray:
        """Return the token ids of texts, with an end of text before the first and after each."""
        pause()
        return self.preprocessor_.encode_stream(texts, opened=True)

    def _encoded_streams(self, texts: Any) -> list[np.ndarray]:
        """Return the token ids of each text by itself, with an end of text before and after."""
        self._check_fitted()
        return [self._encoded_stream([text]) for text in Corpus(texts, empty=True)]

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

    def _carried_nll(self, stream: np.ndarray, adapt: str | None) -> np.ndarray:
        """Return the negative log-likelihood of each token of a stream but the first; the state is carried."""
        raise NotImplementedError

    def _separate_nll(self, streams: list[np.ndarray]) -> list[np.ndarray]:
        """Return the negative log-likelihood of each token of each stream but its first; each stream is read by itself."""
        raise NotImplementedError

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
        raise NotImplementedError


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
