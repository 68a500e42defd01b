"""Ensembles: the weighted mean of what several fitted estimators predict."""

import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self

import numpy as np
from pydantic import Field
from sklearn.base import clone

from lstmzoo import saving
from lstmzoo.errors import ConfigError, SavedModelError, arg
from lstmzoo.estimators._base.estimator import PARAMS, Learned, ZooEstimator, as_json, class_named
from lstmzoo.values import check_params, plain

Weights = list[Annotated[float | int, Field(ge=0)]] | None
_MEMBERS = "members"  # key of their classes in params.json
_MOST = 99
_OF_MEMBERS = ("stream", "interpret", "embed")  # methods of networks that an ensemble may lack


class Ensemble(ZooEstimator):
    """Base of the ensembles.

    A subclass has the parameters ``estimators`` and ``weights``; it names the class of the members in ``_of``, checks that
    members fit together in :meth:`_check_members`, and averages what they predict.

    Attributes:
        members_: The fitted members.
        weights_: The weight of each member; their sum is 1.
    """

    _of: ClassVar[type[ZooEstimator]]
    _saved: ClassVar[tuple[Learned, ...]] = as_json("weights_")
    estimators: list[Any]
    weights: Any
    members_: list[Any]
    weights_: list[float]

    if TYPE_CHECKING:

        def __init__(self, estimators: list[Any], weights: Weights = None) -> None: ...

    def __getattr__(self, name: str) -> Any:
        hint = self.absent(name)
        raise AttributeError(
            f"{type(self).__name__!r} object has no attribute {name!r}{hint and f': {hint}'}", name=name, obj=self
        )

    @classmethod
    def absent(cls, name: str) -> str:
        """Return what to do instead of calling a method that networks have and ensembles lack; empty for other names."""
        if name == "update":
            return f"update its members, fit those without a network again on all data, and pass them to {cls.__name__}.of()"
        return f"call that of a member, such as members_[0].{name}()" if name in _OF_MEMBERS else ""

    @classmethod
    def of(cls, members: Sequence[Any], weights: Sequence[float] | None = None) -> Self:
        """Return the fitted ensemble of fitted members, without training.

        Args:
            members: Fitted estimators. They are kept, not copied.
            weights: Their weights, of any sum; equal ones if None.

        Raises:
            NotFittedError: If a member is not fitted.
            ConfigError: If there is no member, members do not fit together, or a weight is wrong.
        """
        ensemble = cls([clone(member) for member in members], None if weights is None else plain(list(weights)))
        ensemble._check_params()
        for member in members:
            member._check_fitted()
        ensemble._keep_members(list(members))
        return ensemble

    @property
    def num_parameters_(self) -> int:
        """The number of weights of all members."""
        return sum(int(member.num_parameters_) for member in self.members_)

    @property
    def history_(self) -> list[dict[str, Any]]:
        """The rows of the epochs: none; those of the members are in ``members_``."""
        return []

    def _fit_members(self, *data: Any) -> Self:
        """Fit a copy of each estimator on the data."""
        started = time.perf_counter()
        self._check_params()
        self._keep_members([clone(estimator).fit(*data) for estimator in self.estimators])
        self.seconds_ = time.perf_counter() - started
        return self

    def _keep_members(self, members: list[Any]) -> None:
        self._check_members(members)
        self.members_ = members
        given = np.ones(len(members)) if self.weights is None else np.array(plain(self.weights), dtype=float)
        self.weights_ = (given / given.sum()).tolist()
        self.data_digest_ = members[0].data_digest_
        self.seconds_ = sum(member.seconds_ for member in members)
        self._learn_members()

    def _learn_members(self) -> None:
        """Set the learned attributes that follow from those of the members."""

    def _check_members(self, members: list[Any]) -> None:
        """Refuse fitted members whose predictions cannot be averaged.

        Raises:
            ConfigError: Naming the first difference.
        """

    def _check_params(self) -> None:
        check_params(self)
        count = len(self.estimators)
        if not 1 <= count <= _MOST:
            raise ConfigError(f"{arg('estimators')}: expected 1 to {_MOST} estimators, got {count}")
        for number, estimator in enumerate(self.estimators, 1):
            if not isinstance(estimator, self._of) or isinstance(estimator, Ensemble):
                raise ConfigError(f"{arg('estimators')}: member {number} is a {type(estimator).__name__}; expected single "
                                  f"models of the task {self.task}, not ensembles")  # fmt: skip
            estimator._check_params()
        if self.weights is not None and (len(self.weights) != count or not 0 < np.sum(self.weights) < np.inf):
            raise ConfigError(
                f"{arg('weights')}: expected {count} numbers of at least 0, not all 0, one per estimator, got {self.weights!r}"
            )

    def _to_bundle(self) -> tuple[dict[str, Any], saving.Bundle]:
        header, files = super()._to_bundle()
        del files[PARAMS]["params"]["estimators"]  # those of the members
        members = [member._to_bundle() for member in self.members_]
        files[PARAMS][_MEMBERS] = [own["class"] for own, _ in members]
        return header, saving.with_members(files, [own for _, own in members])

    @classmethod
    def _migrate(cls, files: saving.Bundle, format: int) -> None:
        super()._migrate(files, format)
        for of_member, own in cls._members_of(files):
            of_member._migrate(own, format)

    @classmethod
    def _unfitted(cls, files: saving.Bundle) -> Self:
        members = [of_member._unfitted(own) for of_member, own in cls._members_of(files)]
        ensemble = cls(members, **files[PARAMS]["params"])
        ensemble._check_params()
        return ensemble

    def _from_bundle(self, files: saving.Bundle) -> None:
        self.members_ = []
        for number, (of_member, own) in enumerate(self._members_of(files), 1):
            try:
                member = of_member._unfitted(own)
                member._from_bundle(own)
            except SavedModelError as error:
                raise SavedModelError(f"member {number}: {error}") from error
            self.members_.append(member)
        self.estimators = [clone(member) for member in self.members_]
        super()._from_bundle(files)
        total = sum(self.weights_)
        if len(self.weights_) != len(self.members_) or min(self.weights_) < 0 or not np.isclose(total, 1):
            raise SavedModelError(f"params.json: {len(self.members_)} members, but the weights {self.weights_}")
        self._check_members(self.members_)

    @classmethod
    def _members_of(cls, files: saving.Bundle) -> Iterator[tuple[type[ZooEstimator], saving.Bundle]]:
        """Yield the class of each member and its files."""
        for number, name in enumerate(files[PARAMS][_MEMBERS], 1):
            of_member = class_named(name)
            if not issubclass(of_member, cls._of) or issubclass(of_member, Ensemble):
                raise SavedModelError(f"member {number} is a {name}, which is no member of a {cls.__name__}")
            yield of_member, saving.member_files(files, number)
