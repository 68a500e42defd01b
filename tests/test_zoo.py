"""Every entry of the zoo, put through the same checks: a new entry is tested by being there."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from lstmzoo import checks
from lstmzoo.config import list_models, load_config
from lstmzoo.registry import get_builder
from lstmzoo.spec import ForecastingSpec

GOLDEN = Path(__file__).parent / "golden"
SPECS = {
    "forecasting": ForecastingSpec(
        lookback=24, horizon=8, num_features=5, num_references=2, num_outputs=3, median_index=1
    )
}


@pytest.mark.parametrize("check", checks.ENTRY_CHECKS, ids=lambda c: c.__name__)
@pytest.mark.parametrize("name", list_models())
def test_entry(name, check):
    check(name)


@pytest.mark.parametrize("name", list_models())
def test_golden_shapes(name, request):
    """Names, shapes and counts of weights change on purpose only: saved models depend on them."""
    config = load_config(name)
    model = get_builder(config.builder)(SPECS[config.task], **config.hyperparameters)
    found = {"parameters": model.count_params(), "weights": {w.path: list(w.shape) for w in model.weights}}
    path = GOLDEN / f"{name}.json"
    if request.config.getoption("--update-golden"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(found, indent=1) + "\n")
    assert json.loads(path.read_text()) == found


@pytest.mark.parametrize("name", list_models("forecasting/*"))
def test_forecasts_have_the_spec_s_shape(name):
    config = load_config(name)
    for spec in (
        SPECS["forecasting"],
        replace(
            SPECS["forecasting"], lookback=7, horizon=5, num_features=1, num_references=1, num_outputs=1, median_index=0
        ),
    ):
        model = get_builder(config.builder)(spec, **config.hyperparameters)
        assert model.output_shape == (None, spec.horizon, spec.num_outputs)


def test_golden_files_are_of_entries_that_exist():
    files = {f"{path.parent.name}/{path.stem}" for path in GOLDEN.glob("*/*.json")}
    assert files == set(list_models())
