"""What a resumed run is told about an optimizer that has changed, and about its learning rate."""

import re
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from ..._core.describe import describe
from ...schedules import Schedule
from .._trees import by_path
from ..compiled.step import Carry, rate_of
from .program_hash import hash_of

INJECTED = re.compile(r"\.hyperparams\['[^']*'\]$")
"""The paths of the numbers that `optax.inject_hyperparams` keeps in its state."""


def optimizer_notes(optimizer: Any, carry: Carry) -> dict[str, Any]:
    """Return what is saved of an optimizer, from the first carry.

    - `text`: its description; that of another library is only a name.
    - `hash`: of what it computes, or None where that cannot be traced.
    - `injected`: the numbers that its state begins with, if `optax.inject_hyperparams` keeps them.
    """
    text = " ".join(str(describe(optimizer)).split())
    text = text.replace("( ", "(").replace(", )", ")").replace(",)", ")")
    state = by_path(carry.opt_state, "opt_state")
    injected = {path: np.asarray(x).tolist() for path, x in state.items() if INJECTED.search(path)}
    return {"text": text, "hash": _hash(optimizer, carry), "injected": injected}


def new_injected(now: Mapping[str, Any], before: Mapping[str, Any]) -> set[str]:
    """Return the paths of numbers that were given anew: the saved ones do not replace them."""
    numbers = now["injected"]
    return {path for path, x in numbers.items() if before["injected"].get(path) != x}


def change_in_words(now: Mapping[str, Any], before: Mapping[str, Any]) -> str | None:
    """Return how two optimizers differ, or None."""
    if now["text"] != before["text"]:
        return f"the optimizer is {now['text']}, was {before['text']}"
    if now == before:
        return None
    return f"the optimizer {now['text']} has other arguments than it had"


def next_step(optimizer: Any, carry: Carry) -> tuple[float, bool]:
    """Return the learning rate of the next step, and whether its update is 0.

    The learning rate is NaN if it is not in the optimizer's state, and if the update needs more
    than a gradient. An update of `optax.MultiSteps` may be 0.
    """

    ones = jax.tree.map(jnp.ones_like, carry.params)
    try:  # not compiled: XLA's own rounding makes 1e-10 of a learning rate of 0
        updates, state = _update(optimizer)(ones, carry.opt_state, carry.params)
    except Exception:  # whatever a transformation that needs more than a gradient says
        return np.nan, False
    moves = [bool(jnp.any(x != 0)) for x in jax.tree.leaves(updates)]
    is_waiting = any("mini_step" in path for path in by_path(carry.opt_state))
    rate = rate_of(state)
    return np.nan if rate is None else float(rate), not any(moves) and not is_waiting


def rate_in_words(now: float, before: float, step: int) -> str:
    """Return which learning rate is used from `step` on."""
    if np.isnan(now):
        return "Its learning rate is not in its state, so it is not shown."
    was = "" if np.isnan(before) else f", was {before:.4g}"
    return f"From step {step:,} on, the learning rate is {now:.4g}{was}."


def ended_schedule(optimizer: Any, step: int) -> Schedule | None:
    """Return a schedule of the learning rate that has come to 0 at `step`, or None."""
    stages = (d for d in describe(optimizer).walk() if d.name == "scale_by_learning_rate")
    rates = (stage.arguments["learning_rate"] for stage in stages)
    schedules = (x for x in rates if isinstance(x, Schedule) and isinstance(x.horizon, int))
    ended = (x for x in schedules if x.horizon <= step)  # type: ignore[operator]
    return next((x for x in ended if float(x(max(step, x.horizon))) == 0), None)


def _hash(optimizer: Any, carry: Carry) -> str | None:
    def both(params, state, updates):
        return optimizer.init(params), _update(optimizer)(updates, state, params)

    try:
        return hash_of(both, carry.params, carry.opt_state, carry.params)
    except Exception:  # whatever a transformation that needs more than a gradient says
        return None


def _update(optimizer: Any) -> Any:
    def update(updates, state, params):
        value = jnp.zeros(())

        def value_fn(params):  # for line searches
            return sum((jnp.sum(jnp.real(x)) for x in jax.tree.leaves(params)), value)

        own = optax.with_extra_args_support(optimizer).update
        return own(updates, state, params, value=value, grad=updates, value_fn=value_fn)

    return update
