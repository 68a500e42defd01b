"""The windows of a panel, by number: cut from one array and scaled batch by batch, never all at once."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from lstmzoo.errors import DataError, arg
from lstmzoo.panel import Panel
from lstmzoo.preprocessing.observed import check_observed, last_observed, unobserved_at_start
from lstmzoo.preprocessing.scaling import Scale
from lstmzoo.preprocessing.windows.preprocessor import WindowPreprocessor
from lstmzoo.spec import ForecastingSpec


class Windows:
    """The windows of a panel, by number: ``len()`` of them; :meth:`batch` makes the arrays of some.

    A window is left out if no value of its horizon was observed. A window that begins before the first observed value of its
    series needs an observed value before its horizon. Only the panel, its channels and one count for each series are kept.

    The inputs of B windows are:

    - ``window`` (B, T, F): the scaled values, the channels known in the future too, the channels of the past alone;
    - ``future`` (B, H, R + K): the references and the known channels;
    - ``previous`` (B, H, 1): the scaled value before each step of the horizon;
    - ``series`` (B,): the number of the series;
    - ``static`` (B, S) and ``categories`` (B, C), if there are static covariates.

    Args:
        preprocessor: Fitted.
        panel: Series; those with at least ``min_length`` observations have windows.
        drop: Number of last steps of each series that no horizon covers.
        skip: Number of first windows of each series that are left out, or ``(N,)`` of them.
        begun: Whether the values before the panel were observed, or ``(N,)`` of them.

    Raises:
        DataError: If the logarithm of a value that is not positive is needed, or a category is not in the training set.
    """

    def __init__(
        self,
        preprocessor: WindowPreprocessor,
        panel: Panel,
        *,
        drop: int = 0,
        skip: int | np.ndarray = 0,
        begun: bool | np.ndarray = False,
    ) -> None:
        preprocessor.scaler.check(panel)
        self._pre = preprocessor
        width, values = preprocessor.min_length, preprocessor.scaler.transformed(panel).values
        unobserved = np.where(begun, 0, unobserved_at_start(panel))
        skip = np.maximum(skip, unobserved - preprocessor.context + 1)
        self._counts = np.maximum(panel.lengths - drop - width + 1 - skip, 0)
        self._ends = np.cumsum(self._counts)
        self._first_row = panel.offsets[:-1] + skip
        self._spans = self._last_values = _sliding(values, width)
        self._padding = preprocessor.padding_from(panel)
        self._observed = None
        if panel.observed is not None:
            self._observed = _sliding(panel.observed, width)
            self._last_values = _sliding(values[last_observed(panel)], width)
        channels, whole = preprocessor.channels, preprocessor.lookback + preprocessor.horizon
        self._known_channels = _sliding(channels.known_channels(panel), whole)
        self._past_channels = _sliding(channels.past_channels(panel), preprocessor.lookback)
        self._scales = preprocessor.series_scales(panel)
        self._static = preprocessor.static(panel)
        self._chosen = None if panel.observed is None else self._with_target(panel.observed)

    @classmethod
    def held_out(cls, preprocessor: WindowPreprocessor, panel: Panel, steps: int) -> "Windows":
        """Return all windows whose horizon lies in the last ``steps`` steps of each series.

        Args:
            preprocessor: Fitted.
            panel: Series with at least ``min_length + steps`` observations.
            steps: Number of steps, at least a horizon.

        Raises:
            DataError: If there are none, because no value was observed in them or before them; or as the constructor.
        """
        near = panel.tail(steps + preprocessor.reach)
        begun = unobserved_at_start(panel) < panel.lengths - near.lengths
        windows = cls(preprocessor, near, skip=1, begun=begun)
        if not len(windows):
            check_observed(panel, steps, "held out for validation", f"raise {arg('validation_size')}, or pass "
                           f"{arg(validation_size=0)}")  # fmt: skip
            raise DataError(
                f"no series has an observed value before the {steps} steps held out for validation: lower "
                f"{arg('validation_size')}, or pass {arg(validation_size=0)}"
            )
        return windows

    def __len__(self) -> int:
        if self._chosen is not None:
            return len(self._chosen)
        return int(self._ends[-1]) if len(self._ends) else 0

    @property
    def spec(self) -> ForecastingSpec:
        """The sizes that a builder needs."""
        return self._pre.spec_

    def spread(self, most: int = 4096) -> np.ndarray:
        """Return the numbers of at most ``most`` windows, evenly spread."""
        return np.unique(np.linspace(0, len(self) - 1, min(len(self), most)).astype(int))

    def batch(self, numbers: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray, Scale]:
        """Return the inputs of windows ``(B,)``, their targets, and their scales.

        The targets are ``(B, H, 1)``, scaled, NaN where not observed. For a distribution of counts they are ``(B, H, 2)``: the
        second channel is the scale.
        """
        series, rows = self._rows(numbers if self._chosen is None else self._chosen[numbers])
        spans, context = self._spans[rows], self._pre.context
        first = rows + context - self._pre.lookback
        scale = None if self._scales is None else Scale(self._scales.shift[series], self._scales.scale[series])
        inputs, scale = self._pre.inputs(
            self._past(rows), scale, self._known_channels[first], self._past_channels[first], self._padding[rows]
        )
        targets = self._pre.scaler.targets(spans[:, context:], scale)
        inputs["previous"] = self._pre.scaler.targets(self._last_values[rows][:, context - 1 : -1], scale)
        inputs |= {name: array[series] for name, array in self._static.items()}
        if self._observed is not None:
            targets = np.where(self._observed[rows][:, context:, None], targets, np.float32(np.nan))
        if self._pre.scaler.distribution == "negative_binomial":
            unit = np.broadcast_to(scale.scale[:, :, None], targets.shape).astype(np.float32)
            targets = np.concatenate([targets, unit], axis=-1)
        return inputs, targets, scale

    def _with_target(self, observed: np.ndarray) -> np.ndarray | None:
        """The numbers of the windows with an observed value in their horizon; None if all windows have one."""
        count = np.concatenate([[0], np.cumsum(observed)])
        rows = self._rows(np.arange(self._counts.sum()))[1] + self._pre.context
        some = count[rows + self._pre.horizon] > count[rows]
        return None if some.all() else np.flatnonzero(some)

    def _rows(self, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The series and the first rows of windows, counted among all windows."""
        series = np.searchsorted(self._ends, numbers, side="right")
        return series, self._first_row[series] + numbers - (self._ends[series] - self._counts[series])

    def _past(self, rows: np.ndarray) -> np.ndarray:
        """``(B, context)`` the values before the horizon. Missing values at their end are filled with the last value.

        Values that were interpolated there would tell of the horizon.
        """
        context = self._pre.context
        past = self._spans[rows][:, :context]
        if self._observed is None:
            return past
        since = np.logical_or.accumulate(self._observed[rows][:, :context][:, ::-1], axis=1)[:, ::-1]
        return np.where(since, past, self._last_values[rows][:, :context])


def _sliding(rows: np.ndarray, width: int) -> np.ndarray:
    """A view ``(R - width + 1, width, ...)`` of rows ``(R, ...)``; empty if there are fewer rows."""
    if len(rows) < width:
        return np.empty((0, width, *rows.shape[1:]), rows.dtype)
    return np.moveaxis(sliding_window_view(rows, width, axis=0), -1, 1)
