"""Which known method a transformation is, from a recorded stream of its updates."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from ....theory.identification.identify import identify
from ..candidate import Candidate
from ..paths import step_of, stream
from ..section import Section

_STEPS = 30


def _measure(candidate: Candidate) -> dict[str, Any]:
    found = identify(*_recorded(candidate))
    if found.name is None:
        nearest = found.deviation
        deviation = nearest and {"step": nearest.step, "leaf": nearest.leaf, "error": nearest.error}
        numbers = {"reason": found.reason, "nearest": found.chain, "deviation": deviation}
        return {"name": None, **numbers}
    return {
        "name": found.name,
        "chain": found.chain,
        "hyperparameters": {name: float(x) for name, x in found.hyperparameters.items()},
        "schedule": found.schedule,
        "same_as": list(found.same_as),
        "error": float(found.error),
    }


def _recorded(candidate: Candidate) -> tuple[Any, Any, Any]:
    """Return gradients, updates and parameters; entries of different sizes show ε."""
    step, params = step_of(candidate), candidate.params
    rng = np.random.default_rng(3)
    sizes = jax.tree.map(lambda x: jnp.asarray(10.0 ** rng.uniform(-6, 0, x.shape)), params)
    state, record = candidate.tx.init(params), []
    for gradient in stream(params, _STEPS):
        gradient = jax.tree.map(lambda g, s: (g * s).astype(g.dtype), gradient, sizes)
        update, state = step(gradient, state, params)
        record.append((gradient, update, params))
        params = optax.apply_updates(params, update)
    gradients, updates, before = zip(*record, strict=True)
    return list(gradients), list(updates), list(before)


def _lines(numbers: dict[str, Any]) -> list[str]:
    if numbers["name"] is None:
        return [
            f"None of the methods that are known: {numbers['reason']}.",
            *_words_of_nearest(numbers),
        ]
    typed = ", ".join(f"{name} = {x:g}" for name, x in numbers["hyperparameters"].items())
    lines = [f"It is {numbers['name']}{f' with {typed}' if typed else ''}."]
    if others := numbers["same_as"]:
        lines.append(f"On {_STEPS} steps the same as: {', '.join(others)}.")
    return lines


def _words_of_nearest(numbers: dict[str, Any]) -> list[str]:
    deviation = numbers["deviation"]
    if deviation is None:
        return []
    where = f"step {deviation['step']}, {deviation['leaf']}"
    return [f"The nearest method first differs in {where}, by {deviation['error']:.2g} of it."]


def _folded(numbers: dict[str, Any]) -> dict[str, str]:
    """Return the chain, or that of the nearest method."""
    if numbers["name"] is None:
        return {"The nearest method": numbers["nearest"]} if numbers["nearest"] else {}
    return {"The chain": numbers["chain"]}


IDENTITY = Section("identity", "Which method it is", _measure, _lines, folded=_folded)
