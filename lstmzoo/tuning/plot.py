"""The course of a search as a figure."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from lstmzoo.tuning._base import Record


def plot_search(records: list[Record], path: str | Path | None = None) -> Figure:
    """Each trial's score over time, in its architecture's color, with the baselines as lines and the best so far as steps.

    Args:
        records: Of the search.
        path: Where to save the figure, in a format that its suffix names; nowhere if None.
    """
    figure = Figure(figsize=(9, 4.5), layout="constrained")
    axis = figure.subplots()
    trials = [r for r in records if not r["baseline"] and r["score"] is not None]
    baselines = [r for r in records if r["baseline"] and r["score"] is not None]
    for i, model in enumerate(sorted({r["model"] for r in trials})):
        own = [r for r in trials if r["model"] == model]
        axis.scatter([r["elapsed"] for r in own], [r["score"] for r in own], label=model, color=f"C{i % 10}",
                     marker="os^Dv"[i // 10 % 5], zorder=3)  # fmt: skip
    for r, style in zip(baselines, ("-", "--", "-.", ":") * len(baselines), strict=False):
        axis.axhline(r["score"], color="0.6", linestyle=style, linewidth=1, label=r["model"])
    if trials:
        best = np.maximum.accumulate([r["score"] for r in trials])
        axis.step([r["elapsed"] for r in trials], best, where="post", color="0.2", linewidth=1, label="best so far")
        axis.set_ylim(*_limits([r["score"] or 0.0 for r in trials + baselines]))
    failed = sum(r["score"] is None for r in records)
    axis.set_xlabel("seconds since the search began" + (f" ({failed} failed trials not shown)" if failed else ""))
    axis.set_ylabel("score")
    axis.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
    if path is not None:
        figure.savefig(path)
    return figure


def _limits(scores: list[float]) -> tuple[float, float]:
    """Bounds that show what is good; a score far below the rest lies outside."""
    lower, upper = np.quantile(scores, [0.25, 0.75])
    bottom = max(min(scores), lower - 3 * (upper - lower))
    margin = 0.05 * (max(scores) - bottom) or 0.05
    return bottom - margin, max(scores) + margin
