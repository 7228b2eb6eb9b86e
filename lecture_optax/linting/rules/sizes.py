"""LO110 and LO111: an ε above the gradient's size, and a first update that is lost in rounding.

Both read the first update for gradients of 64 sizes, from 1e-10 to 1e5. ε is the size at which
an update stops to follow the gradient: half of it is lost there, three tenths of ε give a quarter.
A clip stops at once, and a sum of squares (AdaGrad) stops later the longer it runs: both are no ε.
"""

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..._core.describe import describe
from ..._core.dtypes import dtype_of
from ..._core.types import Finding
from ..curve import FAR
from ..probe import Lanes, NotCheckedError
from ..rule import Case, Rule, is_known, number, some
from .rates import goes_downhill, learning_rates


def _epsilon(case: Case) -> Iterator[Finding]:
    sizes = case.by_size[0]
    late = [
        np.abs(case.respond(Lanes(sizes, 0.0, seen=n, most=n * case.every)).total)
        for n in (64, 512)
    ]
    gradient = gradient_sizes(case)
    found = []
    for i, path in enumerate(case.paths):
        epsilon, other = (_crossing(sizes, column[:, i]) for column in late)
        settled = epsilon is not None and other is not None and 0.5 < epsilon / other < 2
        if settled and 0 < gradient[i] < epsilon:
            found.append((path, epsilon, float(gradient[i])))
    if found:
        path, epsilon, size = max(found, key=lambda x: x[1] / x[2])
        yield Finding(
            "LO110",
            {"leaves": [x[0] for x in found], "epsilon": epsilon, "gradient": size},
            f"ε is above the gradient of {some([x[0] for x in found])}: its entries are of size "
            f"{number(size)} in {path}, and the update follows the gradient below about "
            f"{number(epsilon)}. It is SGD there, with steps of {number(size / epsilon)} of the "
            "learning rate.",
            "Take a smaller eps, or make the loss larger.",
        )


def _crossing(sizes: np.ndarray, updates: np.ndarray) -> float | None:
    """Return the size at which an update is half of what it is for large gradients, smoothly."""
    if not (np.isfinite(updates).all() and (updates > 0).all()):
        return None
    whole, log = updates[-1], np.log(sizes)
    part = updates / whole
    if (np.diff(part) < -1e-3).any() or not part[0] < 0.25 or abs(part[-6] - 1) > 0.05:
        return None
    half = float(np.interp(0.5, part, log))
    below, above = np.interp([half - np.log(3), half + np.log(3)], log, part)
    smooth = 0.05 < below < 0.45 and 0.6 < above < 0.93
    return float(np.exp(half)) if smooth else None


def gradient_sizes(case: Case) -> np.ndarray:
    """Return the root mean square of each leaf, over one gradient or a list of them."""
    several = case.gradients if isinstance(case.gradients, list) else [case.gradients]
    rows = [[_rms(g) for g in jax.tree.leaves(tree)] for tree in several]
    if any(len(row) != len(case.paths) for row in rows):
        if len(several) == len(case.paths):  # the parameters are a list themselves
            return np.array([_rms(g) for g in several])
        raise NotCheckedError("gradients has other leaves than params")
    return np.sqrt(np.mean(np.square(rows), axis=0))


def _rms(leaf: Any) -> float:
    wide = np.abs(np.asarray(leaf).astype(complex if np.iscomplexobj(leaf) else float))
    return float(np.sqrt(np.mean(wide**2))) if wide.size else 0.0


_ENTRIES = 4096
_ADAPTIVE = ("adam", "adamw", "nadam", "adamax")
_SAFE_RATE = 1e-5
"""A learning rate that no parameter of usual size in float32 loses."""


