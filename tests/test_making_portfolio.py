"""The script that makes the portfolio of forecasting: its candidates, its choice and its file."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

from lstmzoo import load_config
from lstmzoo.config import Candidate, load_portfolio

sys.path.insert(0, str(Path(__file__).parent.parent / "benchmarks"))
portfolio = importlib.import_module("portfolio")
sys.path.pop(0)


def test_the_next_item_lowers_the_mean_best_loss_the_most_per_second():
    losses = np.array([[0.5, 1.0], [1.0, 0.4], [0.4, 0.4], [0.9, 0.9]])
    assert portfolio.greedy(losses, np.array([1.0, 1.0, 9.0, 1.0])) == [1, 0, 2]
    assert portfolio.greedy(losses, np.ones(4)) == [2]


def test_an_item_that_failed_is_not_chosen():
    assert portfolio.greedy(np.array([[np.inf, np.inf], [0.9, 0.9]]), np.array([0.1, 1.0])) == [1]


def test_candidates_are_settings_of_entries_and_the_same_every_time():
    candidates = portfolio.all_candidates(2)
    assert candidates[: len(load_portfolio("forecasting"))] == load_portfolio("forecasting")
    assert candidates == portfolio.all_candidates(2)
    assert len({portfolio.key(candidate) for candidate in candidates}) == len(candidates)
    for model, settings in candidates:
        load_config(f"forecasting/{model}").override(settings)


def test_the_file_is_read_as_it_was_written(tmp_path, monkeypatch):
    items = [Candidate("gru", {"learning_rate": 1e-4, "transform": "log"}), Candidate("lstm", {})]
    (tmp_path / "forecasting").mkdir()
    (tmp_path / "forecasting" / "_portfolio.yaml").write_text(portfolio.as_yaml(items, 30, 24))
    monkeypatch.setattr("lstmzoo.config.portfolio.config_directories", lambda: [tmp_path])
    assert load_portfolio("forecasting") == items


@pytest.mark.parametrize("made", list(portfolio.generated()), ids=lambda made: made[0])
def test_generated_sets_have_regular_series(made):
    task = portfolio.ended(*made)
    assert (task.truth.groupby("unique_id").size() == task.horizon).all()
    assert task.history["y"].notna().all()
    assert not task.history.duplicated(["unique_id", "ds"]).any()
