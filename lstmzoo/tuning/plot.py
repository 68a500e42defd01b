"""The figure of a search."""

from pathlib import Path

import numpy as np

from lstmzoo.figures import Figure
from lstmzoo.records import Record


def plot_search(records: list[Record], path: str | Path | None = None) -> Figure:
    """Draw the scores of the trials over time, colored by architecture, with baselines as lines and the best so far as steps.

    A trial that was paused has a point for each of its rungs.

    Args:
        records: All trials.
        path: File for the figure, in the format of its suffix; not saved if None.
    """
    figure = Figure(figsize=(9, 4.5), layout="constrained")
    axis = figure.subplots()
    trials = sorted(
        (elapsed, score, r["model"])
        for r in records
        if not r["baseline"] and r["score"] is not None
        for elapsed, score in zip(r["rungs_elapsed"], r["rungs"], strict=True)
    )
    baselines = [(r, r["score"]) for r in records if r["baseline"] and r["score"] is not None]
    for i, model in enumerate(sorted({model for *_, model in trials})):
        x, y = zip(*((elapsed, score) for elapsed, score, of in trials if of == model), strict=True)
        axis.scatter(x, y, label=model, color=f"C{i % 10}", marker="os^Dv"[i // 10 % 5], zorder=3)
    for i, (r, score) in enumerate(baselines):
        axis.axhline(
            score, color="0.6", linestyle=("-", "--", "-.", ":")[i % 4], linewidth=1, label=f"{r['model']} {score:.3g}"
        )
    if trials:
        x, y, _ = zip(*trials, strict=True)
        axis.step(x, np.maximum.accumulate(y), where="post", color="0.2", linewidth=1, label="best so far")
        axis.set_ylim(*_bounds(list(y), [score for _, score in baselines]))
    axis.set_xlim(left=0)
    failed = sum(r["score"] is None for r in records)
    axis.set_xlabel("seconds since the search began" + (f" ({failed} failed trials not shown)" if failed else ""))
    axis.set_ylabel("score")
    axis.legend(loc="center left", bbox_to_anchor=(1, 0.5), frameon=False)
    if path is not None:
        figure.savefig(path)
    return figure


def _bounds(scores: list[float], baselines: list[float]) -> tuple[float, float]:
    """Return bounds of the axis that show the good trials and the best baseline; much lower scores lie outside."""
    lower, upper = np.quantile(scores, [0.25, 0.75])
    near = max(min(scores), lower - 1.5 * (upper - lower))
    bottom, top = min(near, max(baselines, default=near)), max(scores + baselines)
    margin = 0.05 * (top - bottom) or 0.05
    return bottom - margin, top + margin
