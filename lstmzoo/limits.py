"""Limits of served requests; see docs/limits.md."""

from dataclasses import dataclass, fields

from lstmzoo.errors import ConfigError, DataError, arg


@dataclass(frozen=True)
class ServingLimits:
    """Limits of the requests to a server.

    A step is a unit of work. A request to a forecaster has as many steps as series times the horizon; a request to a language
    model has the characters of its texts and ``max_tokens`` for each text, or only the characters if texts are scored; a
    request to a translator has ``beam_size`` times the characters.

    Attributes:
        max_request_bytes: Bytes of a request's body.
        max_rows: Rows of a request.
        max_steps: Steps of a request.
        max_requests: Requests that are answered or wait at the same time.
        timeout: Seconds after which a request is stopped.

    Raises:
        ConfigError: If a limit is not above 0.
    """

    max_request_bytes: int = 10_000_000
    max_rows: int = 100_000
    max_steps: int = 250_000
    max_requests: int = 32
    timeout: float = 60.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            kinds = int | float if field.name == "timeout" else int
            if isinstance(value, bool) or not isinstance(value, kinds) or not value > 0:
                what = "a number" if field.name == "timeout" else "a whole number"
                raise ConfigError(f"{arg(field.name)}: expected {what} above 0, got {value!r}")

    def check_rows(self, rows: int) -> None:
        """Refuse too many rows.

        Raises:
            DataError: If there are more than ``max_rows``.
        """
        if rows > self.max_rows:
            raise DataError(
                f"the request has {rows:,} rows, and at most {self.max_rows:,} are served ({arg('max_rows')}): send it in parts"
            )

    def check_steps(self, steps: int, unit: str) -> None:
        """Refuse too much work.

        Args:
            steps: Steps of the request.
            unit: How the steps are counted.

        Raises:
            DataError: If there are more than ``max_steps``.
        """
        if steps > self.max_steps:
            raise DataError(
                f"the request asks for {steps:,} steps ({unit}), and at most {self.max_steps:,} are served ({arg('max_steps')}): "
                "send it in parts, or ask for less"
            )


LIMITS = ServingLimits()
