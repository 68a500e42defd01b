"""Search spaces of forecasters, without the choices that some series make meaningless."""

from collections.abc import Mapping

from lstmzoo.config.ranges import Categorical, Scalar, SearchParameter
from lstmzoo.panel import Panel

_NEAREST = (
    "seasonal_mix",
    "seasonal_naive",
    "mix",
    "naive",
    "none",
)  # references, those that know most of the season first


class References(Categorical):
    """The reference forecasts that differ for a panel.

    Attributes:
        instead: For each of the other references, the one of ``values`` that means the same, or that is nearest to it.
    """

    instead: dict[str, Scalar]

    def nearest(self, value: Scalar) -> Scalar:
        """Return the reference that is, or is nearest to, a given one."""
        return self.instead.get(str(value), value)


def meaningful_space(
    search_space: dict[str, SearchParameter],
    own: Mapping[str, Scalar],
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
        own: The entry's own settings. Of references that mean the same for the panel, the entry's own is kept.
        panel: Series, filled.
        seasons: Season lengths, shortest first.
        horizon: Steps to forecast.
        spare: Steps of the shortest series that a window may read.
        pad_short: Whether series that are too short are padded to the left.
    """
    space = dict(search_space)
    if not panel.has_calendar:
        space.pop("calendar", None)
    transforms = space.get("transform")
    if own.get("distribution") == "negative_binomial":
        space.pop("transform", None)
    elif isinstance(transforms, Categorical) and (panel.values < 0).any():  # a transform is that of all series
        rest = [value for value in transforms.values if value != "log"]
        space["transform"] = transforms.model_copy(update={"values": rest})
        if not rest:
            del space["transform"]
    if "lookback_horizons" in space and not pad_short:
        space["lookback_horizons"] = _capped(space["lookback_horizons"], spare // horizon)
    references = space.get("residual")
    if isinstance(references, Categorical):
        different = _different_references(references, own.get("residual"), seasons, None if pad_short else spare)
        del space["residual"]
        if different is not None:
            space["residual"] = different
    return space


def _different_references(
    references: Categorical, own: Scalar, seasons: list[int], spare: int | None
) -> References | None:
    """Return the references that differ for series with these seasons, and that need at most ``spare`` steps."""
    needed = _steps(seasons)
    possible = {name for name, steps in needed.items() if spare is None or steps[-1] <= spare}
    alike: dict[tuple[int, ...], Scalar] = {}
    for value in [own, *references.values] if own in references.values else references.values:
        if value in possible:
            alike.setdefault(needed[str(value)], value)
    values = [value for value in references.values if value in alike.values()]
    if not values:
        return None
    fallback = next((name for name in _NEAREST if name in values), values[0])
    instead = {name: alike.get(steps, fallback) for name, steps in needed.items() if name not in values}
    return References(type="categorical", values=values, instead=instead)


def _steps(seasons: list[int]) -> dict[str, tuple[int, ...]]:
    """The steps that each reference looks back, ascending: equal ones are the same forecast."""
    short, long = seasons[0], seasons[-1]
    return {
        "none": (0,), "naive": (1,), "seasonal_naive": (short,), "long_seasonal_naive": (long,),
        "seasonal_mix": tuple(seasons) if long == 1 else (-1, *seasons), "mix": (-2, *seasons),
    }  # fmt: skip


def _capped(span: SearchParameter, largest: int) -> SearchParameter:
    """A range of whole numbers without those above ``largest``; at least one value is left."""
    if isinstance(span, Categorical):
        values = [v for v in span.values if isinstance(v, int) and v <= largest]
        return span.model_copy(update={"values": values or [max(largest, 1)]})
    if largest <= span.min:
        return Categorical(type="categorical", values=[max(largest, 1)])
    return span.model_copy(update={"max": min(span.max, largest)})
