"""What forecasts are a deviation from, by the names that configs have for it."""


def reference_periods(residual: str, seasons: list[int], lookback: int) -> list[int]:
    """Periods of the references that forecasts are a deviation from."""
    if residual in ("seasonal_mix", "mix"):
        doubles = [2 * s for s in seasons if s > 1 and 2 * s <= max(lookback, *seasons)]
        seasonal = sorted({*seasons, *doubles})
        means = [-s for s in seasons if s > 1 and 2 * s <= lookback]
        return seasonal if residual == "seasonal_mix" else [0, *sorted({1, *seasonal}), *means]
    return [{"none": 0, "naive": 1, "seasonal_naive": seasons[0], "long_seasonal_naive": seasons[-1]}[residual]]


def useful_residuals(seasons: list[int], spare: int) -> set[str]:
    """The names that say different things of series with these seasons.

    Args:
        seasons: Season lengths, shortest first.
        spare: Steps of the shortest series that windows may take.
    """
    short, long = seasons[0], seasons[-1]
    useful = {"none", "naive", "mix"}
    if 1 < short <= spare:
        useful.add("seasonal_naive")
    if short < long <= spare:
        useful.add("long_seasonal_naive")
    if "seasonal_naive" in useful and long <= spare:
        useful.add("seasonal_mix")
    return useful
