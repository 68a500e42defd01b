"""Data sets: contents, local copies, and refused altered files."""

import gzip
import hashlib
import os
import time
from dataclasses import FrozenInstanceError
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from _downloads import cut_off, serve

from lstmzoo import datasets
from lstmzoo.errors import DataError, UnknownNameError

GITHUB = "https://raw.githubusercontent.com"
M4 = f"{GITHUB}/Mcompetitions/M4-methods/6c1067e5a57161249b17289a565178dc7a3fb3ca/Dataset"
AIRLINE = f"{GITHUB}/sktime/sktime/v0.36.0/sktime/datasets/data/Airline/Airline.csv"
ROWS_TRAIN = '"V1","V2","V3","V4"\n"Y1","1","2.5",""\n"Y2","10","20","3e1"\n'
ROWS_TEST = '"V1","V2"\n' + "".join(f'"{name}","1","2","3","4","5","6"\n' for name in ("Y2", "Y1"))


def real_data() -> Path | None:
    candidates = [os.environ.get("LSTMZOO_DATA"), Path(__file__).resolve().parents[2] / "shared" / "data"]
    return next((Path(c) for c in candidates if c and (Path(c) / "m4_hourly_weekly").is_dir()), None)


@pytest.fixture
def real(monkeypatch):
    """The published files, which are not part of the repository."""
    directory = real_data()
    if directory is None:
        pytest.skip("no data: set LSTMZOO_DATA to a directory with m4_hourly_weekly/, ett_h1/, air_passengers/")
    monkeypatch.setenv("LSTMZOO_DATA", str(directory))
    return directory


offline = pytest.fixture(cut_off)


@pytest.fixture
def local(offline, monkeypatch, tmp_path):
    """An empty ``LSTMZOO_DATA``, with an empty cache and no network beside it."""
    monkeypatch.setenv("LSTMZOO_DATA", str(tmp_path / "data"))
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


def assert_long(frame, freq=None):
    assert list(frame.columns) == ["unique_id", "ds", "y"]
    assert isinstance(frame.index, pd.RangeIndex)
    assert frame["y"].dtype == "float64"
    assert not frame.isna().any(axis=None)
    assert not frame.duplicated(["unique_id", "ds"]).any()
    for _, ds in frame.groupby("unique_id", sort=False)["ds"]:
        if freq is None:
            assert (ds.diff().dropna() == 1).all()
        else:
            assert ds.tolist() == pd.date_range(ds.iloc[0], periods=len(ds), freq=freq).tolist()


def test_every_public_name_is_exported():
    assert sorted(datasets.__all__) == datasets.__all__
    assert all(callable(getattr(datasets, name)) for name in datasets.__all__)


# --- with the installation


@pytest.mark.parametrize(
    ("load", "freq", "sizes"),
    [
        (datasets.load_climate, "MS", {"co2": 526, "el_nino": 732}),
        (
            datasets.load_macro,
            "QS",
            dict.fromkeys(("realgdp", "realcons", "realinv", "realgovt", "realdpi"), 203),
        ),
        (datasets.load_sunspots, "YS", {"sunspots": 309}),
    ],
)
def test_bundled_panels_are_long_regular_and_complete(load, freq, sizes):
    frame = load()
    assert_long(frame, freq)
    assert frame.groupby("unique_id").size().to_dict() == sizes
    pd.testing.assert_frame_equal(frame, load())


@pytest.mark.parametrize(
    ("load", "digest"),
    [(datasets.load_climate, "45746765"), (datasets.load_macro, "e0495ec5"), (datasets.load_sunspots, "87ba79ac")],
)
def test_bundled_panels_are_those_of_statsmodels(load, digest):
    """SHA-256 of the rows' hashes, equal to those of the same series in statsmodels."""
    rows = pd.util.hash_pandas_object(load(), index=False).to_numpy()
    assert hashlib.sha256(rows.tobytes()).hexdigest()[:8] == digest


def value(frame, name, day):
    return frame.loc[(frame["unique_id"] == name) & (frame["ds"] == day), "y"].item()


