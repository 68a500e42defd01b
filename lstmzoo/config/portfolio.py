"""Portfolios: settings in the order in which a search tries them."""

from typing import Any, NamedTuple

from lstmzoo.config.entries import config_directories, full_name, load_config
from lstmzoo.errors import ConfigError, UnknownNameError
from lstmzoo.yaml_files import read_yaml


class Candidate(NamedTuple):
    """An item of a portfolio.

    Attributes:
        model: Name of the entry, without its task.
        hyperparameters: Settings that replace the entry's.
    """

    model: str
    hyperparameters: dict[str, Any]


def load_portfolio(task: str) -> list[Candidate]:
    """Return settings of a task that were good on other data, in the order in which to try them; empty if there are none.

    They are in the file ``zoo_configs/<task>/_portfolio.yaml``.

    Raises:
        ConfigError: If an item is broken, or names an unknown entry or setting; the message names the file and the item.

    References:
        Feurer et al., "Auto-Sklearn 2.0: Hands-free AutoML via Meta-Learning", JMLR 23, 2022.

    Examples:
        >>> load_portfolio("forecasting")[0].model
        'segment_lstm'
    """
    path = next(
        (d / task / "_portfolio.yaml" for d in config_directories() if (d / task / "_portfolio.yaml").exists()), None
    )
    if path is None:
        return []
    found = []
    for number, item in enumerate(read_yaml(path).document.get("candidates", ()), 1):
        try:
            candidate = Candidate(**item)
            load_config(full_name(candidate.model, task)).override(candidate.hyperparameters)
        except (TypeError, ConfigError, UnknownNameError) as error:
            raise ConfigError(f"{path}, candidate {number}: {error}") from None
        found.append(candidate)
    return found
