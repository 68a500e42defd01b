"""Names of models, aliases and experiments, checked by MLflow's own rules before any work is done."""

from collections.abc import Callable

from mlflow.exceptions import MlflowException
from mlflow.utils import validation

from lstmzoo.errors import ConfigError


def check_registered_name(name: str | None, argument: str = "registered_model_name") -> None:
    """Refuse an invalid name for a registered model; None is accepted.

    Args:
        name: Name of the registered model.
        argument: Name of the argument in the message.

    Raises:
        ConfigError: If the name is empty, or contains ``/`` or ``:``.

    Examples:
        >>> check_registered_name("O'Brien's sales")
        >>> check_registered_name("a/b")
        Traceback (most recent call last):
        lstmzoo.errors.ConfigError: registered_model_name: Invalid model name 'a/b'. Names cannot contain '/' or ':'.
    """
    if name is None:
        return
    if not str(name).strip():
        raise ConfigError(f"{argument}: the name is empty: pass a name, or leave it out")
    _check(validation._validate_model_name, name, argument)


def check_alias(alias: str | None) -> None:
    """Refuse an invalid alias; None is accepted.

    Raises:
        ConfigError: If it is empty, too long, or has characters other than letters, digits, ``_`` and ``-``.
    """
    if alias is not None:
        _check(validation._validate_model_alias_name, alias, "alias")
        _check(validation._validate_model_alias_name_reserved, alias, "alias")


def check_experiment(name: str | None, argument: str = "experiment") -> None:
    """Refuse an invalid name for an experiment; None is accepted.

    Args:
        name: Name of the experiment.
        argument: Name of the argument in the message.

    Raises:
        ConfigError: If the name is empty or too long.
    """
    if name is None:
        return
    if not str(name).strip():
        raise ConfigError(f"{argument}: the name is empty: pass a name, or leave it out")
    _check(validation._validate_experiment_name, name, argument)


def _check(rule: Callable[[str], None], name: str, argument: str) -> None:
    try:
        rule(name)
    except MlflowException as error:
        raise ConfigError(f"{argument}: {error.message}") from None
