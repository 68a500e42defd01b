"""Notebooks: what cells show, in a real kernel."""

import nbformat
import pytest
from nbclient import NotebookClient

IMPORTS = """
import numpy as np
from lstmzoo import Forecaster, ZooSearchCV

y = 10 + np.sin(np.arange(120) * np.pi / 6)
settings = {"epochs": 2, "steps_per_epoch": 2, "units": 4}
forecaster = Forecaster("gru", horizon=6, hyperparameters=settings, random_state=0).fit(y)
"""
AGAIN = "again = Forecaster('gru', horizon=6, hyperparameters=settings, random_state=1).fit(y)"
SEARCH = (
    "search = ZooSearchCV(Forecaster(horizon=6, hyperparameters=settings), 'gru', max_trials=1, random_state=0).fit(y)"
)


@pytest.fixture(scope="module")
def cells(tmp_path_factory):
    """The outputs of the cells."""
    notebook = nbformat.v4.new_notebook()
    notebook.cells = [
        nbformat.v4.new_code_cell(code) for code in (IMPORTS, "forecaster.plot()", AGAIN, SEARCH, "search.plot();")
    ]
    path = str(tmp_path_factory.mktemp("notebook"))
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("TF_CPP_MIN_LOG_LEVEL", raising=False)
        NotebookClient(notebook, timeout=240, resources={"metadata": {"path": path}}).execute()
    return [cell.outputs for cell in notebook.cells]


def shown(outputs, kind):
    """What outputs have of a MIME type."""
    return [output["data"][kind] for output in outputs if kind in output.get("data", {})]


def test_the_streams_have_nothing_but_the_search_s_own_warning(cells):
    """No start-up lines, and no warning of widgets."""
    written = [output.text for outputs in cells for output in outputs if output.output_type == "stream"]
    assert written == ["no network beat the baseline seasonal_naive, which is the winner\n"]  # of a sine


def test_figures_are_shown_once(cells):
    assert len(shown(cells[1], "image/png")) == 1
    assert shown(cells[4], "image/png") == [], "the value of a cell that ends in a semicolon is not shown"


def test_progress_is_text_that_ends_with_the_last_epoch(cells):
    for outputs in (cells[0], cells[2]):
        (text,) = shown(outputs, "text/plain")
        assert "epoch 2/2" in text
        assert "val_loss" in text


def test_a_search_shows_its_table(cells):
    text = shown(cells[3], "text/plain")[-1]
    assert "best" in text
    assert "1 of 1 network" in text
