"""Nested plain values by flat names, and how two of them differ."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any


def changes(before: Mapping[str, Any], now: Mapping[str, Any], prefix: str = "") -> str:
    """``KEY was A, is B; ...`` for the first five keys of nested values that differ; nothing where none does."""
    old, new = flatten(before, prefix), flatten(now, prefix)
    other = sorted(key for key in old.keys() | new.keys() if old.get(key) != new.get(key))
    return "; ".join(f"{key} was {old.get(key)!r}, is {new.get(key)!r}" for key in other[:5])


def flatten(nested: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """``{"a": {"b": 1}}`` as ``{"a.b": 1}``."""
    flat: dict[str, Any] = {}
    for key, value in nested.items():
        flat |= flatten(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return flat


def short_hash(values: Mapping[str, Any] | Sequence[Any]) -> str:
    """Eight digits that tell ``values`` from others."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:8]
