"""What it does where the gradient is zero."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..candidate import Candidate
from ..section import Section
from .dtypes import DTYPES, in_dtype

_LATER = 3


def _measure(candidate: Candidate) -> dict[str, Any]:
    return {"dtypes": {dtype: _in(candidate, dtype) for dtype in DTYPES}, "later": _LATER}


def _in(candidate: Candidate, dtype: str) -> dict[str, Any]:
    """Return the size of the first update at a zero gradient, and of one after some others."""
    with in_dtype(dtype):
        params = jax.tree.map(lambda x: jnp.asarray(x, dtype), candidate.params)

        def run(params):
            zero, one = (jax.tree.map(f, params) for f in (jnp.zeros_like, jnp.ones_like))
            state = candidate.tx.init(params)
            first, _ = candidate.step(zero, state, params)
            for _ in range(_LATER):
                _, state = candidate.step(one, state, params)
            later, _ = candidate.step(zero, state, params)
            return first, later

        try:
            first, later = jax.jit(run)(params)
        except Exception as error:  # whatever a transformation of another author raises
            return {"not_measured": f"{type(error).__name__}: {error}".splitlines()[0]}
    return {"first": _largest(first), "later": _largest(later)}


def _largest(update: Any) -> float:
    sizes = [np.abs(np.asarray(x, complex)).max(initial=0.0) for x in jax.tree.leaves(update)]
    return float(np.max(sizes, initial=0.0))


def _lines(numbers: dict[str, Any]) -> list[str]:
    lines, later = [], numbers["later"]
    for when, words in (("first", "as the first one"), ("later", f"after {later} gradients of 1")):
        sizes: dict[str, list[str]] = {}
        for dtype, found in numbers["dtypes"].items():
            if when in found:
                size = found[when]
                told = f"at most {size:.3g}" if np.isfinite(size) else "not finite"
                sizes.setdefault("0" if size == 0 else told, []).append(dtype)
        told = "; ".join(f"{size} in {', '.join(names)}" for size, names in sizes.items())
        if told:
            lines.append(f"A zero gradient, {words}, gives an update that is {told}.")
    return lines + [
        f"In {dtype} it was not measured: {found['not_measured']}."
        for dtype, found in numbers["dtypes"].items()
        if "not_measured" in found
    ]


ZERO_GRADIENT = Section("zero_gradient", "At a zero gradient", _measure, _lines)
