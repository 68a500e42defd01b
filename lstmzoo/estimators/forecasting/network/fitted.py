"""What a forecaster can be asked once its network is fitted."""

from pathlib import Path
from typing import Any

import keras
import numpy as np

from lstmzoo.config import list_models
from lstmzoo.errors import ConfigError, DataError, SavedModelError, arg
from lstmzoo.estimators._base import ZooNetworkEstimator
from lstmzoo.estimators.forecasting._base import ForecastParams, PanelForecaster, check_finite
from lstmzoo.estimators.forecasting.network._base import Projection
from lstmzoo.estimators.forecasting.network.interpretation import Interpretation, interpretation
from lstmzoo.estimators.forecasting.network.outlook import Outlook
from lstmzoo.estimators.forecasting.network.streaming import ForecastStream
from lstmzoo.exporting import ExportFormat, ExportReport, export_model
from lstmzoo.models._base import SteppingModel
from lstmzoo.options import checked_options
from lstmzoo.preprocessing import Panel, WindowPreprocessor, forecast_frame
from lstmzoo.saving import check_arrays_finite
from lstmzoo.spec import ForecastingSpec

_LEARNED = (
    "history_", "best_epoch_", "seconds_", "data_digest_", "season_length_", "seed_", "step_correlation_",
)  # fmt: skip


