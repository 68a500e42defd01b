"""The text of one row that is being generated: tokens in, pieces of text out."""

from typing import Any

import numpy as np

from lstmzoo.errors import ConfigError, arg
from lstmzoo.preprocessing import TextPreprocessor


class Continuation:
    """Decoder of generated tokens, up to the end of the text, a stop string or a maximum number of tokens.

    Args:
        preprocessor: Preprocessor that decodes the tokens.
        stops: Stop strings. The text ends before the first one that occurs.
        max_tokens: Maximum number of tokens.
    """

    def __init__(self, preprocessor: TextPreprocessor, stops: list[str], max_tokens: int) -> None:
        self._eos = preprocessor.eos_id
        self._decoder = preprocessor.decoder()
        self._stops = stops
        self._left = max_tokens
        self._held = ""  # text that may be the beginning of a stop string
        self.ended = False

    def feed(self, tokens: np.ndarray) -> str:
        """Return the text that is final after these tokens; it is empty once the row has ended."""
        if self.ended:
            return ""
        tokens = tokens[: self._left]
        self._left -= len(tokens)
        ends = np.flatnonzero(tokens == self._eos)
        over = bool(len(ends)) or self._left == 0
        text = self._held + self._decoder.feed(tokens[: ends[0]] if len(ends) else tokens)
        if over:
            text += self._decoder.flush()
        found = [(text.find(stop) + len(stop), text.find(stop)) for stop in self._stops if stop in text]
        if found or over:
            self.ended, self._held = True, ""
            return text[: min(found)[1]] if found else text  # the one that is complete first
        held = max((_overlap(text, stop) for stop in self._stops), default=0)
        self._held = text[len(text) - held :]
        return text[: len(text) - held]


def _overlap(text: str, stop: str) -> int:
    """Return the length of the longest end of a text with which a stop string begins."""
    return next((k for k in range(min(len(stop) - 1, len(text)), 0, -1) if text.endswith(stop[:k])), 0)


def check_stop(stop: Any) -> list[str]:
    """Return the stop strings as a list.

    Raises:
        ConfigError: If one is empty or not text.
    """
    stops = [] if stop is None else list(stop) if isinstance(stop, list | tuple) else [stop]
    for one in stops:
        if not isinstance(one, str) or not one:
            raise ConfigError(f"{arg('stop')}: expected strings of at least one character, got {one!r}")
    return stops
