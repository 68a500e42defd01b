"""Draw the pictures of docs/pictures: ``python docs/pictures.py``, some minutes; ``python docs/pictures.py search`` draws one.

Trainings are limited by epochs, not by seconds, so that one machine always draws the same picture.
"""

import io
import sys
from collections.abc import Callable
from pathlib import Path

from small_png import small

from lstmzoo import Forecaster, Translator, ZooSearchCV
from lstmzoo.datasets import generate_seasonal, load_climate, load_dates
from lstmzoo.figures import Figure

FOLDER = Path(__file__).parent / "pictures"
SETTINGS = {"horizon": 12, "random_state": 0, "verbose": 0}


def forecast() -> Figure:
    """The climate forecast of the README."""
    return Forecaster("segment_gru", quantiles=[0.1, 0.9], **SETTINGS).fit(load_climate()).plot()


def backtest() -> Figure:
    """Four years of the climate, each forecast from the months before it."""
    climate = load_climate()
    forecaster = Forecaster("segment_gru", quantiles=[0.1, 0.9], **SETTINGS)
    return forecaster.plot_backtest(forecaster.cross_validation(climate, n_windows=4))


def interpretation() -> Figure:
    """What a temporal fusion network looks at."""
    sales = generate_seasonal(n_series=5, length=300, freq="D", season_length=7, random_state=0)
    settings = {"units": 16, "epochs": 5, "steps_per_epoch": 40}
    forecaster = Forecaster("temporal_fusion", **SETTINGS | {"horizon": 14}, hyperparameters=settings)
    return forecaster.fit(sales).interpret(ids=["s0"]).plot()


def search() -> Figure:
    """A search among five entries, beside the baselines."""
    settings = {"epochs": 6, "steps_per_epoch": 30}
    models = ["segment_*", "gru", "seq2seq_gru", "simple_rnn"]
    estimator = Forecaster(**SETTINGS, hyperparameters=settings)
    return ZooSearchCV(estimator, models, max_trials=10, random_state=0, verbose=0).fit(load_climate()).plot()


def alignment() -> Figure:
    """What a translator of dates looks at."""
    settings = {"vocab_size": 500, "learning_rate": 1e-2, "epochs": 5}
    translator = Translator("conditional_gru_mini", hyperparameters=settings, random_state=0, verbose=0)
    return translator.fit(*load_dates(num_pairs=2800).train).plot_alignment("Friday, March 5, 2027")


PICTURES: dict[str, Callable[[], Figure]] = {
    draw.__name__: draw for draw in (forecast, backtest, interpretation, search, alignment)
}


if __name__ == "__main__":
    for name in sys.argv[1:] or PICTURES:
        file = io.BytesIO()
        PICTURES[name]().savefig(file, format="png", dpi=120)
        (FOLDER / f"{name}.png").write_bytes(small(file.getvalue()))
