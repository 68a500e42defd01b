"""Channels beside the values of a series: calendar features, covariates and static covariates."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from lstmzoo.errors import DataError, UnknownNameError, arg, unseen_category
from lstmzoo.panel import Panel
from lstmzoo.public_holidays import PREFIX, are_holidays, check_region
from lstmzoo.scales import LARGEST_INPUT, mean_and_deviation
from lstmzoo.timesteps import fixed_step, is_shorter_than_a_day, offset_of, time_text

MOST_CATEGORIES = 256  # of one covariate; each category is a channel
CALENDAR: dict[str, Callable[[pd.DatetimeIndex], Any]] = {
    "minute": lambda t: (t.minute + t.second / 60) / 60,
    "hour": lambda t: (t.hour + t.minute / 60) / 24,
    "weekday": lambda t: t.day_of_week / 7,
    "day": lambda t: (t.day - 1) / t.days_in_month,
    "month": lambda t: (t.month - 1) / 12,
    "quarter": lambda t: (t.quarter - 1) / 4,
    "year": lambda t: (t.day_of_year - 1) / 365.25,
}


class Channels:
    """Turns times, covariates and static covariates into standardized numbers; fitted on the training set.

    Covariates are standardized by their mean and standard deviation over all series. A categorical covariate is one-hot encoded:
    it has a channel for each category of the training set. A categorical static covariate becomes the index of its category.
    Each calendar feature is the sine and cosine of a cycle: minute (of the hour), hour (of the day), weekday, day (of the month),
    month, quarter, year (position within the year). The holidays of a region have one channel, which is 1 on holidays.

    Args:
        calendar: Names of calendar features, such as ``weekday`` and ``holidays:DE``, or True for those that the frequency
            resolves.
        known: Names of the future covariates.
        past: Names of the past covariates.
        static: Names of the static covariates.
        mask: Whether to add a channel that tells which values were observed.
        irregular: Whether to add a channel for the time since the previous step: the logarithm of its ratio to the usual step.
    """

    def __init__(
        self,
        *,
        calendar: bool | list[str] = False,
        known: list[str] | tuple[str, ...] = (),
        past: list[str] | tuple[str, ...] = (),
        static: list[str] | tuple[str, ...] = (),
        mask: bool = False,
        irregular: bool = False,
    ) -> None:
        self.calendar = calendar
        self.known_names = list(known)
        self.past_names = list(past)
        self.static_names = list(static)
        self.mask = mask
        self.irregular = irregular

    def fit(self, panel: Panel) -> "Channels":
        """Learn scales and categories.

        Raises:
            UnknownNameError: If a calendar feature is unknown.
            ConfigError: If holidays lack a country, or their package is not installed.
            DataError: If calendar features are asked for where time is a count, or holidays where steps are longer than a day.
        """
        if self.calendar and not panel.has_calendar:
            raise DataError(
                f"calendar features need timestamps, but the time column holds integers: pass {arg(calendar=[])}"
            )
        self.calendar_ = usual_calendar(panel.freq) if self.calendar is True else list(self.calendar or [])
        check_calendar(self.calendar_)
        if self._regions and not resolves_days(panel.freq):
            raise DataError(f"holidays are days, but a step of freq {panel.freq!r} is longer: leave them out of "
                            f"{arg('calendar')}, or count them yourself, in a column of {arg('future_covariates')}")  # fmt: skip
        self.known_scales_, self.past_scales_ = _scales(panel.known), _scales(panel.past)
        self.static_ = [_learned_static(panel.static[:, i]) for i in range(panel.static.shape[1])]
        self.labels_ = {name: list(labels) for name, labels in panel.labels.items()}
        for name, labels in self.labels_.items():
            if len(labels) > MOST_CATEGORIES:
                raise DataError(
                    f"covariate {name!r} has {len(labels)} categories, at most {MOST_CATEGORIES} are allowed: group rare ones"
                )
        return self

    @property
    def num_known_(self) -> int:
        """K, the number of channels that are known in the future too."""
        return len(self.known_variables_)

    @property
    def num_past_(self) -> int:
        """P, the number of channels of the past alone."""
        return len(self.past_variables_)

    @property
    def known_variables_(self) -> list[str]:
        """``(K,)`` the variable that each known channel belongs to."""
        cycles = [f"calendar {name}" for name in self._cycles for _ in range(2)]
        regions = [f"calendar {name}" for name in self._regions]
        return [*cycles, *regions, *self._by_channel(self.known_names), *["time step"] * self.irregular]

    @property
    def past_variables_(self) -> list[str]:
        """``(P,)`` the variable that each past channel belongs to."""
        return [*self._by_channel(self.past_names), *["observed"] * self.mask]

    @property
    def num_static_(self) -> int:
        """S, the number of numeric static covariates."""
        return sum("values" not in learned for learned in self.static_)

    @property
    def cardinalities_(self) -> tuple[int, ...]:
        """The number of categories of each categorical static covariate."""
        return tuple(len(learned["values"]) for learned in self.static_ if "values" in learned)

    def known_channels(self, panel: Panel) -> np.ndarray:
        """Return the known channels, ``(R, K)`` float32: calendar, future covariates, time differences."""
        parts = [
            self._calendar(panel.times, panel),
            *self._covariates(panel, panel.known, self.known_names, panel.times),
        ]
        if self.irregular:
            before = np.concatenate([panel.times[:1], panel.times[:-1]])
            ratio = _ratio(panel.times - before, panel.freq)
            ratio[panel.offsets[:-1]] = 1.0
            parts.append(np.log(ratio)[:, None])
        return np.concatenate(parts, axis=1).astype(np.float32)

    def known_channels_ahead(self, panel: Panel, times: np.ndarray, known: np.ndarray | None) -> np.ndarray:
        """Return the known channels of the steps to forecast, ``(N, H, K)`` float32.

        Args:
            panel: The N series before these steps.
            times: ``(N, H)``.
            known: Future covariates ``(N, H, covariates)``.

        Raises:
            DataError: If future covariates are needed but not passed.
        """
        if self.known_names and known is None:
            raise DataError(
                f"forecasting needs the future of {', '.join(map(repr, self.known_names))}: pass {arg(future=...)}, the frame of "
                "make_future_frame() filled in"
            )
        ahead = np.empty((*times.shape, 0)) if known is None else known
        flat = ahead.reshape(times.size, ahead.shape[-1])
        parts = [self._calendar(times.ravel(), panel), *self._covariates(panel, flat, self.known_names, times.ravel())]
        if self.irregular:
            last = panel.times[panel.offsets[1:] - 1]
            steps = np.diff(np.concatenate([last[:, None], times], axis=1), axis=1)
            parts.append(np.log(_ratio(steps.ravel(), panel.freq))[:, None])
        return np.concatenate(parts, axis=1).astype(np.float32).reshape(*times.shape, self.num_known_)

    def past_channels(self, panel: Panel) -> np.ndarray:
        """Return the past channels, ``(R, P)`` float32: past covariates, and whether a value was observed."""
        parts = self._covariates(panel, panel.past, self.past_names, panel.times)
        if self.mask:
            observed = np.ones(len(panel.values), bool) if panel.observed is None else panel.observed
            parts.append(observed[:, None].astype(float))
        return np.concatenate(parts, axis=1).astype(np.float32)

    def static(self, panel: Panel) -> dict[str, np.ndarray]:
        """Return ``static`` (N, S) float32 and ``categories`` (N, C) int32, each only if there are any.

        Raises:
            DataError: If a category is not in the training data, or a number in training is text now.
        """
        numbers, categories = [], []
        for i, learned in enumerate(self.static_):
            column = panel.static[:, i]
            if "values" in learned:
                categories.append(self._codes(column, learned["values"], self.static_names[i], panel.ids))
            else:
                numbers.append(
                    _standardized(
                        self._numbers(column, self.static_names[i], panel.ids),
                        np.array([learned["mean"], learned["deviation"]]),
                    )
                )
        answer: dict[str, np.ndarray] = {}
        if numbers:
            answer["static"] = np.stack(numbers, axis=1).astype(np.float32)
        if categories:
            answer["categories"] = np.stack(categories, axis=1).astype(np.int32)
        return answer

    def to_json(self) -> dict[str, Any]:
        """Return everything that was learned, for :meth:`from_json`."""
        return {
            "parameters": {
                "calendar": self.calendar, "known": self.known_names, "past": self.past_names, "static": self.static_names,
                "mask": self.mask, "irregular": self.irregular,
            },
            "calendar_": self.calendar_, "known_scales_": self.known_scales_.tolist(),
            "past_scales_": self.past_scales_.tolist(), "static_": self.static_, "labels_": self.labels_,
        }  # fmt: skip

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> "Channels":
        """Return the channels that :meth:`to_json` described."""
        self = cls(**document["parameters"])
        self.calendar_, self.static_ = document["calendar_"], document["static_"]
        self.labels_ = document["labels_"]
        self.known_scales_ = np.array(document["known_scales_"], dtype=float).reshape(2, -1)
        self.past_scales_ = np.array(document["past_scales_"], dtype=float).reshape(2, -1)
        return self

    def _by_channel(self, names: list[str]) -> list[str]:
        """Return the name of each covariate, once for each of its channels."""
        return [name for name in names for _ in self.labels_.get(name, [""])]

    def _covariates(self, panel: Panel, table: np.ndarray, names: list[str], times: np.ndarray) -> list[np.ndarray]:
        """Return covariates as channels: numbers standardized, categories one-hot."""
        scales = self.known_scales_ if names is self.known_names else self.past_scales_
        if not self.labels_:
            return [_standardized(table, scales)]
        parts = [np.empty((len(table), 0))]
        for i, name in enumerate(names):
            if name in self.labels_:
                parts.append(self._one_hot(panel, table[:, i], name, times))
            else:
                parts.append(_standardized(table[:, i : i + 1], scales[:, i : i + 1]))
        return parts

    def _one_hot(self, panel: Panel, codes: np.ndarray, name: str, times: np.ndarray) -> np.ndarray:
        learned, labels = self.labels_[name], panel.labels[name]
        places = np.array([learned.index(label) if label in learned else -1 for label in labels], dtype=int)
        codes = codes.astype(int)
        unseen = np.flatnonzero(places[codes] < 0)
        if len(unseen):
            row = int(unseen[0])
            raise unseen_category(f"{name!r} is {labels[codes[row]]!r} at {time_text(times[row])}", learned)
        return np.eye(len(learned), dtype=np.float32)[places[codes]]

    @property
    def _regions(self) -> list[str]:
        return [name for name in self.calendar_ if name not in CALENDAR]

    @property
    def _cycles(self) -> list[str]:
        return [name for name in self.calendar_ if name in CALENDAR]

    def _calendar(self, times: np.ndarray, panel: Panel) -> np.ndarray:
        parts = [np.empty((len(times), 0))]
        if self._cycles:
            parts.append(calendar_features(times, panel.freq, panel.tz, self._cycles))
        if self._regions:
            days = _local(times, panel.freq, panel.tz).to_numpy()
            parts += [are_holidays(days, name)[:, None] for name in self._regions]
        return np.concatenate(parts, axis=1)

    @staticmethod
    def _numbers(column: np.ndarray, name: str, ids: np.ndarray) -> np.ndarray:
        text = [i for i, value in enumerate(column) if isinstance(value, str)]
        if text:
            i = text[0]
            raise DataError(
                f"{name!r} of series {ids[i]!r} is {column[i]!r}, but was a number in training: make it a number"
            )
        return column.astype(float)

    @staticmethod
    def _codes(column: np.ndarray, values: list[str], name: str, ids: np.ndarray) -> np.ndarray:
        codes = {value: i for i, value in enumerate(values)}
        unseen = [i for i, value in enumerate(column) if value not in codes]
        if unseen:
            i = unseen[0]
            raise unseen_category(f"{name!r} of series {ids[i]!r} is {column[i]!r}", values)
        return np.array([codes[value] for value in column])


def check_calendar(names: list[str]) -> None:
    """Refuse unknown calendar features.

    Raises:
        UnknownNameError: If a feature, or the country of holidays, is unknown.
        ConfigError: If holidays lack a country, or their package is not installed.
    """
    for name in names:
        if name.partition(":")[0] == PREFIX:
            check_region(name)
        elif name not in CALENDAR:
            raise UnknownNameError("calendar feature", name, [*CALENDAR, f"{PREFIX}:<country>"])


def resolves_days(freq: str | int) -> bool:
    """Return whether a step is a day, a business day, or less."""
    if isinstance(freq, int):
        return False
    step = fixed_step(freq)
    return isinstance(offset_of(freq), pd.offsets.BusinessDay) if step is None else bool(step <= np.timedelta64(1, "D"))


def usual_calendar(freq: str | int) -> list[str]:
    """Return the cycles that a frequency resolves, of day, week and year."""
    if isinstance(freq, int):
        return []
    within_day, step = is_shorter_than_a_day(freq), fixed_step(freq)
    within_days = step is not None and bool(step < np.timedelta64(7, "D"))
    within_week = within_day or within_days or isinstance(offset_of(freq), pd.offsets.BusinessDay)
    return ["hour"] * within_day + ["weekday"] * within_week + ["year"]


def calendar_features(times: np.ndarray, freq: str | int, tz: str | None, names: list[str]) -> np.ndarray:
    """Return the sine and cosine of each cycle, in local time, ``(R, 2 * names)`` float32.

    Args:
        times: ``(R,)`` times of a panel.
        freq: Frequency of the panel.
        tz: Time zone of the panel.
        names: Keys of :data:`CALENDAR`.

    Examples:
        >>> calendar_features(np.array(["2024-01-01T06:00"], "datetime64[us]"), "h", None, ["hour", "weekday"]).round(2)
        array([[1., 0., 0., 1.]], dtype=float32)
    """
    index = _local(times, freq, tz)
    angles = 2 * np.pi * np.stack([np.asarray(CALENDAR[name](index)) for name in names], axis=1)
    return np.stack([np.sin(angles), np.cos(angles)], axis=2).reshape(len(index), -1).astype(np.float32)


def _local(times: np.ndarray, freq: str | int, tz: str | None) -> pd.DatetimeIndex:
    """Return local times."""
    index = pd.DatetimeIndex(times)
    if tz is None or not is_shorter_than_a_day(freq):
        return index
    return index.tz_localize("UTC").tz_convert(tz).tz_localize(None)


def _scales(columns: np.ndarray) -> np.ndarray:
    """Return means and standard deviations ``(2, C)``; 1 for the deviation of a constant column."""
    if not columns.shape[1]:
        return np.empty((2, 0))
    mean, deviation = (array[:, 0] for array in mean_and_deviation(columns.T))
    return np.stack([mean, np.where(deviation > 0, deviation, 1.0)])


def _standardized(columns: np.ndarray, scales: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        return np.clip((columns - scales[0]) / scales[1], -LARGEST_INPUT, LARGEST_INPUT)


def _learned_static(column: np.ndarray) -> dict[str, Any]:
    if isinstance(column[0], str | bool):
        return {"values": sorted(set(column), key=str)}
    numbers = column.astype(float)
    mean, deviation = _scales(numbers[:, None])[:, 0].tolist()
    return {"mean": mean, "deviation": deviation}


def _ratio(steps: np.ndarray, freq: str | int) -> np.ndarray:
    """Return time differences in units of the usual step."""
    if isinstance(freq, int):
        return steps / freq
    unit = offset_of(freq).nanos / 1000
    return steps.astype("timedelta64[us]").astype(float) / unit
