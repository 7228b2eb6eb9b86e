"""Which dtypes of parameters and gradients it takes, and the dtypes of what it returns."""

import contextlib
import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..candidate import Candidate
from ..section import Section

DTYPES = ("float16", "bfloat16", "float32", "float64", "complex64")


def _measure(candidate: Candidate) -> dict[str, Any]:
    pairs = [*itertools.product(DTYPES[:4], DTYPES[:4]), ("complex64", "complex64")]
    found = [{"params": p, "gradients": g, **_pair(candidate, p, g)} for p, g in pairs]
    return {"pairs": found}


def in_dtype(*names: str) -> contextlib.AbstractContextManager:
    """Switch float64 on where one of the dtypes is float64."""
    return jax.enable_x64("float64" in names)


def _pair(candidate: Candidate, of_params: str, of_gradients: str) -> dict[str, Any]:
    with in_dtype(of_params, of_gradients):
        params = jax.tree.map(lambda x: jnp.asarray(x, of_params), candidate.params)
        gradient = jax.tree.map(lambda x: jnp.asarray(x, of_gradients), candidate.params)

        def two_steps(gradient, params):
            state = candidate.tx.init(params)
            update, after = candidate.step(gradient, state, params)
            last, _ = candidate.step(gradient, after, params)
            return state, update, after, last

        try:
            state, update, after, _ = jax.eval_shape(two_steps, gradient, params)
        except Exception as error:  # whatever a transformation of another author raises
            return {"runs": False, "error": f"{type(error).__name__}: {_first_line(error)}"}
        kinds = sorted({str(x.dtype) for x in jax.tree.leaves(update)})
        stable = _kinds(state) == _kinds(after)
        wider = str(jnp.promote_types(of_params, of_gradients))
        # Numbers are computed where both are alike; dtypes alone say the rest without compiling.
        is_finite = _finite(two_steps, gradient, params) if of_params == of_gradients else None
    return {
        "runs": True,
        "update": kinds,
        "wider": wider,
        "state_is_stable": stable,
        "finite": is_finite,
    }


def _kinds(tree: Any) -> list[tuple]:
    return [(x.shape, x.dtype) for x in jax.tree.leaves(tree)]


def _finite(two_steps: Any, gradient: Any, params: Any) -> bool:
    _, update, _, last = jax.jit(two_steps)(gradient, params)
    return all(np.isfinite(np.asarray(x, complex)).all() for x in jax.tree.leaves((update, last)))


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), "")


def _lines(numbers: dict[str, Any]) -> list[str]:
    pairs = numbers["pairs"]
    runs = [x for x in pairs if x["runs"]]
    lines = [f"It takes {len(runs)} of {len(pairs)} pairs of dtypes."]
    lines += _some("An error is raised for", [x for x in pairs if not x["runs"]])
    moving = [x for x in runs if not x["state_is_stable"]]
    lines += _some(
        "A step changes the dtypes of the state, so that lax.scan refuses it, for", moving
    )
    lines += _some("Updates are not finite for", [x for x in runs if x["finite"] is False])
    narrow = [x for x in runs if x["update"] != [x["wider"]]]
    lines += _some("Updates have another dtype than the wider of the two for", narrow)
    return (
        lines
        if narrow
        else [*lines, "Where parameters are given, updates have the wider of the two dtypes."]
    )


def _some(words: str, pairs: list[dict[str, Any]]) -> list[str]:
    """Return a sentence that lists the pairs, by the dtype of the parameters."""
    by_params: dict[str, list[str]] = {}
    for x in pairs:
        by_params.setdefault(x["params"], []).append(x["gradients"])
    listed = [f"{p} parameters with {', '.join(g)} gradients" for p, g in by_params.items()]
    return [f"{words} {'; '.join(listed)}."] if listed else []


TYPES = Section("dtypes", "Dtypes", _measure, _lines)
