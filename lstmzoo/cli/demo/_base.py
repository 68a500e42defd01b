"""Parts of the demos: a tracked search, one answer over HTTP, and the commands to try next."""

import json
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.request import Request, urlopen

from lstmzoo.cli._base import Task
from lstmzoo.cli._output import print_leaderboard, print_table, print_winner
from lstmzoo.contracts import Data, Searchable
from lstmzoo.mlflow.defaults import ALIAS

if TYPE_CHECKING:
    from lstmzoo.tuning import ZooSearchCV


@dataclass(frozen=True)
class Stage:
    """One run of a demo.

    Attributes:
        out: Folder for all output.
        time_limit: Seconds of the search, its final training included.
        random_state: Seed.
        registered: Name of the winner in MLflow.
        task: Task that is demonstrated.
    """

    out: Path
    time_limit: float
    random_state: int | None
    registered: str
    task: Task

    @property
    def store(self) -> str:
        """URI of the MLflow store."""
        return f"sqlite:///{self.out / 'mlflow.db'}"

    @property
    def folder(self) -> Path:
        """Folder of the winner."""
        return self.out / "model"


def search(stage: Stage, estimator: Searchable, models: tuple[str, ...], train: Data) -> "ZooSearchCV":
    """Search, print the leaderboard, and save the winner."""
    from lstmzoo import ZooSearchCV

    share = stage.time_limit / (len(models) + 2)  # so that each is tried, and the winner trained anew
    found = ZooSearchCV(
        estimator.set_params(time_limit=share),
        models,
        time_limit=stage.time_limit,
        directory=stage.out / f"search-{stage.time_limit:g}s-{stage.random_state}",
        experiment="lstmzoo-demo",
        tracking_uri=stage.store,
        registered_model_name=stage.registered,
        random_state=stage.random_state,
    ).fit(*train)
    print_leaderboard(found.leaderboard_, stage.task.score)
    print_winner(found)
    found.best_estimator_.save(stage.folder)
    return found


def fitted(found: "ZooSearchCV", train: Data) -> dict[str, Any]:
    """Return the fitted baselines, by name, and the winner."""
    return {name: b.fit(*train) for name, b in found.estimator.baselines().items()} | {"winner": found.best_estimator_}


def print_test(stage: Stage, found: Any, values: dict[str, Any], columns: tuple[str, ...] = ()) -> None:
    """Print test scores of the winner and the baselines, ranked by the last column, the task's measure."""
    best, task = found.best_params_["model"], stage.task
    measure = task.measure
    rows = sorted(values.items(), key=lambda row: -measure.of(row[1][-1]))
    columns = ("model", *columns, measure.title)
    name = f"winner: {best}"
    print_table(columns, ((name if model == "winner" else model, *row) for model, row in rows if model != best))
    if best in values:
        print(f"the winner is the baseline {best}: give the search more time")
        return
    ours, theirs = values["winner"][-1], values[task.reference][-1]
    verdict = "beats" if measure.beats(ours, theirs) else "does not beat"
    print(f"the winner {verdict} {task.reference}: {measure.difference(ours, theirs)}")


def serve(stage: Stage, found: Any, request: dict[str, Any], what: str) -> None:
    """Serve the winner, send it one request, and stop the server."""
    from lstmzoo.mlflow import serve_in_background

    with serve_in_background(found.model_uri_ or str(stage.folder), tracking_uri=stage.store) as url:
        say(f"served at {url}: POST /invocations with {what} answers")
        print(_post(f"{url}/invocations", request))


def _post(url: str, document: dict[str, Any]) -> str:
    body = json.dumps(document).encode()
    with urlopen(Request(url, body, {"Content-Type": "application/json"}), timeout=60) as answer:
        return str(answer.read().decode())


def print_next(stage: Stage, model_uri: str | None, commands: list[list[str]]) -> None:
    """Print the commands to try next; the winner is served from its folder if MLflow failed."""
    served = (
        [f"models:/{stage.registered}@{ALIAS}", "--tracking-uri", stage.store] if model_uri else [str(stage.folder)]
    )
    say("next:")
    for command in (
        ["mlflow", "ui", "--backend-store-uri", stage.store],
        ["lstmzoo", "serve", *served, "--port", "5001"],
        *commands,
    ):
        print(f"  {shlex.join(command)}")


def say(line: str) -> None:
    """Print a line, after an empty one."""
    print(f"\n{line}", flush=True)
