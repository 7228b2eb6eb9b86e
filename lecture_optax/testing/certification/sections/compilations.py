"""How many programs a jitted step needs for several values of a hyperparameter."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..candidate import Candidate
from ..paths import flat, stream
from ..section import Section

_VALUES = 5


def _measure(candidate: Candidate) -> dict[str, Any]:
    found = {
        name: {"programs": _VALUES, "why_not_data": reason}
        for name, reason in candidate.not_data.items()
    }
    for name, hyperparameter in candidate.subject.hyperparameters.items():
        found[name] = _swept(candidate, name, hyperparameter.spread(_VALUES))
    return {"values": _VALUES, "by_hyperparameter": found, "of_three_steps": _of_steps(candidate)}


def _swept(candidate: Candidate, name: str, values: np.ndarray) -> dict[str, Any]:
    """Return the programs of a step that builds the transformation inside, and if it is right."""
    traces, params = [], candidate.params
    gradients = stream(params, 2)

    def build(value: Any) -> Any:
        typed = {**candidate.subject.arguments, **candidate.subject.typed, name: value}
        return candidate.make(**typed)

    def two_steps(value: Any, gradients: Any) -> Any:
        tx, updates = build(value), []
        state = tx.init(params)
        for gradient in gradients:
            update, state = candidate.subject.update(tx, gradient, state, params)
            updates.append(update)
        return updates

    @jax.jit
    def program(value: Any, gradients: Any) -> Any:
        traces.append(None)
        return two_steps(value, gradients)

    try:
        updates = [flat(program(jnp.asarray(value), gradients)) for value in values]
    except Exception as error:
        return {"programs": _VALUES, "why_not_data": _first_line(error)}
    typed = flat(two_steps(values[-1].item(), gradients))
    off = np.abs(updates[-1] - typed).max(initial=0) / (np.abs(typed).max(initial=0) or 1)
    return {"programs": len(traces), "error": float(off)}


def _of_steps(candidate: Candidate) -> int | None:
    """Return the programs of three steps: a state that changes its dtypes needs several."""
    traces: list[None] = []

    @jax.jit
    def step(gradient: Any, state: Any, params: Any) -> Any:
        traces.append(None)
        return candidate.step(gradient, state, params)

    state = candidate.tx.init(candidate.params)
    try:
        for gradient in stream(candidate.params, 3):
            _, state = step(gradient, state, candidate.params)
    except (jax.errors.JAXTypeError, TypeError):
        return None
    return len(traces)


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0]}"[:300]


def _lines(numbers: dict[str, Any]) -> list[str]:
    found, number = numbers["by_hyperparameter"], numbers["values"]
    one = [n for n, x in found.items() if x["programs"] == 1 and x["error"] <= _TOLERANCE]
    lines = []
    if one:
        lines.append(f"One program serves {number} values of {', '.join(one)}.")
    for name, x in found.items():
        if reason := x.get("why_not_data"):
            lines.append(f"{name} cannot be data, so each value needs a program: {reason}")
        elif x["error"] > _TOLERANCE:
            lines.append(f"{name} as data gives other updates (by {x['error']:.2g}) than as typed.")
        elif x["programs"] > 1:
            lines.append(f"{number} values of {name} need {x['programs']} programs.")
    if not found:
        lines.append("The factory takes no numbers.")
    steps = numbers["of_three_steps"]
    if steps is None:
        lines.append("A step does not compile.")
    elif steps > 1:
        lines.append(
            f"Three steps need {steps} programs: the state changes its structure or its dtypes."
        )
    return lines


_TOLERANCE = 1e-4
"""Part of the largest update: float32 rounds 1 - b2 to about 1e-5 where b2 = 0.999 is data."""


def _table(numbers: dict[str, Any]) -> Any:
    rows = [
        (name, str(x["programs"]), x.get("why_not_data") or f"off by {x['error']:.0e} as data")
        for name, x in numbers["by_hyperparameter"].items()
    ]
    return ("hyperparameter", f"programs for {numbers['values']} values", "remark"), rows


COMPILATIONS = Section(
    "compilations", "Programs over a sweep of hyperparameters", _measure, _lines, _table
)