def test_climate_values():
    climate = datasets.load_climate()
    assert value(climate, "el_nino", "1950-01-01") == 23.11
    assert value(climate, "el_nino", "2010-12-01") == 22.07
    assert value(climate, "co2", "1958-04-01") == pytest.approx(317.2)
    assert value(climate, "co2", "1958-06-01") == pytest.approx(
        (value(climate, "co2", "1958-05-01") + value(climate, "co2", "1958-07-01")) / 2
    )


def test_macro_and_sunspot_values():
    assert value(datasets.load_macro(), "realgdp", "1959-01-01") == 2710.349
    assert value(datasets.load_macro(), "realdpi", "2009-07-01") == 10040.6
    assert value(datasets.load_sunspots(), "sunspots", "1700-01-01") == 5.0


# --- generated


def test_generated_panel_is_long_and_sorted():
    frame = datasets.generate_seasonal(12, 30, freq="h", season_length=24, random_state=1)
    assert_long(frame, "h")
    assert frame["unique_id"].nunique() == 12
    assert frame["unique_id"].is_monotonic_increasing
    assert len(frame) == 12 * 30
    assert_long(datasets.generate_seasonal(2, 5, freq=None, random_state=1))


def test_generator_repeats_itself_for_a_seed():
    first, again, other = (
        datasets.generate_seasonal(3, 50, random_state=seed) for seed in (7, np.random.default_rng(7), 8)
    )
    pd.testing.assert_frame_equal(first, again)
    assert not np.allclose(first["y"], other["y"])


def panel(**parameters):
    """Values ``(N, T)`` of 400 series."""
    settings = {"level": 0.0, "trend": 0.0, "amplitude": 0.0, "noise": 0.0, **parameters}
    frame = datasets.generate_seasonal(400, 120, freq=None, season_length=12, random_state=3, **settings)
    return frame["y"].to_numpy().reshape(400, 120)


def test_generator_parts_have_the_documented_statistics():
    level = panel(level=10.0)
    assert (np.ptp(level, axis=1) == 0).all()
    assert 5 <= level.min() < 5.2
    assert 14.8 < level.max() <= 15

    trend = panel(trend=6.0)
    assert np.allclose(np.diff(trend, n=2), 0, atol=1e-9)
    assert (trend[:, 12] - trend[:, 0]).std() == pytest.approx(6.0, rel=0.1)

    season = panel(amplitude=5.0)
    assert np.allclose(season[:, 12:], season[:, :-12])
    assert np.allclose(season[:, :12].mean(axis=1), 0)
    assert np.allclose(season[:, :12].std(axis=1), 5.0)
    assert len(np.unique(season[:, 0])) == 400

    noise = panel(noise=2.0)
    assert noise.mean() == pytest.approx(0.0, abs=0.05)
    assert noise.std() == pytest.approx(2.0, rel=0.02)
    assert np.corrcoef(noise[:, 1:].ravel(), noise[:, :-1].ravel())[0, 1] == pytest.approx(0, abs=0.02)


def test_generator_adds_its_parts():
    # parts: the same random numbers are drawn whatever the scales
    whole = panel(level=10.0, trend=6.0, amplitude=5.0, noise=2.0)
    parts = panel(level=10.0) + panel(trend=6.0) + panel(amplitude=5.0) + panel(noise=2.0)
    assert np.allclose(whole, parts)


@pytest.mark.parametrize("season_length", [1, 2, 3, 5, 168])
def test_generator_takes_any_season(season_length):
    y = datasets.generate_seasonal(2, 400, season_length=season_length, random_state=0)["y"]
    assert np.isfinite(y).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_series": 0}, "n_series must be at least 1, got 0"),
        ({"length": 0}, "length must be at least 1"),
        ({"season_length": 0}, "season_length must be at least 1"),
        ({"freq": "fortnight"}, "freq 'fortnight'"),
        ({"start": "yesteryear"}, "from 'yesteryear'"),
    ],
)
def test_generator_refuses_what_cannot_be(arguments, message):
    with pytest.raises(DataError, match=message):
        datasets.generate_seasonal(**arguments)


def test_generator_is_vectorized():
    start = time.perf_counter()
    datasets.generate_seasonal(2_000, 500, freq="h", season_length=24, random_state=0)
    assert time.perf_counter() - start < 5  # 0.1 s here; a loop over steps or series would miss it


