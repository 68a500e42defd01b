"""The command line: what each command prints, writes and refuses."""

import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from _cli import IGNORED_WARNINGS, QUIET, assert_refused, run, run_json

import lstmzoo
from lstmzoo.cli import main
from lstmzoo.cli._base import get_task
from lstmzoo.cli.demo._base import Stage, print_next
from lstmzoo.cli.tasks.forecasting import frames
from lstmzoo.limits import ServingLimits

pytestmark = IGNORED_WARNINGS
TINY = ["--set", "epochs=1", "--set", "units=4", "--set", "steps_per_epoch=4"]
FIT = ["fit", "gru", "sales.csv", "--horizon", "4", *TINY, "--random-state", "0"]
IDS = ["001", "NA"]
STEPS = 60


@pytest.fixture(autouse=True)
def workplace(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return tmp_path


@pytest.fixture(scope="session")
def sales() -> pd.DataFrame:
    """Two monthly series of a year's period."""
    rng = np.random.default_rng(0)
    steps = np.arange(STEPS)
    times = pd.date_range("2015-01-01", periods=STEPS, freq="MS")
    return pd.concat(
        pd.DataFrame({
            "unique_id": name, "ds": times,
            "y": (10 * k + 5 + np.sin(steps * np.pi / 6) + 0.1 * rng.normal(size=STEPS)).round(3),
        })
        for k, name in enumerate(IDS)
    )  # fmt: skip


@pytest.fixture
def files(workplace, sales):
    """The same series as CSV and as Parquet."""
    sales.to_csv("sales.csv", index=False)
    sales.to_parquet("sales.parquet")


@pytest.fixture(scope="session")
def model(sales, tmp_path_factory):
    """The folder of a saved model."""
    folder = tmp_path_factory.mktemp("cli")
    sales.to_csv(folder / "sales.csv", index=False)
    args = [*FIT, "--quantiles", "0.1,0.9", "--out", str(folder / "model")]
    args[2] = str(folder / "sales.csv")
    assert run(*args).exit_code == 0
    return folder / "model"


COVARIATES = [
    "--past-covariates",
    "visitors",
    "--future-covariates",
    "price,open",
    "--static-covariates",
    "region,size",
]
KNOWN = ["unique_id", "ds", "price", "open"]


@pytest.fixture(scope="session")
def shops(sales) -> pd.DataFrame:
    """The same series with covariates, and some values missing."""
    rng = np.random.default_rng(1)
    frame = sales.reset_index(drop=True).assign(price=lambda f: rng.normal(3, 1, len(f)).round(2), open=True)
    frame["visitors"] = rng.integers(50, 100, len(frame)).astype(object)
    frame.loc[[4, 70], "visitors"] = "N/A"
    frame.loc[[7, 80], "y"] = np.nan
    frame["region"] = np.where(frame["unique_id"] == "NA", "south", "7")
    return frame.assign(size=np.where(frame["unique_id"] == "NA", "10", "020"))


@pytest.fixture(scope="session")
def shops_model(shops, tmp_path_factory):
    """The folder of a model with covariates, a distribution and conformal intervals, and what is ahead of it."""
    folder = tmp_path_factory.mktemp("shops")
    shops.to_csv(folder / "shops.csv", index=False)
    args = [*FIT, *COVARIATES, "--calendar", "month,year", "--missing", "mask", "--distribution", "student_t",
            "--quantiles", "0.1,0.9", "--conformal", "--validation-size", "8", "--out", str(folder / "model")]  # fmt: skip
    args[2] = str(folder / "shops.csv")
    result = run(*args)
    assert result.exit_code == 0, result.stderr
    return folder / "model"


def future_of(shops, horizon):
    times = pd.date_range(shops["ds"].max(), periods=horizon + 1, freq="MS")[1:]
    return pd.concat(pd.DataFrame({"unique_id": name, "ds": times, "price": 3.5, "open": 1}) for name in IDS)


def test_list():
    result = run("list")
    assert result.exit_code == 0
    for name in lstmzoo.list_models():
        assert name in result.stdout
    assert "Hochreiter & Schmidhuber, 1997" in result.stdout


@pytest.mark.parametrize(("args", "names"), [
    (["forecasting/*gru"], lstmzoo.list_models("forecasting/*gru")),
    (["attention"], lstmzoo.list_models("*attention*")),
    (["segment_*"], ["forecasting/segment_gru", "forecasting/segment_lstm"]),
    (["--tag", "gru"], lstmzoo.list_models(tag="gru")),
    (["--tag", "nothing"], []),
])  # fmt: skip
def test_list_chooses(args, names):
    entries = run_json("list", *args)
    assert [entry["name"] for entry in entries] == names
    assert all(set(entry) == {"name", "summary", "tags", "reference"} for entry in entries)


def test_show():
    result = run("show", "forecasting/lstm")
    assert result.exit_code == 0
    config = lstmzoo.load_config("forecasting/lstm")
    for word in (config.name, config.summary, config.builder, "lstm.yaml", "16 to 256, step 16", *config.settings):
        assert word in result.stdout
    entry = run_json("show", "forecasting/lstm")
    assert Path(entry.pop("file")).read_text(encoding="utf-8").startswith(f"builder: {config.builder}")
    assert entry == json.loads(config.model_dump_json())


def test_a_short_name_of_several_tasks_is_refused():
    assert_refused(run("show", "gru"), 2, "forecasting/gru, language_modelling/gru")
    assert run_json("show", "segment_gru")["name"] == "forecasting/segment_gru"


def test_version():
    assert run("--version").stdout == f"lstmzoo {lstmzoo.__version__}\n"
    done = subprocess.run(
        [sys.executable, "-m", "lstmzoo.cli", "--version"], check=True, capture_output=True, text=True, timeout=60
    )
    assert done.stdout == f"lstmzoo {lstmzoo.__version__}\n"


@pytest.mark.parametrize("args", [[], ["--help"]])
def test_help(args):
    result = run(*args)
    assert result.exit_code == 0
    for word in (
        "list",
        "show",
        "demo",
        "fit",
        "tune",
        "benchmark",
        "predict",
        "generate",
        "translate",
        "evaluate",
        "export",
        "serve",
        "Exit codes",
        "130",
    ):
        assert word in result.stdout


@pytest.mark.parametrize(("args", "fragments"), [
    (["lis"], ["Did you mean 'list'?", "lstmzoo --help"]),
    (["--nothing"], ["--nothing"]),
    (["list", "nothing"], ["'*nothing*'", "forecasting/lstm"]),
    (["show"], ["lstmzoo show --help"]),
    (["show", "nothing"], ["'nothing'", "forecasting/lstm"]),
    (["demo", "nothing"], ["'nothing'", "valid: forecasting"]),
    (["show", "lstm"], ["several entries", "forecasting/lstm, language_modelling/lstm"]),
    (["fit", "gru", "sales.csv"], ["--horizon"]),
    (["fit", "gru", "sales.csv", "--horizon", "0"], ["--horizon"]),
    (["fit", "nothing", "sales.csv", "--horizon", "4"], ["'nothing'", "forecasting/lstm"]),
    (["fit", "gru", "absent.csv", "--horizon", "4"], ["absent.csv: no such file"]),
    (["fit", "gru", "sales.csv", "--horizon", "4", "--set", "unit=3"], ["did you mean 'units'", "dropout"]),
    (["fit", "gruu", "sales.csv", "--horizon", "4"], ["unknown model", "did you mean 'gru'"]),
    (["tune", "sales.csv", "--horizon", "4", "--plot", "x.xyz"], ["x.xyz: expected a name that ends in", ".png"]),
    (["fit", "gru", "sales.csv", "--horizon", "4", "--set", "units"], ["--set units", "key=value"]),
    (["fit", "gru", "sales.csv", "--horizon", "4", "--set", "units=many"], ["units must be int", "'many'"]),
    (["fit", "gru", "sales.csv", "--horizon", "4", "--quantiles", "a"], ["--quantiles", "'a'"]),
    (["fit", "gru", "sales.csv", "--horizon", "4", "--quantiles", "2"], ["quantiles", "less than 1"]),
    (["fit", "gru", "sales.csv", "--horizon", "4", "--season-length", "x"], ["--season-length"]),
    (["fit", "gru", "sales.csv", "--horizon", "4", "--freq", "D"], ["'MS'"]),
    (["fit", "gru", "sales.csv", "--horizon", "4", "--lookback", "500"], ["needed", "--pad-short"]),
    (["fit", "gru", "sales.csv", "--horizon", "4", "--id-col", "store"], ["'store'", "--id-col", "'unique_id'"]),
    (["fit", "gru", "sales.csv", "--horizon", "4", "--out", "."], ["--out .", "another folder"]),
    (["tune", "sales.csv", "--horizon", "4", "--oracle", "x"], ["'x'", "hyperband"]),
    (["tune", "sales.csv", "--horizon", "4", "--models", "x"], ["'x'", "forecasting/lstm"]),
    (["tune", "sales.csv", "--horizon", "4", "--scoring", "x"], ["unknown metric 'x'", "mase"]),
    (["tune", "sales.csv", "--horizon", "4", "--set", "unit=3"], ["'unit'"]),
    (["fit", "gru", "sales.csv", "--horizon", "4", "--past-covariates", "a"], ["no column 'a'", "--past-covariates"]),
    (["fit", "gru", "sales.csv", "--horizon", "4", "--past-covariates", "a,,b"], ["--past-covariates", "'a,,b'"]),
    (["fit", "gru", "sales.csv", "--horizon", "4", "--future-covariates", "y"], ["'y'", "--target-col", "--future-cov"]),
    (["fit", "gru", "sales.csv", "--horizon", "4", "--calendar", "era"], ["'era'", "weekday"]),
    (["fit", "gru", "sales.csv", "--horizon", "4", "--missing", "x"], ["missing", "'x'", "interpolate"]),
    (["fit", "gru", "sales.csv", "--horizon", "4", "--distribution", "x"], ["distribution", "'x'", "student_t"]),
    (["fit", "gru", "sales.csv", "--horizon", "4", "--conformal"], ["--conformal", "--quantiles"]),
    (["fit", "gru", "sales.csv", "--horizon", "4", "--validation-size", "2"], ["--validation-size: expected 0"]),
    (["fit", "gru", "sales.csv", "--horizon", "4", "--checkpoint-dir", "c"], ["--checkpoint-dir needs a --random-state"]),
    (["tune", "sales.csv", "--horizon", "4", "--static-covariates", "a"], ["no column 'a'", "--static-covariates"]),
    (["benchmark", "sales.csv", "--horizon", "4", "--future-covariates", "a"], ["no column 'a'", "--future-covariates"]),
    (["benchmark", "sales.csv", "--horizon", "60"], ["too few to hold out 60", "lower --horizon"]),
])  # fmt: skip
def test_wrong_usage_settings_and_data_exit_with_2(files, args, fragments):
    assert_refused(run(*args), 2, *fragments)
    assert sorted(os.listdir()) == ["sales.csv", "sales.parquet"]


@pytest.mark.parametrize(("name", "text", "fragments"), [
    ("day_first.csv", "unique_id,ds,y\na,2020-01-01,1\na,01/02/2020,2\n", ["'01/02/2020' in row 1", "ISO 8601"]),
    ("offsets.csv", "ds,y\n2020-01-01T00:00+01:00,1\n2020-01-01T01:00+02:00,2\n", ["several UTC offsets"]),
    ("no_time.csv", "unique_id,ds,y\na,1,1\na,,2\n", ["no time in row 1"]),
    ("no_id.csv", "store,ds,y\na,1,1\n", ["'unique_id'", "'store', 'ds', 'y'", "--id-col"]),
    ("semicolons.csv", "unique_id;ds;y\na;1;1\n", ["semicolons.csv is separated by ';'", "write commas"]),
    ("text.csv", "unique_id,ds,y\na,1,1\na,2,x\n", ["text.csv: column 'y' holds 'x' in row 1", "not a number"]),
    ("no_name.csv", "unique_id,ds,y\na,1,1\n,2,2\n", ["no_name.csv: column 'unique_id' names no series in row 1"]),
    ("missing.csv", "unique_id,ds,y\na,1,1\na,2,\na,3,4\n", ["'a' is missing", "--missing mask"]),
    ("empty.csv", "", ["cannot be read as CSV"]),
    ("head.csv", "unique_id,ds,y\n", ["no rows"]),
    ("false.parquet", "unique_id,ds,y\n", ["cannot be read as Parquet"]),
    ("data.json", "{}", ["ends in .csv, .csv.gz, .parquet"]),
])  # fmt: skip
def test_files_that_cannot_be_read_exit_with_2(name, text, fragments):
    Path(name).write_text(text)
    assert_refused(run("fit", "gru", name, "--horizon", "2"), 2, *fragments)


def test_numbers_written_as_text_are_not_called_other_things(workplace):
    """Parquet may hold them so: each is a number, so that no row is named."""
    frame = pd.DataFrame({"unique_id": "a", "ds": range(3), "y": ["1", "2", "3"]})
    frame.to_parquet("text.parquet")
    assert_refused(run("fit", "gru", "text.parquet", "--horizon", "2"), 2, "column 'y' is not numeric")
    frame.assign(y=["1", "n/k", "3"]).to_parquet("text.parquet")
    assert_refused(run("fit", "gru", "text.parquet", "--horizon", "2"), 2, "column 'y' holds 'n/k' in row 1")


def test_other_encodings_are_refused_with_a_way_out(workplace):
    Path("latin.csv").write_bytes("unique_id,ds,y\nKöln,1,1\n".encode("latin-1"))
    assert_refused(run("fit", "gru", "latin.csv", "--horizon", "2"), 2, "latin.csv: not UTF-8: save the file as UTF-8")


def test_pictures_are_refused_before_a_forecast_is_written(model, workplace):
    assert_refused(run("predict", model, "--plot", "x.xyz", "--out", "f.csv"), 2, "x.xyz: expected a name that ends in")
    assert not Path("f.csv").exists()


def test_saved_model_errors_exit_with_3(model, workplace):
    for target in ("absent", workplace, "runs:/0/model"):
        uri = ["--tracking-uri", f"sqlite:///{workplace}/mlflow.db"] if target == "runs:/0/model" else []
        assert_refused(run("predict", target, *uri), 3, str(target))
    assert_refused(run("serve", "absent", "--port", free_port()), 3, "absent")
    damaged = workplace / "damaged"
    damaged.mkdir()
    for file in model.iterdir():
        (damaged / file.name).write_bytes(file.read_bytes())
    (damaged / "params.json").write_text("{}")
    for command in (["predict", damaged], ["serve", damaged, "--port", free_port()]):
        assert_refused(run(*command), 3, f"{damaged}/params.json is damaged")
    assert_refused(run("predict", "models:/absent@champion"), 3, "models:/absent@champion", "no tracking store")
    assert not Path("mlflow.db").exists()


@pytest.mark.parametrize(("args", "fragments"), [
    (["--horizon", "81"], ["from 1 to 80"]),
    (["--future", "short.csv"], ["--future short.csv", "no future covariates"]),
    (["--quantiles", "0.3"], ["0.3", "trained: 0.1"]),
    (["--out", "forecast.txt"], ["forecast.txt", ".parquet"]),
    (["absent.csv"], ["absent.csv: no such file"]),
    (["short.csv"], ["needs", "--pad-short"]),
])  # fmt: skip
def test_wrong_predictions_exit_with_2(model, args, fragments):
    Path("short.csv").write_text("unique_id,ds,y\na,2020-01-01,1\na,2020-02-01,2\n")
    assert_refused(run("predict", model, *args), 2, *fragments)


def test_outputs_make_their_folders(model):
    """As ``fit --out`` does."""
    result = run("predict", model, "--out", "a/b/forecast.csv", "--plot", "c/d/forecast.png")
    assert result.exit_code == 0, result.stderr
    assert len(pd.read_csv("a/b/forecast.csv"))
    assert Path("c/d/forecast.png").stat().st_size > 1000


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def test_an_unexpected_error_exits_with_1_and_a_traceback_only_if_asked(monkeypatch):
    def fail(*args, **kwargs):
        raise RuntimeError("first line\nsecond line")

    monkeypatch.setattr("lstmzoo.cli.zoo.load_config", fail)
    assert_refused(run("list"), 1, "unexpected RuntimeError: first line second line", "--debug")
    for args in (["--debug", "list"], ["list", "--debug"]):
        result = run(*args)
        assert result.exit_code == 1
        assert "Traceback" in result.stderr
        assert "in fail" in result.stderr


def test_debug_after_a_double_dash_is_an_argument():
    assert_refused(run("list", "--", "--debug"), 2, "'*--debug*'")


def test_ctrl_c_exits_with_130(monkeypatch):
    def interrupt(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("lstmzoo.cli.zoo.load_config", interrupt)
    assert_refused(run("list"), 130, "interrupted")


def test_main_exits_with_the_code(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["show", "nothing"])
    assert caught.value.code == 2
    assert "Traceback" not in capsys.readouterr().err


def test_fit_and_predict_round_trip(files):
    """CSV and Parquet say the same; names of series stay what the file says."""
    report = run_json(*FIT, "--out", "a", "--quantiles", "0.1,0.9")
    assert report["model"] == "forecasting/gru"
    assert report["folder"] == "a"
    assert report["epochs"] == report["best_epoch"] == 1
    parquet = run_json(*[a.replace(".csv", ".parquet") for a in FIT], "--out", "b", "--quantiles", "0.1,0.9")
    assert parquet["data_digest"] == report["data_digest"]
    forecast = run_json("predict", "a")
    assert forecast == run_json("predict", "b") == run_json("predict", "a", "sales.parquet")
    assert [row["unique_id"] for row in forecast] == np.repeat(IDS, 4).tolist()
    assert forecast[0]["ds"] == "2020-01-01"
    expected = lstmzoo.load("a").predict()
    np.testing.assert_allclose([row["y_hat_q0.9"] for row in forecast], expected["y_hat_q0.9"], rtol=1e-12)


def test_fit_prints_where_the_model_is(files):
    result = run(*FIT)
    assert result.exit_code == 0, result.stderr
    assert "saved to gru; next: lstmzoo predict gru" in result.stdout
    assert "epoch 1/1" in result.stderr
    assert lstmzoo.load("gru").id_col == "unique_id"


def test_fit_without_validation(files):
    result = run(*FIT, "--validation-size", "0")
    assert result.exit_code == 0, result.stderr
    assert "training loss" in result.stdout
    report = run_json(*FIT, "--validation-size", "0")
    assert report["val_loss"] is None
    assert report["loss"] > 0


def test_predict_writes_what_it_prints(model):
    printed = run_json("predict", model, "--horizon", "3", "--quantiles", "0.9", "--out", "f.csv", "--plot", "f.png")
    assert Path("f.png").read_bytes().startswith(b"\x89PNG")
    assert list(run_json("predict", model, "--quantiles", "")[0]) == ["unique_id", "ds", "y_hat"]
    csv = pd.read_csv("f.csv", dtype={"unique_id": str}, keep_default_na=False)
    assert csv.to_dict("records") == printed
    assert list(csv.columns) == ["unique_id", "ds", "y_hat", "y_hat_q0.9"]
    assert run("predict", model, "--out", "f.parquet").stdout == "wrote f.parquet\n"
    assert pd.read_parquet("f.parquet")["ds"].dtype.kind == "M"
    assert sorted(os.listdir()) == ["f.csv", "f.parquet", "f.png"]


def test_predict_prints_a_table_with_the_first_rows(model, monkeypatch):
    monkeypatch.setattr("lstmzoo.cli.tasks.forecasting.predict._SHOWN", 3)
    lines = run("predict", model).stdout
    assert "2020-03-01" in lines
    assert "2020-04-01" not in lines
    assert "and 5 more rows" in lines


def test_one_series_with_whole_numbers_as_times(sales):
    """A file of times and values only holds one series, and its numbers stay numbers."""
    sales.head(STEPS)[["y"]].assign(ds=range(STEPS)).to_csv("one.csv", index=False)
    run_json(*FIT[:2], "one.csv", *FIT[3:], "--season-length", "6,12", "--out", "one")
    assert [row["ds"] for row in run_json("predict", "one")] == [STEPS, STEPS + 1, STEPS + 2, STEPS + 3]
    assert run_json("predict", "one", "one.csv") == run_json("predict", "one")
    assert lstmzoo.load("one").season_length == [6, 12]
    refused = run(*FIT[:2], "one.csv", *FIT[3:], "--calendar", "hour", "--out", "two")
    assert_refused(refused, 2, 'pass --calendar ""')


def test_files_are_read_as_they_say(sales, workplace):
    """Byte-order mark, compression, missing values, time zones, text in Parquet, other columns and other names."""
    Path("bom.csv").write_text("\ufeffunique_id,ds,y,z\nNA,2020-01-01T00:00Z,NA,1\n001,2020-01-02T00:00Z,2.5,1\n")
    frame, id_col = frames.read_frame(Path("bom.csv"))
    assert id_col == "unique_id"
    assert frame["unique_id"].tolist() == ["NA", "001"]
    assert np.isnan(frame["y"][0])
    assert str(frame["ds"].dt.tz) == "UTC"
    assert list(frame.columns) == ["unique_id", "ds", "y"]
    sales.assign(ds=sales["ds"].astype(str)).to_parquet("text.parquet")
    sales.to_csv("sales.csv.gz", index=False)
    for name in ("text.parquet", "sales.csv.gz"):
        pd.testing.assert_frame_equal(frames.read_frame(Path(name))[0], sales.reset_index(drop=True), check_dtype=False)
    sales.head(9).rename(columns={"ds": "month", "y": "sold"}).to_csv("named.csv", index=False)
    frame, id_col = frames.read_frame(Path("named.csv"), id_col="", time_col="month", target_col="sold")
    assert id_col is None
    assert list(frame.columns) == ["month", "sold"]


def test_a_model_of_an_array_is_forecast_with_the_names_of_its_quantiles(workplace):
    y = np.arange(30.0)
    lstmzoo.BaselineForecaster("drift", horizon=3, quantiles=[0.1, 0.9]).fit(y).save("array")
    assert list(run_json("predict", "array")[0]) == ["y_hat", "y_hat_q0.1", "y_hat_q0.9"]
    assert list(run_json("predict", "array", "--quantiles", "0.9")[0]) == ["y_hat", "y_hat_q0.9"]
    lstmzoo.BaselineForecaster("drift", horizon=3).fit(y).save("plain")
    assert list(run_json("predict", "plain")[0]) == ["y_hat"]


def test_a_folder_that_only_looks_like_a_model_is_not_replaced(files, workplace):
    Path("app").mkdir()
    Path("app/manifest.json").write_text('{"name": "a web app"}')
    assert_refused(run(*FIT, "--out", "app"), 2, "--out app", "another folder")
    assert_refused(run("predict", "app"), 3, "app")
    assert os.listdir("app") == ["manifest.json"]


@pytest.mark.parametrize(("answer", "columns"), [
    (pd.Series(np.zeros(3), pd.date_range("2020", periods=3), name="y"), ["ds", "y_hat"]),
    (pd.DataFrame({"unique_id": ["a"], "y_hat": [1.0]}), ["unique_id", "y_hat"]),
])  # fmt: skip
def test_forecasts_of_any_kind_become_frames(answer, columns):
    assert list(frames.as_frame(answer).columns) == columns


def test_every_option_of_the_data_reaches_the_estimator(shops_model):
    estimator = lstmzoo.load(shops_model)
    assert estimator.past_covariates == ["visitors"]
    assert estimator.future_covariates == ["price", "open"]
    assert estimator.static_covariates == ["region", "size"]
    assert estimator.calendar == ["month", "year"]
    assert estimator.validation_size == 8
    assert (estimator.missing, estimator.distribution, estimator.conformal) == ("mask", "student_t", True)
    assert estimator.tail_.static.tolist() == [["7", 20.0], ["south", 10.0]]


def test_predict_with_covariates(shops, shops_model):
    """From the training series or a file, within the horizon trained for or beyond, and from Parquet or CSV."""
    estimator = lstmzoo.load(shops_model)
    for steps in (3, 4):
        future = future_of(shops, steps)
        future.to_csv("future.csv", index=False)
        forecast = run_json("predict", shops_model, "--future", "future.csv", "--horizon", steps)
        expected = estimator.predict(horizon=steps, quantiles=[0.1, 0.9], future=future)
        np.testing.assert_allclose([row["y_hat_q0.9"] for row in forecast], expected["y_hat_q0.9"], rtol=1e-6)
    future = future_of(shops, 6)
    future.to_csv("future.csv", index=False)
    longer = ["predict", shops_model, "--future", "future.csv", "--horizon", "6"]
    assert_refused(run(*longer), 2, "conformal", 'pass --quantiles "" to forecast the median alone')
    forecast = run_json(*longer, "--quantiles", "")
    expected = estimator.predict(horizon=6, quantiles=[], future=future)
    np.testing.assert_allclose([row["y_hat"] for row in forecast], expected["y_hat"], rtol=1e-6)
    one = shops[shops["unique_id"] == "001"]  # whose region looks like a number, and was read as text
    one.to_csv("one.csv", index=False)
    future[future["unique_id"] == "001"].to_parquet("one.parquet")
    assert run(*longer, "--quantiles", "", "--plot", "six.png").exit_code == 0
    assert Path("six.png").exists()
    again = run_json("predict", shops_model, "one.csv", "--future", "one.parquet", "--horizon", "6", "--quantiles", "")
    np.testing.assert_allclose([row["y_hat"] for row in again], expected["y_hat"][:6], rtol=1e-4)
    future_of(shops, 4).to_csv("future.csv", index=False)
    assert run("predict", shops_model, "--future", "future.csv", "--plot", "f.png").exit_code == 0
    assert Path("f.png").exists()


@pytest.mark.parametrize(("change", "args", "fragments"), [
    (None, [], ["'price', 'open'", "--future", "unique_id, ds, price, open"]),
    (lambda f: f.drop(columns="open"), [], ["future.csv has no column 'open'", "'unique_id', 'ds', 'price', 'open'"]),
    (lambda f: f.assign(y=1.0), [], ["future.csv: column 'y'", "drop it"]),
    (lambda f: f.assign(open="yes"), [], ["'open' holds 'yes' in row 0"]),
    (lambda f: f.replace({"price": 3.5}, "NA"), [], ["'price' of series '001' is missing"]),
    (lambda f: f.assign(ds="soon"), [], ["'soon' in row 0"]),
    (lambda f: f.iloc[1:], [], ["'001' has no row at 2020-01-01"]),
    (lambda f: f, ["--horizon", "4", "--plot", "f.png"], None),
    (lambda f: f, ["--horizon", "3", "--plot", "f.png"], ["unexpected row at 2020-04-01"]),
])  # fmt: skip
def test_the_future_is_checked(shops, shops_model, change, args, fragments):
    if change is not None:
        change(future_of(shops, 4)).to_csv("future.csv", index=False)
        args = ["--future", "future.csv", *args]
    result = run("predict", shops_model, *args)
    if fragments is None:
        assert result.exit_code == 0, result.stderr
    else:
        assert_refused(result, 2, *fragments)


@pytest.mark.parametrize(("change", "fragments"), [
    (lambda f: f.drop(columns="visitors"), ["no column 'visitors'", "the model was fitted with it"]),
    (lambda f: f.assign(size="large"), ["'size' holds 'large' in row 0", "numbers"]),
    (lambda f: f.assign(region="west"), ["'region'", "'west'"]),
])  # fmt: skip
def test_a_history_without_what_the_model_was_fitted_with(shops, shops_model, change, fragments):
    change(shops).to_csv("history.csv", index=False)
    assert_refused(run("evaluate", shops_model, "history.csv"), 2, *fragments)


def test_static_columns_are_numbers_or_text(workplace):
    rows = ["a,1,1.0,1,x,NA,7", "a,2,1.0,1,x,NA,N/A", "b,1,1.0,2.5,3,DE,"]
    Path("f.csv").write_text("unique_id,ds,y,number,mixed,country,holes\n" + "\n".join(rows))
    names = ["number", "mixed", "country", "holes"]
    frame, _ = frames.read_frame(Path("f.csv"), static_covariates=names)
    assert frame["number"].tolist() == [1, 1, 2.5]
    assert frame["mixed"].tolist() == ["x", "x", "3"]
    assert frame["country"].tolist() == ["NA", "NA", "DE"]
    assert frame["holes"].tolist()[0] == 7
    assert frame["holes"].isna().tolist() == [False, True, True]


def test_a_file_of_one_series_may_have_covariates(shops):
    shops.loc[shops["unique_id"] == "001", ["ds", "y", "price"]].to_csv("one.csv", index=False)
    _, id_col = frames.read_frame(Path("one.csv"), future_covariates=["price"])
    assert id_col is None


def test_names_of_series_are_those_of_the_training(workplace):
    """A file of text and a model whose series are named by numbers."""
    frame = pd.DataFrame({"unique_id": np.repeat([1, 2], 30), "ds": [*range(30)] * 2, "y": np.arange(60.0)})
    lstmzoo.BaselineForecaster("drift", horizon=2).fit(frame).save("numbers")
    frame.to_csv("numbers.csv", index=False)
    assert run_json("predict", "numbers", "numbers.csv") == run_json("predict", "numbers")


def test_irregular_times(workplace):
    """The steps ahead are when the file says."""
    rng = np.random.default_rng(0)
    times = pd.Timestamp("2024-01-01") + pd.to_timedelta(np.cumsum(rng.integers(1, 5, STEPS)), "h")
    pd.DataFrame({"ds": times, "y": rng.normal(size=STEPS)}).to_csv("one.csv", index=False)
    assert_refused(run(*FIT[:2], "one.csv", *FIT[3:]), 2, "--irregular")
    run_json(*FIT[:2], "one.csv", *FIT[3:], "--irregular", "--out", "one")
    ahead = times[-1] + pd.to_timedelta([1, 2, 7, 9], "h")
    pd.DataFrame({"ds": ahead}).to_csv("future.csv", index=False)
    assert [row["ds"] for row in run_json("predict", "one", "--future", "future.csv")] == [t.isoformat() for t in ahead]


def test_fit_goes_on_from_its_checkpoint(files):
    args = [*FIT, "--checkpoint-dir", "checkpoints"]
    first = run_json(*args, "--out", "a")
    assert len(os.listdir("checkpoints")) == 1
    again = run_json(*args, "--out", "b")
    assert again["loss"] == first["loss"]
    assert run_json("predict", "a") == run_json("predict", "b")
    assert_refused(run(*args, "--lookback", "9"), 2, "another fit")


def test_export(model):
    report = run_json("export", model, "--format", "keras", "--out", "gru.keras")
    assert report["path"] == "gru.keras"
    assert report["num_bytes"] == os.path.getsize("gru.keras")
    assert report["difference"] < 1e-4
    assert sorted(os.listdir()) == ["gru.keras", "gru.keras.json"]
    assert_refused(run("export", model, "--format", "keras", "--out", "gru.keras"), 2, "gru.keras exists")
    printed = run("export", model, "--format", "keras", "--out", "again.keras")
    assert printed.stdout.startswith("wrote again.keras: ")


@pytest.mark.parametrize(("args", "code", "fragments"), [
    (["--out", "a.onnx"], 2, ["--format", "lstmzoo export --help"]),
    (["--format", "onnx"], 2, ["--out"]),
    (["--format", "pmml", "--out", "a.pmml"], 2, ["'pmml'", "onnx"]),
    (["--format", "onnx", "--out", "a.bin"], 2, ["a.bin", ".onnx"]),
])  # fmt: skip
def test_wrong_exports_exit_with_2(model, args, code, fragments):
    assert_refused(run("export", model, *args), code, *fragments)
    assert not os.listdir()


def test_what_cannot_be_exported(workplace):
    lstmzoo.BaselineForecaster("drift", horizon=3).fit(np.arange(30.0)).save("naive")
    assert_refused(run("export", "naive", "--format", "onnx", "--out", "a.onnx"), 2, "naive", "BaselineForecaster")
    assert_refused(run("export", "absent", "--format", "onnx", "--out", "a.onnx"), 3, "absent")


def test_evaluate(model, files, sales, monkeypatch):
    report = run_json("evaluate", model, "sales.csv")
    expected = lstmzoo.load(model).evaluate(sales)
    assert [row["unique_id"] for row in report["series"]] == IDS
    for name in expected.columns[1:]:
        np.testing.assert_allclose([row[name] for row in report["series"]], expected[name], rtol=1e-5)
        np.testing.assert_allclose(report["mean"][name], expected[name].mean(), rtol=1e-5)
    assert {"mase", "crps", "coverage_80"} <= set(report["mean"])
    monkeypatch.setattr("lstmzoo.cli.tasks.forecasting._SHOWN", 1)
    printed = run("evaluate", model, "sales.csv").stdout
    for word in ("mase", "mean of 2", "001", "and 1 more series"):
        assert word in printed
    assert_refused(run("evaluate", "absent", "sales.csv"), 3, "absent")
    assert_refused(run("evaluate", model, "absent.csv"), 2, "absent.csv: no such file")
    sales.groupby("unique_id").head(4).to_csv("short.csv", index=False)
    assert_refused(run("evaluate", model, "short.csv"), 2, "'001' has 4 observations")


def test_evaluate_by_metrics_that_are_named(model, files):
    report = run_json("evaluate", model, "sales.csv", "--metrics", "mae, bias")
    assert list(report["mean"]) == ["mae", "bias"]
    assert_refused(
        run("evaluate", model, "sales.csv", "--metrics", "mea"), 2, "unknown metric 'mea' (did you mean 'mae'?)"
    )


def test_evaluate_with_covariates(shops, shops_model):
    shops.to_csv("shops.csv", index=False)
    report = run_json("evaluate", shops_model, "shops.csv")
    assert report["mean"]["mase"] > 0
    assert len(report["series"]) == 2


def test_tune_and_benchmark_with_covariates(shops):
    shops.to_csv("shops.csv", index=False)
    common = ["shops.csv", "--horizon", "4", "--models", "gru", *COVARIATES, "--missing", "mask", "--calendar", ""]
    options = ["--max-trials", "1", "--distribution", "normal", "--allow-worse-than-baseline", "--random-state", "1"]
    assert run_json("tune", *common, *TINY, *options, "--out", "best")["best_is_baseline"] is False
    winner = lstmzoo.load("best")
    assert winner.future_covariates == ["price", "open"]
    networks = [m for m in getattr(winner, "estimators", [winner]) if isinstance(m, lstmzoo.Forecaster)]
    assert networks
    assert all((network.calendar, network.distribution) == ([], "normal") for network in networks)
    rows = run_json("benchmark", *common, "--time-limit-per-model", "0.2")
    assert not [row["error"] for row in rows if row["error"]]


def test_tune(files):
    """One trial; then a second, with the first from the journal."""
    args = ["tune", "sales.csv", "--horizon", "4", "--models", "gru", *TINY, "--random-state", "1",
            "--directory", "journal", "--out", "best"]  # fmt: skip
    result = run(*args, "--max-trials", "1", "--plot", "search.png")
    assert result.exit_code == 0, result.stderr
    for word in ("seasonal_naive", "gru", "winner: ", "saved to best; next: lstmzoo predict best"):
        assert word in result.stdout
    assert "1 of 1" in result.stderr
    assert Path("search.png").exists()
    report = run_json(*args, "--max-trials", "2")
    assert set(report["best_params"]) >= {"model"}
    board = report["leaderboard"]
    assert sum(row["model"] == "gru" for row in board) == 2
    assert sum(row["status"] == "baseline" for row in board) == 6
    assert board[0]["score"] == report["best_score"]
    assert lstmzoo.load("best").horizon == 4
    assert_refused(run(*args, "--max-trials", "2", "--quantiles", "0.9"), 2, "journal", "quantiles")


def test_benchmark(files):
    args = ["benchmark", "sales.csv", "--horizon", "4", "--models", "gru", "--time-limit-per-model", "0.2"]
    rows = {row["model"]: row for row in run_json(*args)}
    assert list(rows) == sorted(rows, key=lambda name: rows[name]["mase"])
    assert {"forecasting/gru", "seasonal_naive", "naive"} <= set(rows)
    assert rows["seasonal_naive"]["ratio_to_seasonal_naive"] == 1
    for row in rows.values():
        assert row["beats_seasonal_naive"] == (row["mase"] < rows["seasonal_naive"]["mase"])
        assert row["baseline"] == (row["parameters"] == 0)


def test_benchmark_has_a_row_for_an_entry_that_fails(files, monkeypatch):
    def fail(self, y):
        raise RuntimeError("out of [red] memory" if self.model.endswith("gru") else "worse")

    monkeypatch.setattr(lstmzoo.Forecaster, "fit", fail)
    result = run("benchmark", "sales.csv", "--horizon", "4", "--models", "gru")
    assert result.exit_code == 0
    assert "RuntimeError: out of [red] memory" in result.stdout
    assert "RuntimeError: out of [red] memory" in result.stderr


def test_serve(model, monkeypatch):
    served = []
    monkeypatch.setattr("lstmzoo.mlflow.serve", lambda *args, **options: served.append((args, options)), raising=False)
    port = free_port()
    assert run("serve", model, "--port", port).exit_code == 0
    assert served == [
        ((str(model),), {"host": "127.0.0.1", "port": port, "limits": ServingLimits(), "tracking_uri": None})
    ]
    with socket.create_server(("127.0.0.1", 0)) as listener:
        taken = listener.getsockname()[1]
        assert_refused(run("serve", model, "--port", taken), 2, f"127.0.0.1:{taken}", "--port")


def test_demo(monkeypatch):
    """All of it, with two architectures and little time; what it says to type next is what it made."""
    monkeypatch.setattr("lstmzoo.cli.demo.forecasting._MODELS", ("gru", "segment_gru"))
    result = run("demo", "forecasting", "--out", "shown", "--time-limit", "12")
    assert result.exit_code == 0, result.stderr
    for word in ("segment_gru", "seasonal_naive", "MASE", '"predictions"', "mlflow ui --backend-store-uri"):
        assert word in result.stdout
    assert re.search("the winner (beats|does not beat) seasonal_naive|the winner is the baseline", result.stdout)
    assert Path("shown/forecast.png").read_bytes().startswith(b"\x89PNG")
    store = ["--tracking-uri", "sqlite:///shown/mlflow.db"]
    forecast = run_json("predict", "models:/climate-forecaster@champion", *store, "--horizon", "12")
    assert forecast == run_json("predict", "shown/model", "--horizon", "12")
    assert [row["unique_id"] for row in forecast] == ["co2"] * 12 + ["el_nino"] * 12
    assert f"lstmzoo serve models:/climate-forecaster@champion {' '.join(store)}" in result.stdout


def test_the_demo_serves_the_folder_where_mlflow_failed(capsys):
    print_next(Stage(Path("a b"), 1.0, 0, "name", get_task("forecasting")), None, [])
    assert "lstmzoo serve 'a b/model' --port 5001" in capsys.readouterr().out


def test_a_command_in_its_own_process_is_quiet(files):
    """TensorFlow says nothing; stdout is JSON; and the exit code is the shell's."""
    environment = {k: v for k, v in os.environ.items() if k not in QUIET}
    command = [sys.executable, "-m", "lstmzoo.cli", *FIT, "--out", "m", "--json"]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120, env=environment)
    assert json.loads(done.stdout)["folder"] == "m"
    noise = [line for line in done.stderr.splitlines() if "epoch" not in line and line.strip()]
    assert not noise


def test_start_up_lines_are_left_out_unless_the_import_fails(capfd):
    from lstmzoo.quiet import _without_start_up_lines

    start_up = b"I0000 00:00:17 port.cc:153] oneDNN is on.\n2026-11-27 05:00:00.1: I tensorflow/x.cc] hello\n"

    def load(text, fails):
        with _without_start_up_lines():
            os.write(2, text)
            if fails:
                raise ImportError

    load(start_up + b"a warning of the user's own\n" + start_up, fails=False)
    assert capfd.readouterr().err == "a warning of the user's own\n"
    with pytest.raises(ImportError):
        load(start_up, fails=True)
    assert capfd.readouterr().err == start_up.decode()


def test_the_package_is_imported_without_standard_error():
    code = "import lstmzoo; lstmzoo.Forecaster; print('fine')"
    closed = ["sh", "-c", f'exec "{sys.executable}" -c "{code}" 2>&-']
    done = subprocess.run(closed, check=True, capture_output=True, text=True, timeout=120)
    assert done.stdout == "fine\n"
