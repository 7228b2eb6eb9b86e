"""How far the first step moves a parameter, in units of the learning rate."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .candidate import Candidate
from .section import Section


def _measure(candidate: Candidate) -> dict[str, Any]:
    params = candidate.params
    gradient = jax.tree.map(jnp.ones_like, params)
    update, _ = candidate.step(gradient, candidate.tx.init(params), params)
    sizes = np.concatenate([np.abs(np.ravel(x)) for x in jax.tree.leaves(update)])
    rate = candidate.subject.typed.get("learning_rate")
    largest = float(sizes.max(initial=0.0))
    return {"largest": largest, "of_the_learning_rate": largest / rate if rate else None}


def _lines(numbers: dict[str, Any]) -> list[str]:
    part = numbers["of_the_learning_rate"]
    times = "" if part is None else f", {part:.4g} times the learning rate"
    return [f"At a gradient of ones the first step moves θ by {numbers['largest']:.4g}{times}."]


FIRST_STEP = Section("first_step", "The first step", _measure, _lines)
