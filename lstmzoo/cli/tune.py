"""``lstmzoo tune``: the search for the best entry and its settings."""

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from lstmzoo.cli import _base as t
from lstmzoo.cli import _options as o
from lstmzoo.cli._output import print_json, print_leaderboard, print_winner, progress_to_stderr
from lstmzoo.outputs import check_folder
from lstmzoo.quiet import import_keras

_DEFAULT_LIMIT = 600.0
MaxTrials = Annotated[int | None, typer.Option(min=1, help="Maximum number of networks to train.")]
Limit = Annotated[
    float | None, typer.Option(min=0.001, help="Seconds for the whole search; 600 if there is no --max-trials.")
]
Oracle = Annotated[
    str | None, typer.Option(help="Search algorithm: halving, random, bayesian or hyperband; default: halving.")
]
Scoring = Annotated[
    str | None,
    typer.Option(
        help="Metric to search by, such as mae, rmse, perplexity_word or chrf; default: the score of the task.",
        show_default=False,
    ),
]
EnsembleSize = Annotated[
    int | None,
    typer.Option(min=1, help="Most members of the ensemble that halving chooses; 1 for no ensemble; default: 4."),
]
AllowWorse = Annotated[
    bool,
    typer.Option("--allow-worse-than-baseline", help="Let the best network win, whatever the scores of the baselines."),
]
Directory = Annotated[Path | None, typer.Option(help="Folder of the search's journal; given again, it is resumed.")]
Out = Annotated[Path, typer.Option(help="Folder to save the winner to.")]
Plot = Annotated[Path | None, typer.Option(help="Picture of the search to draw: .png, .svg or .pdf.")]
Experiment = Annotated[str | None, typer.Option(help="MLflow experiment to log to.")]
Register = Annotated[
    str | None, typer.Option("--register", help="Name to register the winner by in MLflow.", show_default=False)
]


@o.with_training_options("validation", "validation_target")
def tune(
    data: o.Data, *, models: o.Models = None, max_trials: MaxTrials = None, time_limit: Limit = None,
    oracle: Oracle = None, scoring: Scoring = None, ensemble_size: EnsembleSize = None,
    allow_worse_than_baseline: AllowWorse = False, directory: Directory = None,
    out: Out = Path("winner"), plot: Plot = None,
    hyperparameters: o.Settings = None, options: o.Options, experiment: Experiment = None,
    tracking_uri: o.TrackingUri = None, registered_model_name: Register = None,
    random_state: o.RandomState = None, json: o.Json = False,
) -> None:  # fmt: skip
    """Search for the best entry and its settings, and save the winner, trained on all data."""
    names, settings = t.find_models(models, data, options), o.parse_settings(hyperparameters)
    task = t.task_of(data, options)
    _check_places(out, directory, experiment, registered_model_name)
    source = task.read(data, options.of(task))
    import_keras()
    from lstmzoo import ZooSearchCV
    from lstmzoo.estimators import check_picture

    if plot is not None:
        check_picture(plot)
    if max_trials is None and time_limit is None:
        time_limit = _DEFAULT_LIMIT
    search = ZooSearchCV(
        t.make_estimator(task, names[0], source, hyperparameters=settings), names, max_trials=max_trials,
        time_limit=time_limit, experiment=experiment, tracking_uri=tracking_uri,
        registered_model_name=registered_model_name, random_state=random_state, scoring=scoring,
        allow_worse_than_baseline=allow_worse_than_baseline,
    )  # fmt: skip
    given = {"oracle": oracle, "ensemble_size": ensemble_size}
    search.set_params(**{name: value for name, value in given.items() if value is not None})
    with _journal_kept(search, directory):
        with progress_to_stderr():
            search.fit(*source.data)
        search.save(out)
        if plot is not None:
            search.plot(plot)
    if json:
        print_json({**_report(search, out), "directory": directory and search.directory_})
    else:
        print_leaderboard(
            search.leaderboard_, task.score if scoring is None else f"{scoring}, negated if it is an error"
        )
        print_winner(search)
        print(f"saved to {out}; next: lstmzoo {task.use[0]} {out}")


def _check_places(out: Path, directory: Path | None, experiment: str | None, registered: str | None) -> None:
    """Refuse, before any work is done, folders and MLflow names that the result cannot be written to."""
    o.check_folder(out)
    if directory is not None:
        check_folder(directory, "--directory")
    if registered is not None or experiment is not None:
        from lstmzoo.mlflow.names import check_experiment, check_registered_name

        check_registered_name(registered, "--register")
        check_experiment(experiment, "--experiment")


@contextmanager
def _journal_kept(search: Any, directory: Path | None) -> Iterator[None]:
    """Give a search a directory; a temporary one is removed if the context ends without an error, or nothing was found.

    So the trials are not lost if the winner or the picture cannot be written.
    """
    kept = Path(tempfile.mkdtemp(prefix="lstmzoo-search-")) if directory is None else directory
    search.set_params(directory=kept)
    found = False
    try:
        yield
    except BaseException:
        found = bool(getattr(search, "records_", None))
        if found:
            print(f"lstmzoo: the trials are kept; the same command with --directory {kept} resumes", file=sys.stderr)
        raise
    finally:
        if directory is None and not found:
            shutil.rmtree(kept)


def _report(search: Any, folder: Path) -> dict[str, Any]:
    from lstmzoo.records import is_untrained

    return {
        "best_params": search.best_params_,
        "best_score": search.best_score_,
        "best_is_baseline": is_untrained(search.records_[search.best_index_], search.records_),
        "folder": str(folder),
        "mlflow_run_id": search.mlflow_run_id_,
        "model_uri": search.model_uri_,
        "leaderboard": search.leaderboard_,
    }
