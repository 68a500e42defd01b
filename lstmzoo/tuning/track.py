"""The one place of a search that knows MLflow."""

from typing import Any, Literal

Status = Literal["RUNNING", "FINISHED", "FAILED", "KILLED"]
_SETTINGS = ("models", "oracle", "random_state")


def check_names(*, experiment: str | None, registered_model_name: str | None) -> None:
    """Refuse names that MLflow does not take.

    Raises:
        ConfigError: Naming the argument.
    """
    from lstmzoo.mlflow.names import check_experiment, check_registered_name

    check_experiment(experiment)
    check_registered_name(registered_model_name)


def make_tracker(header: dict[str, Any], *, task: str, experiment: str | None, tracking_uri: str | None) -> Any:
    """What brings MLflow up to date with a search: a :class:`lstmzoo.mlflow.tracking.SearchTracker`.

    Args:
        header: The journal's.
        task: The estimator's.
        experiment: ``lstmzoo`` if None.
        tracking_uri: As MLflow is set if None.
    """
    from lstmzoo.mlflow.defaults import EXPERIMENT
    from lstmzoo.mlflow.tracking import SearchTracker

    identity = header["identity"]
    return SearchTracker(
        header["search_id"],
        experiment=experiment or EXPERIMENT,
        params={k: v for k, v in identity.items() if k in _SETTINGS or k.startswith("estimator")},
        tags={"task": task, "data_digest": identity["data"]},
        tracking_uri=tracking_uri,
    )


def track_winner(
    estimator: Any, *, parent_run_id: str | None, registered_model_name: str | None, tracking_uri: str | None
) -> str | None:
    """Log the winner to the search's run; the URI of the model, or None if MLflow is away."""
    from lstmzoo import mlflow

    return mlflow.log_champion(
        estimator,
        parent_run_id=parent_run_id,
        registered_model_name=registered_model_name,
        tracking_uri=tracking_uri,
    )
