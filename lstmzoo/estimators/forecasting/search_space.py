"""Search spaces of forecasters, without the choices that some series make meaningless."""

from lstmzoo.config.ranges import Categorical, SearchParameter
from lstmzoo.panel import Panel


def meaningful_space(
    search_space: dict[str, SearchParameter],
    panel: Panel,
    seasons: list[int],
    horizon: int,
    spare: int,
    *,
    pad_short: bool,
) -> dict[str, SearchParameter]:
    """Return a search space without the ranges and values that mean nothing for a panel.

    Args:
        search_space: Ranges by key, as in a zoo config.
        panel: Series, filled.
        seasons: Season lengths, shortest first.
        horizon: Steps to forecast.
        spare: Steps of the shortest series that a window may read.
        pad_short: Whether series that are too short are padded to the left.
    """
    space = dict(search_space)
    if not panel.has_calendar:
        space.pop("calendar", None)
    if (panel.values <= 0).any():
        space.pop("transform", None)
    if "lookback_horizons" in space and not pad_short:
        space["lookback_horizons"] = _capped(space["lookback_horizons"], spare // horizon)
    references = space.get("residual")
    if isinstance(references, Categorical):
        different = _different_references(seasons, max(spare, seasons[-1]) if pad_short else spare)
        values = [value for value in references.values if value in different]
        space["residual"] = references.model_copy(update={"values": values})
        if not values:
            del space["residual"]
    return space


def _different_references(seasons: list[int], spare: int) -> set[str]:
    """Names of the references that differ for series with these seasons."""
    short, long = seasons[0], seasons[-1]
    different = {"none", "naive", "mix"}
    if 1 < short <= spare:
        different.add("seasonal_naive")
    if short < long <= spare:
        different.add("long_seasonal_naive")
    if "seasonal_naive" in different and long <= spare:
        different.add("seasonal_mix")
    return different


def _capped(span: SearchParameter, largest: int) -> SearchParameter:
    """A range of whole numbers without those above ``largest``; at least one value is left."""
    if isinstance(span, Categorical):
        values = [v for v in span.values if isinstance(v, int) and v <= largest]
        return span.model_copy(update={"values": values or [max(largest, 1)]})
    if largest <= span.min:
        return Categorical(type="categorical", values=[max(largest, 1)])
    return span.model_copy(update={"max": min(span.max, largest)})
