"""LO106: a mask that matches nothing.

A mask in a closure is evaluated on the parameters. Where no closure names it, the state shows it:
an `optax.MaskedState` all of whose nodes are masked. A group of `optax.partition` may be empty.
"""

from collections.abc import Iterator
from typing import Any

import jax
import numpy as np
import optax

from ..._core.types import Finding
from ..parts import Part
from ..rule import Case, Rule


def _matches_nothing(case: Case) -> Iterator[Finding]:
    named = [_stage(case.parts[i + 1 :]) for i, p in enumerate(case.parts) if _is_empty(p, case)]
    if not named:
        named = ["optax.masked"] * len(_empty_states(case.state))
    for stage in named[:1]:
        yield Finding(
            "LO106",
            {"leaves": len(case.paths), "matched": 0},
            f"the mask of {stage} matches 0 of {len(case.paths)} leaves: it does nothing.",
            "Print the mask, as mask(params): are names or dimensions other than it expects? "
            f"The first leaf is {case.paths[0]}.",
        )


def _stage(after: list[Part]) -> str:
    return next((f"optax.{part.name}" for part in after if part.name), "a stage")


def _is_empty(part: Part, case: Case) -> bool:
    mask = part.numbers.get("mask")
    if part.name or mask is None or not case.paths:
        return False
    try:
        found = jax.tree.leaves(mask(case.params) if callable(mask) else mask)
        return bool(found) and not any(np.any(np.asarray(x)) for x in found)
    except Exception:  # a mask of another tree: the optimizer says so itself
        return False


def _empty_states(state: Any) -> list[Any]:
    """Return the masked states without a parameter, besides those of groups."""
    if isinstance(state, optax.PartitionState):
        return []
    if isinstance(state, optax.MaskedState):
        is_node = lambda x: isinstance(x, optax.MaskedNode)  # noqa: E731
        leaves = jax.tree.leaves(state, is_leaf=is_node)
        masked = [x for x in leaves if is_node(x)]
        others = [x for x in leaves if not is_node(x) and np.ndim(x) > 0]
        return [state] if masked and not others else []
    if isinstance(state, dict):
        return [found for x in state.values() for found in _empty_states(x)]
    if isinstance(state, tuple | list):
        return [found for x in state for found in _empty_states(x)]
    return []


EMPTY_MASK = Rule("LO106", "a mask that matches nothing", (), _matches_nothing)
