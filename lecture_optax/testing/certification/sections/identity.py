"""Which known method a transformation is, from a recorded stream of its updates."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from ....theory.identification.identify import identify
from ..._law import counters, with_counters
from ..candidate import Candidate
from ..paths import step_of, stream
from ..section import Section

_STEPS = 30
_SAME, _LONGEST = 0.01, 100


def _measure(candidate: Candidate) -> dict[str, Any]:
    record, stays = _recorded(candidate)
    found = identify(*record)
    if found.name is None:
        nearest = found.deviation
        deviation = nearest and {"step": nearest.step, "leaf": nearest.leaf, "error": nearest.error}
        numbers = {"reason": found.reason, "nearest": found.chain, "deviation": deviation}
        return {"name": None, **numbers, "shifted": _with_other_counts(candidate, record[1])}
    return {
        "name": found.name,
        "chain": found.chain,
        "hyperparameters": {name: float(x) for name, x in found.hyperparameters.items()},
        "schedule": found.schedule,
        "learning_rate": _first(found.learning_rates),
        "given_learning_rate": candidate.learning_rate,
        "same_as": list(found.same_as),
        "error": float(found.error),
        "counts_that_stay": stays,
    }


def _with_other_counts(candidate: Candidate, updates: list[Any]) -> dict[str, Any] | None:
    """Return which method it is if its counts of steps start at 1 or at -1, not at 0."""
    if set(counters(candidate.tx.init(candidate.params)).values()) != {0}:
        return None
    for start in (1, -1):
        record = _recorded(candidate, start)[0]
        if jax.tree.all(jax.tree.map(np.array_equal, record[1], updates)):
            return None  # the counts decide nothing
        found = identify(*record)
        if found.name is not None:
            return {"name": found.name, "start": start}
    return None


def _first(rates: Any) -> float | None:
    return None if rates is None or not np.size(rates) else float(np.ravel(rates)[0])


def _recorded(candidate: Candidate, start: int = 0) -> tuple[tuple[Any, Any, Any], list[str]]:
    """Return gradients, updates and parameters, and the counts of steps that never increase.

    Entries of different sizes show ε.
    """
    step, params = step_of(candidate), candidate.params
    rng = np.random.default_rng(3)
    sizes = jax.tree.map(lambda x: jnp.asarray(10.0 ** rng.uniform(-6, 0, x.shape)), params)
    state, record = candidate.tx.init(params), []
    state = with_counters(state, start) if start else state
    before = counters(state)
    for gradient in stream(params, _STEPS):
        gradient = jax.tree.map(lambda g, s: (g * s).astype(g.dtype), gradient, sizes)
        update, state = step(gradient, state, params)
        record.append((gradient, update, params))
        params = optax.apply_updates(params, update)
    gradients, updates, at = zip(*record, strict=True)
    stays = [path for path, k in counters(state).items() if k == before[path]]
    return (list(gradients), list(updates), list(at)), stays


def _lines(numbers: dict[str, Any]) -> list[str]:
    if numbers["name"] is None:
        return [
            f"None of the methods that are known: {numbers['reason']}.",
            *_words_of_nearest(numbers),
            *_words_of_shifted(numbers["shifted"]),
        ]
    typed = ", ".join(f"{name} = {x:g}" for name, x in numbers["hyperparameters"].items())
    lines = [f"It is {numbers['name']}{f' with {typed}' if typed else ''}."]
    if stays := numbers["counts_that_stay"]:
        return [
            f"A count of its steps never increases ({', '.join(stays)}): see law 4, "
            "all_counts_agree. On these steps it acts like another method, "
            f"{lines[0].removeprefix('It is ')}"
        ]
    if "eps_root=" in numbers["chain"] and "eps_root=0.0" not in numbers["chain"]:
        lines.append("Its ε stands inside the root.")
    rate, given = numbers["learning_rate"], numbers["given_learning_rate"]
    if rate and given and abs(rate / given - 1) > _SAME:
        lines.append(
            f"It applies a learning rate of {rate:.4g}, {rate / given:.4g} times the one it was "
            "given: another factor, or a second learning rate, is in it."
        )
    if others := numbers["same_as"]:
        lines.append(f"On {_STEPS} steps the same as: {', '.join(others)}.")
    return lines


def _words_of_nearest(numbers: dict[str, Any]) -> list[str]:
    deviation = numbers["deviation"]
    if deviation is None:
        return []
    where = f"step {deviation['step']}, {deviation['leaf']}"
    error = deviation["error"]
    size = f"{error:.2g} times its size" if error >= 1 else f"{100 * error:.2g} % of its size"
    chain = " ".join((numbers["nearest"] or "").split())
    chain = chain if len(chain) <= _LONGEST else f"{chain[: _LONGEST - 3]}..."
    named = f"The nearest method{f', {chain},' if chain else ''}"
    return [f"{named} first differs in {where}, by {size}."]


def _words_of_shifted(shifted: dict[str, Any] | None) -> list[str]:
    if shifted is None:
        return []
    when = "late" if shifted["start"] > 0 else "early"
    return [f"It is {shifted['name']} with the count of its steps one step {when}."]


def _folded(numbers: dict[str, Any]) -> dict[str, str]:
    """Return the chain, or that of the nearest method."""
    if numbers["name"] is None:
        return {"The nearest method": numbers["nearest"]} if numbers["nearest"] else {}
    return {"The chain": numbers["chain"]}


IDENTITY = Section("identity", "Which method it is", _measure, _lines, folded=_folded)
