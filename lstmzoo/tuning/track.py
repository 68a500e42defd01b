"""The one place of a search that knows MLflow."""

from typing import Any, Literal

from lstmzoo.tuning._base import Record

Status = Literal["RUNNING", "FINISHED", "FAILED", "KILLED"]

_SETTINGS = ("models", "oracle", "random_state")


def track_search(
    records: list[Record],
    header: dict[str, Any],
    *,
    task: str,
    experiment: str | None,
    tracking_uri: str | None,
    status: Status,
) -> str | None:
    """Bring MLflow up to date with a search.

    Args:
        records: All trials so far.
        header: The journal's.
        task: The estimator's.
        experiment: ``lstmzoo`` if None.
        tracking_uri: As MLflow is set if None.
        status: Of the search, as MLflow has it.

    Returns:
        The id of the parent run, or None if MLflow is away.
    """
    from lstmzoo import mlflow

    identity = header["identity"]
    return mlflow.log_search(
        records,
        search_id=header["search_id"],
        experiment=experiment or "lstmzoo",
        params={k: v for k, v in identity.items() if k in _SETTINGS or k.startswith("estimator")},
        tags={"task": task, "data_digest": identity["data"]},
        status=status,
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
