"""Serving: what the tasks have in common."""

from typing import Any

from lstmzoo.contracts import Servable


class ServedEstimator:
    """Base of the estimators that answer requests; a subclass adds the rest of :class:`lstmzoo.contracts.Servable`."""

    def serving_params(self: Servable) -> dict[str, Any]:
        """Return the default of each parameter that :meth:`serve` takes."""
        return {param.name: param.default for param in self.serving_schema()}

    def serving_nullable(self) -> list[str]:
        """Return the columns of requests that may have missing values; by default none."""
        return []

    def serving_warmup(self) -> list[dict[str, Any]]:
        """Return the parameters of requests that compile what usual requests need; by default of one with all defaults."""
        return [{}]
