"""The numbers of a state that belong to the entries of θ."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from .replay import words_for


def step_on_slots(tx: Any, params: Any, state: Any) -> Any:
    """Return a step as a function of θ, the state's numbers and g; the slots; and the numbers.

    A slot is a set of leaves of the state that belong to the parameters: their paths end like those
    of the parameters, and they have the same shapes. A velocity is a slot, also under `masked`.
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
    """Return, per slot, the state leaf of each parameter leaf."""
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


def pushed(step: Any, params: Any, floats: Any, zero: Any, slot: str, slots: Any) -> dict[str, Any]:
    """Return the effect of a unit in every entry of one slot on each slot, as vectors."""
    ones = jax.tree.map(jnp.ones_like, params)
    members = slots.get(slot, {}).values()
    unit = [jnp.full_like(x, 1.0 if i in members else 0.0) for i, x in enumerate(floats)]
    tangents = (ones if slot == "θ" else zero, unit, ones if slot == "g" else zero)
    _, (θ, numbers) = jax.jvp(step, (params, floats, zero), tangents)
    return {"θ": flat(θ)} | {name: _gathered(of, numbers, params) for name, of in slots.items()}


def _gathered(members: dict[int, int], numbers: Any, params: Any) -> np.ndarray:
    parts = [
        np.ravel(numbers[members[j]]) if j in members else np.zeros(jnp.size(leaf))
        for j, leaf in enumerate(jax.tree.leaves(params))
    ]
    return np.concatenate(parts).astype(float)


def flat(tree: Any) -> np.ndarray:
    return np.concatenate([np.ravel(x).astype(float) for x in jax.tree.leaves(tree)])


def _is_float(leaf: Any) -> bool:
    return hasattr(leaf, "dtype") and jnp.issubdtype(leaf.dtype, jnp.floating)
