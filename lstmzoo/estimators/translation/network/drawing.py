"""Heat maps of alignments."""

import numpy as np

from lstmzoo.errors import DataError
from lstmzoo.figures import Figure

_MOST = 200


def draw_alignment(source: list[str], target: list[str], weights: np.ndarray) -> Figure:
    """Draw a heat map, with the source from left to right and the target from top to bottom.

    Args:
        source: S tokens.
        target: T tokens.
        weights: ``(T, S)`` from 0 to 1.

    Raises:
        DataError: If there are too many tokens to draw.
    """
    if max(weights.shape) > _MOST:
        raise DataError(
            f"an alignment of {len(source)} and {len(target)} tokens cannot be drawn: at most {_MOST} of each"
        )
    figure = Figure(figsize=(2 + 0.3 * len(source), 1.5 + 0.3 * len(target)), layout="constrained")
    axis = figure.subplots()
    image = axis.imshow(weights, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for axes, tokens in ((axis.xaxis, source), (axis.yaxis, target)):
        axes.set_ticks(range(len(tokens)), [token.replace("$", r"\$") for token in tokens])
    axis.tick_params(axis="x", rotation=90)
    axis.set_xlabel("source")
    axis.set_ylabel("translation")
    figure.colorbar(image, label="attention")
    return figure