# --- names


def test_unknown_names_list_the_valid_ones():
    with pytest.raises(
        UnknownNameError,
        match="'Minutely' .did you mean 'Monthly'.*; valid: Daily, Hourly, Monthly, Quarterly, Weekly, Yearly",
    ):
        datasets.fetch_m4("Minutely")
    with pytest.raises(UnknownNameError, match="'ETTh9' .did you mean .*; valid: ETTh1, ETTh2, ETTm1, ETTm2"):
        datasets.fetch_ett("ETTh9")


# --- files under LSTMZOO_DATA


def write_yearly(directory, train=ROWS_TRAIN, test=ROWS_TEST):
    folder = directory / "m4"
    folder.mkdir()
    (folder / "Yearly-train.csv").write_bytes(train.encode())
    (folder / "Yearly-test.csv.gz").write_bytes(gzip.compress(test.encode()))


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_m4_from_a_directory(local, newline):
    write_yearly(local, train=ROWS_TRAIN.replace("\n", newline))
    m4 = datasets.fetch_m4("Yearly")
    assert (m4.group, m4.horizon, m4.season_length) == ("Yearly", 6, 1)
    assert_long(m4.train)
    assert_long(m4.test)
    expected = pd.DataFrame(
        {"unique_id": ["Y1"] * 2 + ["Y2"] * 3, "ds": [1, 2, 1, 2, 3], "y": [1.0, 2.5, 10.0, 20.0, 30.0]}
    )
    pd.testing.assert_frame_equal(m4.train, expected)
    assert m4.test["unique_id"].tolist() == ["Y2"] * 6 + ["Y1"] * 6
    assert m4.test["ds"].tolist() == [4, 5, 6, 7, 8, 9, 3, 4, 5, 6, 7, 8]
    assert repr(m4) == "M4Data(group='Yearly', horizon=6, season_length=1)"
    with pytest.raises(FrozenInstanceError):
        m4.horizon = 7


@pytest.mark.parametrize(
    "train",
    [
        "",
        "no table",
        "\x00\xff\n\x00\xff",
        ROWS_TRAIN + '"Y3","1",,"3"\n',
        ROWS_TRAIN + '"Y3","1","x"\n',
        ROWS_TRAIN + '"Y3","inf"\n',
        ROWS_TRAIN + '"Y3",\n',
        ROWS_TRAIN + '"Y2","1"\n',
    ],
)
def test_m4_refuses_what_is_no_m4_file(local, train):
    write_yearly(local, train=train)
    with pytest.raises(DataError, match=r"Yearly-train\.csv is not an M4 file"):
        datasets.fetch_m4("Yearly")


@pytest.mark.parametrize(
    "test",
    [ROWS_TEST.replace("Y2", "Y3"), ROWS_TEST.replace(',"6"', ""), ROWS_TEST.rsplit('"Y1"', 1)[0]],
    ids=["other series", "other horizon", "series missing"],
)
def test_m4_refuses_a_test_part_of_something_else(local, test):
    write_yearly(local, test=test)
    with pytest.raises(DataError, match="each of the 2 series of the train file needs 6 values"):
        datasets.fetch_m4("Yearly")


@pytest.mark.parametrize(
    ("place", "fetch"),
    [
        ("m4_hourly_weekly/Hourly-train.csv", lambda: datasets.fetch_m4("Hourly")),
        ("m4/Daily-train.csv", lambda: datasets.fetch_m4("Daily")),
        ("ett/ETTm2.csv", lambda: datasets.fetch_ett("ETTm2")),
        ("ett_h1/ETTh1.csv", lambda: datasets.fetch_ett("ETTh1")),
        ("air_passengers/Airline.csv", datasets.fetch_air_passengers),
    ],
)
@pytest.mark.parametrize("gzipped", [False, True])
def test_an_altered_file_is_refused(local, place, fetch, gzipped):
    path = local / (place + ".gz" * gzipped)
    path.parent.mkdir()
    path.write_bytes(gzip.compress(b"altered") if gzipped else b"altered")
    with pytest.raises(DataError) as caught:
        fetch()
    message = str(caught.value)
    assert str(path) in message
    assert hashlib.sha256(b"altered").hexdigest() in message
    assert "https://raw.githubusercontent.com/" in message
    assert "replace it or unset LSTMZOO_DATA" in message


