"""The forecaster: one network, trained on many series."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import keras
import numpy as np
from pydantic import Field
from sklearn.base import clone

from lstmzoo.config import ModelConfig
from lstmzoo.config.forecasting import DistributionName
from lstmzoo.config.ranges import SearchParameter
from lstmzoo.errors import ConfigError, arg
from lstmzoo.estimators.forecasting._base import Level, Missing, Positive, Seasons, panel_digest
from lstmzoo.estimators.forecasting.baselines import METHODS, BaselineForecaster
from lstmzoo.estimators.forecasting.ensemble import ForecastEnsemble
from lstmzoo.estimators.forecasting.network import NetworkForecaster
from lstmzoo.estimators.forecasting.network.framing import (
    PreparedSeries,
    check_counts,
    check_learnable,
    kept_rows,
    long_enough,
    training_windows,
    window_preprocessor,
)
from lstmzoo.estimators.forecasting.search_space import meaningful_space
from lstmzoo.panel import Panel
from lstmzoo.preprocessing import Windows, continued
from lstmzoo.spec import ForecastingSpec

_logger = logging.getLogger(__name__)


class Forecaster(NetworkForecaster):
    """One network, trained on all series together, that forecasts the next ``horizon`` steps of each.

    Args:
        model: Zoo entry, such as ``lstm`` or ``forecasting/lstm``; see :func:`lstmzoo.list_models`.
        horizon: H, steps to forecast.
        lookback: T, steps that the network reads; if None, the entry's ``lookback_horizons`` times the horizon.
        season_length: One or several season lengths in steps. If None, the usual ones of the frequency, unless the data speaks
            clearly against them, and those found in the data; see :func:`lstmzoo.preprocessing.find_seasons`.
        freq: Frequency: a pandas alias or an integer step; inferred if None.
        quantiles: Quantile levels to forecast besides the median.
        hyperparameters: Overrides of the entry's settings, whether of the network, the data (``scaling``, ``residual``, ...) or
            the training (``learning_rate``, ``epochs``, ...).
        distribution: Type of the forecast: ``quantiles``, or the parameters of a ``normal``, ``student_t`` or
            ``negative_binomial`` distribution, from which any quantile can be computed; the entry's if None.
        conformal: Whether to correct the quantiles by conformal prediction on held-out windows, so that the right share of
            values lies below each.
        past_covariates: Columns known up to the present: numbers, or categories (text).
        future_covariates: Columns known for the future too: numbers, or categories (text).
        static_covariates: Columns that describe a series: numbers, or categories (text, or true and false).
        calendar: Calendar features: minute, hour, weekday, day, month, quarter, year, and the public holidays of a country or
            region, such as ``holidays:DE`` or ``holidays:US-CA`` (the extra ``lstmzoo[holidays]``). If None, those that suit the
            frequency, if the entry's ``calendar`` is set.
        missing: How missing values and gaps are handled: refused (``error``); filled, with a mask as an input and no weight in
            the loss (``mask``); or interpolated (``interpolate``).
        irregular: Whether time steps may have any length; the length of each is then an input.
        validation_size: Steps at each series' end that are held out of training and choose the best epoch; the horizon if None.
            With 0, the network is trained on all data for all epochs.
        pad_short: Whether series that are too short for lookback, horizon and validation are padded to the left with their first
            value, which the network sees as not observed. If None, they are, with a warning, unless all are too short; and a
            lookback and a validation set that were not asked for are as small as half of the series need. False refuses them.
        allow_negative: Whether series that were never negative may be forecast negative. Otherwise their forecasts, quantiles and
            sample paths are at least 0.
        id_col: Column that names the series; None if the frame holds one series.
        time_col: Column of timestamps, dates or integers.
        target_col: Column of values.
        time_limit: Seconds of training, at most.
        random_state: Seed of all random choices; the same seed gives the same bits on the same machine.
        verbose: 0 for no output, 1 for a progress bar.

    Attributes:
        model_: The trained Keras model.
        config_: The resolved zoo entry.
        spec_: Sizes learned from the data.
        params_: The parameters of the fit that forecasts depend on.
        horizon_: The horizon of the fit.
        levels_: The quantile levels of the fit, 0.5 among them.
        preprocessor_: The fitted :class:`lstmzoo.preprocessing.WindowPreprocessor`.
        seasons_: All season lengths, shortest first; [1] if there is none.
        season_length_: The shortest season, which scales MASE; 1 if there is none.
        seed_: Seed that ``fit`` used, and of the sample paths from which quantiles are computed.
        history_: A row per epoch: ``epoch``, ``loss``, ``val_loss``, ``learning_rate``, ``seconds``.
        best_epoch_: The epoch of ``fit`` whose weights were kept.
        seconds_: Seconds of the fit and its updates.
        data_digest_: SHA-256 of the training data; after an update, SHA-256 of the previous digest and that of the new rows.

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
        pad_short: bool | None = None,
        allow_negative: bool = False,
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
        self.allow_negative = allow_negative
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
        """Train on a long frame (pandas, polars or pyarrow), a Series, or an array ``(T,)``.

        Args:
            y: The training series.
            X: Ignored; scikit-learn's pipelines and searches pass it.
            checkpoint_dir: Folder for checkpoints. A fit that was killed resumes from its checkpoint when it is called again with
                the same data and parameters, and ends with the same bits. Needs a ``random_state``.
            callbacks: Keras callbacks. Their hooks of training, epochs and batches are called. A learning rate that one sets
                multiplies the entry's schedule; ``model.stop_training`` ends the training.
            optimizer: A Keras optimizer or its config, in place of the entry's. The entry's schedule starts at its learning
                rate, unless it has a schedule of its own.
            loss: A function of scaled targets and forecasts ``(B, H)``, in place of the entry's loss; for point forecasts only.
                Missing targets are replaced by their forecasts. With ``checkpoint_dir``, it must be a function of a module.
                :meth:`update` uses the entry's loss.
            metrics: Keras metrics or their names, computed from scaled targets and medians. They are columns of ``history_``:
                means over the batches of the training set and, as ``val_...``, on the validation set.

        Raises:
            ConfigError: If a parameter, hyperparameter or argument is wrong, or the checkpoint belongs to another fit.
            UnknownNameError: If the zoo has no such entry.
            TrainingError: If the loss is not finite.
            DataError: If the data is refused, see :func:`lstmzoo.preprocessing.read_panel`, or a series is too short.
        """
        self._refuse_second(X)
        given = {"callbacks": callbacks, "optimizer": optimizer, "loss": loss, "metrics": metrics}
        return self._fit_network(y, checkpoint_dir=checkpoint_dir, **given)

    def update(self, y: Any, *, epochs: Positive = 1) -> "Forecaster":
        """Train further on new rows, with a tenth of the learning rate; forecasts then start after them.

        If an update fails or is interrupted, the forecaster stays as it was.

        Args:
            y: New rows of the training series. Each series continues where it ended, or is left out; data without times, such
                as an array, starts at the next step. Scales, categories, conformal corrections and the correlation of steps stay
                as they were learned.
            epochs: Passes over the windows whose targets are new rows.

        Raises:
            NotFittedError: If the estimator is not fitted.
            ConfigError: If ``epochs`` is not a whole number above 0.
            DataError: If the rows lack a column, belong to an unknown series, overlap the training data, or leave a gap while
                ``missing`` is ``error``.
        """
        return self._update_network(epochs, y)

    def baselines(self) -> dict[str, BaselineForecaster]:
        """Return unfitted baselines, which a network has to beat, by name."""
        names = (
            "horizon", "season_length", "freq", "quantiles", "pad_short", "allow_negative", "missing", "irregular",
            "past_covariates", "future_covariates", "static_covariates", "id_col", "time_col", "target_col",
        )  # fmt: skip
        return {method: BaselineForecaster(method, **{n: getattr(self, n) for n in names}) for method in METHODS}

    def ensemble(self, members: Sequence[Any], weights: Sequence[float]) -> ForecastEnsemble:
        """Return the fitted ensemble of fitted members; see :class:`lstmzoo.ForecastEnsemble`."""
        return ForecastEnsemble.of(members, weights)

    def restrict(self, search_space: dict[str, SearchParameter], y: Any) -> dict[str, SearchParameter]:
        """Return a search space without the ranges that this estimator's parameters or the data make meaningless.

        Args:
            search_space: Ranges by key, as in a zoo config.
            y: Training series, as for :meth:`fit`.
        """
        params = self._given_params
        panel = params.filled(params.read(y)[0])
        owners = {"lookback_horizons": self.lookback, "calendar": self.calendar, "distribution": self.distribution}
        fixed = {*(self.hyperparameters or {}), *(name for name, value in owners.items() if value is not None)}
        space = {key: value for key, value in search_space.items() if key not in fixed}
        length = panel.lengths.min() if self.pad_short is False else np.median(panel.lengths)
        spare = int(length) - self.horizon - self._held_out()
        own = self._resolve_config().settings
        return meaningful_space(
            space, own, panel, self._seasons(panel), self.horizon, spare, pad_short=bool(self.pad_short)
        )

    def settled(self, y: Any) -> "Forecaster":
        """Return an unfitted copy with the seasons of the series; see :meth:`lstmzoo.contracts.Settling.settled`."""
        params = self._given_params
        return clone(self).set_params(season_length=self._seasons(params.filled(params.read(y)[0]), log=True))

    def refit_clone(self) -> "Forecaster":
        """Return an unfitted copy for the best number of epochs and all data; if ``conformal``, for as much data as before."""
        copy = super().refit_clone()
        return copy.set_params(validation_size=self.validation_size) if self.conformal else copy

    def network_sizes(self, y: Any) -> tuple[ModelConfig, ForecastingSpec]:
        """Return the config and the sizes of the network that :meth:`fit` would train; see :func:`lstmzoo.build_model`.

        Args:
            y: As for :meth:`fit`.

        Raises:
            ConfigError: As for :meth:`fit`.
            DataError: As for :meth:`fit`.
        """
        return self._network_sizes(y)

    def _resolve_config(self) -> ModelConfig:
        if self.lookback is not None and "lookback_horizons" in (self.hyperparameters or {}):
            raise ConfigError(
                f"{arg('lookback')} and the hyperparameter lookback_horizons set the same: pass one of them"
            )
        for name in ("calendar", "distribution"):
            if getattr(self, name) is not None and name in (self.hyperparameters or {}):
                raise ConfigError(
                    f"the parameter {arg(name)} and the hyperparameter {name} set the same: pass one of them"
                )
        config = super()._resolve_config()
        if self.distribution is not None:
            config = config.override({"distribution": self.distribution})
        if config.data.distribution == "negative_binomial":
            check_counts(config.data, self.missing)
        if self.conformal and not (len(self._given_params.levels) > 1 and self._held_out()):
            raise ConfigError(
                f"{arg('conformal')} needs quantiles to correct and held-out windows: pass {arg('quantiles')}, and "
                f"{arg('validation_size')} above 0"
            )
        return config

    def _held_out(self) -> int:
        size = self.horizon if self.validation_size is None else self.validation_size
        if 0 < size < self.horizon:
            raise ConfigError(
                f"{arg('validation_size')}: expected 0 or at least the horizon {self.horizon}, got {size}"
            )
        return size

    def _prepare(self, config: ModelConfig, seed: int, y: Any) -> PreparedSeries:
        params = self._given_params
        read, form = params.read(y)
        whole = params.filled(read)
        check_learnable(whole)
        lookback, held_out = self._spans(config, whole)
        panel = params.filled(read, held_out)
        seasons = self._seasons(panel, log=True)
        preprocessor = window_preprocessor(config.data, params, seasons, lookback, self.calendar)
        given, panel = panel, long_enough(panel, preprocessor, held_out, pad_short=self.pad_short)
        params = replace(params, pad_short=bool(self.pad_short) or panel is not given)
        preprocessor.channels.mask |= panel is not given  # the network sees which values are padding
        preprocessor.fit(panel.head(held_out))
        kept = kept_rows(whole.padded(preprocessor.min_length + held_out), preprocessor)
        return PreparedSeries(
            preprocessor=preprocessor, spec=preprocessor.spec_, digest=panel_digest(whole), params=params,
            windows=training_windows(preprocessor, panel, held_out), tail=kept, form=form, seasons=seasons,
            validation=Windows.held_out(preprocessor, panel, held_out) if held_out else None,
        )  # fmt: skip

    def _spans(self, config: ModelConfig, panel: Panel) -> tuple[int, int]:
        """Return the lookback and the steps to hold out for validation; less than asked for if most series are too short."""
        held_out = self._held_out()
        lookback = int(self.lookback or config.data.lookback_horizons * self.horizon)
        typical = int(np.median(panel.lengths))
        if self.pad_short is not None or typical >= lookback + self.horizon + held_out:
            return lookback, held_out
        asked = lookback, held_out
        if self.validation_size is None and not self.conformal and typical < 3 * self.horizon:
            held_out = 0
        if self.lookback is None:
            lookback = min(lookback, max(typical - self.horizon - held_out, 1))
        if (lookback, held_out) != asked:
            _logger.warning(
                "half of the series have at most %d observations: the lookback is %d (usually %d), and %d steps are held out for "
                "validation (usually %d)", typical, lookback, asked[0], held_out, asked[1],
            )  # fmt: skip
        return lookback, held_out

    def continue_from(self, y: Any) -> None:
        """Forecast from the ends of longer series, without training.

        Args:
            y: The training series with further rows.
        """
        params = self.params_
        read, form = params.read(y)
        whole = params.filled(read)
        longer = long_enough(whole, self.preprocessor_, 0, pad_short=params.pad_short)
        self.tail_, self.form_ = kept_rows(longer, self.preprocessor_), form
        self.data_digest_ = panel_digest(whole)

    def _prepare_update(self, config: ModelConfig, seed: int, y: Any) -> PreparedSeries:
        new, form = self._read_like_fitted(y, after=self.tail_)
        longer = continued(self.tail_, new, self.params_.columns, missing=self.params_.missing)
        trained = np.maximum(self.tail_.lengths - self.preprocessor_.min_length + 1, 0)
        windows = Windows(self.preprocessor_, longer, skip=trained)
        return PreparedSeries(
            preprocessor=self.preprocessor_, spec=self.spec_, digest=panel_digest(new), params=self.params_,
            windows=windows, tail=kept_rows(longer, self.preprocessor_), form=form, seasons=self.seasons_,
            empty=not len(windows),
        )  # fmt: skip
