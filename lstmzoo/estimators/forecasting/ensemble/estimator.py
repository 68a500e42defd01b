"""Ensembles of forecasters: the weighted mean of the members' forecasts."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from lstmzoo.errors import ConfigError, arg
from lstmzoo.estimators._base import Ensemble
from lstmzoo.estimators._base.ensemble import Weights
from lstmzoo.estimators.forecasting._base import ForecastParams, PanelForecaster
from lstmzoo.estimators.forecasting.ensemble.joining import Joined
from lstmzoo.exporting import ExportFormat, ExportReport, export_model
from lstmzoo.panel import was_observed
from lstmzoo.preprocessing import Ahead, Panel

_ALIKE = ("horizon", "quantiles", "freq", "missing", "irregular", "allow_negative", "columns")
_COLUMNS = ("past_covariates", "future_covariates", "static_covariates", "id_col", "time_col", "target_col")
_SHARED = {*_ALIKE, *_COLUMNS} - {"columns"}


class ForecastEnsemble(Ensemble, PanelForecaster):
    """The weighted mean of the forecasts of several forecasters, with the interface of :class:`lstmzoo.Forecaster`.

    A quantile is the weighted mean of the members' quantiles of the same level. A sample path is a path of one member, drawn by
    weight. :class:`lstmzoo.ZooSearchCV` chooses members and weights by greedy selection. The parameters that all members share,
    such as ``horizon`` and ``future_covariates``, can be read as attributes.

    Args:
        estimators: Forecasters and baselines, which have the same horizon, quantiles, columns and treatment of missing values.
        weights: Their weights, of any sum; equal ones if None.

    Attributes:
        members_: The fitted members.
        weights_: The weight of each member; their sum is 1.
        params_: The parameters of the fit that forecasts depend on.
        horizon_: Steps to forecast.
        levels_: Quantile levels to forecast, 0.5 among them.
        seasons_: As for :class:`lstmzoo.Forecaster`, of the first member.
        season_length_: The shortest season, which scales MASE; 1 if there is none.
        seconds_: Seconds of the fit of all members.
        data_digest_: SHA-256 of the training data.

    References:
        Caruana, Niculescu-Mizil, Crew & Ksikes, "Ensemble Selection from Libraries of Models", ICML 2004.
        Lichtendahl, Grushka-Cockayne & Winkler, "Is It Better to Average Probabilities or Quantiles?", Management Science
        59(7), 2013.

    Examples:
        >>> from lstmzoo import BaselineForecaster
        >>> naive, drift = (BaselineForecaster(method, horizon=2) for method in ("naive", "drift"))
        >>> ForecastEnsemble([naive, drift], weights=[1, 3]).fit([1.0, 2.0, 3.0]).predict()
        array([3.75, 4.5 ])
    """

    _of = PanelForecaster

    def __init__(self, estimators: list[Any], weights: Weights = None) -> None:
        self.estimators = estimators
        self.weights = weights

    def __getattr__(self, name: str) -> Any:
        if name not in _SHARED or not vars(self).get("estimators"):
            return super().__getattr__(name)
        return getattr(self.estimators[0], name)

    def fit(self, y: Any, X: None = None) -> "ForecastEnsemble":
        """Fit a copy of each forecaster.

        Args:
            y: Series, as for :meth:`lstmzoo.Forecaster.fit`.
            X: Ignored; scikit-learn's pipelines and searches pass it.

        Raises:
            ConfigError: If a parameter is wrong, or forecasters do not fit together.
            DataError: If the data is refused.
        """
        self._refuse_second(X)
        self._check_params()
        return self._fit_members(*self.read_once(y))

    def sample_paths(
        self, n: int = 100, horizon: int | None = None, history: Any = None, future: Any = None,
        random_state: int | None = None,
    ) -> Any:  # fmt: skip
        """Draw sample paths, each of a member that is drawn by weight.

        Args:
            n: As for :meth:`lstmzoo.Forecaster.sample_paths`.
            horizon: As for :meth:`predict`.
            history: As for :meth:`predict`.
            future: As for :meth:`predict`.
            random_state: As for :meth:`lstmzoo.Forecaster.sample_paths`.

        Raises:
            NotFittedError: If the estimator is not fitted.
            ConfigError: If a member has no network; or as for :meth:`lstmzoo.Forecaster.sample_paths`.
            DataError: If the history or the future is refused.
        """
        return self._sampled(n, horizon, history, future, random_state)

    def export(self, format: ExportFormat, path: str | Path) -> ExportReport:
        """Write one network for another runtime, which computes the mean of the forecasts in the units of the data.

        Its inputs are those of each member, with their scales; see :meth:`lstmzoo.Forecaster.export`, which has the other
        rules. Members of weight 0 are left out.

        Args:
            format: As for :meth:`lstmzoo.Forecaster.export`.
            path: As for :meth:`lstmzoo.Forecaster.export`.

        Raises:
            NotFittedError: If the estimator is not fitted.
            ConfigError: If a member has no network, or one that forecasts a distribution; or as for
                :meth:`lstmzoo.Forecaster.export`.
            UnknownNameError: If the format is unknown.
            SavedModelError: If the path exists, or the outputs of the export differ.
        """
        self._check_fitted()
        joined = Joined.of(self.members_, self.weights_)
        series = self.tail_.select(np.arange(min(8, len(self.tail_))))
        learned = {"levels": self.levels_, "members": list(joined.described())}
        return export_model(joined.network(), path, format, joined.inputs(series), learned)

    @property
    def _panel_model(self) -> "Mixture":
        return Mixture([member._panel_model for member in self.members_], self.weights_)

    @property
    def _given_params(self) -> ForecastParams:
        return self.estimators[0]._given_params

    def _check_params(self) -> None:
        super()._check_params()
        check_alike([estimator._given_params for estimator in self.estimators])

    def _check_members(self, members: list[Any]) -> None:
        check_alike([member.params_ for member in members])
        first = members[0].tail_
        for number, member in enumerate(members[1:], 2):
            tail = member.tail_
            same = np.array_equal(tail.ids, first.ids)
            if not same or not np.array_equal(tail.times[tail.offsets[1:] - 1], first.times[first.offsets[1:] - 1]):
                raise ConfigError(
                    f"member {number} was fitted on other series than member 1, or up to other times: fit them on the same data"
                )

    def _learn_members(self) -> None:
        first = self.members_[0]
        short = any(member.params_.pad_short for member in self.members_)
        self.params_, self.form_ = replace(first.params_, pad_short=short), first.form_
        self.seasons_, self.season_length_ = first.seasons_, first.season_length_
        tails = (member.tail_ for member in self.members_)
        self.tail_ = max(tails, key=lambda tail: (int(was_observed(tail).sum()), -len(tail.values)))  # the least padded


@dataclass(frozen=True)
class Mixture:
    """The weighted mean of the forecasts of several panel models.

    Attributes:
        models: The models.
        weights: Their weights, of sum 1.
        seed: Seed of sample paths.
    """

    models: list[Any]
    weights: list[float]
    seed: int = 0

    @property
    def fewest_rows(self) -> int:
        """The fewest rows of a history to forecast from."""
        return max(model.fewest_rows for model in self.models)

    @property
    def any_level(self) -> bool:
        """Whether all models can forecast any quantile level."""
        return all(model.any_level for model in self.models)

    def prepared(self, panel: Panel) -> Panel:
        """Return histories as they are, since each model pads for itself.

        Raises:
            DataError: If one is too short for a model.
        """
        for model in self.models:
            model.prepared(panel)
        return panel

    def needed(self, history: Panel) -> Panel:
        """Return histories whole: models need different parts of them."""
        return self.prepared(history)

    def seeded(self, seed: int) -> "Mixture":
        """Return the same models with another seed of sample paths."""
        return replace(self, seed=seed)

    def forecast(self, panel: Panel, levels: list[float], ahead: Ahead) -> dict[float, np.ndarray]:
        """Return forecasts ``(N, H)`` by quantile level."""
        mean: dict[float, np.ndarray] = {}
        for model, weight in zip(self.models, self.weights, strict=True):
            for level, values in model.forecast(model.prepared(panel), levels, ahead).items():
                mean[level] = mean.get(level, 0.0) + weight * values
        return mean

    def paths(self, panel: Panel, ahead: Ahead, n: int) -> np.ndarray:
        """Return sample paths ``(N, n, steps)``; each is a path of a model that is drawn by weight.

        Raises:
            ConfigError: If a model draws no paths.
        """
        for number, model in enumerate(self.models, 1):
            if not hasattr(model, "paths"):
                raise ConfigError(
                    f"sample paths: member {number} draws none, because it has no network: make an ensemble of the others"
                )
        drawn = np.random.default_rng(self.seed).choice(len(self.models), n, p=self.weights)
        paths = np.empty((len(panel), n, ahead.times.shape[1]))
        for number in np.unique(drawn):
            model, mine = self.models[number].seeded(self.seed), np.flatnonzero(drawn == number)
            paths[:, mine] = model.paths(model.prepared(panel), ahead, len(mine))
        return paths


def check_alike(members: Sequence[ForecastParams]) -> None:
    """Refuse forecasters whose forecasts cannot be averaged.

    Raises:
        ConfigError: Naming the first parameter that differs.
    """
    for number, params in enumerate(members[1:], 2):
        for name in _ALIKE:
            first, other = getattr(members[0], name), getattr(params, name)
            if first != other:
                what = "the columns" if name == "columns" else arg(name)
                raise ConfigError(f"{what}: {first!r} of member 1, but {other!r} of member {number}: give all the same")
