"""Restore a saved state by name, also into an optimizer that has changed meanwhile.

A leaf has a path, `opt_state[1].mu['w']`, and a name that stays when the chain is reordered or
wrapped: its state and field, `FirstMomentState.mu['w']`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ..._core.tables import text_table
from .._trees import by_path, kind_of
from ..compiled.sharding import put

RATES = ("LearningRateState", "ScaleByScheduleState", "InjectStatefulHyperparamsState")
"""The states whose count is the place in a schedule, and nothing else."""


class Leaf(NamedTuple):
    """A leaf of a tree, with its path and its name."""

    path: str
    name: str
    value: Any


def leaves_of(tree: Any, prefix: str) -> list[Leaf]:
    """Return the leaves of parameters or of a model's state, whose path is their name."""
    return [Leaf(path, path, x) for path, x in by_path(tree, prefix).items()]


def state_leaves_of(opt_state: Any, params: Any, prefix: str) -> list[Leaf]:
    """Return the leaves of an optimizer's state, in the order in which it flattens."""
    structure = jax.tree.structure(params)

    def is_like_params(x):  # the leaves below have the keys of the parameters
        return jax.tree.structure(x) == structure

    found = []
    for keys, tree in jax.tree_util.tree_leaves_with_path(opt_state, is_leaf=is_like_params):
        path, name = prefix + jax.tree_util.keystr(keys), _name(opt_state, keys)
        found += [Leaf(path + own, name + own, x) for own, x in by_path(tree).items()]
    return found


Misfits = list[tuple[str, str]]
"""Paths, and what does not match there."""


class Restored(NamedTuple):
    """The values in the order of the wanted leaves, and a line for each that does not match."""

    values: list[Any]
    misfits: Misfits


def restored(
    saved: Mapping[str, np.ndarray],
    names: Mapping[str, str],
    wanted: Sequence[Leaf],
    updates: int,
) -> Restored:
    """Return for every wanted leaf the saved one of its path, or else of its name.

    **Arguments**

    - `saved`: arrays by path; `names`: the names of those paths.
    - `updates`: the number of updates so far, at which a new schedule starts.
    """
    sources = _match(names, [leaf for leaf in wanted if leaf.value.size])
    values, misfits = [], []
    for leaf in wanted:
        value, misfit = _value(leaf, saved, sources, updates)
        values.append(value)
        if misfit:
            misfits.append((leaf.path, misfit))
    unused = [path for path in names if path not in sources.values()]
    misfits += [(path, "only in the checkpoint: not restored") for path in unused]
    return Restored(values, misfits)


def table(header: str, rows: Misfits) -> str:
    """Return one line a leaf; leaves of one field with the same words share a line."""
    lines: dict[tuple[str, str], list[str]] = {}
    for path, words in rows:
        field = path.partition("['")[0] if path.startswith("opt_state") else path
        lines.setdefault((field, words), []).append(path)
    merged = [
        (paths[0], words) if len(paths) == 1 else (field, f"({len(paths)} leaves) {words}")
        for (field, words), paths in lines.items()
    ]
    return "\n".join([header, text_table([("", *line) for line in merged], "lll")])


def _match(names: Mapping[str, str], wanted: Sequence[Leaf]) -> dict[str, str]:
    """Return the saved path of each wanted one: path and name equal, or else the name, in order."""
    found = {leaf.path: leaf.path for leaf in wanted if names.get(leaf.path) == leaf.name}
    rest: dict[str, list[str]] = {}
    for path, name in names.items():
        if path not in found:
            rest.setdefault(name, []).append(path)
    for leaf in wanted:
        if leaf.path not in found and rest.get(leaf.name):
            found[leaf.path] = rest[leaf.name].pop(0)
    return found


def _value(
    leaf: Leaf, saved: Mapping[str, np.ndarray], sources: Mapping[str, str], updates: int
) -> tuple[Any, str]:
    """Return the value of one leaf, and what does not match."""
    like = leaf.value
    if not like.size:  # not saved; a copy, since it will be donated
        return jnp.array(like), ""
    if leaf.path not in sources:
        if leaf.name in {f"{state}.count" for state in RATES}:
            value = place_like(np.asarray(updates, like.dtype), like)
            return value, f"not in the checkpoint: {updates}, the number of updates"
        return like, "not in the checkpoint: starts again"
    value, plain = saved[sources[leaf.path]], as_saved(like)
    if value.shape != plain.shape or not _converts(value.dtype, plain.dtype):
        return like, f"is {kind_of(plain)}, was {kind_of(value)}: starts again"
    same = value.dtype == plain.dtype
    words = "" if same else f"is {plain.dtype}, was {value.dtype}: converted"
    return place_like(value.astype(plain.dtype, copy=False), like), words


def _converts(one: Any, other: Any) -> bool:
    kinds = (jnp.complexfloating, jnp.floating, jnp.integer)
    alike = (jnp.issubdtype(one, kind) and jnp.issubdtype(other, kind) for kind in kinds)
    return one == other or any(alike)


def as_saved(x: Any) -> Any:
    """Return a leaf as it is written: a random key as its numbers."""
    if jnp.issubdtype(x.dtype, jax.dtypes.prng_key):
        return jax.random.key_data(x)
    return x


def place_like(value: np.ndarray, like: jax.Array) -> jax.Array:
    """Return a saved value like the leaf that it replaces, so that the same program serves it."""
    if jnp.issubdtype(like.dtype, jax.dtypes.prng_key):
        return jax.random.wrap_key_data(jnp.array(value), impl=jax.random.key_impl(like))
    if getattr(like, "weak_type", False) and value.ndim == 0:
        return jnp.asarray(value.item())
    # a copy, since it will be donated; with a device only where one was chosen
    array = jnp.array(value)
    return put(array, like.sharding) if getattr(like, "committed", False) else array


def _name(opt_state: Any, keys: Sequence[Any]) -> str:
    """Return the innermost named state on the path, and the rest of the path."""
    node, name = opt_state, jax.tree_util.keystr(tuple(keys))
    for i, key in enumerate(keys):
        if hasattr(node, "_fields"):
            name = type(node).__name__ + jax.tree_util.keystr(tuple(keys[i:]))
        node = _child(node, key)
    return name


def _child(node: Any, key: Any) -> Any:
    if isinstance(key, jax.tree_util.GetAttrKey):
        return getattr(node, key.name)
    if isinstance(key, jax.tree_util.SequenceKey):
        return node[key.idx]
    return node[key.key] if isinstance(key, jax.tree_util.DictKey) else None
