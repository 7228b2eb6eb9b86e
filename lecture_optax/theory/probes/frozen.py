"""Which linear method is this one now, entry by entry, with its D held as it is?"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from .iteration import largest_stable
from .loop import Loop, feeds_back
from .replay import name_of, words_for

_SAME = 1e-2


class Frozen(NamedTuple):
    """A diagonal method, frozen: every entry has the loop of the others, but for a factor.

    - `stable`: per entry, the largest stable curvature; infinite where nothing moves.
    - `long_run`: per entry, how far a constant unit gradient moves θ a step, in the long run.
    - `is_linear`: whether freezing changed nothing: there is no D.
    """

    stable: np.ndarray
    long_run: np.ndarray
    is_linear: bool


def frozen(tx: Any, params: Any, state: Any) -> Frozen:
    """Linearise the next step at gradient 0, where what is even in g, as a D is, does not move.

    **Raises** `ValueError` for a method that mixes entries, does not react to a gradient, reacts
    against it, or whose entries follow different laws.
    """
    step, slots, floats = _step_on_slots(tx, params, state)
    zero = jax.tree.map(jnp.zeros_like, params)
    columns = [_jvp(step, params, floats, zero, slot, slots) for slot in ("θ", *slots, "g")]
    names = ["θ", *slots]
    matrix = np.array([[column[name] for column in columns] for name in names])  # out, in, entry
    transition, gain = matrix[:, :-1], matrix[:, -1]
    _refuse_mixing(tx, step, params, floats, zero, gain[0])
    touched = (transition != 0).any(-1), (gain != 0).any(-1)[:, None]
    inside = feeds_back(*touched, 1)
    return _entry_by_entry(
        tx,
        transition[np.ix_(inside, inside)],
        gain[inside],
        _is_linear(step, params, floats, columns, gain[0]),
    )


def _entry_by_entry(tx: Any, transition: Any, gain: Any, is_linear: bool) -> Frozen:
    """The law of one entry, scaled to all by their first response; a few are asked if it fits."""
    first = -gain[0]
    moving = np.flatnonzero(first)
    if not len(moving):
        raise ValueError(
            f"{name_of(tx)} does not react to a small gradient, as a sign does not: no curvature "
            "makes it explode, its step only stops shrinking."
        )
    order = moving[np.argsort(first[moving])]
    asked = {int(order[0]), int(order[len(order) // 2]), int(order[-1])}
    products = []
    for i in sorted(asked):
        loop = Loop(transition[:, :, i], gain[:, i : i + 1])
        products.append((first[i] * largest_stable(loop), _long_run(loop) / first[i]))
    (edge, long_run), off = products[0], np.ptp(np.array(products), axis=0)
    if first[moving].min() < 0 or edge == 0:
        raise ValueError(f"{name_of(tx)} goes uphill: it is stable at no curvature.")
    if not (off <= _SAME * np.abs(products[0])).all():
        raise ValueError(
            f"{name_of(tx)} treats its entries by different laws (several momenta?): there is no "
            "one edge. Gauge each part by itself."
        )
    with np.errstate(divide="ignore"):
        return Frozen(edge / first, long_run * first, is_linear)


def _long_run(loop: Loop) -> float:
    """-Δθ a step under a constant unit gradient, once the velocity has settled."""
    within = loop.transition[1:, 1:]
    velocity = np.linalg.solve(np.eye(len(within)) - within, loop.gain[1:])
    return float(-(loop.gain[:1] + loop.transition[:1, 1:] @ velocity).item())


def _step_on_slots(tx: Any, params: Any, state: Any) -> Any:
    """A step as a function of θ, of the state's numbers and of g; and which of them are like θ.

    A slot is a set of leaves of the state that belong to the parameters: their paths end as the
    parameters' do, and they have the same shapes. A velocity is one, also under `masked`.
    """
    leaves, tree = jax.tree.flatten(state)
    is_float = [_is_float(leaf) for leaf in leaves]
    floats = [leaf for leaf, yes in zip(leaves, is_float, strict=True) if yes]
    paths = [path for path, _ in jax.tree_util.tree_leaves_with_path(state)]
    float_paths = [path for path, yes in zip(paths, is_float, strict=True) if yes]

    def step(θ, numbers, gradient):
        numbers = iter(numbers)
        now = [next(numbers) if yes else leaf for leaf, yes in zip(leaves, is_float, strict=True)]
        with words_for(tx):
            update, new = tx.update(gradient, jax.tree.unflatten(tree, now), θ)
        new = [x for x, yes in zip(jax.tree.leaves(new), is_float, strict=True) if yes]
        return optax.apply_updates(θ, update), new

    return step, _slots(params, floats, float_paths), floats


def _slots(params: Any, floats: list[Any], paths: list[Any]) -> dict[str, dict[int, int]]:
    """Per slot, which parameter leaf each of its state leaves belongs to."""
    slots: dict[str, dict[int, int]] = {}
    own = [(path, jnp.shape(leaf)) for path, leaf in jax.tree_util.tree_leaves_with_path(params)]
    for i, (leaf, path) in enumerate(zip(floats, paths, strict=True)):
        fits = [
            (len(end), j)
            for j, (end, shape) in enumerate(own)
            if shape == jnp.shape(leaf) and path[len(path) - len(end) :] == end
        ]
        if fits:
            length, j = max(fits)
            prefix = jax.tree_util.keystr(path[: len(path) - length])
            slots.setdefault(prefix, {})[j] = i
    return slots


def _jvp(step: Any, params: Any, floats: Any, zero: Any, slot: str, slots: Any) -> dict[str, Any]:
    """What a unit in every entry of one slot does to every slot: a vector over all entries."""
    ones = jax.tree.map(jnp.ones_like, params)
    members = slots.get(slot, {}).values()
    pushed = [jnp.full_like(x, 1.0 if i in members else 0.0) for i, x in enumerate(floats)]
    tangents = (ones if slot == "θ" else zero, pushed, ones if slot == "g" else zero)
    _, (θ, numbers) = jax.jvp(step, (params, floats, zero), tangents)
    return {"θ": _flat(θ)} | {name: _gathered(of, numbers, params) for name, of in slots.items()}


def _gathered(members: dict[int, int], numbers: Any, params: Any) -> np.ndarray:
    parts = [
        np.ravel(numbers[members[j]]) if j in members else np.zeros(jnp.size(leaf))
        for j, leaf in enumerate(jax.tree.leaves(params))
    ]
    return np.concatenate(parts).astype(float)


def _refuse_mixing(
    tx: Any, step: Any, params: Any, floats: Any, zero: Any, response: np.ndarray
) -> None:
    """A diagonal answers a random gradient entry by entry."""
    leaves, tree = jax.tree.flatten(params)
    rng = np.random.default_rng(0)
    signs = [jnp.asarray(rng.choice([-1.0, 1.0], jnp.shape(x)), x.dtype) for x in leaves]
    kick = jax.tree.unflatten(tree, signs)
    still = [jnp.zeros_like(x) for x in floats]
    _, (θ, _) = jax.jvp(step, (params, floats, zero), (zero, still, kick))
    if not np.allclose(_flat(θ), _flat(kick) * response, rtol=1e-3, atol=1e-3 * _top(response)):
        raise ValueError(
            f"{name_of(tx)} mixes the entries of a gradient, as a matrix D does: the gauge asks "
            "for a diagonal one. iteration_matrix takes a matrix curvature."
        )


def _is_linear(step: Any, params: Any, floats: Any, columns: Any, response: Any) -> bool:
    """Whether a large gradient is answered as a small one: then there is no D to freeze."""
    zero, ones = (jax.tree.map(f, params) for f in (jnp.zeros_like, jnp.ones_like))
    still, moved = (_flat(step(params, floats, g)[0]) for g in (zero, ones))
    return np.allclose(moved - still, response, rtol=1e-3, atol=1e-6 * _top(response))


def _flat(tree: Any) -> np.ndarray:
    return np.concatenate([np.ravel(x).astype(float) for x in jax.tree.leaves(tree)])


def _top(x: np.ndarray) -> float:
    return float(np.abs(x).max(initial=0.0))


def _is_float(leaf: Any) -> bool:
    return hasattr(leaf, "dtype") and jnp.issubdtype(leaf.dtype, jnp.floating)
