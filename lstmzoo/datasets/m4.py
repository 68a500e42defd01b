"""The M4 competition: 100,000 series in six groups."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from lstmzoo.datasets._base import Origin, on_github, read_origin
from lstmzoo.errors import DataError, UnknownNameError


@dataclass(frozen=True, eq=False)
class M4Data:
    """One group of M4.

    Attributes:
        group: ``"Hourly"``, ``"Weekly"``, ...
        train: ``unique_id``, ``ds``, ``y``; ``ds`` counts each series' steps from 1.
        test: The ``horizon`` steps of each series after ``train``; ``ds`` continues.
        horizon: Number of steps to forecast.
        season_length: Season of M4's MASE and seasonal naive forecast; 1 for none.
    """

    group: str
    train: pd.DataFrame = field(repr=False)
    test: pd.DataFrame = field(repr=False)
    horizon: int
    season_length: int


@dataclass(frozen=True)
class _Group:
    horizon: int
    season_length: int
    train_sha256: str | None
    test_sha256: str | None


# Hourly, Weekly: computed from the files. Daily: two public projects agree on them. The others: unconfirmed.
_GROUPS = {
    "Hourly": _Group(
        horizon=48,
        season_length=24,
        train_sha256="ea59b7783573c49077a835ab6465c7d66f1474783360f310988a9a737fbca62f",
        test_sha256="71a57fccb15e534d973626ada4fb87febf789e9317715b7cc6dd3b5f90db6f42",
    ),
    "Daily": _Group(
        horizon=14,
        season_length=1,
        train_sha256="78e94591c60c06309f1e544fd7b2ccba28f3616b01913dd336a1d1d98483a1ec",
        test_sha256="633b0815626ae266d36872c4d53e95eb93ee8d43e79587fceec519eba3e6b05e",
    ),
    "Weekly": _Group(
        horizon=13,
        season_length=1,
        train_sha256="d478d3f6ed673e6ed3c2cb0fbed5425f72eedd51318ebebeb0b5ecfcefc37714",
        test_sha256="3b2bc4be8e636e802260dcd843ca3c5da40536a1fbe1ecb3229a97dae4f44688",
    ),
    "Monthly": _Group(horizon=18, season_length=12, train_sha256=None, test_sha256=None),
    "Quarterly": _Group(horizon=8, season_length=4, train_sha256=None, test_sha256=None),
    "Yearly": _Group(horizon=6, season_length=1, train_sha256=None, test_sha256=None),
}


def fetch_m4(group: str) -> M4Data:
    """Load the training set and the test set of one group of the M4 competition.

    | group | series | horizon | season | pinned by |
    | --- | ---: | ---: | ---: | --- |
    | Hourly | 414 | 48 | 24 | commit and SHA-256 |
    | Daily | 4,227 | 14 | 1 | commit and SHA-256 |
    | Weekly | 359 | 13 | 1 | commit and SHA-256 |
    | Monthly | 48,000 | 18 | 12 | commit only |
    | Quarterly | 24,000 | 8 | 4 | commit only |
    | Yearly | 23,000 | 6 | 1 | commit only |

    Looked for in ``m4/`` and ``m4_hourly_weekly/`` of ``LSTMZOO_DATA``, as ``Hourly-train.csv``,
    ``Hourly-test.csv`` and so on, gzipped or not; then in the cache; then at the origin,
    ``Mcompetitions/M4-methods`` on GitHub (Hourly 2.5 MB, Weekly 4 MB; the others are larger). Where the
    commit alone pins a file, the SHA-256 of its first download is recorded in the cache and holds from then
    on. Such a file is not checked if it comes from ``LSTMZOO_DATA``.

    Licence: none is stated; the origin offers the data for reproducing the competition.

    Args:
        group: ``"Hourly"``, ``"Daily"``, ``"Weekly"``, ``"Monthly"``, ``"Quarterly"`` or ``"Yearly"``.

    Raises:
        UnknownNameError: If there is no such group.
        DataError: If the download fails, or a file is not the pinned one.

    References:
        Makridakis, Spiliotis & Assimakopoulos, "The M4 Competition: 100,000 time series and 61 forecasting
        methods", International Journal of Forecasting 36(1), 2020.

    Examples:
        >>> fetch_m4("hourly")
        Traceback (most recent call last):
        lstmzoo.errors.UnknownNameError: unknown M4 group 'hourly' (did you mean 'Hourly'?); valid: Daily, ...
    """
    if group not in _GROUPS:
        raise UnknownNameError("M4 group", group, _GROUPS)
    facts = _GROUPS[group]
    ids, lengths, values = _parse(_origin(group, "Train", facts.train_sha256))
    test_ids, test_lengths, test_values = _parse(_origin(group, "Test", facts.test_sha256))
    places = pd.Index(ids).get_indexer(pd.Index(test_ids))
    if sorted(places) != list(range(len(ids))) or (test_lengths != facts.horizon).any():
        raise DataError(
            f"M4 {group}: each of the {len(ids)} series of the train file needs {facts.horizon} values in "
            f"the test file, which has {min(test_lengths)} to {max(test_lengths)} for {len(test_ids)} series"
        )
    train = _frame(ids, lengths, values, np.zeros_like(lengths))
    test = _frame(test_ids, test_lengths, test_values, lengths[places])
    return M4Data(group, train, test, facts.horizon, facts.season_length)


def _origin(group: str, part: str, sha256: str | None) -> Origin:
    revision = "6c1067e5a57161249b17289a565178dc7a3fb3ca"
    path = f"Dataset/{part}/{group}-{part.lower()}.csv"
    return on_github("Mcompetitions/M4-methods", revision, path, sha256, "m4", "m4_hourly_weekly")


def _parse(origin: Origin) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Return names ``(N,)``, lengths ``(N,)`` and all values, concatenated, of rows ``"H1","605","586",...,,,``.

    The file is as wide as its longest series, so as a table it would be mostly empty: nine tenths of Monthly.
    """
    ids, rows = [], []
    for line in read_origin(origin).splitlines()[1:]:
        name, _, row = line.partition(b",")
        ids.append(name.strip(b'"').decode(errors="replace"))
        rows.append(row.rstrip(b'", NA'))
    lengths = np.array([row.count(b",") + 1 for row in rows])
    try:
        values = np.fromstring(b",".join(rows).translate(None, b'"'), sep=",")
    except (ValueError, DeprecationWarning):
        values = np.empty(0)
    distinct = 0 < len(set(ids)) == len(ids)
    if not distinct or len(values) != lengths.sum() or not np.isfinite(values).all():
        raise DataError(f"{origin.name} is not an M4 file: a header, then rows of a distinct name and its numbers")
    return ids, lengths, values


def _frame(ids: list[str], lengths: np.ndarray, values: np.ndarray, before: np.ndarray) -> pd.DataFrame:
    """Return a long frame. ``before`` is the number of steps before the first ``ds`` of each series."""
    first = np.cumsum(lengths) - lengths
    ds = np.arange(1, len(values) + 1) + np.repeat(before - first, lengths)
    return pd.DataFrame({"unique_id": pd.Index(ids).repeat(lengths), "ds": ds, "y": values}, copy=False)
