"""Names that MLflow takes, by its own rules, found out before any work is done."""

from collections.abc import Callable

from mlflow.exceptions import MlflowException
from mlflow.utils import validation

from lstmzoo.errors import ConfigError


def check_registered_name(name: str | None, argument: str = "registered_model_name") -> None:
    """Refuse a name that MLflow does not register a model under; None is no name.

    Args:
        name: Of the registered model.
        argument: What the message calls it.

    Raises:
        ConfigError: If the name is empty, or holds ``/`` or ``:``.

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
    """Refuse an alias that MLflow does not take; None is no alias.

    Raises:
        ConfigError: If it is empty, too long, or holds other characters than letters, digits, ``_`` and ``-``.
    """
    if alias is not None:
        _check(validation._validate_model_alias_name, alias, "alias")
        _check(validation._validate_model_alias_name_reserved, alias, "alias")


def check_experiment(name: str | None, argument: str = "experiment") -> None:
    """Refuse a name that MLflow does not give an experiment; None is no name.

    Args:
        name: Of the experiment.
        argument: What the message calls it.

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
