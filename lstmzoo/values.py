"""Values of parameters: type checks, plain Python types, canonical JSON, digests."""

import functools
import hashlib
import inspect
import json
from typing import Any, get_type_hints

import numpy as np
from pydantic import ConfigDict, TypeAdapter, ValidationError
from tokenizers import Tokenizer

from lstmzoo.config import without_numpy
from lstmzoo.errors import ConfigError, arg


def check_params(estimator: Any) -> None:
    """Check each parameter against the type that ``__init__`` declares; NumPy's numbers and tuples count as Python's.

    Raises:
        ConfigError: If a value is invalid; the first such parameter is named.
    """
    for name, adapter in _adapters(type(estimator)).items():  # type: ignore[arg-type]
        value = getattr(estimator, name)
        value = value if isinstance(value, Tokenizer) else plain(value)
        try:
            adapter.validate_python(value)
        except ValidationError as error:
            raise ConfigError(f"{arg(name)}: {error.errors()[0]['msg']}, got {shortened(value)}") from None


def plain(value: Any) -> Any:
    """Return a value with NumPy's numbers and arrays as Python's, tuples as lists and tokenizers as JSON, also when nested."""
    if isinstance(value, Tokenizer):
        return value.to_str()
    value = without_numpy(value)
    if isinstance(value, list):
        return [plain(v) for v in value]
    return {k: plain(v) for k, v in value.items()} if isinstance(value, dict) else value


def shortened(value: Any) -> str:
    """Return a value as messages show it."""
    text = repr(value)
    return text if len(text) <= 60 and "\n" not in text else f"a {type(value).__name__}"


def canonical_json(value: Any) -> str:
    """Return JSON for hashing, the same JSON for equal values.

    Keys are sorted. NumPy numbers are written as Python's, tuples and arrays as lists, whole floats as integers, and values of
    other types as their ``repr``.

    Examples:
        >>> canonical_json({"units": np.int64(8), "quantiles": (0.1, np.float64(2))})
        '{"quantiles": [0.1, 2], "units": 8}'
    """

    def same(value: Any) -> Any:
        if isinstance(value, dict):
            return {str(k): same(v) for k, v in value.items()}
        if isinstance(value, list):
            return [same(v) for v in value]
        return int(value) if isinstance(value, float) and value.is_integer() else value

    return json.dumps(same(plain(value)), sort_keys=True, default=repr)


def digest(*arrays: np.ndarray) -> str:
    """Return the SHA-256 of arrays as 64 hexadecimal digits."""
    hasher = hashlib.sha256()
    for array in arrays:
        raw = np.ascontiguousarray(array)
        hasher.update(f"{raw.dtype}{raw.shape}".encode())
        hasher.update(canonical_json(raw).encode() if raw.dtype == object else raw.tobytes())
    return hasher.hexdigest()


@functools.cache
def _adapters(cls: Any) -> dict[str, TypeAdapter]:
    hints = get_type_hints(cls.__init__, include_extras=True)
    names = list(inspect.signature(cls.__init__).parameters)[1:]
    return {
        name: TypeAdapter(hints[name], config=ConfigDict(strict=True, arbitrary_types_allowed=True)) for name in names
    }
