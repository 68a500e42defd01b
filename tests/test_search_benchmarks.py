"""Benchmarks of the search: results are made once, and the curves of a search are made from its records."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lstmzoo.errors import DataError
from lstmzoo.tuning.trials import blank_record

sys.path.insert(0, str(Path(__file__).parent.parent / "benchmarks"))
results, curves = map(importlib.import_module, ("_results", "search_curves"))
sys.path.pop(0)


@pytest.mark.parametrize("ds", [[7, 8], pd.to_datetime(["2026-01-01", "2026-02-01"])], ids=["numbers", "dates"])
def test_a_result_is_made_once(tmp_path, ds):
    frame = pd.DataFrame({"unique_id": ["a", "a"], "ds": ds, "y_hat": [0.5, -1.0]})
    made = {"forecast": frame, "seconds": 1.5, "versions": {"statsforecast": "2.0"}}
    first = results.stored(tmp_path / "new", ("lynx", "auto ets", "20s", 0), lambda: dict(made))
    again = results.stored(tmp_path / "new", ("lynx", "auto ets", "20s", 0), lambda: pytest.fail("made again"))
    pd.testing.assert_frame_equal(again.pop("forecast"), frame)
    del first["forecast"]
    assert again == first
    assert again["conditions"]["versions"]["statsforecast"] == "2.0"
    assert {path.name for path in (tmp_path / "new").iterdir()} == {
        "lynx-auto_ets-20s-0.json",
        "lynx-auto_ets-20s-0.npz",
    }


def test_a_failure_is_a_result_and_a_crash_is_not(tmp_path):
    def failing():
        raise DataError("no values")

    assert results.stored(tmp_path, ["failed"], failing)["error"] == "DataError: no values"
    assert "error" in results.stored(tmp_path, ["failed"], lambda: pytest.fail("made again"))
    with pytest.raises(MemoryError):
        results.stored(tmp_path, ["crashed"], lambda: (_ for _ in ()).throw(MemoryError()))
    assert [path.name for path in tmp_path.iterdir()] == ["failed.json"]


def test_each_rung_of_a_network_is_a_point():
    def record(number, rungs, elapsed, baseline=False):
        return {**blank_record(number, "gru", {}, baseline=baseline, seed=1), "rungs": rungs, "rungs_elapsed": elapsed}

    records = [record(1, [-3.0], [1.0], baseline=True), record(2, [-2.0, -1.0], [5.0, 9.0]), record(3, [-4.0], [6.0])]
    assert curves.points([*records, record(4, [], [])]) == [(5.0, -2.0), (6.0, -4.0), (9.0, -1.0)]


def test_a_curve_is_the_best_score_so_far():
    best = curves.best_at(
        [{"points": [[5.0, -2.0], [7.0, -3.0], [9.0, -1.0]]}, {"error": "failed"}], np.array([4, 8, 9])
    )
    np.testing.assert_array_equal(best, [[np.nan, -2, -1], [np.nan] * 3])
    table = curves.report({"halving": best, "random": best - [[0.5], [0.5]]}, np.array([4, 8, 9])).splitlines()
    assert table[2] == "| 4 |  |  | 0 of 2 |"
    assert table[4] == "| 9 | -1.000 (1 of 2 seeds) | -1.500 (1 of 2 seeds) | 1 of 2 |"


def test_a_picture_of_curves(tmp_path):
    times = np.arange(4)
    curves.draw(
        {"halving": np.array([[np.nan, -2, -1, -1]]), "random": np.full((1, 4), np.nan)}, times, tmp_path / "a.png"
    )
    assert (tmp_path / "a.png").stat().st_size > 1000
