"""``lstmzoo demo``: the whole way on small data, from a search to an answer over HTTP."""

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.request import Request, urlopen

import typer

from lstmzoo.cli import _options as o
from lstmzoo.cli._base import import_networks
from lstmzoo.cli._output import print_leaderboard, print_table, print_winner
from lstmzoo.errors import UnknownNameError
from lstmzoo.mlflow.defaults import ALIAS

if TYPE_CHECKING:
    import pandas as pd

_HORIZON = 24
_MODELS = ("lstm", "gru", "seq2seq_gru", "gru_attention", "segment_lstm")
_REGISTERED = "climate-forecaster"

Task = Annotated[str, typer.Argument(help="Task to demonstrate: forecasting.", show_default=False)]
Out = Annotated[Path, typer.Option(help="Folder for everything that the demo writes.")]
Limit = Annotated[float, typer.Option(min=1, help="Seconds of the search, its final training included.")]


def demo(
    task: Task,
    *,
    out: Out = Path("lstmzoo-demo"),
    time_limit: Limit = 120.0,
    random_state: o.RandomState = 0,
) -> None:
    """Search, score, track, register and serve on small data that is already here."""
    if task not in DEMOS:
        raise UnknownNameError("demo", task, DEMOS)
    out.mkdir(parents=True, exist_ok=True)
    import_networks()
    DEMOS[task](out, time_limit, random_state)


def forecast_climate(out: Path, time_limit: float, random_state: int | None) -> None:
    """Forecast two years of CO2 and of sea temperature, which neither the search nor the training saw."""
    from lstmzoo.datasets import load_climate

    store = f"sqlite:///{out / 'mlflow.db'}"
    data = load_climate()
    test = data.groupby("unique_id").tail(_HORIZON)
    train = data.drop(test.index).reset_index(drop=True)
    _say(f"data: CO2 in the air and temperature of the sea, by month; the last {_HORIZON} months are set aside")
    _say(f"search: {', '.join(_MODELS)}; {time_limit:g} s")
    search = _search(train, out, store, time_limit, random_state)
    print_leaderboard(search.leaderboard_)
    print_winner(search)
    winner = search.best_estimator_
    winner.save(out / "model")
    _print_test(search, train, data)
    _plot(winner, test, out / "forecast.png")
    _say(f"picture: {out / 'forecast.png'}")
    _serve(search.model_uri_ or str(out / "model"), store, train)
    _print_next(out, store, search.model_uri_)


DEMOS: dict[str, Callable[[Path, float, int | None], None]] = {"forecasting": forecast_climate}


def _search(train: "pd.DataFrame", out: Path, store: str, time_limit: float, random_state: int | None) -> Any:
    from lstmzoo import Forecaster, ZooSearchCV

    share = time_limit / (len(_MODELS) + 2)  # so that each is tried, and the winner trained anew
    search = ZooSearchCV(
        Forecaster(horizon=_HORIZON, quantiles=[0.1, 0.9], time_limit=share),
        _MODELS,
        time_limit=time_limit,
        directory=out / f"search-{time_limit:g}s-{random_state}",
        experiment="lstmzoo-demo",
        tracking_uri=store,
        registered_model_name=_REGISTERED,
        random_state=random_state,
    )
    return search.fit(train)


def _print_test(search: Any, train: "pd.DataFrame", data: "pd.DataFrame") -> None:
    """The winner and the baselines, on months that nothing was chosen by."""
    naive = {name: b.fit(train) for name, b in search.estimator.baselines().items()}
    errors = {name: -baseline.score(data) for name, baseline in naive.items()}
    ours, theirs = -search.best_estimator_.score(data), errors["seasonal_naive"]
    winner = f"winner: {search.best_params_['model']}"
    _say(f"test: the {_HORIZON} months that were set aside")
    rows = sorted([*errors.items(), (winner, ours)], key=lambda row: row[1])
    print_table(("model", "MASE"), rows)
    verdict, less = ("beats", "less") if ours < theirs else ("does not beat", "more")
    print(f"the winner {verdict} seasonal_naive: {abs(1 - ours / theirs):.0%} {less} error")


def _plot(winner: Any, test: "pd.DataFrame", path: Path) -> None:
    """The forecasts, with what came in fact."""
    figure = winner.plot()
    for axis in figure.axes:
        actual = test[test["unique_id"] == axis.get_title()]
        axis.plot(actual["ds"], actual["y"], color="C3", linestyle="--", label="what came")
    figure.axes[0].legend()
    figure.savefig(path)


def _serve(model: str, store: str, train: "pd.DataFrame") -> None:
    """Start the served model, ask it for one forecast, and stop it."""
    from lstmzoo.mlflow import serve_in_background

    history = train[train["unique_id"] == "co2"].tail(240).assign(ds=lambda f: f["ds"].dt.strftime("%Y-%m-%d"))
    request = {"dataframe_split": history.to_dict("split", index=False), "params": {"horizon": 3}}
    with serve_in_background(model, tracking_uri=store) as url:
        _say(f"served at {url}: POST /invocations with {len(history)} months of CO2 and horizon 3 answers")
        print(_post(f"{url}/invocations", request))


def _post(url: str, document: dict[str, Any]) -> str:
    body = json.dumps(document).encode()
    with urlopen(Request(url, body, {"Content-Type": "application/json"}), timeout=60) as answer:
        return str(answer.read().decode())


def _print_next(out: Path, store: str, model_uri: str | None) -> None:
    served = [f"models:/{_REGISTERED}@{ALIAS}", "--tracking-uri", store] if model_uri else [str(out / "model")]
    commands = [
        ["mlflow", "ui", "--backend-store-uri", store],
        ["lstmzoo", "serve", *served, "--port", "5001"],
        ["lstmzoo", "predict", str(out / "model"), "--horizon", "12", "--out", str(out / "forecast.csv")],
    ]
    _say("next:")
    for command in commands:
        print(f"  {shlex.join(command)}")


def _say(line: str) -> None:
    print(f"\n{line}", flush=True)