class FittedForecaster(ZooNetworkEstimator, PanelForecaster):
    """Base of :class:`lstmzoo.Forecaster`: what it forecasts and tells, and how it is saved, once it is fitted."""

    model_: keras.Model
    spec_: ForecastingSpec
    preprocessor_: WindowPreprocessor
    step_correlation_: float
    offsets_: np.ndarray | None
    seed_: int

    def sample_paths(
        self, n: int = 100, horizon: int | None = None, history: Any = None, future: Any = None,
        random_state: int | None = None,
    ) -> Any:  # fmt: skip
        """Draw possible futures: whole paths, whose steps hang together.

        An autoregressive entry draws each step given the one before. Others draw from each step's distribution, tied by a
        Gaussian copula in which a step is correlated with the one before as forecast errors on held-out windows were.

        Args:
            n: Paths of each series.
            horizon: As for :meth:`predict`.
            history: As for :meth:`predict`.
            future: As for :meth:`predict`.
            random_state: The same one gives the same paths; None gives others each time.

        Returns:
            A long frame of the kind that ``history`` (or what was fitted) is: id, time and columns ``y_hat_path<i>``; for an
            array, an array ``(H, n)``.

        Raises:
            NotFittedError: If the estimator is not fitted.
            ConfigError: If there are no quantiles on both sides of the median, and no distribution; if quantiles are
                conformal, and the horizon is longer than the one trained for; or if a number is out of range.
            DataError: If the history or the future is refused.
        """
        self._check_fitted()
        checked_options(n=n, random_state=random_state)
        panel, form, ahead = self._to_forecast(history, self.params_.checked_horizon(horizon), future)
        seed = int(np.random.SeedSequence(random_state).generate_state(1)[0])
        paths = self._panel_model.seeded(seed).paths(panel, ahead, int(n))
        check_finite(panel, paths)
        if form.kind == "array":
            return paths[0].T
        return forecast_frame(
            panel, {f"y_hat_path{i}": paths[:, i] for i in range(n)}, form, self.params_.columns, ahead.times
        )

    def stream(self, history: Any = None) -> ForecastStream:
        """Forecast one series as it is observed: each observation costs one step of the network.

        Args:
            history: What was observed of the series so far, as for :meth:`predict`.

        Raises:
            NotFittedError: If the estimator is not fitted.
            ConfigError: If the entry cannot step.
            DataError: If the history is too short, or holds more than one series.

        Examples:
            >>> import numpy as np
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
                f"stream: {self.config_.name} cannot step, for it has to see a window whole; entries that can: {', '.join(steps)}"
            )
        panel, form = self._history(history)
        if len(panel) != 1:
            raise DataError(
                f"a stream is of one series, but there are {len(panel)}: pass {arg(history=...)}, the rows of one"
            )
        return ForecastStream(self._panel_model, self.params_, panel, form)

    def interpret(self, history: Any = None, *, future: Any = None, ids: Any = None) -> Interpretation:
        """Tell what the network looks at to forecast each series, of entries tagged ``interpretable``.

        Args:
            history: As for :meth:`predict`.
            future: As for :meth:`predict`.
            ids: As for :meth:`predict`.

        Returns:
            Two frames of the kind that ``history`` (or what was fitted) is, and a plot. ``variables`` has the weights of what is
            shown of the past, of the future, and of what describes a series: id, ``part``, ``variable``, ``weight``.
            ``attention`` has those of time steps: id, time, ``attended``, ``weight``.

        Raises:
            NotFittedError: If the estimator is not fitted.
            ConfigError: If the entry does not say what it looks at, the id or time column has the name of one of the answer's, or
                ``ids`` is no list of names.
            UnknownNameError: If there is no series of such a name.
            DataError: As of :meth:`predict`.
        """
        self._check_fitted()
        panel, form, ahead = self._to_forecast(history, self.horizon_, future, ids)
        return interpretation(self._panel_model, self.config_.name, self.params_, panel, form, ahead)

    def export(self, format: ExportFormat, path: str | Path) -> ExportReport:
        """Write the network alone for another runtime, and check that it computes the same there; one-way.

        Args:
            format: ``litert``, ``onnx``, ``saved_model`` or ``keras``.
            path: What to write; nothing may be there. ``<path>.json`` beside it names inputs and outputs, and holds what the
                preprocessor learned.

        Raises:
            NotFittedError: If the estimator is not fitted.
            UnknownNameError: If the format is unknown.
            ConfigError: If a package that the format needs is not installed, or the backend cannot write it.
            SavedModelError: If something is there already, or the entry cannot be exported so.
        """
        self._check_fitted()
        series = self.tail_.select(np.arange(min(8, len(self.tail_))))
        inputs, _ = self._panel_model.past_windows(series)
        inputs["previous"] = np.zeros((len(series), self.horizon_, 1), dtype=np.float32)
        conformal = None if self.offsets_ is None else {"levels": self.levels_, "offsets": self.offsets_.tolist()}
        learned = {"preprocessor": self.preprocessor_.to_json(), "conformal": conformal}
        return export_model(self.model_, path, format, inputs, learned)

    @property
    def _panel_model(self) -> Projection:
        outlook = Outlook(self.model_, self.spec_, self.preprocessor_.quantiles, self.step_correlation_, self.seed_)
        return Projection(outlook, self.preprocessor_, self.levels_, self.offsets_, self.params_.pad_short)

    def _kept(self, panel: Panel) -> Panel:
        """What forecasts and updates need of each series: the reach of the next windows that reach into new rows."""
        return panel.tail(self.preprocessor_.reach + self.horizon_ - 1)

    def _learned(self) -> tuple[dict[str, Any], dict[str, Any], dict[str, np.ndarray]]:
        document, arrays = self._panel_state()
        if self.offsets_ is not None:
            arrays["conformal_offsets"] = self.offsets_
        return (
            {**{name: getattr(self, name) for name in _LEARNED}, "params_": self.params_.to_json()},
            {"windows": self.preprocessor_.to_json(), "panel": document},
            arrays,
        )

    def _restore(self, learned: dict[str, Any], preprocessor: dict[str, Any], arrays: dict[str, np.ndarray]) -> None:
        for name in _LEARNED:
            setattr(self, name, learned[name])
        self.params_ = params = ForecastParams.of(learned["params_"])
        self.offsets_ = arrays.get("conformal_offsets")
        expected = (params.horizon, len(params.levels)) if params.conformal else None
        if (None if self.offsets_ is None else self.offsets_.shape) != expected:
            raise SavedModelError("state.safetensors: the conformal offsets are missing or of another shape")
        self.preprocessor_ = WindowPreprocessor.from_json(preprocessor["windows"])
        self.spec_ = self.preprocessor_.spec_
        levels = params.levels if self.spec_.distribution == "quantiles" else [0.5]
        if (self.spec_.horizon, self.preprocessor_.quantiles) != (params.horizon, levels):
            raise SavedModelError("preprocessor.json: the horizon or the quantiles are not those of params.json")
        self._restore_panel(preprocessor["panel"], arrays)
        self._check_restored()

    def _check_restored(self) -> None:
        """Refuse levels, series and corrections that do not fit the windows."""
        levels = self.preprocessor_.quantiles
        if self.spec_.distribution == "quantiles" and len(levels) != self.spec_.num_outputs:
            raise SavedModelError(f"preprocessor.json: {len(levels)} levels, but {self.spec_.num_outputs} outputs")
        longest, context = int(self.tail_.lengths.max()), self.preprocessor_.context
        if longest < context:
            raise SavedModelError(f"state.safetensors: series of {longest} steps, but windows of {context}")
        if self.offsets_ is not None:
            check_arrays_finite({"conformal_offsets": self.offsets_}, "state.safetensors")
