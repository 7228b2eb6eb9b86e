"""What one gradient that is not a number does to parameters and state."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..candidate import Candidate
from ..section import Section

_AT, _STEPS = 3, 50


def _measure(candidate: Candidate) -> dict[str, Any]:
    """Count the entries that are not finite, after a NaN in one entry of step 3 and 50 more steps.

    The gradients do not depend on θ, so that only the memory of the transformation is seen.
    """
    step = jax.jit(candidate.step)
    params, state = candidate.params, candidate.tx.init(candidate.params)
    leaves, tree = jax.tree.flatten(params)
    hit = max(range(len(leaves)), key=lambda i: leaves[i].size)
    draw = np.random.default_rng(0).choice
    recovered, at_once, without_jit = None, [0], 0
    for k in range(1, _AT + _STEPS + 1):
        signs = [jnp.asarray(draw([-1.0, 0.5, 1.0], x.shape), x.dtype) for x in leaves]
        if k == _AT:
            signs[hit] = signs[hit].reshape(-1).at[0].set(jnp.nan).reshape(leaves[hit].shape)
        gradient = tree.unflatten(signs)
        if k == _AT:
            eager, _ = candidate.step(gradient, state, params)
            without_jit = sum(_lost(jax.tree.map(jnp.add, params, eager)))
        update, state = step(gradient, state, params)
        params = jax.tree.map(lambda p, u: jnp.asarray(p + u, p.dtype), params, update)
        if k == _AT:
            at_once = _lost(params)
        is_finite = not sum(_lost(update))
        recovered = (recovered or k) if is_finite else None
    lost, places = _lost(params), jax.tree_util.tree_leaves_with_path(state)
    numbers = [x for _, x in places]
    in_state = [jax.tree_util.keystr(p) for (p, x) in places if _lost([x])[0]]
    return {
        "at": _AT,
        "steps_after": _STEPS,
        "entries": sum(x.size for x in leaves),
        "lost_at_once": sum(at_once),
        "lost_at_once_without_jit": without_jit,
        "lost_at_the_end": sum(lost),
        "other_leaves_lost": sum(bool(n) for i, n in enumerate(lost) if i != hit),
        "state_entries_lost": sum(_lost(numbers)),
        "state_fields_lost": in_state,
        "finite_updates_after": None if recovered is None else max(recovered - _AT, 0),
    }


def _lost(tree: Any) -> list[int]:
    """Return how many entries of each leaf are not finite."""
    return [
        int((~np.isfinite(np.asarray(x, complex))).sum())
        if jnp.issubdtype(x.dtype, jnp.inexact)
        else 0
        for x in jax.tree.leaves(tree)
    ]


def _lines(numbers: dict[str, Any]) -> list[str]:
    lost, after = numbers["lost_at_the_end"], numbers["finite_updates_after"]
    at = f"A NaN in one entry of gradient {numbers['at']}"
    once, eager = numbers["lost_at_once"], numbers["lost_at_once_without_jit"]
    other = f"Without `jax.jit` it makes {eager} entries not finite at once, with it {once}."
    if not once and not lost:
        return [f"{at} leaves the parameters finite{' in a compiled step' if eager else ''}."] + (
            [other] if eager else []
        )
    of = f"{lost} of {numbers['entries']} entries of θ"
    spread = numbers["other_leaves_lost"]
    where = f", in {spread} other leaves too" if spread else ", in the same leaf only"
    where = "" if lost == 1 else where
    lines = [f"{at} makes {of} not finite after {numbers['steps_after']} more steps{where}."]
    if after is None:
        lines.append(f"Updates never recover: {_fields(numbers)} NaN.")
    else:
        lines.append(f"Updates are finite again {after} step{'s' * (after != 1)} later.")
    return lines if eager == once else [*lines, other]


def _fields(numbers: dict[str, Any]) -> str:
    names = numbers["state_fields_lost"]
    return f"the state keeps, in {', '.join(names)}," if names else "no field of the state holds a"


AFTER_A_NAN = Section("after_a_nan", "After a NaN", _measure, _lines)
