"""The panel: many time series in one flat array, with their covariates."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from lstmzoo.errors import DataError, arg
from lstmzoo.timesteps import fixed_step, step_times, time_kind, time_text


@dataclass(frozen=True)
class Columns:
    """Names of the columns of a long frame; ``id`` is None if the frame holds one series.

    Attributes:
        past: Past covariates: known up to now.
        known: Future covariates: known for the steps to forecast too.
        static: Static covariates, which describe a series.
    """

    id: str | None = "unique_id"
    time: str = "ds"
    target: str = "y"
    past: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    static: tuple[str, ...] = ()

    @property
    def roles(self) -> list[tuple[str, str]]:
        """The estimator's parameter and the name of every column."""
        single = [("id_col", self.id), ("time_col", self.time), ("target_col", self.target)]
        covariates = {"past_covariates": self.past, "future_covariates": self.known, "static_covariates": self.static}
        return [
            *((role, name) for role, name in single if name is not None),
            *((role, name) for role, names in covariates.items() for name in names),
        ]


@dataclass(frozen=True)
class Panel:
    """N time series, one after the other, with R rows in all.

    Attributes:
        ids: ``(N,)`` the names of the series.
        offsets: ``(N + 1,)`` the first row of each series; series i is ``values[offsets[i]:offsets[i + 1]]``.
        values: ``(R,)`` float64; a missing value is NaN until it is filled.
        times: ``(R,)`` int64 steps, or datetime64[us]: in UTC if ``freq`` is shorter than a day, otherwise in local time.
        freq: pandas frequency alias, frequency of :func:`lstmzoo.timesteps.offset_of`, or integer step. Irregular series have
            their usual step here.
        tz: Time zone of the user's timestamps, if they have one.
        observed: ``(R,)`` whether each value was observed; None if no value was filled.
        past: ``(R, P)`` float64, the past covariates; no columns if None is passed.
        known: ``(R, K)`` float64, the future covariates; no columns if None is passed.
        static: ``(N, S)`` object, numbers as float and categories as text; no columns if None is passed.
        irregular: Whether time steps may have any length.
        own: Local times, ascending, that the user means by another UTC time than the first one in the zone, as at a repeated
            midnight; and these UTC times. None if there are none.
        labels: For each covariate that is categorical, the labels of its whole numbers in ``past`` or ``known``.
    """

    ids: np.ndarray
    offsets: np.ndarray
    values: np.ndarray
    times: np.ndarray
    freq: str | int
    tz: str | None = None
    observed: np.ndarray | None = None
    past: np.ndarray = None  # type: ignore[assignment]
    known: np.ndarray = None  # type: ignore[assignment]
    static: np.ndarray = None  # type: ignore[assignment]
    irregular: bool = False
    own: tuple[np.ndarray, np.ndarray] | None = None
    labels: dict[str, list[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, rows, kind in (
            ("past", self.values, float),
            ("known", self.values, float),
            ("static", self.ids, object),
        ):
            if getattr(self, name) is None:
                object.__setattr__(self, name, np.empty((len(rows), 0), dtype=kind))

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def lengths(self) -> np.ndarray:
        """``(N,)`` the number of rows of each series."""
        return np.diff(self.offsets)

    @property
    def has_calendar(self) -> bool:
        """Whether times are dates; otherwise they are counts."""
        return not isinstance(self.freq, int)

    def check_lengths(self, least: int, needs: str) -> None:
        """Refuse series with fewer than ``least`` observations.

        Args:
            least: The fewest observations.
            needs: End of the message: what needs them.

        Raises:
            DataError: Naming the first series that is too short.
        """
        short = self.lengths < least
        if short.any():
            i = int(short.argmax())
            raise DataError(f"series {self.ids[i]!r} has {self.lengths[i]} observations{needs}")

    def series(self, i: int) -> np.ndarray:
        """Return the values of series i."""
        return self.values[self.offsets[i] : self.offsets[i + 1]]

    @cached_property
    def inner(self) -> np.ndarray:
        """``(R - 1,)`` whether row r and row r + 1 belong to the same series."""
        inner = np.ones(len(self.values) - 1, dtype=bool)
        inner[self.offsets[1:-1] - 1] = False
        return inner

    def name_of(self, row: int) -> str | int:
        """Return the name of the series that a row belongs to."""
        return self.ids[np.searchsorted(self.offsets, row, side="right") - 1]

    def rows(self, first: np.ndarray, last: np.ndarray) -> "Panel":
        """Return the rows from ``first[i]`` up to ``last[i]`` of each series i, counted from the start of the series."""
        return self._at(*spans(self.offsets[:-1] + first, last - first))

    def head(self, drop: int | np.ndarray) -> "Panel":
        """Return each series without its last ``drop`` rows, a number for all or one for each ``(N,)``."""
        return self.rows(np.zeros_like(self.lengths), np.maximum(self.lengths - drop, 0))

    def tail(self, keep: int) -> "Panel":
        """Return the last ``keep`` rows of each series."""
        return self.rows(np.maximum(self.lengths - keep, 0), self.lengths)

    def select(self, keep: np.ndarray) -> "Panel":
        """Return the series with the indices ``keep``."""
        offsets, take = spans(self.offsets[:-1][keep], self.lengths[keep])
        return replace(self._at(offsets, take), ids=self.ids[keep], static=self.static[keep])

    def padded(self, length: int) -> "Panel":
        """Return each series with at least ``length`` rows, by repeating the first row of shorter ones before it.

        Values and covariates are repeated and count as not observed; times go back by the frequency.
        """
        missing = np.maximum(length - self.lengths, 0)
        if not missing.any():
            return self
        offsets, take = spans(self.offsets[:-1] - missing, self.lengths + missing)
        start = np.repeat(self.offsets[:-1], self.lengths + missing)
        longer = self._at(offsets, np.maximum(take, start))
        observed = was_observed(longer) & (take >= start)
        longer = replace(longer, observed=observed)
        step = fixed_step(self.freq)
        if step is not None:
            longer.times[:] += step * np.minimum(take - start, 0)
            return longer
        for i in np.flatnonzero(missing):
            before = step_times(self.times[self.offsets[i]], self.freq, -int(missing[i]))
            longer.times[offsets[i] : offsets[i] + missing[i]] = before[::-1]
        return longer

    def append(
        self,
        values: np.ndarray,
        times: np.ndarray,
        known: np.ndarray | None,
        past: np.ndarray | None = None,
        observed: np.ndarray | None = None,
    ) -> "Panel":
        """Return each series extended by H rows.

        Args:
            values: ``(N, H)``.
            times: ``(N, H)``.
            known: ``(N, H, K)``; None if the panel has no future covariates.
            past: ``(N, H, P)``; if None, the last row of each series is repeated.
            observed: ``(N, H)``; if None, all values were observed.

        Examples:
            >>> panel = Panel(np.array(["a", "b"]), np.array([0, 2, 3]), np.array([1.0, 2, 5]), np.array([0, 1, 0]), 1)
            >>> longer = panel.append(np.array([[3.0], [6.0]]), panel.future_times(1), None)
            >>> longer.values, longer.times
            (array([1., 2., 3., 5., 6.]), array([0, 1, 2, 0, 1]))
        """
        count, steps = values.shape
        rows = count * steps
        if past is None:
            past = np.repeat(self.past[self.offsets[1:] - 1], steps, axis=0)
        new = replace(
            self,
            offsets=np.arange(count + 1) * steps,
            values=values.ravel(),
            times=times.ravel(),
            observed=None if observed is None else observed.ravel(),
            past=past.reshape(rows, -1),
            known=np.empty((rows, 0)) if known is None else known.reshape(rows, -1),
        )
        return self.extended(new, np.arange(count))

    def continued(self, new: "Panel", *, gaps: bool = False) -> "Panel":
        """Return each series extended by its rows in another panel, which begin one step after its last row.

        Args:
            new: The rows to add; some series may have none.
            gaps: Whether they may begin at a later step.

        Raises:
            DataError: If a series is not in this panel, its rows overlap it or leave a gap, its static covariates differ, or
                times are of another kind. The message names the series.

        Examples:
            >>> panel = Panel(np.array(["a", "b"]), np.array([0, 2, 3]), np.array([1.0, 2, 5]), np.array([0, 1, 0]), 1)
            >>> new = Panel(np.array(["b"]), np.array([0, 2]), np.array([6.0, 7]), np.array([1, 2]), 1)
            >>> panel.continued(new).values
            array([1., 2., 5., 6., 7.])
        """
        places = {name: i for i, name in enumerate(self.ids)}
        for name in new.ids:
            if name not in places:
                raise DataError(f"series {name!r} is not in the training data: fit it, or leave it out")
        if (new.times.dtype.kind, new.tz) != (self.times.dtype.kind, self.tz):
            raise DataError(f"the times are {time_kind(new.times, new.tz)}, but those of the training data are "
                            f"{time_kind(self.times, self.tz)}: convert them")  # fmt: skip
        at = np.array([places[name] for name in new.ids])
        self._check_continues(new, at, gaps or self.irregular)
        changed = (self.static[at] != new.static).any(axis=1)
        if changed.any():
            i = int(changed.argmax())
            raise DataError(
                f"the static covariates of series {new.ids[i]!r} are {list(new.static[i])}, but were {list(self.static[at[i]])}: "
                "they describe a series and do not change"
            )
        return self.extended(new, at)

    def future_times(self, horizon: int) -> np.ndarray:
        """Return ``(N, H)``, the H time steps after each series."""
        last = self.times[self.offsets[1:] - 1]
        step = fixed_step(self.freq)
        if step is not None:
            return last[:, None] + step * np.arange(1, horizon + 1)
        unique, inverse = np.unique(last, return_inverse=True)
        return np.stack([step_times(t, self.freq, horizon) for t in unique])[inverse]

    def _at(self, offsets: np.ndarray, take: np.ndarray) -> "Panel":
        """Return the rows ``take``, in series that begin at ``offsets``."""
        return replace(
            self,
            offsets=offsets,
            values=self.values[take],
            times=self.times[take],
            observed=None if self.observed is None else self.observed[take],
            past=self.past[take],
            known=self.known[take],
        )

    def extended(self, new: "Panel", at: np.ndarray) -> "Panel":
        """Return each series ``at[i]`` followed by series i of another panel, without checks.

        The labels of the other panel begin with those of this one.
        """
        added = np.zeros_like(self.lengths)
        added[at] = new.lengths
        offsets = np.concatenate([[0], np.cumsum(self.lengths + added)])
        kept = np.arange(len(self.values)) + np.repeat(offsets[:-1] - self.offsets[:-1], self.lengths)
        more = np.arange(len(new.values)) + np.repeat(offsets[at] + self.lengths[at] - new.offsets[:-1], new.lengths)

        def joined(mine: np.ndarray, theirs: np.ndarray) -> np.ndarray:
            both = np.empty((offsets[-1], *mine.shape[1:]), mine.dtype)
            both[kept], both[more] = mine, theirs
            return both

        observed = None
        if self.observed is not None or new.observed is not None:
            observed = joined(was_observed(self), was_observed(new))
        own = self.own or new.own
        if self.own is not None and new.own is not None:
            wall, stamps = (np.concatenate(both) for both in zip(self.own, new.own, strict=True))
            wall, first = np.unique(wall, return_index=True)
            own = wall, stamps[first]
        return replace(
            self,
            offsets=offsets,
            values=joined(self.values, new.values),
            times=joined(self.times, new.times),
            observed=observed,
            past=joined(self.past, new.past),
            known=joined(self.known, new.known),
            own=own,
            labels=new.labels,
        )

    def _check_continues(self, new: "Panel", at: np.ndarray, gaps: bool) -> None:
        last, first = self.times[self.offsets[1:] - 1][at], new.times[new.offsets[:-1]]
        expected = self.future_times(1)[at, 0]
        early = first <= last if self.irregular else first < expected
        bad = early if gaps else first != expected
        if not bad.any():
            return
        i = int(bad.argmax())
        what = "overlap the known rows" if early[i] else f"leave a gap after {time_text(last[i])}"
        wanted = f"later than {time_text(last[i])}" if self.irregular else f"at {time_text(expected[i])}"
        either = f"{arg(missing='mask')} or {arg(missing='interpolate')}"
        advice = "drop them" if early[i] else f"add the rows between, or fit with {either}"
        raise DataError(f"the rows of series {new.ids[i]!r} {what}: they begin at {time_text(first[i])}, but should begin "
                        f"{wanted}: {advice}")  # fmt: skip


def stack(panels: Sequence[Panel]) -> Panel:
    """Return the series of several panels of one frequency as one panel; names may repeat.

    Examples:
        >>> panel = Panel(np.array(["a", "b"]), np.array([0, 2, 3]), np.array([1.0, 2, 5]), np.array([0, 1, 0]), 1)
        >>> both = stack([panel, panel.tail(1)])
        >>> both.ids, both.offsets, both.values
        (array(['a', 'b', 'a', 'b'], dtype='<U1'), array([0, 2, 3, 4, 5]), array([1., 2., 5., 2., 5.]))
    """
    observed = None
    if any(panel.observed is not None for panel in panels):
        observed = np.concatenate([was_observed(panel) for panel in panels])
    return replace(
        panels[0],
        ids=np.concatenate([panel.ids for panel in panels]),
        offsets=np.concatenate([[0], np.cumsum(np.concatenate([panel.lengths for panel in panels]))]),
        values=np.concatenate([panel.values for panel in panels]),
        times=np.concatenate([panel.times for panel in panels]),
        observed=observed,
        past=np.concatenate([panel.past for panel in panels]),
        known=np.concatenate([panel.known for panel in panels]),
        static=np.concatenate([panel.static for panel in panels]),
    )


def was_observed(panel: Panel) -> np.ndarray:
    """Return ``(R,)``, whether each value was observed."""
    return np.ones(len(panel.values), dtype=bool) if panel.observed is None else panel.observed


def spans(first: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the offsets of spans that follow each other, and their rows: ``lengths[i]`` rows from ``first[i]``."""
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    return offsets, np.repeat(first - offsets[:-1], lengths) + np.arange(offsets[-1])
