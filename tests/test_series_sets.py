"""The real sets of series of the benchmarks, and their split; no set is read whose wheel was not downloaded."""

import importlib
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "benchmarks"))
series_sets = importlib.import_module("series_sets")
sys.path.pop(0)

EVALUATION = {
    "australian_temperatures", "beer", "beijing_air", "births", "crime", "electrical_equipment", "emissions", "measles",
    "road_casualties", "us_change", "wind_power", "wine_sales",
}  # fmt: skip


def test_the_split_never_changes():
    halves = {half: {each.name for each in sets} for half, sets in series_sets.split_sets().items()}
    assert halves["evaluation"] == EVALUATION
    assert halves["development"] == set(series_sets.SETS) - EVALUATION
    assert len(halves["development"]) >= 8


def test_both_halves_have_sets_of_each_frequency():
    for sets in series_sets.split_sets().values():
        assert {each.frequency for each in sets} == set(series_sets.FREQUENCIES)


def test_no_data_has_two_names():
    sets = series_sets.SETS.values()
    assert len({each.sha256 for each in sets}) == len(sets)
    with pytest.raises(ValueError, match="'beer' is listed twice"):
        series_sets.series_set("quarterly", "pmdarima", "beer.py", "")(series_sets.SETS["beer"].parse)


def test_each_package_is_pinned_and_used():
    assert set(series_sets.versions()) == {each.wheel for each in series_sets.SETS.values()}


@pytest.mark.parametrize("name", series_sets.SETS)
def test_a_set_has_regular_series(name):
    each = series_sets.SETS[name]
    try:
        history, truth = each.split()
    except series_sets.MissingWheelError as error:
        pytest.skip(str(error))
    assert history["y"].notna().all()
    assert (truth.groupby("unique_id").size() == each.steps.horizon).all()
    assert set(history["unique_id"]) == set(truth["unique_id"])
    assert (truth.groupby("unique_id")["ds"].min() > history.groupby("unique_id")["ds"].max()).all()
    for _, series in history.groupby("unique_id"):
        assert len(series) <= series_sets.LONGEST
        assert (
            series["ds"]
            .dt.to_period(each.steps.alias.removesuffix("S"))
            .diff()
            .dropna()
            .map(lambda step: step.n)
            .eq(1)
            .all()
        )


def test_a_missing_wheel_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("LSTMZOO_WHEELS", str(tmp_path))
    with pytest.raises(series_sets.MissingWheelError, match="no wheel of sktime .*pip download"):
        series_sets.SETS["lynx"].read()
