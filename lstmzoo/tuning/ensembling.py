"""Ensembles in a search: what trials predict for the held-out windows, and the choice of members by it."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from lstmzoo.contracts import Data, can_be_paired
from lstmzoo.errors import SavedModelError
from lstmzoo.outputs import replacing
from lstmzoo.records import Record, scores_of_series

STEPS = 20  # members that are added one after the other, with replacement
_CANDIDATES = 20  # best trials

Arrays = list[np.ndarray]  # one per held-out window
Score = Callable[[np.ndarray], Any]  # from predictions for one window to a score, or to one for each series


class Held(NamedTuple):
    """The predictions of a trial.

    Attributes:
        key: The same for trials whose predictions can be averaged.
        arrays: The predictions for each window.
    """

    key: str
    arrays: Arrays


class Predictions:
    """What trials predicted for the held-out windows, at their best rungs: a file for each.

    Args:
        directory: Directory of the files.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def put(self, number: int, score: float, held: Held) -> None:
        """Keep the predictions of a trial.

        Args:
            number: The trial.
            score: The score of the predictions.
            held: The predictions.

        Raises:
            SavedModelError: If they cannot be written.
        """
        arrays = {str(i): np.ascontiguousarray(array) for i, array in enumerate(held.arrays)}
        try:
            self._directory.mkdir(exist_ok=True)
            with replacing(self._path(number)) as temporary:
                save_file(arrays, temporary, metadata={"score": repr(score), "key": held.key})
        except OSError as error:
            raise SavedModelError(f"{self._path(number)} cannot be written: {error.strerror or error}") from error

    def get(self, number: int, score: float) -> Held | None:
        """Return the predictions of a trial; None if those with this score are not there, or not all are finite."""
        try:
            with safe_open(self._path(number), framework="np") as file:
                about = file.metadata()
                arrays = [file.get_tensor(str(i)) for i in range(len(file.keys()))]
        except (OSError, SafetensorError):  # killed before it was written
            return None
        if about["score"] != repr(score) or not all(np.isfinite(array).all() for array in arrays):
            return None
        return Held(about["key"], arrays)

    def _path(self, number: int) -> Path:
        return self._directory / f"{number}.safetensors"


class Chosen(NamedTuple):
    """The members of an ensemble.

    Attributes:
        weights: Weights by number, of sum 1.
        scores: The score of the mean on each window.
        series_scores: The score of the mean for each series, as in a record.
    """

    weights: dict[int, float]
    scores: list[float]
    series_scores: list[float]


class Judge:
    """Scores fitted estimators on held-out windows; what they predicted is kept, for ensembles.

    Args:
        scorer: The scorer of the search.
        searched: The search's own estimator.
        windows: The held-out windows.
        predictions: Where predictions are kept; None without ensembles.
    """

    def __init__(self, scorer: Any, searched: Any, windows: list[Data], predictions: Predictions | None) -> None:
        self._scorer, self._searched, self._windows = scorer, searched, windows
        self._predictions = predictions
        self._latest: list[Held] = []
        self._latest_scores: list[np.ndarray] = []
        self._pairs = self.is_exact and can_be_paired(searched)
        self._functions: dict[str, list[Score]] = {}

    @property
    def keeps_predictions(self) -> bool:
        """Whether predictions are kept, from which an ensemble can be chosen."""
        return self._predictions is not None

    @property
    def is_exact(self) -> bool:
        """Whether the score of predictions is that of the estimator; otherwise it only ranks ensembles."""
        return bool(getattr(self._searched, "scores_predictions", False)) and not callable(self._scorer.scoring)

    def scores(self, estimator: Any, first: int, count: int) -> list[float]:
        """Return the score of a fitted estimator on some windows.

        Args:
            estimator: The estimator.
            first: Index of the first window.
            count: Number of windows.
        """
        windows = self._windows[first : first + count]
        asked = self._pairs or self._predictions is not None
        if not asked or not hasattr(estimator, "held_out_predictions"):
            return self._scorer.scores(estimator, windows, self._searched)
        held = Held(estimator.prediction_key(), [estimator.held_out_predictions(*window) for window in windows])
        self._latest.append(held)
        if not self.is_exact:
            return self._scorer.scores(estimator, windows, self._searched)
        functions = self._functions_of(held.key, lambda: estimator)[first : first + count]
        scores = _scored(functions, held.arrays)
        self._latest_scores += scores
        return _means(scores)

    def keep(self, record: Record) -> None:
        """Keep what was predicted since the last call, and the scores by series, if it is what the record's score is of."""
        latest, self._latest = self._latest, []
        scores, self._latest_scores = self._latest_scores, []
        score = record["score"]
        if not latest or score is None or record["error"] is not None or record["rungs"][-1] != score:
            return
        record["series_scores"] = scores_of_series(scores)
        if self._predictions is not None:
            held = Held(latest[0].key, [array for part in latest for array in part.arrays])
            self._predictions.put(record["number"], score, held)

    def choose(
        self, records: list[Record], most: int, fitted: Callable[[Record], Any], in_time: Callable[[], bool]
    ) -> Chosen | None:
        """Choose an ensemble of trials and baselines; None if a single one is best.

        Args:
            records: Records with a score, of single models.
            most: Most members.
            fitted: Returns the fitted estimator of a record.
            in_time: Returns whether there is time left.
        """
        if self._predictions is None:
            return None
        best: dict[int, Held] = {}
        for record in sorted(records, key=lambda r: (-(r["score"] or 0.0), r["number"]))[:_CANDIDATES]:
            held = self._predictions.get(record["number"], record["score"] or 0.0)
            if held is not None and all(held.key == other.key for other in best.values()):
                best[record["number"]] = held
        if len(best) < 2:
            return None
        number, one = next(iter(best.items()))
        functions = self._functions_of(one.key, lambda: fitted(next(r for r in records if r["number"] == number)))

        arrays = {n: held.arrays for n, held in best.items()}
        weights = choose_members(arrays, lambda a: float(np.mean(_means(_scored(functions, a)))), most, in_time)
        if len(weights) < 2:
            return None
        means = zip(*([w * array for array in best[n].arrays] for n, w in weights.items()), strict=True)
        together = _scored(functions, [sum(parts[1:], parts[0]) for parts in means])
        return Chosen(weights, _means(together), scores_of_series(together))

    def _functions_of(self, key: str, fitted: Callable[[], Any]) -> list[Score]:
        """Return the functions that score predictions, made once for all estimators of a key."""
        if key not in self._functions:
            metric = self._scorer.scoring if self.is_exact else None
            estimator = fitted()
            make = estimator.series_scorer if self._pairs else estimator.prediction_scorer
            self._functions[key] = [make(*window, metric=metric) for window in self._windows]
        return self._functions[key]


