"""Data that no network can be trained on."""

import logging
from collections.abc import Callable, Iterable
from typing import Any

from lstmzoo.contracts import Data, Sizable, missing_methods
from lstmzoo.errors import DataError, LstmzooError, arg
from lstmzoo.records import Record, best_record, is_network

_logger = logging.getLogger(__name__)


def check_trainable(estimators: Iterable[Any], train: Data, data: Data) -> None:
    """Refuse data that no model can be trained on, before any trial.

    Data of which only the training set is refused are not: the baselines can be compared.

    Args:
        estimators: Unfitted estimators, one of each model of a search.
        train: A training set of the search.
        data: All data of the search.

    Raises:
        DataError: As ``fit`` of the first estimator on all data, if each estimator refuses both.
    """
    refusals = []
    for estimator in estimators:
        if missing_methods(estimator, Sizable):
            return
        refusal = _refusal(estimator, train) and _refusal(estimator, data)
        if not isinstance(refusal, DataError):
            return
        refusals.append(refusal)
    raise refusals[0]


def check_any_succeeded(records: list[Record], configured: Callable[[Record], Any], data: Data) -> None:
    """Refuse a search in which all networks failed.

    A baseline wins if there was no time for a network, or if the data suffice for one, but not without the held-out part.

    Args:
        records: All records.
        configured: Returns the unfitted estimator of a record.
        data: All data.

    Raises:
        LstmzooError: If every network failed, with the first error; or if nothing was scored at all.
    """
    networks = [r for r in records if is_network(r)]
    if not networks and best_record(records) is not None:
        together = any(r["members"] and r["score"] is not None for r in records)
        winner = "an ensemble of baselines" if together else "the best baseline"
        _logger.warning("time_limit is too short for a single network: %s is the winner", winner)
        return
    if not networks:
        raise LstmzooError(f"{arg('time_limit')} is too short for a single trial: give more time")
    if all(r["score"] is None for r in networks):
        first = networks[0]
        refused = all((r["error"] or "").startswith(f"{DataError.__name__}: ") for r in networks)
        if refused and best_record(records) is not None and _is_trainable(configured(first), data):
            _logger.warning(
                "no network can be trained on what is left of the data beside the held-out part (%s): only baselines were "
                "compared", first["error"],
            )  # fmt: skip
            return
        raise LstmzooError(
            f"every trial failed ({len(networks)} of them); the first, {first['model']}: {first['error']}. "
            "Tracebacks are in records_"
        )


def _is_trainable(estimator: Any, data: Data) -> bool:
    """Whether data suffice for a network."""
    return not missing_methods(estimator, Sizable) and _refusal(estimator, data) is None


def _refusal(estimator: Any, data: Data) -> LstmzooError | None:
    """Return the error with which an estimator refuses to be trained on data; None if it does not."""
    try:
        estimator.network_sizes(*data)
    except LstmzooError as error:
        return error
    return None
