"""Values of a config, and the ranges that a search may draw them from."""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, model_validator

Scalar = bool | int | float | str | None


def without_numpy(value: Any) -> Any:
    """Convert NumPy numbers and arrays to Python's, and tuples to lists, also within lists and dicts."""
    if type(value).__module__ == "numpy" and hasattr(value, "tolist"):
        return without_numpy(value.tolist())  # an array of objects may hold NumPy's numbers
    if isinstance(value, list | tuple):
        return [without_numpy(v) for v in value]
    return {k: without_numpy(v) for k, v in value.items()} if isinstance(value, dict) else value


class Strict(BaseModel):
    """Base of all sections: unknown keys and values of another type are refused, except that NumPy's count as Python's."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    @model_validator(mode="before")
    @classmethod
    def _without_numpy(cls, document: Any) -> Any:
        return without_numpy(document)


class _Range(Strict):
    min: float
    max: float
    step: float | None = None
    sampling: Literal["linear", "log"] = "linear"

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min >= self.max:
            raise ValueError(f"min {self.min} must be below max {self.max}")
        if self.sampling == "log" and (self.min <= 0 or self.step is not None):
            raise ValueError("log sampling needs min above 0 and no step")
        return self

    @property
    def extremes(self) -> list[Scalar]:
        """The least and the greatest value, which have to be valid."""
        return [self.min, self.max]

    def nearest(self, value: Any) -> float:
        """Return the value of the range that is nearest to a number."""
        return min(max(value, self.min), self.max)


class IntRange(_Range):
    """Whole numbers ``min, min + step, ...`` up to ``max``; on a log scale without a step."""

    type: Literal["int"]
    min: int
    max: int
    step: PositiveInt | None = None

    def contains(self, value: object) -> bool:
        """Return whether a value lies in the range."""
        return isinstance(value, int) and not isinstance(value, bool) and self.min <= value <= self.max


class FloatRange(_Range):
    """Numbers from ``min`` to ``max``, in steps if a step is given."""

    type: Literal["float"]
    step: Annotated[float, Field(gt=0)] | None = None

    def contains(self, value: object) -> bool:
        """Return whether a value lies in the range."""
        return isinstance(value, int | float) and not isinstance(value, bool) and self.min <= value <= self.max


class Categorical(Strict):
    """One of the listed values."""

    type: Literal["categorical"]
    values: Annotated[list[Scalar], Field(min_length=1)]

    @property
    def extremes(self) -> list[Scalar]:
        """All values, which have to be valid."""
        return self.values

    def contains(self, value: object) -> bool:
        """Return whether a value is one of them."""
        return any(value == v and type(value) is type(v) for v in self.values)

    def nearest(self, value: Scalar) -> Scalar:
        """Return a value if it is one of them, otherwise the first of them."""
        return value if self.contains(value) else self.values[0]


SearchParameter = Annotated[IntRange | FloatRange | Categorical, Field(discriminator="type")]
