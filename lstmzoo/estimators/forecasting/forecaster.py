"""Networks as forecasters."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import keras
import numpy as np
from pydantic import Field

from lstmzoo.config import (
    Categorical,
    ModelConfig,
)
from lstmzoo.config.forecasting import DistributionName, ForecastingData
from lstmzoo.errors import ConfigError, DataError, arg
from lstmzoo.estimators.forecasting._base import (
    Level,
    Missing,
    Positive,
    Seasons,
    panel_digest,
)
from lstmzoo.estimators.forecasting.baselines import METHODS, BaselineForecaster
from lstmzoo.estimators.forecasting.network import (
    PATHS,
    FittedForecaster,
    check_held_out,
    check_sampled,
    conformal_offsets,
    is_autoregressive,
    step_correlation,
)
from lstmzoo.estimators.forecasting.residuals import reference_periods, useful_residuals
from lstmzoo.layers import DISTRIBUTIONS, distribution_loss, pinball_loss
from lstmzoo.options import require_counts
from lstmzoo.overrides import Overrides, measured, point_loss
from lstmzoo.preprocessing import (
    Channels,
    Panel,
    Scale,
    WindowPreprocessor,
    Windows,
    continued,
)
from lstmzoo.seeding import seeded
from lstmzoo.spec import ForecastingSpec
from lstmzoo.training import Batches, Checkpoint, Trained, predict_padded, train


class Forecaster(FittedForecaster):
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
        distribution: What is forecast: ``quantiles``, or the parameters of a ``normal``, ``student_t`` or ``negative_binomial``
            distribution, which has all quantiles; the entry's choice if None.
        conformal: Whether to correct the quantiles by what the held-out windows show, so that the right share of values lies
            below each.
        past_covariates: Columns that are known up to now: numbers, or categories (text).
        future_covariates: Columns that are known of the future as well: numbers, or categories (text).
        static_covariates: Columns that describe a series: numbers, or categories (text, or true and false).
        calendar: Calendar features to show, out of minute, hour, weekday, day, month, quarter, year, and the public holidays of
            a country or a part of one, such as ``holidays:DE`` or ``holidays:US-CA`` (the extra ``lstmzoo[holidays]``); if None,
            those that the frequency resolves, where the entry's ``calendar`` is set.
        missing: Missing values and gaps are refused (``error``), filled and shown as such, without counting in the loss
            (``mask``), or filled linearly (``interpolate``).
        irregular: Whether time steps may be of any length; the network is shown how long each is.
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
        params_: Those of the parameters that forecasts depend on, as ``fit`` found them.
        horizon_: Steps that were trained for.
        levels_: Quantiles that were trained for, the median among them.
        preprocessor_: The fitted :class:`lstmzoo.preprocessing.WindowPreprocessor`.
        season_length_: The shortest season, which MASE is scaled by; 1 if there is none.
        seed_: Seed that ``fit`` used, and that the sample paths behind quantiles are drawn from.
        history_: A row per epoch: ``epoch``, ``loss``, ``val_loss``, ``learning_rate``, ``seconds``.
        best_epoch_: The epoch of ``fit`` whose weights were kept, and from which updates start.
        seconds_: Of fitting and updates.
        data_digest_: SHA-256 of the training data; after an update, of the digest before and that of the new rows.

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
        distribution: DistributionName | None = None,
        conformal: bool = False,
        past_covariates: list[str] | None = None,
        future_covariates: list[str] | None = None,
        static_covariates: list[str] | None = None,
        calendar: list[str] | None = None,
        missing: Missing = "error",
        irregular: bool = False,
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
        self.distribution = distribution
        self.conformal = conformal
        self.past_covariates = past_covariates
        self.future_covariates = future_covariates
        self.static_covariates = static_covariates
        self.calendar = calendar
        self.missing = missing
        self.irregular = irregular
        self.validation_size = validation_size
        self.pad_short = pad_short
        self.id_col = id_col
        self.time_col = time_col
        self.target_col = target_col
        self.time_limit = time_limit
        self.random_state = random_state
        self.verbose = verbose

    def fit(
        self, y: Any, X: None = None, *, checkpoint_dir: str | Path | None = None,
        callbacks: Sequence[keras.callbacks.Callback] | None = None,
        optimizer: keras.optimizers.Optimizer | dict[str, Any] | None = None,
        loss: Callable[[Any, Any], Any] | None = None, metrics: Sequence[str | keras.metrics.Metric] | None = None,
    ) -> "Forecaster":  # fmt: skip
        """Train on a long frame (pandas, polars or pyarrow), on one Series, or on one array ``(T,)``.

        Args:
            y: The series.
            X: Nothing; scikit-learn's pipelines and searches pass it.
            checkpoint_dir: Where the state of training is kept. A fit that was killed, called again with the same data and
                parameters, goes on from there, and ends with the same bits; it needs a ``random_state``.
            callbacks: Keras callbacks. Their hooks of training, epochs and batches are called; a learning rate that one sets
                multiplies the entry's schedule; ``model.stop_training`` ends the training.
            optimizer: A Keras optimizer, or its config, in place of the entry's. Its learning rate is where the entry's schedule
                begins, unless it has a schedule of its own.
            loss: A function of scaled targets and forecasts ``(B, H)``, in place of the entry's; only for point forecasts. Where
                a target is missing, it is given as what was forecast. With ``checkpoint_dir`` it must be a function of a module.
                :meth:`update` trains by the entry's own again.
            metrics: Keras metrics, or their names, of scaled targets and medians: columns of ``history_``, of the training set
                (means over batches) and, as ``val_...``, of the validation set.

        Raises:
            ConfigError: If a parameter, hyperparameter or argument is wrong, or the checkpoint is of another fit.
            UnknownNameError: If the zoo has no such entry.
            TrainingError: If the loss stops being finite.
            DataError: If the data is refused; see :func:`lstmzoo.preprocessing.read_panel`, or a series is too short.
        """
        started = time.perf_counter()
        self._check_params()
        self._refuse_second(X)
        config, params = self._resolve_config(), self._given_params
        overrides = _overrides(config.data.distribution, params.levels, callbacks, optimizer, loss, metrics)
        read, form = params.read(y)
        whole, held_out, seed = params.filled(read), self._held_out(), self._seed()
        given, panel = panel_digest(whole), params.filled(read, held_out)
        seasons = self._seasons(panel)
        preprocessor, panel = self._fitted_preprocessor(config, panel, seasons)
        checkpoint = self._checkpoint(checkpoint_dir, given)
        windows = preprocessor.windows(panel, drop=held_out)
        if not len(windows):
            raise DataError(
                "no series has, before its validation steps, an observed value to forecast and one before that: lower "
                f"{arg('lookback')}, {arg('horizon')} or {arg('validation_size')}, or give series with fewer missing values"
            )
        validation = self._validation(preprocessor, panel)
        with seeded(seed):
            model = self._build(config, preprocessor.spec_)
        if is_autoregressive(model):
            check_sampled(params.levels, PATHS)
        if params.conformal and validation is not None:
            check_held_out(int(np.isfinite(_judged(model, validation)[1]).sum()), params.levels)
        trained = self._train(model, windows, validation, config, seed, params.levels, checkpoint, overrides)
        self.model_, self.config_, self.seed_, self.params_ = model, config, seed, params
        self.preprocessor_, self.spec_ = preprocessor, preprocessor.spec_
        self.tail_ = self._kept(self._long_enough(whole, preprocessor))
        self.form_, self.season_length_ = form, seasons[0]
        self.history_, self.best_epoch_ = trained.history, trained.best_epoch
        self.data_digest_ = given
        self._learn_errors(validation or windows)
        self.seconds_ = time.perf_counter() - started
        return self

    def update(self, y: Any, *, epochs: Positive = 1) -> "Forecaster":
        """Continue training on what was observed since, with a tenth of the learning rate; forecasts then begin after it.

        An update that fails or is interrupted leaves the forecaster as it was.

        Args:
            y: Further rows of the series that were fitted: each series goes on where it ended, or is left out; what has no
                times of its own, as an array, begins at the next step. Scales, categories, conformal corrections and the
                correlation of steps stay as they were learned.
            epochs: Passes over the windows whose forecasts reach into the new rows.

        Raises:
            NotFittedError: If the estimator is not fitted.
            ConfigError: If ``epochs`` is not a whole number above 0.
            DataError: If the rows lack a column, are of a series never seen, overlap what was fitted, or, unless ``missing``
                says how to fill it, leave a gap.
        """
        self._check_fitted()
        require_counts(epochs=epochs)
        started = time.perf_counter()
        new, _ = self._read_like_fitted(y, after=self.tail_)
        longer = continued(self.tail_, new, self.params_.columns, missing=self.params_.missing)
        trained = np.maximum(self.tail_.lengths - self.preprocessor_.min_length + 1, 0)
        windows = self.preprocessor_.windows(longer, skip=trained)

        def train_on(config: ModelConfig, seed: int) -> Trained:
            return self._train(self.model_, windows, None, config, seed, self.levels_)

        self._update(epochs, train_on if len(windows) else None, panel_digest(new))
        self.tail_ = self._kept(longer)
        self.seconds_ += time.perf_counter() - started
        return self

    def baselines(self) -> dict[str, BaselineForecaster]:
        """The naive forecasts that a network has to beat, unfitted, by name."""
        names = (
            "horizon", "season_length", "freq", "quantiles", "pad_short", "missing", "irregular", "past_covariates",
            "future_covariates", "static_covariates", "id_col", "time_col", "target_col",
        )  # fmt: skip
        return {method: BaselineForecaster(method, **{n: getattr(self, n) for n in names}) for method in METHODS}

    def restrict(self, search_space: dict[str, Any], y: Any) -> dict[str, Any]:
        """A search space without what this estimator's parameters or the data make meaningless.

        Args:
            search_space: Ranges by key, as in a zoo config.
            y: What is to be fitted, as for :meth:`fit`.
        """
        params = self._given_params
        panel = params.filled(params.read(y)[0])
        space = {key: value for key, value in search_space.items() if key not in (self.hyperparameters or {})}
        if self.lookback is not None:
            space.pop("lookback_horizons", None)
        if not panel.has_calendar or self.calendar is not None:
            space.pop("calendar", None)
        if self.distribution is not None:
            space.pop("distribution", None)
        if "transform" in space and (panel.values <= 0).any():
            space.pop("transform")
        spare = int(panel.lengths.min()) - self.horizon - self._held_out()
        if "lookback_horizons" in space and not self.pad_short:
            space["lookback_horizons"] = _capped(space["lookback_horizons"], spare // self.horizon)
        if "residual" in space:
            seasons = self._seasons(panel)
            useful = useful_residuals(seasons, max(spare, seasons[-1]) if self.pad_short else spare)
            values = [v for v in space["residual"].values if v in useful]
            space["residual"] = space["residual"].model_copy(update={"values": values})
            if not values:
                del space["residual"]
        return space

    def refit_clone(self) -> "Forecaster":
        """An unfitted copy that trains on all data, for as many epochs as were best; with ``conformal``, on as much as before."""
        clone = super().refit_clone()
        return clone.set_params(validation_size=self.validation_size) if self.conformal else clone

    def _preprocessor(self, data: ForecastingData, seasons: list[int], levels: list[float]) -> WindowPreprocessor:
        lookback = int(self.lookback or data.lookback_horizons * self.horizon)
        quantiles, columns = data.distribution == "quantiles", self._given_params.columns
        channels = Channels(
            calendar=data.calendar if self.calendar is None else list(self.calendar),
            known=columns.known,
            past=columns.past,
            static=columns.static,
            mask=self.missing == "mask",
            irregular=self.irregular,
        )
        return WindowPreprocessor(
            lookback=lookback,
            horizon=int(self.horizon),
            quantiles=levels if quantiles else [0.5],
            periods=reference_periods(data.residual, seasons, lookback),
            scaling=data.scaling,
            transform=data.transform,
            distribution=data.distribution,
            num_outputs=len(levels) if quantiles else DISTRIBUTIONS[data.distribution].num_parameters,
            season_length=seasons[0],
            channels=channels,
        )

    def network_sizes(self, y: Any) -> tuple[ModelConfig, ForecastingSpec]:
        """The config and the sizes of the network that :meth:`fit` would train on the data; see :func:`lstmzoo.build_model`.

        Args:
            y: As for :meth:`fit`.

        Raises:
            ConfigError: As of :meth:`fit`.
            DataError: As of :meth:`fit`.
        """
        self._check_params()
        config = self._resolve_config()
        params = self._given_params
        panel = params.filled(params.read(y)[0], self._held_out())
        return config, self._fitted_preprocessor(config, panel, self._seasons(panel))[0].spec_

    def _fitted_preprocessor(self, config: ModelConfig, panel: Panel, seasons: Any) -> tuple[WindowPreprocessor, Panel]:
        """What makes windows, fitted on what is not held out, and the panel, extended if need be."""
        preprocessor = self._preprocessor(config.data, seasons, self._given_params.levels)
        panel = self._long_enough(panel, preprocessor)
        preprocessor.fit(panel.head(self._held_out()))
        return preprocessor, panel

    def _resolve_config(self) -> ModelConfig:
        if self.lookback is not None and "lookback_horizons" in (self.hyperparameters or {}):
            raise ConfigError(
                f"{arg('lookback')} and the hyperparameter lookback_horizons say the same: give one of them"
            )
        for name in ("calendar", "distribution"):
            if getattr(self, name) is not None and name in (self.hyperparameters or {}):
                raise ConfigError(
                    f"the parameter {arg(name)} and the hyperparameter {name} say the same: give one of them"
                )
        config = super()._resolve_config()
        if self.distribution is not None:
            config = config.override({"distribution": self.distribution})
        if config.data.distribution == "negative_binomial":
            self._check_counts(config.data)
        if self.conformal and not (len(self._given_params.levels) > 1 and self._held_out()):
            raise ConfigError(
                f"{arg('conformal')}: needs {arg('quantiles')} to correct, and held-out windows: {arg('validation_size')} above 0"
            )
        return config

    def _check_counts(self, data: ForecastingData) -> None:
        counts = f"{arg(distribution='negative_binomial')} is of counts, not of"
        if data.transform == "log":
            raise ConfigError(f"{counts} their logarithms: pass {arg(hyperparameters={'transform': 'none'})}")
        if data.scaling == "level":
            raise ConfigError(
                f"{counts} differences from the last one: pass {arg(hyperparameters={'scaling': 'window'})}"
            )
        if self.missing == "interpolate":
            raise ConfigError(f"{counts} what lies between them: pass {arg(missing='mask')}")

    def _held_out(self) -> int:
        size = self.horizon if self.validation_size is None else self.validation_size
        if 0 < size < self.horizon:
            raise ConfigError(
                f"{arg('validation_size')}: expected 0, or the horizon {self.horizon} or more; got {size}"
            )
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
            f"{self._held_out()} of validation: lower {arg('lookback')}, {arg('season_length')}, {arg('horizon')} or "
            f"{arg('validation_size')}, pass {arg(pad_short=True)}, or drop it"
        )

    def _validation(self, preprocessor: WindowPreprocessor, panel: Panel) -> Windows | None:
        held_out = self._held_out()
        return preprocessor.held_out_windows(panel, held_out) if held_out else None

    def _train(
        self, model: Any, windows: Windows, validation: Windows | None, config: ModelConfig, seed: int, levels: list[float],
        checkpoint: Checkpoint | None = None, overrides: Overrides | None = None,
    ) -> Trained:  # fmt: skip
        names, training, overrides = set(model.input), config.training, overrides or Overrides()
        loss = _loss(windows.spec.distribution, levels) if overrides.loss is None else point_loss(overrides.loss)

        def make(numbers: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray]:
            inputs, target, _ = windows.batch(numbers)
            return {name: inputs[name] for name in names}, target

        batches = Batches(
            make,
            num_items=len(windows),
            batch_size=training.batch_size,
            steps_per_epoch=training.steps_per_epoch,
            seed=seed,
        )
        validate = None
        if validation is not None:
            inputs, target, _ = validation.batch(validation.spread())
            inputs = {name: inputs[name] for name in names}

            def validate() -> dict[str, float]:
                output = predict_padded(model, inputs)
                own = measured(overrides.make_metrics(), target, output)
                return {"loss": float(np.mean(np.asarray(loss(target, output)))), **own}

        return train(
            model, loss, batches, config=training, validate=validate, time_limit=self.time_limit, verbose=self.verbose,
            title=config.title, checkpoint=checkpoint, overrides=overrides,
        )  # fmt: skip

    def network_loss(self, spec: ForecastingSpec) -> Any:
        """The loss that networks of these sizes are trained with."""
        return _loss(spec.distribution, self._given_params.levels)

    def _learn_errors(self, windows: Windows) -> None:
        """From the errors on held-out windows (else, those trained on): how steps hang together, and conformal offsets."""
        levels, conformal = self.levels_, self.params_.conformal
        self.step_correlation_, self.offsets_ = 0.0, None
        paths = not is_autoregressive(self.model_) and (len(levels) > 2 or self.spec_.distribution != "quantiles")
        if not (paths or conformal):
            return
        inputs, target, scale, numbers = _judged(self.model_, windows)
        quantiles = self._panel_model.outlook.quantiles(inputs, scale.scale, levels, numbers)
        self.step_correlation_ = step_correlation(target - quantiles[..., levels.index(0.5)])
        self.offsets_ = conformal_offsets(target, quantiles, levels) if conformal else None


def _loss(distribution: str, levels: list[float]) -> Callable[[Any, Any], Any]:
    return pinball_loss(levels) if distribution == "quantiles" else distribution_loss(distribution)


def _overrides(
    distribution: str, levels: list[float], callbacks: Any, optimizer: Any, loss: Any, metrics: Any
) -> Overrides:
    """Callbacks, optimizer, loss and metrics of a fit; a loss is of point forecasts, and metrics are of the median."""
    overrides = Overrides(callbacks, optimizer, loss, metrics, point=levels.index(0.5))
    if overrides.loss is not None and (distribution != "quantiles" or len(levels) > 1):
        raise ConfigError(f"{arg('loss')}: one of your own needs point forecasts: leave out {arg('quantiles')}, and pass "
                          f"{arg(distribution='quantiles')}")  # fmt: skip
    if overrides.metrics is not None and distribution != "quantiles":
        raise ConfigError(
            f"{arg('metrics')}: they need quantiles or point forecasts: pass {arg(distribution='quantiles')}"
        )
    return overrides


def _judged(model: Any, windows: Windows) -> tuple[dict[str, np.ndarray], np.ndarray, Scale, np.ndarray]:
    """Inputs, targets ``(B, H)``, scales and numbers of the windows that forecasts are judged by.

    The targets of flat windows, whose errors have no unit, are NaN, as are those that were not observed.
    """
    numbers = windows.spread(512 if is_autoregressive(model) else 4096)
    inputs, target, scale = windows.batch(numbers)
    return inputs, np.where(scale.scale > 0, target[..., 0].astype(float), np.nan), scale, numbers


def _capped(span: Any, largest: int) -> Any:
    """Of a range of whole numbers, what is not above ``largest``; at least one value is left."""
    if isinstance(span, Categorical):
        values = [v for v in span.values if isinstance(v, int) and v <= largest]
        return span.model_copy(update={"values": values or [max(largest, 1)]})
    if largest <= span.min:
        return Categorical(type="categorical", values=[max(largest, 1)])
    return span.model_copy(update={"max": min(span.max, largest)})
