"""ETT: load and oil temperature of two electricity transformers."""

import io
from dataclasses import dataclass, field

import pandas as pd

from lstmzoo.datasets._base import long_frame, on_github, read_origin
from lstmzoo.errors import UnknownNameError


@dataclass(frozen=True, eq=False)
class EttData:
    """The seven series of one transformer, and the times of the standard split.

    Attributes:
        name: ``"ETTh1"``, ...
        data: ``unique_id``, ``ds``, ``y``: all rows of the file. HUFL, HULL, MUFL, MULL, LUFL and LULL are
            loads; OT is the oil temperature in °C, the usual target.
        train_end: The training set ends before this time.
        valid_end: The validation set starts at ``train_end`` and ends before this time.
        test_end: The test set starts at ``valid_end`` and ends before this time; later rows are unused.
        freq: ``"h"`` or ``"15min"``.
        season_length: Number of steps in a day.
    """

    name: str
    data: pd.DataFrame = field(repr=False)
    train_end: pd.Timestamp
    valid_end: pd.Timestamp
    test_end: pd.Timestamp
    freq: str
    season_length: int


# ETTh1: computed from the file. The others: more than two public projects agree on them.
_SHA256 = {
    "ETTh1": "f18de3ad269cef59bb07b5438d79bb3042d3be49bdeecf01c1cd6d29695ee066",
    "ETTh2": "a3dc2c597b9218c7ce1cd55eb77b283fd459a1d09d753063f944967dd6b9218b",
    "ETTm1": "6ce1759b1a18e3328421d5d75fadcb316c449fcd7cec32820c8dafda71986c9e",
    "ETTm2": "db973ca252c6410a30d0469b13d696cf919648d0f3fd588c60f03fdbdbadd1fd",
}


def fetch_ett(name: str) -> EttData:
    """Load two years of seven series of an electricity transformer, hourly (ETTh) or every 15 minutes (ETTm).

    The standard split (Informer) is 12, 4 and 4 months of 30 days each, from 2016-07-01 00:00:

    | | ends before | rows of a series, ETTh | rows of a series, ETTm |
    | --- | --- | --- | --- |
    | train | 2017-06-26 | 0 to 8,639 | 0 to 34,559 |
    | valid | 2017-10-24 | 8,640 to 11,519 | 34,560 to 46,079 |
    | test | 2018-02-21 | 11,520 to 14,399 | 46,080 to 57,599 |
    | unused | | 14,400 to 17,419 | 57,600 to 69,679 |

    The history of a window may start before its part. Errors are reported on values standardized by the mean and population
    standard deviation of the training set, averaged over all windows (stride 1), for horizons of 96, 192, 336 and 720 steps.

    Looked for in ``ett/`` and ``ett_h1/`` of ``LSTMZOO_DATA``, as ``ETTh1.csv`` and so on, gzipped or not;
    then in the cache; then at the origin, ``zhouhaoyi/ETDataset`` on GitHub. All four are pinned by commit
    and SHA-256.

    Licence: Creative Commons Attribution-NoDerivatives 4.0: do not distribute altered copies.

    Args:
        name: ``"ETTh1"``, ``"ETTh2"``, ``"ETTm1"`` or ``"ETTm2"``.

    Raises:
        UnknownNameError: If there is no such set.
        DataError: If the download fails, or the file is not the pinned one.

    References:
        Zhou et al., "Informer: Beyond Efficient Transformer for Long Sequence Time-Series Forecasting",
        AAAI 2021.

    Examples:
        >>> fetch_ett("ETTh3")
        Traceback (most recent call last):
        lstmzoo.errors.UnknownNameError: unknown ETT set 'ETTh3' (did you mean 'ETTh2'?); valid: ETTh1, ...
    """
    if name not in _SHA256:
        raise UnknownNameError("ETT set", name, _SHA256)
    revision = "1d16c8f4f943005d613b5bc962e9eeb06058cf07"
    origin = on_github("zhouhaoyi/ETDataset", revision, f"ETT-small/{name}.csv", _SHA256[name], "ett", "ett_h1")
    # Read as text first, because pandas' float parser is not exact in every version.
    wide = pd.read_csv(io.BytesIO(read_origin(origin)), index_col="date", dtype="str").astype("float64")
    wide.index = pd.to_datetime(wide.index)
    hourly = name.startswith("ETTh")
    return EttData(
        name=name,
        data=long_frame({str(column): wide[column] for column in wide}),
        train_end=pd.Timestamp("2017-06-26"),
        valid_end=pd.Timestamp("2017-10-24"),
        test_end=pd.Timestamp("2018-02-21"),
        freq="h" if hourly else "15min",
        season_length=24 if hourly else 96,
    )
