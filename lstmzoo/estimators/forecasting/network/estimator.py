"""The network of a forecaster: how it learns from prepared series, and what a fitted one can do."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np

from lstmzoo.config import ModelConfig, list_models
from lstmzoo.errors import ConfigError, DataError, SavedModelError, arg
from lstmzoo.estimators._base import LearnedArray, ZooNetworkEstimator, as_json, preprocessor
from lstmzoo.estimators.forecasting._base import PanelForecaster
from lstmzoo.estimators.forecasting.network._base import Projection
from lstmzoo.estimators.forecasting.network.conformal import check_held_out, conformal_offsets
from lstmzoo.estimators.forecasting.network.framing import PreparedSeries
from lstmzoo.estimators.forecasting.network.interpretation import Interpretation, interpretation
from lstmzoo.estimators.forecasting.network.outlook import (
    PATHS,
    Outlook,
    check_sampled,
    is_autoregressive,
    step_correlation,
)
from lstmzoo.estimators.forecasting.network.streaming import ForecastStream
from lstmzoo.exporting import ExportFormat, ExportReport, export_model
from lstmzoo.layers import distribution_loss, pinball_loss
from lstmzoo.models._base import SteppingModel
from lstmzoo.overrides import Overrides, measured, point_loss
from lstmzoo.preprocessing import Scale, WindowPreprocessor, Windows
from lstmzoo.saving import check_arrays_finite
from lstmzoo.spec import ForecastingSpec
from lstmzoo.training import Batches, Trained, Validate, predict_padded

Loss = Callable[[Any, Any], Any]


class NetworkForecaster(ZooNetworkEstimator[PreparedSeries], PanelForecaster):
    """Base of :class:`lstmzoo.Forecaster`, which prepares the series."""

    _saved = (
        *as_json("step_correlation_"),
        preprocessor(WindowPreprocessor, "windows"),
        LearnedArray("offsets_", key="conformal_offsets"),
    )
    spec_: ForecastingSpec
    preprocessor_: WindowPreprocessor
    step_correlation_: float
    offsets_: np.ndarray | None

    def sample_paths(
        self, n: int = 100, horizon: int | None = None, history: Any = None, future: Any = None,
        random_state: int | None = None,
    ) -> Any:  # fmt: skip
        """Draw sample paths: possible futures whose steps depend on each other.

        An autoregressive entry draws each step given the one before. Other entries draw from each step's distribution, joined by
        a Gaussian copula: neighbouring steps are correlated as the forecast errors on held-out windows were.

        Args:
            n: Paths per series.
            horizon: As for :meth:`predict`.
            history: As for :meth:`predict`.
            future: As for :meth:`predict`.
            random_state: Seed of the paths; None draws new ones at each call.

        Returns:
            A long frame of the type of ``history`` (or of the training data): id, time and columns ``y_hat_path<i>``; for an
            array, an array ``(H, n)``.

        Raises:
            NotFittedError: If the estimator is not fitted.
            ConfigError: If neither a distribution nor quantiles on both sides of the median were trained; if quantiles are
                conformal and the horizon is longer than the one trained for; or if a number is out of range.
            DataError: If the history or the future is refused.
        """
        return self._sampled(n, horizon, history, future, random_state)

    def stream(self, history: Any = None) -> ForecastStream:
        """Forecast one series as it is observed; each observation costs one step of the network.

        Args:
            history: Observations of the series so far, as for :meth:`predict`.

        Raises:
            NotFittedError: If the estimator is not fitted.
            ConfigError: If the entry cannot step.
            DataError: If the history is too short, or holds more than one series.

        Examples:
            >>> import numpy as np
            >>> from lstmzoo import Forecaster
            >>> y = 10 + np.sin(np.arange(120) * np.pi / 6)
            >>> settings = {"epochs": 1, "steps_per_epoch": 2, "units": 4}
            >>> forecaster = Forecaster("gru", horizon=6, hyperparameters=settings, random_state=0, verbose=0).fit(y)
            >>> stream = forecaster.stream()
            >>> stream.update(10.0).shape
            (6,)
        """
        self._check_fitted()
        if not isinstance(self.model_, SteppingModel):
            steps = [name.split("/")[1] for name in list_models(f"{self.task}/*", tag="streaming")]
            raise ConfigError(
                f"stream: {self.config_.name} cannot step, because it reads a window whole; entries that can: {', '.join(steps)}"
            )
        panel, form = self._history(history)
        if len(panel) != 1:
            raise DataError(
                f"a stream has one series, but there are {len(panel)}: pass the rows of one as {arg(history=...)}"
            )
        return ForecastStream(self._panel_model, self.params_, panel, form)

    def interpret(self, history: Any = None, *, future: Any = None, ids: Any = None) -> Interpretation:
        """Return the weights that the network gives to variables and time steps; for entries tagged ``interpretable``.

        Args:
            history: As for :meth:`predict`.
            future: As for :meth:`predict`.
            ids: As for :meth:`predict`.

        Returns:
            Two frames of the type of ``history`` (or of the training data), and a plot. ``variables`` has the weights of past,
            future and static variables: id, ``part``, ``variable``, ``weight``. ``attention`` has the weights of time steps: id,
            time, ``attended``, ``weight``.

        Raises:
            NotFittedError: If the estimator is not fitted.
            ConfigError: If the entry is not interpretable, the id or time column has the name of a column of the result, or
                ``ids`` is not a list of names.
            UnknownNameError: If there is no series of such a name.
            DataError: As for :meth:`predict`.
        """
        self._check_fitted()
        panel, form, ahead = self._to_forecast(history, self.horizon_, future, ids)
        return interpretation(self._panel_model, self.config_.name, self.params_, panel, form, ahead)

    def export(self, format: ExportFormat, path: str | Path) -> ExportReport:
        """Write the network for another runtime, and check that it computes the same there. An export cannot be loaded again.

        Args:
            format: ``litert``, ``onnx``, ``saved_model`` or ``keras``.
            path: File or folder to write, which must not exist. ``<path>.json`` beside it names inputs and outputs, and holds
                the preprocessor.

        Raises:
            NotFittedError: If the estimator is not fitted.
            UnknownNameError: If the format is unknown.
            ConfigError: If a package that the format needs is missing, or the backend or the entry cannot be exported to it.
            SavedModelError: If the path exists, or the outputs of the export differ.
        """
        self._check_fitted()
        series = self.tail_.select(np.arange(min(8, len(self.tail_))))
        inputs, _ = self._panel_model.past_windows(series)
        inputs["previous"] = np.zeros((len(series), self.horizon_, 1), dtype=np.float32)
        conformal = None if self.offsets_ is None else {"levels": self.levels_, "offsets": self.offsets_.tolist()}
        learned = {"preprocessor": self.preprocessor_.to_json(), "conformal": conformal}
        return export_model(self.model_, path, format, inputs, learned)

    def network_loss(self, spec: ForecastingSpec) -> Loss:
        """Return the loss that networks of these sizes are trained with."""
        return forecast_loss(spec.distribution, self._given_params.levels)

    @classmethod
    def loss_of_spec(cls, spec: ForecastingSpec) -> Any:
        """Return the loss, or its name, of networks of these sizes, if the quantile levels are not known.

        Raises:
            ConfigError: If there are several quantiles.
        """
        if spec.distribution != "quantiles":
            return distribution_loss(spec.distribution)
        if spec.num_outputs == 1:
            return "mae"
        raise ConfigError(
            f"{arg('loss')}: the spec has {spec.num_outputs} outputs: pass one, such as "
            "lstmzoo.layers.pinball_loss([0.1, 0.5, 0.9])"
        )

    def _overrides(self, config: ModelConfig, **given: Any) -> Overrides:
        levels, distribution = self._given_params.levels, config.data.distribution
        overrides = Overrides(**given, point=levels.index(0.5))
        if overrides.loss is not None and (distribution != "quantiles" or len(levels) > 1):
            raise ConfigError(f"{arg('loss')}: one of your own needs point forecasts: leave out {arg('quantiles')}, and pass "
                              f"{arg(distribution='quantiles')}")  # fmt: skip
        if overrides.metrics is not None and distribution != "quantiles":
            raise ConfigError(
                f"{arg('metrics')}: they need quantiles or point forecasts: pass {arg(distribution='quantiles')}"
            )
        return overrides

    def _start(self, model: keras.Model, prepared: PreparedSeries, config: ModelConfig) -> None:
        """Refuse levels that are too extreme for the sample paths or held-out values, before any training."""
        levels, validation = prepared.params.levels, prepared.validation
        if is_autoregressive(model):
            check_sampled(levels, PATHS)
        if prepared.params.conformal and validation is not None:
            check_held_out(int(np.isfinite(_judged(model, validation)[1]).sum()), levels)

    def _batches(self, model: keras.Model, prepared: PreparedSeries, config: ModelConfig, seed: int) -> Batches:
        names, training = set(model.input), config.training

        def make(numbers: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray]:
            inputs, target, _ = prepared.windows.batch(numbers)
            return {name: inputs[name] for name in names}, target

        return Batches(
            make, num_items=len(prepared.windows), batch_size=training.batch_size,
            steps_per_epoch=training.steps_per_epoch, seed=seed,
        )  # fmt: skip

    def _loss(self, prepared: PreparedSeries, overrides: Overrides) -> Loss:
        if overrides.loss is not None:
            return point_loss(overrides.loss)
        return forecast_loss(prepared.spec.distribution, prepared.params.levels)

    def _program_key(self, prepared: PreparedSeries) -> list[float]:
        return prepared.params.levels

    def _validator(
        self, model: keras.Model, prepared: PreparedSeries, config: ModelConfig, overrides: Overrides
    ) -> Validate | None:
        windows, loss = prepared.validation, self._loss(prepared, overrides)
        if windows is None:
            return None
        inputs, target, _ = windows.batch(windows.spread())
        inputs = {name: inputs[name] for name in model.input}

        def validate() -> dict[str, float]:
            output = predict_padded(model, inputs)
            own = measured(overrides.make_metrics(), target, output)
            return {"loss": float(np.mean(np.asarray(loss(target, output)))), **own}

        return validate

    def _learn(self, prepared: PreparedSeries, trained: Trained) -> None:
        self.params_, self.seasons_, self.season_length_ = prepared.params, prepared.seasons, prepared.seasons[0]
        self.tail_, self.form_ = prepared.tail, prepared.form
        self.step_correlation_, self.offsets_ = 0.0, None
        levels, conformal = self.levels_, self.params_.conformal
        spread = len(levels) > 2 or self.spec_.distribution != "quantiles"
        if not conformal and (not spread or is_autoregressive(self.model_)):
            return
        inputs, target, scale, numbers = _judged(self.model_, prepared.validation or prepared.windows)
        quantiles = self._panel_model.outlook.quantiles(inputs, scale.scale, levels, numbers)
        self.step_correlation_ = step_correlation(target - quantiles[..., levels.index(0.5)])
        self.offsets_ = conformal_offsets(target, quantiles, levels) if conformal else None

    def _learn_update(self, prepared: PreparedSeries) -> None:
        self.tail_ = prepared.tail

    @property
    def _panel_model(self) -> Projection:
        outlook = Outlook(self.model_, self.spec_, self.preprocessor_.quantiles, self.step_correlation_, self.seed_)
        return Projection(outlook, self.preprocessor_, self.levels_, self.offsets_, self.params_.pad_short)

    def _complete(self) -> None:
        self.spec_ = self.preprocessor_.spec_
        params, fitted, offsets = self.params_, self.preprocessor_.quantiles, self.offsets_
        expected = (params.horizon, len(params.levels)) if params.conformal else None
        if (None if offsets is None else offsets.shape) != expected:
            raise SavedModelError("state.safetensors: the conformal offsets are missing or of another shape")
        levels = params.levels if self.spec_.distribution == "quantiles" else [0.5]
        if (self.spec_.horizon, fitted) != (params.horizon, levels):
            raise SavedModelError("preprocessor.json: the horizon or the quantiles are not those of params.json")
        if self.spec_.distribution == "quantiles" and len(fitted) != self.spec_.num_outputs:
            raise SavedModelError(f"preprocessor.json: {len(fitted)} levels, but {self.spec_.num_outputs} outputs")
        longest, context = int(self.tail_.lengths.max()), self.preprocessor_.context
        if longest < context:
            raise SavedModelError(f"state.safetensors: series of {longest} steps, but windows of {context}")
        if offsets is not None:
            check_arrays_finite({"conformal_offsets": offsets}, "state.safetensors")


def forecast_loss(distribution: str, levels: list[float]) -> Loss:
    """Return the loss of quantiles or of a distribution's parameters."""
    return pinball_loss(levels) if distribution == "quantiles" else distribution_loss(distribution)


def _judged(model: keras.Model, windows: Windows) -> tuple[dict[str, np.ndarray], np.ndarray, Scale, np.ndarray]:
    """Inputs, targets ``(B, H)``, scales and numbers of the windows by which a network is judged.

    Targets are NaN if they were not observed, or if the window does not vary, so that errors would have no unit.
    """
    numbers = windows.spread(512 if is_autoregressive(model) else 4096)
    inputs, target, scale = windows.batch(numbers)
    return inputs, np.where(scale.scale > 0, target[..., 0].astype(float), np.nan), scale, numbers