def _lost(case: Case) -> Iterator[Finding]:
    leaves = jax.tree.leaves(case.params)
    if not all(map(is_known, leaves)):
        raise NotCheckedError("the parameters have no values")
    narrow = any(jnp.finfo(dtype).bits < 32 for dtype in case.dtypes)
    if not narrow and goes_downhill(case):  # in float32: no program to compile
        adaptive = describe(case.tx).name in _ADAPTIVE
        adaptive |= any(part.name.startswith("scale_by_a") for part in case.usual)
        if adaptive and _is_usual(case):
            return
        if not adaptive and case.gradients is None:
            raise NotCheckedError("it needs gradients: the update may depend on their size")
    updates = _largest_first(case)
    lost = total = 0.0
    for leaf, update in zip(leaves, updates, strict=True):
        if not update or update > 16 * jnp.finfo(dtype_of(leaf)).eps:
            total += np.size(leaf) * bool(update)  # not lost where |θ| is at most 16: not read
            continue
        entries = np.real(np.ravel(np.asarray(leaf)))
        entries = entries[:: -(-len(entries) // _ENTRIES) or 1]
        weight = np.size(leaf) / max(len(entries), 1)
        step = (entries.astype(float) - update).astype(entries.dtype)
        lost += weight * np.sum(step == entries)
        total += np.size(leaf)
    if lost > 0.5 * total:
        largest = float(max(updates))
        dtype = min(case.dtypes, key=lambda d: jnp.finfo(d).bits)
        yield Finding(
            "LO111",
            {"update": largest, "lost": lost / total, "dtype": str(dtype)},
            f"{lost / total:.0%} of the parameters do not move: the first update, {number(largest)}"
            f" or less, is below half of the distance to the next number in {dtype}.",
            "Keep the parameters in float32, or take a larger learning rate.",
        )


def _is_usual(case: Case) -> bool:
    rates = [x for x in learning_rates(case.state).values() if is_known(x)]
    if case.usual:
        constant = case.usual[-1].numbers.get("step_size")
        rates = [curve.around[1].max() for curve in case.curves] or [
            np.min(np.abs(np.asarray(constant)))
        ]
    return all(float(np.asarray(x)) >= _SAFE_RATE for x in rates)


def _largest_first(case: Case) -> np.ndarray:
    """Return the first update of each leaf, at the largest rate of the schedule.

    It is 0 where constant gradients change nothing, so that they say nothing of others.
    """
    sizes = case.by_size[0]
    lanes = Lanes(sizes, seen=1, most=case.every)
    updates = np.abs(case.respond(lanes).first)  # at parameters of 1: some scale with them
    if case.gradients is not None:
        gradient = np.maximum(gradient_sizes(case), 1e-300)
        columns = zip(gradient, updates.T, strict=True)
        found = [float(np.exp(np.interp(np.log(g), np.log(sizes), _log(u)))) for g, u in columns]
    else:
        small, one = (updates[np.argmin(np.abs(sizes - x))] for x in (1e-3, 1.0))
        if not np.allclose(small, one, rtol=0.1):
            raise NotCheckedError("it needs gradients: the update depends on their size")
        found = list(np.abs(case.first.first[0]))
    factor = 1.0
    for curve in case.curves:
        end = min(curve.end or FAR, case.steps or FAR)
        rates = curve.rates(np.linspace(0, end, 64).astype(int))
        first = rates[rates > 0][:1]
        factor = max(factor, float(rates.max() / first[0]) if first.size else 1.0)
    still = np.abs(case.respond(Lanes(0.0, seen=1, most=case.every)).first[0])
    one = updates[np.argmin(np.abs(sizes - 1))]
    unseen = np.isclose(still, one, atol=0)  # optax.centralize takes all
    return np.where(unseen, 0.0, np.asarray(found) * factor)


def _log(x: np.ndarray) -> np.ndarray:
    return np.log(np.maximum(x, 1e-300))


EPSILON = Rule("LO110", "an ε above the gradient's size", ("gradients",), _epsilon)
LOST = Rule("LO111", "a first update below half an ulp", (), _lost)
