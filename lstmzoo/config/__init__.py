"""Zoo entries: validated YAML files, and their look-up.

An entry is a file ``zoo_configs/<task>/<name>.yaml``; its name is ``<task>/<name>``. The environment variable
``LSTMZOO_CONFIGS`` names further directories with the same layout (separated as in ``PATH``), whose entries are listed beside
the shipped ones. A task's part of the schema is a module of this package, or of a plugin. The package imports neither Keras nor
pandas.
"""

from lstmzoo.config._base import ModelConfig, TokenizerName, TrainingConfig
from lstmzoo.config.entries import (
    config_directories,
    full_name,
    list_models,
    load_config,
    parse_config,
    schema_of,
    shipped_estimators,
)
from lstmzoo.config.portfolio import Candidate, load_portfolio
from lstmzoo.config.ranges import (
    Categorical,
    FloatRange,
    IntRange,
    Scalar,
    SearchParameter,
    Strict,
    without_numpy,
)

__all__ = [
    "Candidate", "Categorical", "FloatRange", "IntRange", "ModelConfig", "Scalar", "SearchParameter", "Strict", "TokenizerName",
    "TrainingConfig", "config_directories", "full_name", "list_models", "load_config", "load_portfolio", "parse_config",
    "schema_of", "shipped_estimators", "without_numpy",
]  # fmt: skip
