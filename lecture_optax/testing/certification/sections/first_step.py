"""How far the first step moves a parameter, by the size of the gradient."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..candidate import Candidate
from ..paths import flat, step_of
from ..section import Section

SCALES = [10.0**j for j in range(-8, 9)]
_SAME = 0.01


def _measure(candidate: Candidate) -> dict[str, Any]:
    step, params = step_of(candidate), candidate.params

    def first(scale: float, start: Any) -> np.ndarray:
        gradient = jax.tree.map(lambda x: jnp.full_like(x, scale), start)
        return flat(step(gradient, candidate.tx.init(start), start)[0])

    updates = [first(scale, params) for scale in SCALES]
    at_one = updates[SCALES.index(1.0)]
    doubled = first(1.0, jax.tree.map(lambda x: 2 * x, params))
    largest = float(np.abs(at_one).max(initial=0.0))
    rate = candidate.learning_rate
    return {
        "learning_rate": rate,
        "largest": largest,
        "of_the_learning_rate": largest / rate if rate else None,
        "by_scale": [
            {"gradient": scale, "largest": float(np.abs(update).max(initial=0.0))}
            for scale, update in zip(SCALES, updates, strict=True)
        ],
        "degree_in_the_learning_rate": _degree_in_the_rate(candidate, at_one),
        "is_finite": bool(np.isfinite(at_one).all()),
        "descends": bool((at_one <= 0).all() and largest > 0),
        "change_when_params_double": float(np.abs(doubled - at_one).max(initial=0) / largest)
        if largest
        else None,
    }


def _degree_in_the_rate(candidate: Candidate, update: np.ndarray) -> float | None:
    """Return 1 if the first update is in proportion to the learning rate, 2 to its square."""
    if candidate.rate is None or not candidate.learning_rate:
        return None
    subject, params = candidate.subject, candidate.params
    rates = {**subject.typed, candidate.rate: 2 * candidate.learning_rate}
    tx = candidate.make(**subject.arguments, **rates)
    gradient = jax.tree.map(jnp.ones_like, params)
    faster, _ = subject.update(tx, gradient, tx.init(params), params)
    sizes = [float(np.abs(x).sum()) for x in (flat(faster), update)]
    ratio = sizes[0] / sizes[1] if all(sizes) and np.isfinite(sizes).all() else None
    return None if ratio is None else round(float(np.log2(ratio)), 2)


def _lines(numbers: dict[str, Any]) -> list[str]:
    largest, part = numbers["largest"], numbers["of_the_learning_rate"]
    if not largest:
        return ["At a gradient of ones the first step does not move θ."]
    times = "" if part is None else f", {part:.4g} times the learning rate"
    lines = [f"At a gradient of ones the first step moves θ by {largest:.4g} at most{times}."]
    lines += _range_of_scales(numbers["by_scale"], largest)
    degree = numbers["degree_in_the_learning_rate"]
    if degree not in (None, 1.0):
        twice = ": the learning rate is applied twice" if degree == 2 else ""
        lines.append(f"A doubled learning rate makes it {2**degree:.3g} times as large{twice}.")
    if not numbers["is_finite"]:
        lines.append("Some entries of the first update are not finite.")
    elif not numbers["descends"]:
        lines.append("Some entries of the first update have the sign of the gradient: they ascend.")
    change = numbers["change_when_params_double"]
    if change > 1e-6:
        lines.append(f"It depends on θ: where θ is doubled it changes by {change:.2g} of its size.")
    return lines


def _range_of_scales(by_scale: Any, largest: float) -> list[str]:
    """Say where the size of the gradient makes no difference, or where it is in proportion."""
    for what, power in (("is the same", 0), ("is in proportion to the gradient", 1)):
        same = [x for x in by_scale if _is_near(x["largest"], largest * x["gradient"] ** power)]
        if len(same) >= 3:
            low, high = same[0]["gradient"], same[-1]["gradient"]
            outside = [x for x in by_scale if not low <= x["gradient"] <= high]
            ends = "".join(f", {_size(x)}" for x in outside[:1] + outside[1:][-1:])
            return [f"For gradients of {low:g} to {high:g} it {what} (to 1 %){ends}."]
    ends = f"{_size(by_scale[0])}, {_size(by_scale[-1])}"
    return [f"It depends on the size of the gradient: it is {ends}."]


def _is_near(size: float, expected: float) -> bool:
    return abs(size - expected) <= _SAME * expected


def _size(x: Any) -> str:
    return f"{x['largest']:.3g} at {x['gradient']:g}"


FIRST_STEP = Section("first_step", "The first step", _measure, _lines)
