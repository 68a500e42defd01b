"""Networks as forecasters."""

import time
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from lstmzoo.config import Categorical, ForecastingData, ModelConfig
from lstmzoo.errors import ConfigError, DataError
from lstmzoo.estimators._base import ZooNetworkEstimator
from lstmzoo.estimators.forecasting._base import Level, PanelForecaster, Positive, Seasons, panel_digest, refuse_second
from lstmzoo.estimators.forecasting.baselines import METHODS, BaselineForecaster
from lstmzoo.layers import pinball_loss
from lstmzoo.preprocessing import Panel, WindowPreprocessor, Windows, read_panel
from lstmzoo.training import Batches, predict_padded, seeded, train


class Forecaster(ZooNetworkEstimator, PanelForecaster):
    """One network, trained on all series together, that forecasts ``horizon`` steps of each.

    Args:
        model: Zoo entry, such as ``lstm`` or ``forecasting/lstm``; see :func:`lstmzoo.list_models`.
        horizon: H, steps to forecast.
        lookback: T, steps that the network sees; the entry's ``lookback_horizons`` times the horizon if None.
        season_length: One or several season lengths in steps. If None, the usual ones of the frequency that the
            series hold twice, beside the horizon; if there are none, the one found in the data.
        freq: pandas frequency alias or integer step; inferred if None.
        quantiles: Levels to forecast besides the median.
        hyperparameters: Overrides of the entry's settings: of the network, of the data (``scaling``, ``residual``, ...) and
            of the training (``learning_rate``, ``epochs``, ...) alike.
        validation_size: Steps at each series' end that training does not see, and that choose the best epoch; the horizon
            if None; with 0, all data is trained on for all epochs.
        pad_short: Whether series that are too short are extended to the left by their first value, instead of refused.
        id_col: Column that names the series; None if the frame holds one series.
        time_col: Column of timestamps, dates or integers.
        target_col: Column of values.
        time_limit: Seconds of training, at the most.
        random_state: Seed of everything; the same seed gives the same bits on one machine.
        verbose: 0 for silence, 1 for a progress bar.

    Attributes:
        model_: The trained Keras model.
        config_: The resolved zoo entry.
        spec_: Sizes learned from the data.
        preprocessor_: The fitted :class:`lstmzoo.preprocessing.WindowPreprocessor`.
        season_length_: The shortest season, which MASE is scaled by; 1 if there is none.
        history_: A row per epoch: ``epoch``, ``loss``, ``val_loss``, ``learning_rate``, ``seconds``.
        best_epoch_: The epoch whose weights were kept.
        seconds_: Of fitting.
        data_digest_: SHA-256 of the training data.

    Examples:
        >>> import numpy as np
        >>> y = 10 + np.sin(np.arange(120) * np.pi / 6)
        >>> forecaster = Forecaster("gru", horizon=6, hyperparameters={"epochs": 2, "units": 4}, random_state=0, verbose=0)
        >>> forecaster.fit(y).predict().shape
        (6,)
    """

    def __init__(
        self,
        model: str = "lstm",
        *,
        horizon: Positive,
        lookback: Positive | None = None,
        season_length: Positive | Seasons | None = None,
        freq: str | Positive | None = None,
        quantiles: list[Level] | None = None,
        hyperparameters: dict[str, Any] | None = None,
        validation_size: Annotated[int, Field(ge=0)] | None = None,
        pad_short: bool = False,
        id_col: str | None = "unique_id",
        time_col: str = "ds",
        target_col: str = "y",
        time_limit: Annotated[float, Field(gt=0)] | None = None,
        random_state: Annotated[int, Field(ge=0)] | None = None,
        verbose: int = 1,
    ) -> None:
        self.model = model
        self.horizon = horizon
        self.lookback = lookback
        self.season_length = season_length
        self.freq = freq
        self.quantiles = quantiles
        self.hyperparameters = hyperparameters
        self.validation_size = validation_size
        self.pad_short = pad_short
        self.id_col = id_col
        self.time_col = time_col
        self.target_col = target_col
        self.time_limit = time_limit
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, y: Any, X: None = None) -> "Forecaster":
        """Train on a long frame (pandas, polars or pyarrow), on one Series, or on one array ``(T,)``.

        Args:
            y: The series.
            X: Nothing; scikit-learn's pipelines and searches pass it.

        Raises:
            ConfigError: If a parameter or hyperparameter is wrong.
            UnknownNameError: If the zoo has no such entry.
            TrainingError: If the loss stops being finite.
            DataError: If the data is refused; see :func:`lstmzoo.preprocessing.read_panel`, or a series is too short.
        """
        started = time.perf_counter()
        self._check_params()
        refuse_second(X)
        config = self._resolve_config()
        panel, form = read_panel(y, self._columns, self.freq)
        given, held_out = panel_digest(panel), self._held_out()
        seasons = self._seasons(panel)
        preprocessor = self._preprocessor(config.data, seasons)
        panel = self._long_enough(panel, preprocessor)
        preprocessor.fit(panel.head(held_out))
        seed = self._seed()
        with seeded(seed):
            model = self._build(config, preprocessor.spec_)
            history, best_epoch = self._train(model, preprocessor, panel, config.training, seed)
        self.model_, self.config_ = model, config
        self.preprocessor_, self.spec_ = preprocessor, preprocessor.spec_
        self.tail_, self.form_, self.season_length_ = panel.tail(preprocessor.context), form, seasons[0]
        self.history_, self.best_epoch_ = history, best_epoch
        self.data_digest_ = given
        self.seconds_ = time.perf_counter() - started
        return self

    def baselines(self) -> dict[str, BaselineForecaster]:
        """The naive forecasts that a network has to beat, unfitted, by name."""
        names = ("horizon", "season_length", "freq", "quantiles", "pad_short", "id_col", "time_col", "target_col")
        return {method: BaselineForecaster(method, **{n: getattr(self, n) for n in names}) for method in METHODS}

    def restrict(self, search_space: dict[str, Any], y: Any) -> dict[str, Any]:
        """A search space without what this estimator's parameters or the data make meaningless.

        Args:
            search_space: Ranges by key, as in a zoo config.
            y: What is to be fitted, as for :meth:`fit`.
        """
        panel, _ = read_panel(y, self._columns, self.freq)
        space = {key: value for key, value in search_space.items() if key not in (self.hyperparameters or {})}
        if self.lookback is not None:
            space.pop("lookback_horizons", None)
        if not panel.has_calendar:
            space.pop("calendar", None)
        if "transform" in space and (panel.values <= 0).any():
            space.pop("transform")
        spare = int(panel.lengths.min()) - self.horizon - self._held_out()
        if "lookback_horizons" in space and not self.pad_short:
            space["lookback_horizons"] = _capped(space["lookback_horizons"], spare // self.horizon)
        if "residual" in space:
            useful = self._useful_residuals(self._seasons(panel), spare)
            values = [v for v in space["residual"].values if v in useful]
            space["residual"] = space["residual"].model_copy(update={"values": values})
            if not values:
                del space["residual"]
        return space

    def _useful_residuals(self, seasons: list[int], spare: int) -> set[str]:
        short, long = seasons[0], seasons[-1]
        useful = {"none", "naive"}
        if 1 < short <= spare or self.pad_short:
            useful.add("seasonal_naive")
        if short < long and (long <= spare or self.pad_short):
            useful.add("long_seasonal_naive")
        if "seasonal_naive" in useful and (long <= spare or self.pad_short):
            useful.add("seasonal_mix")
        return useful

    def _preprocessor(self, data: ForecastingData, seasons: list[int]) -> WindowPreprocessor:
        lookback = int(self.lookback or data.lookback_horizons * self.horizon)
        return WindowPreprocessor(
            lookback=lookback,
            horizon=int(self.horizon),
            quantiles=self._levels(),
            periods=_periods(data.residual, seasons, lookback),
            scaling=data.scaling,
            transform=data.transform,
            calendar=data.calendar,
        )

    def _resolve_config(self) -> ModelConfig:
        if self.lookback is not None and "lookback_horizons" in (self.hyperparameters or {}):
            raise ConfigError("lookback and the hyperparameter lookback_horizons say the same: give one of them")
        return super()._resolve_config()

    def _held_out(self) -> int:
        size = self.horizon if self.validation_size is None else self.validation_size
        if 0 < size < self.horizon:
            raise ConfigError(f"validation_size: expected 0, or the horizon {self.horizon} or more; got {size}")
        return size

    def _long_enough(self, panel: Panel, preprocessor: WindowPreprocessor) -> Panel:
        needed = preprocessor.min_length + self._held_out()
        short = panel.lengths < needed
        if not short.any():
            return panel
        if self.pad_short:
            return panel.padded(needed)
        i = int(panel.lengths.argmin())
        raise DataError(
            f"series {panel.ids[i]!r} has {panel.lengths[i]} observations, but {needed} are needed "
            f"({int(short.sum())} such series): {preprocessor.context} of lookback, {self.horizon} to forecast, "
            f"{self._held_out()} of validation: lower lookback, season_length, horizon or validation_size, "
            "pass pad_short=True, or drop it"
        )

    def _train(
        self, model: Any, preprocessor: WindowPreprocessor, panel: Panel, config: Any, seed: int
    ) -> tuple[list, int]:
        held_out = self._held_out()
        windows = preprocessor.windows(panel, drop=held_out)
        batches = Batches(
            lambda numbers: windows.batch(numbers)[:2],
            num_items=len(windows),
            batch_size=config.batch_size,
            steps_per_epoch=config.steps_per_epoch,
            seed=seed,
        )
        validate = None
        if held_out:
            validation = _Validation(
                model, preprocessor.windows(panel.tail(held_out + preprocessor.context)), self._levels()
            )
            validate = validation.loss
        return train(
            model, pinball_loss(self._levels()), batches, config=config, validate=validate,
            time_limit=self.time_limit, verbose=self.verbose, title=self.model,
        )  # fmt: skip

    def _prepared(self, panel: Panel) -> Panel:
        return panel.padded(self.preprocessor_.context) if self.pad_short else panel

    def _forecast(self, panel: Panel) -> dict[float, np.ndarray]:
        inputs, scale = self.preprocessor_.last_windows(panel)
        outputs = predict_padded(self.model_, inputs)
        forecast = self.preprocessor_.invert(outputs, scale)
        return {level: forecast[:, :, i] for i, level in enumerate(self.preprocessor_.quantiles)}

    def _learned(self) -> tuple[dict[str, Any], dict[str, Any], dict[str, np.ndarray]]:
        names = ("history_", "best_epoch_", "seconds_", "data_digest_", "season_length_")
        document, arrays = self._panel_state()
        return (
            {n: getattr(self, n) for n in names},
            {"windows": self.preprocessor_.to_json(), "panel": document},
            arrays,
        )

    def _restore(self, learned: dict[str, Any], preprocessor: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        for name in ("history_", "best_epoch_", "seconds_", "data_digest_", "season_length_"):
            setattr(self, name, learned[name])
        self.preprocessor_ = WindowPreprocessor.from_json(preprocessor["windows"])
        self.spec_ = self.preprocessor_.spec_
        self._restore_panel(preprocessor["panel"], arrays)


class _Validation:
    """The loss over held-out windows, at most 4,096 of them, evenly spread."""

    def __init__(self, model: Any, windows: Windows, levels: list[float]) -> None:
        self._model = model
        numbers = np.unique(np.linspace(0, len(windows) - 1, min(len(windows), 4096)).astype(int))
        self._inputs, self._target, _ = windows.batch(numbers)
        self._loss = pinball_loss(levels)

    def loss(self) -> float:
        outputs = predict_padded(self._model, self._inputs)
        return float(np.mean(self._loss(self._target, outputs)))


def _periods(residual: str, seasons: list[int], lookback: int) -> list[int]:
    """Periods of the references that forecasts are a deviation from."""
    if residual == "seasonal_mix":
        doubles = [2 * s for s in seasons if s > 1 and 2 * s <= max(lookback, *seasons)]
        return sorted({*seasons, *doubles})
    return [{"none": 0, "naive": 1, "seasonal_naive": seasons[0], "long_seasonal_naive": seasons[-1]}[residual]]


def _capped(span: Any, largest: int) -> Any:
    """Of a range of whole numbers, what is not above ``largest``; at least one value is left."""
    if isinstance(span, Categorical):
        values = [v for v in span.values if isinstance(v, int) and v <= largest]
        return span.model_copy(update={"values": values or [max(largest, 1)]})
    if largest <= span.min:
        return Categorical(type="categorical", values=[max(largest, 1)])
    return span.model_copy(update={"max": min(span.max, largest)})
