"""The output of cells in a real kernel, and the notebooks of the docs."""

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

FOLDER = Path(__file__).parent.parent / "docs" / "notebooks"
NOTEBOOKS = {path.stem: nbformat.read(path, as_version=4) for path in sorted(FOLDER.glob("*.ipynb"))}
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
WITHOUT_XLA = """
import lstmzoo.programs, lstmzoo.training.loop, lstmzoo.training.prediction

for module in (lstmzoo.programs, lstmzoo.training.loop, lstmzoo.training.prediction):
    module.jit_compile = lambda *_, **__: False
"""  # the cells of the tests run what is compiled
TINY = {
    r"EPOCHS, STEPS = \d+, \d+": "EPOCHS, STEPS = 1, 2",
    r"max_trials=\d+": "max_trials=1",
    r"num_pairs=\d+": "num_pairs=200",
    r"load_python_reference\(\)": "load_python_reference()[:20]",
    r"max_tokens=\d+": "max_tokens=20",
    r"n_windows=\d+": "n_windows=2",
}


def code(notebook):
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


def tiny(source):
    """Return the source with a tiny budget."""
    for setting, value in TINY.items():
        source = re.sub(setting, value, source)
    return source


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """The outputs of the cells of the tests, and of the notebooks of the docs with a tiny budget, all in one kernel."""
    sources = {"tests": [IMPORTS, "forecaster.plot()", AGAIN, SEARCH, "search.plot();"]}
    sources["without XLA"] = [WITHOUT_XLA]
    sources |= {name: ["%reset -f", *map(tiny, code(notebook))] for name, notebook in NOTEBOOKS.items()}
    notebook = nbformat.v4.new_notebook()
    notebook.cells = [nbformat.v4.new_code_cell(source) for part in sources.values() for source in part]
    path = str(tmp_path_factory.mktemp("notebook"))
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("TF_CPP_MIN_LOG_LEVEL", raising=False)
        NotebookClient(notebook, timeout=240, resources={"metadata": {"path": path}}, allow_errors=True).execute()
    outputs = iter([cell.outputs for cell in notebook.cells])
    return {name: [next(outputs) for _ in part] for name, part in sources.items()}


@pytest.fixture
def cells(executed):
    return executed["tests"]


def shown(outputs, kind):
    """Return the data of a MIME type in outputs."""
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


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_the_docs_notebooks_run(executed, name):
    for outputs in executed[name]:
        assert [output.evalue for output in outputs if output.output_type == "error"] == []


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_the_docs_notebooks_have_their_outputs_and_no_noise(name):
    """Cells were executed in order; no errors, warnings or paths of a machine are committed, and pictures are small."""
    cells = [cell for cell in NOTEBOOKS[name].cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell.outputs]
    assert {output.output_type for output in outputs} <= {"display_data", "execute_result", "stream"}
    assert [output.text for output in outputs if output.get("name") == "stderr"] == []
    assert not re.search(r"/(home|tmp|usr|work|Users)/", str(outputs))
    assert max(len(picture) for picture in shown(outputs, "image/png")) < 60_000
