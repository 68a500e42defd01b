"""Series that come with the package, without a download."""

from pathlib import Path

import pandas as pd

_FOLDER = Path(__file__).parent / "series"


def _read(name: str) -> pd.DataFrame:
    return pd.read_csv(_FOLDER / f"{name}.csv", parse_dates=["ds"])


def load_climate() -> pd.DataFrame:
    """Load two monthly climate series: CO2 in the air and the temperature of the sea.

    - ``co2``: Mauna Loa, ppm, 1958-03 to 2001-12, 526 months, each the mean of its weekly values. The five
      months without values (June and October 1958, February to April 1964) are interpolated linearly.
    - ``el_nino``: sea surface of the eastern Pacific (Niño 1+2), °C, 1950-01 to 2010-12, 732 months.

    Licence: public domain (CDIAC; NOAA), as statsmodels 0.14 ships it.

    Returns:
        1,258 rows of ``unique_id``, ``ds`` (first of the month, freq ``"MS"``), ``y``.

    References:
        Keeling & Whorf, "Atmospheric CO2 concentrations derived from flask air samples at sites in the SIO
        network", 2004.
        NOAA Climate Prediction Center, ERSST.V3B, http://www.cpc.ncep.noaa.gov/data/indices/.

    Examples:
        >>> load_climate().groupby("unique_id")["y"].agg(["size", "min", "max"]).round(2)
                   size     min     max
        unique_id
        co2         526  313.40  373.80
        el_nino     732   18.95   29.24
    """
    return _read("climate")


def load_macro() -> pd.DataFrame:
    """Load five quarterly series of the United States' national accounts, 1959 to the third quarter of 2009.

    Gross domestic product (``realgdp``), consumption (``realcons``), private investment (``realinv``),
    federal expenditure (``realgovt``) and disposable income (``realdpi``); 203 quarters each, in billions of
    chained 2005 dollars, seasonally adjusted, at annual rates.

    Licence: public domain (Federal Reserve Bank of St. Louis), as statsmodels 0.14 ships it.

    Returns:
        1,015 rows of ``unique_id``, ``ds`` (first of the quarter, freq ``"QS"``), ``y``.

    Examples:
        >>> load_macro().tail(2)
             unique_id         ds        y
        1013   realdpi 2009-04-01  10077.5
        1014   realdpi 2009-07-01  10040.6
    """
    return _read("macro")


def load_sunspots() -> pd.DataFrame:
    """Load the mean sunspot number of each year, 1700 to 2008: a cycle of about 11 years.

    Licence: public domain (NOAA), as statsmodels 0.14 ships it.

    Returns:
        309 rows of ``unique_id`` (``"sunspots"``), ``ds`` (first of January, freq ``"YS"``), ``y``.

    Examples:
        >>> load_sunspots().tail(2)
            unique_id         ds    y
        307  sunspots 2007-01-01  7.5
        308  sunspots 2008-01-01  2.9
    """
    return _read("sunspots")
