"""A demo of forecasting: CO2 and sea temperature."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from lstmzoo.cli.demo._base import Stage, fitted, print_next, print_test, say, search, serve

if TYPE_CHECKING:
    import pandas as pd

REGISTERED = "climate-forecaster"
_HORIZON = 24
_MODELS = ("lstm", "gru", "seq2seq_gru", "gru_attention", "segment_lstm")


def show(stage: Stage) -> None:
    """Forecast two held-out years of CO2 and of sea temperature."""
    from lstmzoo import Forecaster
    from lstmzoo.datasets import load_climate

    data = load_climate()
    test = data.groupby("unique_id").tail(_HORIZON)
    train = data.drop(test.index).reset_index(drop=True)
    say(f"data: CO2 in the air and temperature of the sea, by month; the last {_HORIZON} months are set aside")
    say(f"search: {', '.join(_MODELS)}; {stage.time_limit:g} s")
    estimator = Forecaster(horizon=_HORIZON, quantiles=[0.1, 0.9])
    found = search(stage, estimator, _MODELS, (train,))
    _print_errors(stage, found, train, data)
    _plot(found.best_estimator_, test, stage.out / "forecast.png")
    say(f"picture: {stage.out / 'forecast.png'}")
    history = train[train["unique_id"] == "co2"].tail(240).assign(ds=lambda f: f["ds"].dt.strftime("%Y-%m-%d"))
    request = {"dataframe_split": history.to_dict("split", index=False), "params": {"horizon": 3}}
    serve(stage, found, request, f"{len(history)} months of CO2 and horizon 3")
    forecast = ["--horizon", "12", "--out", str(stage.out / "forecast.csv")]
    print_next(stage, found.model_uri_, [["lstmzoo", "predict", str(stage.folder), *forecast]])


def _print_errors(stage: Stage, found: Any, train: "pd.DataFrame", data: "pd.DataFrame") -> None:
    models = fitted(found, (train,))
    say(f"test: the {_HORIZON} months that were set aside")
    errors = {name: (-model.score(data),) for name, model in models.items()}
    print_test(stage, found, errors)


def _plot(winner: Any, test: "pd.DataFrame", path: Path) -> None:
    """Draw the forecasts and the held-out values."""
    figure = winner.plot()
    for axis in figure.axes:
        actual = test[test["unique_id"] == axis.get_title()]
        axis.plot(actual["ds"], actual["y"], color="C3", linestyle="--", label="what came")
    figure.axes[0].legend()
    figure.savefig(path)
