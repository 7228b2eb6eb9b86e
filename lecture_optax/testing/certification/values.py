"""The values of a certificate: as they are kept, as sections read them, and as JSON."""

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any


def frozen(value: Any) -> Any:
    """Return dicts and lists as read-only mappings and tuples."""
    if isinstance(value, Mapping):
        return MappingProxyType({key: frozen(x) for key, x in value.items()})
    return tuple(map(frozen, value)) if isinstance(value, list | tuple) else value


def thawed(value: Any) -> Any:
    """Return the dicts and lists that were frozen."""
    if isinstance(value, Mapping):
        return {key: thawed(x) for key, x in value.items()}
    return list(map(thawed, value)) if isinstance(value, list | tuple) else value


_NOT_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
"""JSON has no such numbers: they are written as these texts."""


def encoded(value: Any) -> Any:
    """Return a thawed value with texts for numbers that JSON does not have."""
    if isinstance(value, dict):
        return {key: encoded(x) for key, x in value.items()}
    if isinstance(value, list):
        return list(map(encoded, value))
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


def decoded(value: Any) -> Any:
    """Return what was encoded."""
    if isinstance(value, dict):
        return {key: decoded(x) for key, x in value.items()}
    if isinstance(value, list):
        return list(map(decoded, value))
    return _NOT_FINITE.get(value, value) if isinstance(value, str) else value
