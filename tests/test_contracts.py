"""Estimators meet the contracts of searches, tracking and serving: mypy checks the types here, and these tests the names."""

import pytest

from lstmzoo import (
    BaselineForecaster,
    BaselineLanguageModel,
    BaselineTranslator,
    Forecaster,
    LanguageModel,
    Translator,
)
from lstmzoo.contracts import (
    NetworkEstimator,
    Searchable,
    Servable,
    Trackable,
    Trainable,
    check_contract,
    missing_methods,
)
from lstmzoo.errors import ConfigError
from lstmzoo.estimators._base import CLASSES, ZooNetworkEstimator

NETWORKS: tuple[type[NetworkEstimator], ...] = (Forecaster, LanguageModel, Translator)
BASELINES: tuple[type[Trainable], ...] = (BaselineForecaster, BaselineLanguageModel, BaselineTranslator)
TRACKED: tuple[type[Trackable], ...] = (
    Forecaster,
    LanguageModel,
    Translator,
    BaselineForecaster,
    BaselineLanguageModel,
    BaselineTranslator,
)
SERVED: tuple[type[Servable], ...] = TRACKED


def test_every_registered_class_meets_the_contracts() -> None:
    shipped = [cls for cls in CLASSES.values() if cls.__module__.startswith("lstmzoo.")]
    assert set(SERVED) <= set(shipped)
    for cls in shipped:
        network = issubclass(cls, ZooNetworkEstimator)
        for contract in (NetworkEstimator,) if network else (Trackable,):
            assert missing_methods(cls, contract) == [], f"{cls.__name__} is not {contract.__name__}"


def test_a_contract_names_what_is_missing() -> None:
    with pytest.raises(
        ConfigError, match="estimator: object lacks data_digest, holdout_split, baselines, restrict, .*, score"
    ):
        check_contract(object(), Searchable)
    with pytest.raises(ConfigError, match="estimator: object lacks serving_schema, serving_params, .*, serve$"):
        check_contract(object(), Servable)
