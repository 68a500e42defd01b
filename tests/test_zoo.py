"""Checks that every entry of the zoo passes. A new entry is tested without further code."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from lstmzoo import checks
from lstmzoo.config import list_models, load_config
from lstmzoo.registry import get_builder

GOLDEN = Path(__file__).parent / "golden"


def spec_of(config, **changes):
    """The task's spec, of the sizes that the golden files are of; the entry decides about the rest."""
    sizes = json.loads((GOLDEN / f"{config.task}.json").read_text())
    sizes = {key: tuple(value) if isinstance(value, list) else value for key, value in {**sizes, **changes}.items()}
    return replace(checks.toys_of(config.task).spec(config), **sizes)


@pytest.mark.usefixtures("without_xla")
@pytest.mark.parametrize("check", checks.ENTRY_CHECKS, ids=lambda c: c.__name__)
@pytest.mark.parametrize("name", list_models())
def test_entry(name, check):
    check(name)


@pytest.mark.usefixtures("without_xla")
@pytest.mark.parametrize("check", checks.ENTRY_CHECKS, ids=lambda c: c.__name__)
@pytest.mark.parametrize("name", ["forecasting/gru", "forecasting/deepar_gru"])
def test_an_entry_of_counts(name, check, monkeypatch):
    monkeypatch.setattr(
        "lstmzoo.checks.load_config", lambda n: load_config(n).override({"distribution": "negative_binomial"})
    )
    check(name)


@pytest.mark.parametrize("name", list_models())
def test_golden_shapes(name, request):
    """Names, shapes and counts of weights change only on purpose, because saved models depend on them."""
    config = load_config(name)
    model = get_builder(config.builder)(spec_of(config), **config.hyperparameters)
    found = {"parameters": model.count_params(), "weights": {w.path: list(w.shape) for w in model.weights}}
    path = GOLDEN / f"{name}.json"
    if request.config.getoption("--update-golden"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(found, indent=1) + "\n")
    assert json.loads(path.read_text()) == found


@pytest.mark.parametrize("name", list_models("forecasting/*"))
def test_forecasts_have_the_spec_s_shape(name):
    config = load_config(name)
    plain = {"lookback": 7, "horizon": 5, "num_known": 0, "num_references": 1}
    if config.data.distribution == "quantiles":
        plain |= {"num_outputs": 1, "median_index": 0}
    for spec in (spec_of(config), spec_of(config, **plain)):
        model = get_builder(config.builder)(spec, **config.hyperparameters)
        assert model.output_shape == (None, spec.horizon, spec.num_outputs)


@pytest.mark.parametrize("name", list_models("language_modelling/*"))
def test_language_models_give_a_number_for_each_token(name):
    config = load_config(name)
    spec = spec_of(config, cutoffs=(), bptt=config.data.bptt)
    model = get_builder(config.builder)(spec, **config.hyperparameters)
    assert model.output_shape == (None, config.data.bptt)


@pytest.mark.parametrize("name", list_models("translation/*"))
def test_translators_give_a_number_for_each_target(name):
    """The same holds with two vocabularies."""
    config = load_config(name).override({"tied": "two_way"})
    spec = spec_of(config, source_vocab_size=30, joint=False)
    assert get_builder(config.builder)(spec, **config.hyperparameters).output_shape == (None, None)


def test_golden_files_are_of_entries_that_exist():
    files = {f"{path.parent.name}/{path.stem}" for path in GOLDEN.glob("*/*.json")}
    assert files == set(list_models())
