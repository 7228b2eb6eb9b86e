"""The linear method of each entry when a diagonal D keeps its current value."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from .iteration import largest_stable
from .loop import Loop, feeds_back
from .replay import name_of, words_for
from .slots import flat, pushed, step_on_slots

_SAME = 1e-2
_SMALL = 1e-3  # times the current gradient: too small to change a D that has a memory


class Frozen(NamedTuple):
    """A method with a frozen diagonal D: the loops of its entries differ by a factor only.

    - `first`: per entry, how far a unit gradient moves -θ in its own step.
    - `stable`: per entry, the largest stable curvature; infinite if the entry does not move.
    - `long_run`: per entry, the long-run step of θ under a constant unit gradient. Infinite if the
      state is a sum of gradients.
    - `is_linear`: whether the method has no D, so that freezing changes nothing.
    """

    first: np.ndarray
    stable: np.ndarray
    long_run: np.ndarray
    is_linear: bool


def frozen(tx: Any, params: Any, state: Any) -> Frozen:
    """Linearise the next step at gradient 0: a D is even in g, so its derivative there is 0.

    **Raises** `ValueError` for a method that mixes entries, ignores a small gradient, ascends, acts
    in some steps only, or has different update rules for its entries.
    """
    step, slots, floats = step_on_slots(tx, params, state)
    zero = jax.tree.map(jnp.zeros_like, params)
    columns = [pushed(step, params, floats, zero, slot, slots) for slot in ("θ", *slots, "g")]
    names = ["θ", *slots]
    matrix = np.array([[column[name] for column in columns] for name in names])  # out, in, entry
    transition, gain = matrix[:, :-1], matrix[:, -1]
    _refuse_mixing(tx, step, params, floats, zero, gain[0])
    _refuse_unless_each_step_acts(tx, params, state, zero, gain[0])
    touched = (transition != 0).any(-1), (gain != 0).any(-1)[:, None]
    inside = feeds_back(*touched, 1)
    return _entry_by_entry(
        tx,
        transition[np.ix_(inside, inside)],
        gain[inside],
        _is_linear(step, params, floats, columns, gain[0]),
    )


def is_in_proportion(tx: Any, params: Any, state: Any, gradient: Any, first: np.ndarray) -> bool:
    """Return whether the step is proportional to the gradient when the gradient is small."""
    with words_for(tx):
        at_rest, moved = (
            flat(tx.update(jax.tree.map(lambda g, s=size: s * g, gradient), state, params)[0])
            for size in (0.0, _SMALL)
        )
    expected = -_SMALL * flat(gradient) * first
    off = np.abs(moved - at_rest - expected)
    return bool(np.median(off - 0.5 * np.abs(expected)) <= 0)


def _entry_by_entry(tx: Any, transition: Any, gain: Any, is_linear: bool) -> Frozen:
    """Return the update rule of one entry, scaled to all by `first`; check it on three entries."""
    first = 0.0 - gain[0]  # not -0.0
    moving = np.flatnonzero(first)
    if not len(moving):
        raise ValueError(
            f"{name_of(tx)} does not react to a small gradient in the same step: a sign ignores "
            "the size of the gradient (no curvature makes it diverge, its steps only stop "
            "shrinking), other methods wait. There is no edge to measure."
        )
    order = moving[np.argsort(first[moving])]
    asked = {int(order[0]), int(order[len(order) // 2]), int(order[-1])}
    products = []
    for i in sorted(asked):
        loop = Loop(transition[:, :, i], gain[:, i : i + 1])
        products.append((first[i] * largest_stable(loop), _long_run(loop) / first[i]))
    edge, long_run = products[0]
    if first[moving].min() < 0 or edge == 0:
        raise ValueError(f"{name_of(tx)} ascends: it is stable at no curvature.")
    if not np.isclose(products, products[0], rtol=_SAME, atol=0).all():
        raise ValueError(
            f"the entries of {name_of(tx)} follow different update rules (for example, different "
            "momenta), so they have no common stability edge. Measure each part separately."
        )
    with np.errstate(divide="ignore", invalid="ignore"):
        return Frozen(first, edge / first, long_run * first, is_linear)


def _long_run(loop: Loop) -> float:
    """Return the long-run -Δθ of a step under a constant unit gradient, possibly infinite."""
    within = loop.transition[1:, 1:]
    if np.isclose(np.linalg.eigvals(within), 1.0, atol=1e-6).any():
        return np.inf  # a sum, which has no limit
    velocity = np.linalg.solve(np.eye(len(within)) - within, loop.gain[1:])
    return float(-(loop.gain[:1] + loop.transition[:1, 1:] @ velocity).item())


def _refuse_unless_each_step_acts(
    tx: Any, params: Any, state: Any, zero: Any, response: np.ndarray
) -> None:
    """Refuse a method that accumulates gradients and does not act in every step."""
    with words_for(tx):
        later = tx.update(zero, state, params)[1]
    step, slots, floats = step_on_slots(tx, params, later)
    following = pushed(step, params, floats, zero, "g", slots)["θ"]
    if not np.array_equal(np.sign(response), np.sign(following)):
        raise ValueError(
            f"{name_of(tx)} does not act on the gradient of each step alike: it accumulates "
            "several, alternates or is random. Measure the transformation inside it, with its "
            "state."
        )


def _refuse_mixing(
    tx: Any, step: Any, params: Any, floats: Any, zero: Any, response: np.ndarray
) -> None:
    """Refuse a method whose answer to a random gradient is not the one entry by entry."""
    rng = np.random.default_rng(0)  # normal, not signs: three signs may be alike
    kick = jax.tree.map(lambda x: jnp.asarray(rng.normal(size=x.shape), x.dtype), params)
    still = [jnp.zeros_like(x) for x in floats]
    _, (θ, _) = jax.jvp(step, (params, floats, zero), (zero, still, kick))
    expected = flat(kick) * response
    if not np.allclose(flat(θ), expected, rtol=1e-3, atol=1e-3 * _top(expected)):
        raise ValueError(
            f"{name_of(tx)} mixes the entries of a gradient, as a matrix D or a norm does; "
            "curvature_gauge needs a diagonal D. If the method is linear, iteration_matrix takes "
            "a matrix as curvature."
        )


def _is_linear(step: Any, params: Any, floats: Any, columns: Any, response: Any) -> bool:
    """Return whether a large gradient is treated like a small one: then there is no D."""
    zero, ones = (jax.tree.map(f, params) for f in (jnp.zeros_like, jnp.ones_like))
    still, moved = (flat(step(params, floats, g)[0]) for g in (zero, ones))
    return np.allclose(moved - still, response, rtol=1e-3, atol=1e-6 * _top(response))


def _top(x: np.ndarray) -> float:
    return float(np.abs(x).max(initial=0.0))
