"""What fits, by name? A saved state in an optimizer that has changed meanwhile.

A leaf is known by its path, `opt_state[1].mu['w']`, and by the part of it that another order of the
chain, a clip in front or a wrapper around leaves alone: the state it belongs to, and the field,
`FirstMomentState.mu['w']`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from .._trees import kind_of

RATES = ("LearningRateState", "ScaleByScheduleState", "InjectStatefulHyperparamsState")
"""The states whose count is the place in a schedule, and nothing else."""


class Leaf(NamedTuple):
    """A leaf of a tree, under both of its names."""

    path: str
    name: str
    value: Any


def leaves_of(tree: Any, prefix: str) -> list[Leaf]:
    """The leaves of parameters or of a model's state: their path is their name."""
    paths = jax.tree_util.tree_leaves_with_path(tree)
    return [Leaf(path := prefix + jax.tree_util.keystr(keys), path, x) for keys, x in paths]


def state_leaves_of(opt_state: Any, params: Any, prefix: str) -> list[Leaf]:
    """The leaves of an optimizer's state, in the order in which it flattens."""
    structure = jax.tree.structure(params)

    def is_like_params(x):  # what is below has the parameters' own keys
        return jax.tree.structure(x) == structure

    found = []
    for keys, tree in jax.tree_util.tree_leaves_with_path(opt_state, is_leaf=is_like_params):
        path, name = prefix + jax.tree_util.keystr(keys), _name(opt_state, keys)
        for below, x in jax.tree_util.tree_leaves_with_path(tree):
            own = jax.tree_util.keystr(below)
            found.append(Leaf(path + own, name + own, x))
    return found


class Restored(NamedTuple):
    """The values in the order of the wanted leaves, and a line for each that did not fit."""

    values: list[Any]
    misfits: list[tuple[str, str]]


def restored(
    saved: Mapping[str, np.ndarray],
    names: Mapping[str, str],
    wanted: Sequence[Leaf],
    updates: int,
) -> Restored:
    """Give every wanted leaf the saved one of its path, or else of its name.

    **Arguments**

    - `saved`: arrays by path; `names`: the short names of those paths.
    - `updates`: made so far; a schedule that is new goes on from there.
    """
    sources, values, misfits = _match(names, wanted), [], []
    for leaf in wanted:
        value, misfit = _value(leaf, saved, sources, updates)
        values.append(value)
        if misfit:
            misfits.append((leaf.path, misfit))
    unused = [path for path in names if path not in sources.values()]
    return Restored(
        values, misfits + [(path, "only in the checkpoint: left out") for path in unused]
    )


def table(header: str, rows: Sequence[tuple[str, str]]) -> str:
    """One line a leaf; leaves of one field of which the same is to be said share a line."""
    lines: dict[tuple[str, str], list[str]] = {}
    for path, words in rows:
        field = path.partition("['")[0] if path.startswith("opt_state") else path
        lines.setdefault((field, words), []).append(path)
    merged = [
        (paths[0], words) if len(paths) == 1 else (field, f"({len(paths)} leaves) {words}")
        for (field, words), paths in lines.items()
    ]
    width = max((len(path) for path, _ in merged), default=0)
    return "\n".join([header, *(f"  {path:<{width}}  {words}" for path, words in merged)])


def _match(names: Mapping[str, str], wanted: Sequence[Leaf]) -> dict[str, str]:
    """From wanted paths to saved ones: both names equal, or the short one, in order."""
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
    """The value of one leaf, and what did not fit."""
    like = leaf.value
    if leaf.path not in sources:
        if leaf.name in {f"{state}.count" for state in RATES}:
            value = placed(np.asarray(updates, like.dtype), like)
            return value, f"not in the checkpoint: {updates}, the updates made"
        return like, "not in the checkpoint: starts anew"
    value, plain = saved[sources[leaf.path]], as_saved(like)
    if value.shape != plain.shape or not _converts(value.dtype, plain.dtype):
        return like, f"is {kind_of(plain)}, was {kind_of(value)}: starts anew"
    if value.dtype != plain.dtype:
        words = f"is {plain.dtype}, was {value.dtype}: converted"
        return placed(value.astype(plain.dtype), like), words
    return placed(value, like), ""


def _converts(one: Any, other: Any) -> bool:
    def kind(dtype):
        kinds = (jnp.complexfloating, jnp.floating, jnp.integer)
        return next((kind for kind in kinds if jnp.issubdtype(dtype, kind)), dtype)

    return kind(one) == kind(other)


def as_saved(x: Any) -> Any:
    """A leaf as it is written: a random key as its numbers."""
    if jnp.issubdtype(x.dtype, jax.dtypes.prng_key):
        return jax.random.key_data(x)
    return x


def placed(value: np.ndarray, like: jax.Array) -> jax.Array:
    """A saved value as the leaf it takes the place of, so that it finds the same program."""
    if jnp.issubdtype(like.dtype, jax.dtypes.prng_key):
        return jax.random.wrap_key_data(jnp.array(value), impl=jax.random.key_impl(like))
    if getattr(like, "weak_type", False) and value.ndim == 0:
        return jnp.asarray(value.item())
    # a copy, since it will be donated; with a device only where one was chosen
    array = jnp.array(value)
    return jax.device_put(array, like.sharding) if getattr(like, "committed", False) else array


def _name(opt_state: Any, keys: Sequence[Any]) -> str:
    """The innermost named state on the way, and what follows it."""
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
