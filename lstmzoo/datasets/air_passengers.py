"""The airline passengers of Box and Jenkins."""

import io

import pandas as pd

from lstmzoo.datasets._base import Origin, long_frame, read_origin

_ORIGIN = Origin(
    repository="sktime/sktime",
    revision="v0.36.0",
    path="sktime/datasets/data/Airline/Airline.csv",
    sha256="28af0eb869db6d9fbd31d5af03993a0cbf36c0857c3eb046a068c094b60da851",
    folders=("air_passengers",),
)


def fetch_air_passengers() -> pd.DataFrame:
    """Monthly totals of international airline passengers, in thousands, 1949-01 to 1960-12.

    A smoke test: 144 points prove nothing about a forecaster. Its season is a year, and grows with the level.
    The last 12, 24 or 36 months are held out; there is no one standard.

    Looked for in ``air_passengers/`` of ``LSTMZOO_DATA``, as ``Airline.csv``, gzipped or not; then in the
    cache; then at the origin, ``sktime/sktime`` on GitHub (2 kB), pinned by release and SHA-256.

    Licence: BSD-3-Clause, the origin's.

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
