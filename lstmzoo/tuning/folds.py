"""The folds of a search: training sets, each with the held-out windows that are scored."""

import numbers
from collections.abc import Iterable
from typing import Any

import numpy as np

from lstmzoo.contracts import Data
from lstmzoo.errors import ConfigError, LstmzooError, arg
from lstmzoo.values import digest, shortened

Fold = tuple[Data, list[Data]]
_EXPECTED = "expected a number of windows, a splitter with split and get_n_splits, or pairs (train, test) of indices"


def check_cv(cv: Any) -> None:
    """Refuse what is no ``cv``.

    Raises:
        ConfigError: If it is not None, a whole number above 0, a splitter or an iterable.
    """
    number = isinstance(cv, numbers.Real | np.generic | str | dict)
    whole = isinstance(cv, numbers.Integral) and not isinstance(cv, bool) and int(cv) > 0
    splits = _is_splitter(cv) or isinstance(cv, Iterable)
    if cv is not None and not whole and (number or not splits):
        raise ConfigError(f"{arg('cv')}: {_EXPECTED}, got {shortened(cv)}")


def make_folds(estimator: Any, cv: Any, data: Data, *, rolling: bool) -> tuple[list[Fold], Any]:
    """Return the folds, and ``cv`` as the identity of the search has it.

    Args:
        estimator: The search's estimator.
        cv: The parameter, checked.
        data: The data, read.
        rolling: Whether there are several windows by default.

    Raises:
        ConfigError: If the splitter fails, or its indices cannot be used.
        DataError: If the data are too few.
    """
    if cv is None and not rolling:
        train, valid = estimator.holdout_split(*data)
        return [(train, [valid])], None
    if cv is None or isinstance(cv, numbers.Integral):
        windows = None if cv is None else int(cv)
        return [estimator.rolling_holdout(*data, windows=windows)], windows
    if not hasattr(estimator, "split_at"):
        raise ConfigError(
            f"{arg('cv')}: the data of {type(estimator).__name__} cannot be split by indices: pass a number"
        )
    pairs = _pairs(cv, estimator.split_size(*data))
    folds = []
    for number, (train_indices, test_indices) in enumerate(pairs, start=1):
        try:
            folds.append(estimator.split_at(train_indices, test_indices, *data))
        except LstmzooError as error:
            raise ConfigError(f"{arg('cv')}: fold {number}: {error.message}") from None
    name = repr(cv) if _is_splitter(cv) else f"{len(pairs)} pairs of indices"
    return folds, f"{name}, {digest(*(side for pair in pairs for side in pair))[:12]}"


def _is_splitter(cv: Any) -> bool:
    return not isinstance(cv, str) and callable(getattr(cv, "split", None)) and hasattr(cv, "get_n_splits")


def _pairs(cv: Any, size: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the indices of each fold, checked."""
    try:
        pairs = list(cv.split(np.arange(size)) if _is_splitter(cv) else cv)
    except LstmzooError:
        raise
    except (ValueError, TypeError) as error:
        raise ConfigError(f"{arg('cv')}: {shortened(cv)} cannot split {size} items: {error}") from None
    if not pairs:
        raise ConfigError(f"{arg('cv')}: there are no folds: {_EXPECTED}; an iterator is used up by the first fit")
    return [_checked(pair, number, size) for number, pair in enumerate(pairs, start=1)]


def _checked(pair: Any, number: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    if not isinstance(pair, tuple | list) or len(pair) != 2:
        raise ConfigError(f"{arg('cv')}: fold {number}: {_EXPECTED}, got {shortened(pair)}")
    sides = []
    for name, side in zip(("train", "test"), pair, strict=True):
        indices = np.asarray(side)
        if indices.ndim != 1 or not len(indices) or indices.dtype.kind not in "iu":
            raise ConfigError(f"{arg('cv')}: fold {number}: expected {name} indices, got {shortened(side)}")
        if indices.min() < 0 or indices.max() >= size:
            odd = indices[(indices < 0) | (indices >= size)][0]
            raise ConfigError(f"{arg('cv')}: fold {number}: {name} index {odd} is not between 0 and {size - 1}")
        sides.append(np.unique(indices).astype(np.int64))
    return sides[0], sides[1]