def _scored(functions: list[Score], arrays: Arrays) -> list[np.ndarray]:
    """Return the scores of predictions for each window: one, or one for each series."""
    return [np.atleast_1d(score(array)) for score, array in zip(functions, arrays, strict=True)]


def _means(scores: list[np.ndarray]) -> list[float]:
    """Return the mean score on each window; NaN if no score is defined."""
    return [float("nan") if np.isnan(window).all() else float(np.nanmean(window)) for window in scores]


def choose_members(
    predictions: Mapping[int, Arrays], score: Callable[[Arrays], float], most: int,
    in_time: Callable[[], bool] = lambda: True,
) -> dict[int, float]:  # fmt: skip
    """Choose the members of an ensemble, and their weights, by greedy selection with replacement.

    The best single model comes first. Then the model is added, again and again, with which the mean of all those added scores
    best. Models that are added more than once weigh more. Of all these means, the best is returned.

    Args:
        predictions: Predictions for each window by number.
        score: Returns the score of predictions; greater is better.
        most: Most different members.
        in_time: Returns whether there is time left. If not, the best mean so far is returned.

    Returns:
        The weights by number, of sum 1; of equals the fewest members. Empty if there was no time.

    References:
        Caruana, Niculescu-Mizil, Crew & Ksikes, "Ensemble Selection from Libraries of Models", ICML 2004.

    Examples:
        >>> predictions = {1: [np.array([0.0])], 2: [np.array([3.0])], 3: [np.array([9.0])]}
        >>> choose_members(predictions, lambda windows: 1.0 - abs(float(windows[0][0]) - 2.0), most=2)
        {1: 0.3333333333333333, 2: 0.6666666666666666}
    """
    counts: dict[int, int] = {}
    total: Arrays = []
    chosen: tuple[dict[int, int], float] = {}, -np.inf
    for size in range(1, STEPS + 1):
        allowed = predictions if len(counts) < most else counts
        sums = {
            n: [a + b for a, b in zip(total, predictions[n], strict=True)] if total else predictions[n] for n in allowed
        }
        scores = {}
        for number, arrays in sums.items():
            if not in_time():
                return _weights(chosen[0])
            scores[number] = score([array / size for array in arrays])
        best = max(scores, key=lambda number: scores[number])
        counts[best], total = counts.get(best, 0) + 1, sums[best]
        if scores[best] > chosen[1]:
            chosen = dict(counts), scores[best]
    return _weights(chosen[0])


def _weights(counts: dict[int, int]) -> dict[int, float]:
    size = sum(counts.values())
    return {number: count / size for number, count in sorted(counts.items())}
