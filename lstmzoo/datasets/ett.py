"""ETT: load and oil temperature of two electricity transformers."""

import io
from dataclasses import dataclass, field

import pandas as pd

from lstmzoo.datasets._base import Origin, long_frame, read_origin
from lstmzoo.errors import UnknownNameError


@dataclass(frozen=True, eq=False)
class EttData:
    """One transformer's seven series, and where the standard split cuts them.

    Attributes:
        name: ``"ETTh1"``, ...
        data: ``unique_id``, ``ds``, ``y``: every row of the file. HUFL, HULL, MUFL, MULL, LUFL and LULL are
            loads; OT is the oil temperature, °C, and the usual target.
        train_end: Training is on rows before it.
        valid_end: Validation is on rows from ``train_end`` to before it.
        test_end: Testing is on rows from ``valid_end`` to before it; rows from it on are unused.
        freq: ``"h"`` or ``"15min"``.
        season_length: Steps of a day.
    """

    name: str
    data: pd.DataFrame = field(repr=False)
    train_end: pd.Timestamp
    valid_end: pd.Timestamp
    test_end: pd.Timestamp
    freq: str
    season_length: int


# ETTh1: computed from the file. The others: what more than two public projects agree on.
_SHA256 = {
    "ETTh1": "f18de3ad269cef59bb07b5438d79bb3042d3be49bdeecf01c1cd6d29695ee066",
    "ETTh2": "a3dc2c597b9218c7ce1cd55eb77b283fd459a1d09d753063f944967dd6b9218b",
    "ETTm1": "6ce1759b1a18e3328421d5d75fadcb316c449fcd7cec32820c8dafda71986c9e",
    "ETTm2": "db973ca252c6410a30d0469b13d696cf919648d0f3fd588c60f03fdbdbadd1fd",
}


def fetch_ett(name: str) -> EttData:
    """Two years of seven series of an electricity transformer, hourly (ETTh) or every 15 minutes (ETTm).

    The standard split (Informer) is 12, 4 and 4 months of 30 days each, from 2016-07-01 00:00:

    | | ends before | rows of a series, ETTh | rows of a series, ETTm |
    | --- | --- | --- | --- |
    | train | 2017-06-26 | 0 to 8,639 | 0 to 34,559 |
    | valid | 2017-10-24 | 8,640 to 11,519 | 34,560 to 46,079 |
    | test | 2018-02-21 | 11,520 to 14,399 | 46,080 to 57,599 |
    | unused | | 14,400 to 17,419 | 57,600 to 69,679 |

    The history of a window may reach back across a border. Errors are reported on values standardised by the
    mean and population deviation of the training rows, averaged over all windows (stride 1), for horizons of
    96, 192, 336 and 720 steps.

    Looked for in ``ett/`` and ``ett_h1/`` of ``LSTMZOO_DATA``, as ``ETTh1.csv`` and so on, gzipped or not;
    then in the cache; then at the origin, ``zhouhaoyi/ETDataset`` on GitHub. All four are pinned by commit
    and SHA-256.

    Licence: Creative Commons Attribution-NoDerivatives 4.0: do not pass altered copies on.

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
    origin = Origin(
        repository="zhouhaoyi/ETDataset",
        revision="1d16c8f4f943005d613b5bc962e9eeb06058cf07",
        path=f"ETT-small/{name}.csv",
        sha256=_SHA256[name],
        folders=("ett", "ett_h1"),
    )
    # As text first: pandas' own float parser is not exact in every version, and offers no lasting way to be.
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
