"""A model compiled for training, which several trainings use in turn."""

from collections.abc import Callable, Sequence
from weakref import WeakKeyDictionary

import keras
import numpy as np

from lstmzoo.backend import model_variables


class Program:
    """A model that is compiled once. Trainings of the same loss and optimizer share it: each has variables of its own.

    Args:
        model: Uncompiled model with one input or a dict of inputs.
    """

    def __init__(self, model: keras.Model) -> None:
        self.model = model
        self._user: object | None = None
        self._aside: WeakKeyDictionary[object, list[np.ndarray]] = WeakKeyDictionary()
        self._new: list[np.ndarray] | None = None  # of the optimizer

    def begin(self, user: object, compile_: Callable[[], None], variables: Sequence[np.ndarray] | None) -> None:
        """Compile the model if it is not, and give it the variables of a new training.

        Args:
            user: The training.
            compile_: Compiles the model, and builds its optimizer.
            variables: Values of the model's variables; None to keep those that it has.
        """
        self._leave()
        if self._new is None:
            compile_()
            self._new = [np.asarray(v).copy() for v in self.model.optimizer.variables]
        _assign(self.model.optimizer.variables, self._new)
        if variables is not None:
            _assign(self.model.variables, variables)
        self._user = user

    def take(self, user: object) -> None:
        """Give the model the variables of a training that has begun."""
        if self._user is not user:
            self._leave()
            self._user = user
        aside = self._aside.pop(user, None)
        if aside is not None:
            _assign(list(model_variables(self.model).values()), aside)

    def put_aside(self) -> None:
        """Keep the variables of the present training, so that the model can have others for a while."""
        self._aside[self._user] = [np.asarray(v).copy() for v in model_variables(self.model).values()]

    def _leave(self) -> None:
        if self._user is not None and self._user not in self._aside:
            self.put_aside()


def _assign(variables: Sequence[keras.Variable], values: Sequence[np.ndarray]) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
