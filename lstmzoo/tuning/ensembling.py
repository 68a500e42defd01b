"""Ensembles in a search: what trials predict for the held-out windows, and the choice of members by it."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from lstmzoo.errors import SavedModelError
from lstmzoo.outputs import replacing

STEPS = 20  # members that are added one after the other, with replacement
_SCORE = "score"

Arrays = list[np.ndarray]  # one per held-out window


class Predictions:
    """What trials predicted for the held-out windows, at their best rungs: a file for each, as float32.

    Args:
        directory: Directory of the files.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def put(self, number: int, score: float, arrays: Arrays) -> None:
        """Keep the predictions of a trial.

        Args:
            number: The trial.
            score: The score of the predictions.
            arrays: The predictions for each window.

        Raises:
            SavedModelError: If they cannot be written.
        """
        self._directory.mkdir(exist_ok=True)
        tensors = {f"window{i}": np.ascontiguousarray(array, dtype=np.float32) for i, array in enumerate(arrays)}
        try:
            with replacing(self._path(number)) as temporary:
                save_file({**tensors, _SCORE: np.array([score])}, temporary)
        except OSError as error:
            raise SavedModelError(f"{self._path(number)} cannot be written: {error.strerror or error}") from error

    def get(self, number: int, score: float) -> Arrays | None:
        """Return the predictions of a trial; None if those with this score are not there, or not all are finite."""
        try:
            tensors = load_file(self._path(number))
        except (OSError, SafetensorError):  # killed before it was written
            return None
        if tensors.pop(_SCORE)[0] != score:
            return None
        if not all(np.isfinite(array).all() for array in tensors.values()):
            return None
        return [tensors[f"window{i}"] for i in range(len(tensors))]

    def _path(self, number: int) -> Path:
        return self._directory / f"{number}.safetensors"


def choose_members(
    predictions: Mapping[int, Arrays], score: Callable[[Arrays], float], most: int
) -> tuple[dict[int, float], float]:
    """Choose the members of an ensemble, and their weights, by greedy selection with replacement.

    The best single model comes first. Then the model is added, again and again, with which the mean of all those added scores
    best. Models that are added more than once weigh more. Of all these means, the best is returned.

    Args:
        predictions: Predictions for each window by number.
        score: Returns the score of predictions; greater is better.
        most: Most different members.

    Returns:
        The weights by number, of sum 1, and the score of the mean; of equals the fewest members.

    References:
        Caruana, Niculescu-Mizil, Crew & Ksikes, "Ensemble Selection from Libraries of Models", ICML 2004.

    Examples:
        >>> predictions = {1: [np.array([0.0])], 2: [np.array([3.0])], 3: [np.array([9.0])]}
        >>> choose_members(predictions, lambda windows: 1.0 - abs(float(windows[0][0]) - 2.0), most=2)
        ({1: 0.3333333333333333, 2: 0.6666666666666666}, 1.0)
    """
    counts: dict[int, int] = {}
    total: Arrays = []
    chosen: tuple[dict[int, int], float] = {}, -np.inf
    for size in range(1, STEPS + 1):
        allowed = predictions if len(counts) < most else counts
        sums = {
            n: [a + b for a, b in zip(total, predictions[n], strict=True)] if total else predictions[n] for n in allowed
        }
        scores = {number: score([array / size for array in arrays]) for number, arrays in sums.items()}
        best = max(scores, key=lambda number: scores[number])
        counts[best], total = counts.get(best, 0) + 1, sums[best]
        if scores[best] > chosen[1]:
            chosen = dict(counts), scores[best]
    size = sum(chosen[0].values())
    return {number: count / size for number, count in sorted(chosen[0].items())}, chosen[1]
