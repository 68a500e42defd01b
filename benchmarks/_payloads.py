"""Malformed requests, made from a good request at random."""

import copy
import json
from collections.abc import Iterator
from typing import Any

import numpy as np

_ODD: list[Any] = [
    None, True, "", "x", "\ud800", "\x00", "x" * 2000, "2024-13-45", "NaN", 0, -1, 2**63, 10**400, 1e308, 5e-324, 0.5,
    float("nan"), float("inf"), [], {}, [[]], [None], {"a": 1}, [1] * 1000,
]  # fmt: skip


def malformed(good: dict[str, Any], count: int, seed: int) -> Iterator[bytes]:
    """Yield bodies of requests, most of them wrong.

    Args:
        good: A valid request, with ``dataframe_split`` and ``params``.
        count: Number of bodies.
        seed: Seed of the changes.
    """
    rng = np.random.default_rng(seed)
    for _ in range(count):
        document = copy.deepcopy(good)
        if rng.random() < 0.2:
            document = {"dataframe_records": _records(good), "params": document["params"]}
        for _ in range(rng.integers(1, 4)):
            _change(document, rng)
        body = json.dumps(document).encode()
        yield _damaged(body, rng) if rng.random() < 0.25 else body


def _records(good: dict[str, Any]) -> list[dict[str, Any]]:
    table = good["dataframe_split"]
    return [dict(zip(table["columns"], row, strict=True)) for row in table["data"]]


def _change(document: Any, rng: np.random.Generator) -> None:
    """Walk down at random; replace, remove or duplicate the value there."""
    parent = document
    while True:
        keys = list(parent) if isinstance(parent, dict) else list(range(len(parent)))
        if not keys:
            return
        key = keys[rng.integers(len(keys))]
        child = parent[key]
        if not (isinstance(child, dict | list) and child) or rng.random() < 0.15:
            break
        parent = child
    kind = rng.integers(5)
    if kind == 0:
        del parent[key]
    elif kind == 1 and isinstance(parent, dict):
        parent[f"{key}?"] = parent.pop(key)
    elif kind == 2 and isinstance(parent, list):
        parent.append(copy.deepcopy(child))
    else:
        parent[key] = copy.deepcopy(_ODD[rng.integers(len(_ODD))])


def _damaged(body: bytes, rng: np.random.Generator) -> bytes:
    """Cut the body, change its bytes, nest it, or change its encoding."""
    kind = rng.integers(5)
    if kind == 0:
        return body[: rng.integers(len(body))]
    if kind == 1:
        raw = bytearray(body)
        for place in rng.integers(len(raw), size=3):
            raw[place] = rng.integers(256)
        return bytes(raw)
    if kind == 2:
        depth = int(rng.integers(5, 5000))
        return body.replace(b"[", b"[" * depth, 1)
    if kind == 3:
        return body.decode().encode("utf-16")
    return body + body
