"""Stability edge, contraction, noise and worst case, where the probes apply."""

import importlib.util
import re
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ....theory.gauge import curvature_gauge
from ....theory.probes import (
    contraction,
    largest_stable_curvature,
    stationary_variance,
    step_matrix,
    worst_case,
)
from ..candidate import Candidate
from ..paths import flat, step_of, stream
from ..section import Section

_SETTLED, _WORST = 30, 4


def _measure(candidate: Candidate) -> dict[str, Any]:
    tx, rate = candidate.tx, candidate.learning_rate
    edge = _asked(lambda: largest_stable_curvature(tx))
    found = {"learning_rate": rate, "largest_stable_curvature": edge}
    found["frozen_edge"] = _asked(lambda: _frozen_edge(candidate)) if "why_not" in edge else None
    found["worst_case"] = _worst(tx, rate)
    value = edge.get("value")
    if value is None or not 0 < value < float("inf"):
        return found
    middle = value / 4
    return found | {
        "curvature": middle,
        "contraction": _asked(lambda: contraction(tx, middle)),
        "stationary_variance": _asked(lambda: stationary_variance(tx, middle)),
    }


def _asked(probe: Callable[[], Any]) -> dict[str, Any]:
    try:
        return {"value": float(probe())}
    except Exception as error:  # a probe says why it does not apply; other code says anything
        return {"why_not": _in_plain_words(error)}


def _in_plain_words(error: Exception) -> str:
    """Return a reason without the name of an argument that the reader has not typed."""
    return re.sub(r"^tx=<[^>]*>", "it", str(error)).replace("off by nan", "not a number")


def _frozen_edge(candidate: Candidate) -> float:
    """Return the largest stable τλ in units of D^½ H D^½, D frozen after some steps."""
    step, params = step_of(candidate), candidate.params
    state = candidate.tx.init(params)
    for gradient in stream(params, _SETTLED):
        _, state = step(gradient, state, params)

    def parabola(θ: Any, curvature: Any) -> Any:
        return curvature * sum(jnp.sum(x**2) for x in jax.tree.leaves(θ)) / 2

    # a step along g/|g| may look proportional to g for one size of g, not for two
    try:
        gauges = [curvature_gauge(parabola, params, candidate.tx, state, λ) for λ in (1.0, 30.0)]
    except ValueError as error:
        why = "a sign ignores" in str(error) and _why_no_edge(candidate, step, state)
        raise ValueError(why or str(error)) from error
    return gauges[0].edge * np.nan_to_num(gauges[0].learning_rate, nan=1.0)


def _why_no_edge(candidate: Candidate, step: Any, state: Any) -> str:
    """Return that a step ignores the size of the gradient, as a sign does, or ""."""
    params = candidate.params
    small, smaller = (
        flat(step(jax.tree.map(lambda x, s=size: s * jnp.ones_like(x), params), state, params)[0])
        for size in (1e-3, 5e-4)
    )
    if not small.any() or not np.array_equal(small, smaller):
        return ""
    return "a step ignores the size of a small gradient, so that no curvature makes it diverge."


def _worst(tx: Any, rate: float | None) -> dict[str, Any]:
    """Return the worst case over convex losses with curvatures up to 1/τ, or a lower bound.

    With E = L f the steps are L H, and the solver sees numbers of size 1.
    """
    L = 1 / rate if rate else 1.0
    try:
        H = L * step_matrix(tx, _WORST)
    except ValueError as error:
        return {"why_not": _in_plain_words(error)}
    is_exact = importlib.util.find_spec("PEPit") is not None
    worst = worst_case(H, certify=is_exact)
    return {"value": L * worst, "L": L, "steps": _WORST, "is_exact": is_exact}


def _lines(numbers: dict[str, Any]) -> list[str]:
    edge, rate = numbers["largest_stable_curvature"], numbers["learning_rate"]
    lines = [_words_of_edge(edge, rate)]
    frozen = numbers["frozen_edge"]
    if frozen is not None:
        value = frozen.get("value")
        lines.append(
            f"With its D frozen after {_SETTLED} steps it is stable up to τλ = {value:.4g}, "
            "λ a curvature of D^½ H D^½."
            if value is not None
            else f"Stability with a frozen D: {_sentence(frozen)}"
        )
    if "curvature" in numbers:
        at = f"at a curvature of {numbers['curvature']:.4g}, a quarter of it"
        lines.append(_value(f"Contraction of a step {at}", numbers["contraction"]))
        lines.append(_value(f"Variance under noise of 1 {at}", numbers["stationary_variance"]))
    return [*lines, _words_of_worst(numbers["worst_case"])]


def _words_of_worst(worst: dict[str, Any]) -> str:
    if "value" not in worst:
        return _value("Worst case", worst)
    kind = "Worst case" if worst["is_exact"] else "Worst case (a lower bound)"
    L = worst["L"]
    return (
        f"{kind} over convex losses with curvatures up to {L:g}: "
        f"E - E* = {worst['value'] / L:.4g} · {L:g} |θ(0) - θ*|² after {worst['steps']} steps."
    )


def _words_of_edge(edge: dict[str, Any], rate: float | None) -> str:
    value = edge.get("value")
    if value is None:
        return f"Stability edge: {_sentence(edge)}"
    if value == 0:
        return "It is stable at no curvature: it ascends."
    if value == float("inf"):
        return "It is stable at every curvature."
    times = f", τλ = {rate * value:.4g}" if rate else ""
    return f"It is stable up to a curvature of λ = {value:.6g}{times}."


def _value(title: str, found: dict[str, Any]) -> str:
    value = found.get("value")
    return f"{title}: {_sentence(found) if value is None else f'{value:.4g}.'}"


def _sentence(found: dict[str, Any]) -> str:
    """Return why a probe does not apply, without its advice to use another probe."""
    return f"{found['why_not'].partition('. ')[0].rstrip('.')}."


PROBES = Section("probes", "Stability, contraction, noise and worst case", _measure, _lines)