def test_a_damaged_gzip_is_refused(local):
    (local / "air_passengers").mkdir()
    (local / "air_passengers" / "Airline.csv.gz").write_bytes(gzip.compress(b"Date,Passengers\n" * 99)[:-12])
    with pytest.raises(DataError, match="cannot be read as gzip"):
        datasets.fetch_air_passengers()


def test_a_directory_that_is_none_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("LSTMZOO_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(DataError, match=r"LSTMZOO_DATA names .*nowhere.*not a directory"):
        datasets.fetch_air_passengers()


# --- downloads


@pytest.mark.parametrize(
    ("fetch", "url", "place"),
    [
        (
            lambda: datasets.fetch_m4("Monthly"),
            f"{M4}/Train/Monthly-train.csv",
            "m4/Monthly-train.csv",
        ),
        (
            lambda: datasets.fetch_ett("ETTm1"),
            f"{GITHUB}/zhouhaoyi/ETDataset/1d16c8f4f943005d613b5bc962e9eeb06058cf07/ETT-small/ETTm1.csv",
            "ett/ETTm1.csv",
        ),
        (
            datasets.fetch_air_passengers,
            AIRLINE,
            "air_passengers/Airline.csv",
        ),
    ],
)
def test_without_a_network_one_error_names_the_url_and_the_way_out(offline, fetch, url, place):
    with pytest.raises(DataError) as caught:
        fetch()
    message = str(caught.value)
    assert f"cannot download {url} to {offline}" in message
    assert "Max retries exceeded" in message
    assert f"set LSTMZOO_DATA to a directory that holds {place}, gzipped or not" in message
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_a_directory_without_the_file_leads_on_to_the_download(local):
    with pytest.raises(DataError, match="cannot download"):
        datasets.fetch_air_passengers()


def test_a_download_that_is_not_the_pinned_file_is_refused(offline, monkeypatch):
    serve(monkeypatch, {AIRLINE: b"Date,Passengers\n1949-01,0\n"})
    with pytest.raises(DataError, match="does not match the known hash"):
        datasets.fetch_air_passengers()
    assert not list(offline.rglob("*.csv"))


def test_first_download_is_recorded_and_holds(offline, monkeypatch):
    train, test = f"{M4}/Train/Yearly-train.csv", f"{M4}/Test/Yearly-test.csv"
    asked = serve(monkeypatch, {train: ROWS_TRAIN.encode(), test: ROWS_TEST.encode()})
    first = datasets.fetch_m4("Yearly")
    assert len(asked) == 2
    record = next(offline.rglob("Yearly-train.csv.sha256"))
    assert record.read_text() == hashlib.sha256(ROWS_TRAIN.encode()).hexdigest()

    again = datasets.fetch_m4("Yearly")
    assert len(asked) == 2
    pd.testing.assert_frame_equal(first.train, again.train)

    cached = next(offline.rglob("Yearly-train.csv"))
    cached.write_text(ROWS_TRAIN.replace("2.5", "2.6"))
    mended = datasets.fetch_m4("Yearly")  # the damage is seen, and the file downloaded again
    assert len(asked) == 3
    pd.testing.assert_frame_equal(first.train, mended.train)

    serve(monkeypatch, {train: ROWS_TRAIN.replace("2.5", "2.6").encode()})
    cached.unlink()
    with pytest.raises(DataError, match="does not match the known hash"):
        datasets.fetch_m4("Yearly")


# --- the published files


@pytest.mark.parametrize(("group", "series", "rows"), [("Hourly", 414, 353_500), ("Weekly", 359, 366_912)])
def test_m4_is_the_published_one(real, group, series, rows):
    start = time.perf_counter()
    m4 = datasets.fetch_m4(group)
    assert time.perf_counter() - start < 1
    horizon, season_length = {"Hourly": (48, 24), "Weekly": (13, 1)}[group]
    assert (m4.horizon, m4.season_length) == (horizon, season_length)
    assert (len(m4.train), len(m4.test)) == (rows, series * horizon)
    assert_long(m4.train)
    assert_long(m4.test)
    assert m4.train["unique_id"].unique().tolist() == [f"{group[0]}{i}" for i in range(1, series + 1)]
    lengths = m4.train.groupby("unique_id").size()
    assert (m4.train.groupby("unique_id")["ds"].min() == 1).all()
    assert (m4.test.groupby("unique_id")["ds"].min() == lengths + 1).all()
    assert (m4.test.groupby("unique_id")["ds"].max() == lengths + horizon).all()


@pytest.mark.parametrize(
    ("group", "naive", "seasonal_naive"),
    [("Hourly", (43.003, 11.608), (13.912, 1.193)), ("Weekly", (9.161, 2.777), (9.161, 2.777))],
)
def test_m4_baselines_have_the_official_scores(real, group, naive, seasonal_naive):
    m4 = datasets.fetch_m4(group)
    assert scores(m4, season=1) == pytest.approx(naive, abs=5e-4)
    assert scores(m4, season=m4.season_length) == pytest.approx(seasonal_naive, abs=5e-4)


def scores(m4, season):
    """Return sMAPE and MASE of the seasonal naive forecast, averaged over series as in M4."""
    future = {name: y.to_numpy() for name, y in m4.test.groupby("unique_id")["y"]}
    smape, mase = [], []
    for name, y in m4.train.groupby("unique_id")["y"]:
        past = y.to_numpy()
        forecast = np.resize(past[-season:], m4.horizon)
        error = np.abs(future[name] - forecast)
        smape.append(np.mean(200 * error / (np.abs(future[name]) + np.abs(forecast))))
        mase.append(error.mean() / np.abs(past[m4.season_length :] - past[: -m4.season_length]).mean())
    return np.mean(smape), np.mean(mase)


def test_ett_is_the_published_one(real):
    ett = datasets.fetch_ett("ETTh1")
    assert_long(ett.data, "h")
    assert ett.data["unique_id"].unique().tolist() == ["HUFL", "HULL", "MUFL", "MULL", "LUFL", "LULL", "OT"]
    assert (ett.name, ett.freq, ett.season_length) == ("ETTh1", "h", 24)
    oil = ett.data[ett.data["unique_id"] == "OT"]
    assert len(oil) == 17_420
    assert [(oil["ds"] < end).sum() for end in (ett.train_end, ett.valid_end, ett.test_end)] == [
        8640,
        11520,
        14400,
    ]
    assert oil["y"].iloc[0] == 30.5310001373291
    assert oil["y"].iloc[-1] == 9.56700038909912


def test_ett_naive_forecast_has_the_published_error(real):
    # repeat last value, horizon 96, all seven series: MSE 1.294, MAE 0.713
    ett = datasets.fetch_ett("ETTh1")
    wide = ett.data.pivot(index="ds", columns="unique_id", values="y")
    train = wide[wide.index < ett.train_end]
    scaled = ((wide - train.mean()) / train.std(ddof=0)).to_numpy()
    first, last = (int((wide.index < end).sum()) for end in (ett.valid_end, ett.test_end))
    windows = np.lib.stride_tricks.sliding_window_view(scaled[first:last], 96, axis=0)  # (n, F, H)
    error = windows - scaled[first - 1 : first - 1 + len(windows), :, None]
    assert (error**2).mean() == pytest.approx(1.294, abs=2e-3)
    assert np.abs(error).mean() == pytest.approx(0.713, abs=2e-3)


def test_air_passengers_are_the_published_ones(real):
    air = datasets.fetch_air_passengers()
    assert_long(air, "MS")
    assert air["unique_id"].unique().tolist() == ["air_passengers"]
    assert len(air) == 144
    y = air["y"].to_numpy()
    assert (y[0], y[-1]) == (112.0, 432.0)
    past, future, forecast = y[:-12], y[-12:], y[-24:-12]
    assert np.mean(100 * np.abs(future - forecast) / future) == pytest.approx(9.99, abs=5e-3)
    assert np.abs(future - forecast).mean() / np.abs(past[12:] - past[:-12]).mean() == pytest.approx(1.571, abs=5e-4)
