"""The airline passengers of Box and Jenkins."""

import io

import pandas as pd

from lstmzoo.datasets._base import long_frame, on_github, read_origin

_ORIGIN = on_github(
    "sktime/sktime",
    "v0.36.0",
    "sktime/datasets/data/Airline/Airline.csv",
    "28af0eb869db6d9fbd31d5af03993a0cbf36c0857c3eb046a068c094b60da851",
    "air_passengers",
)


def fetch_air_passengers() -> pd.DataFrame:
    """Load the monthly totals of international airline passengers, in thousands, 1949-01 to 1960-12.

    Use it as a smoke test: 144 points prove nothing about a forecaster. The season is a year, and its amplitude grows with the
    level. There is no standard split: the last 12, 24 or 36 months are held out.

    Looked for in ``air_passengers/`` of ``LSTMZOO_DATA``, as ``Airline.csv``, gzipped or not; then in the
    cache; then at the origin, ``sktime/sktime`` on GitHub (2 kB), pinned by release and SHA-256.

    Licence: BSD-3-Clause, as at the origin.

    Returns:
        144 rows of ``unique_id`` (``"air_passengers"``), ``ds`` (first of the month, freq ``"MS"``), ``y``.

    Raises:
        DataError: If the download fails, or the file is not the pinned one.

    References:
        Box & Jenkins, "Time Series Analysis: Forecasting and Control", 1970, series G.
    """
    data = pd.read_csv(io.BytesIO(read_origin(_ORIGIN)), dtype={"Passengers": "float64"})
    months = pd.to_datetime(data["Date"], format="%Y-%m")
    return long_frame({"air_passengers": data["Passengers"].set_axis(months)})
