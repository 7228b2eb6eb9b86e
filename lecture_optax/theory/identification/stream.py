"""A recorded stream as arrays of (step, entry), with the rounding error of every number."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np

_PRECISIONS = (ml_dtypes.bfloat16, np.float16, np.float32)


@dataclass(frozen=True)
class Stream:
    """Gradients g, updates u and parameters p, each (step, entry), in float64.

    - `leaf`: the index of each entry's leaf; `names`: the paths of the leaves.
    - `eps`: the relative rounding error of the arithmetic that made the updates.
    - `quantum`: the absolute rounding error of each update, (step, entry): of the parameters.
    - `global_norm`, `leaf_norm`, `leaf_rms`: of the gradient, over all entries, (step, 1) or
      (step, entry).
    """

    g: np.ndarray
    u: np.ndarray
    p: np.ndarray | None
    leaf: np.ndarray
    names: tuple[str, ...]
    eps: float
    quantum: np.ndarray
    global_norm: np.ndarray
    leaf_norm: np.ndarray
    leaf_rms: np.ndarray

    @property
    def steps(self) -> int:
        return len(self.g)

    @property
    def parameters(self) -> np.ndarray:
        """The parameters, where a method needs them."""
        if self.p is None:
            raise ValueError("params were not recorded, got None: weight decay needs them.")
        return self.p

    def take(self, entries: np.ndarray) -> "Stream":
        """Return the stream of some entries; norms are still those of all."""
        columns = ("g", "u", "quantum", "leaf_norm", "leaf_rms")
        kept: dict[str, Any] = {name: getattr(self, name)[:, entries] for name in columns}
        p = None if self.p is None else self.p[:, entries]
        return replace(self, p=p, leaf=self.leaf[entries], **kept)

    def first(self, steps: int) -> "Stream":
        """Return the stream of the first steps."""
        rows = ("g", "u", "quantum", "global_norm", "leaf_norm", "leaf_rms")
        kept: dict[str, Any] = {name: getattr(self, name)[:steps] for name in rows}
        return replace(self, p=None if self.p is None else self.p[:steps], **kept)


def read(gradients: Any, updates: Any, params: Any = None) -> Stream:
    """Return the recorded trees as one stream, or say which argument is not one."""
    g_tree, u_tree = _leaves("gradients", gradients), _leaves("updates", updates)
    p_tree = None if params is None else _leaves("params", params)
    _same_shapes(g_tree, u_tree, p_tree)
    names = tuple(g_tree)
    g, u = _matrix(g_tree), _matrix(u_tree)
    p = None if p_tree is None else _matrix(p_tree)
    sizes = [leaf[0].size for leaf in g_tree.values()]
    leaf = np.repeat(np.arange(len(names)), sizes)
    with np.errstate(invalid="ignore", over="ignore"):
        squares = np.stack([(g[:, leaf == i] ** 2).sum(1) for i in range(len(names))], 1)
        leaf_norm = np.sqrt(squares)[:, leaf]
        leaf_rms = np.sqrt(squares / np.maximum(sizes, 1))[:, leaf]
        global_norm = np.sqrt(squares.sum(1))[:, None]
    eps, quantum = _precision(u_tree), _quantum(u)
    moved = np.isfinite(u) & (u != 0)  # of single steps: the last ones of a divergence are huge
    if moved.any() and np.median(quantum[moved] / np.abs(u[moved])) > 1e-9:
        eps = max(eps, _precision(g_tree))  # a difference of float32 numbers, taken in float64
    return Stream(g, u, p, leaf, names, eps, quantum, global_norm, leaf_norm, leaf_rms)


def _leaves(argument: str, trees: Any) -> dict[str, np.ndarray]:
    """Return the leaves by path, each (steps, ...)."""
    if isinstance(trees, Sequence) and not isinstance(trees, str | bytes):
        trees = _stacked(argument, trees)
    paths, _ = jax.tree_util.tree_flatten_with_path(trees)
    leaves = {_name(path): np.asarray(x) for path, x in paths}
    if not leaves:
        raise ValueError(f"{argument} has no leaf: pass a tree of arrays of shape (steps, ...).")
    for name, x in leaves.items():
        if not (x.dtype.kind in "fiu" or jnp.issubdtype(x.dtype, np.floating)):
            raise TypeError(
                f"{argument} must be real numbers, got {x.dtype} in {name}. Pass the real and the "
                "imaginary part of a complex leaf as two leaves."
            )
        if x.ndim == 0 or not len(x):
            raise ValueError(
                f"{argument} must have the step as its first axis and at least one step, got "
                f"shape {x.shape} in {name}."
            )
    return leaves


def _stacked(argument: str, trees: Sequence) -> Any:
    """Return one tree of (steps, ...) from a list of trees."""
    if not len(trees):
        raise ValueError(f"{argument} must have at least one step, got an empty list.")
    try:
        return jax.tree.map(lambda *leaves: np.stack([np.asarray(x) for x in leaves]), *trees)
    except ValueError as error:
        raise ValueError(f"{argument} must be one tree at every step: {error}") from error


def _name(path: Any) -> str:
    return jax.tree_util.keystr(path, simple=True, separator="/") or "the only leaf"


def _same_shapes(g: Mapping, u: Mapping, p: Mapping | None) -> None:
    for name, other in {"updates": u, "params": p}.items():
        if other is None:
            continue
        if list(g) != list(other):
            raise ValueError(
                f"{name} must be a tree like gradients, with leaves {list(g)}, got {list(other)}."
            )
        for leaf, x in g.items():
            if x.shape == other[leaf].shape:
                continue
            if name == "params" and x.shape[1:] == other[leaf].shape[1:]:
                if len(other[leaf]) == len(x) + 1:
                    continue
                raise ValueError(
                    f"params must hold θ before each of the {len(x)} steps (one more is allowed), "
                    f"got {len(other[leaf])} in {leaf}."
                )
            raise ValueError(
                f"{name} must have the shapes of gradients: {leaf} is {x.shape} there and "
                f"{other[leaf].shape} here."
            )
    steps = {len(x) for x in g.values()}
    if len(steps) > 1:
        raise ValueError(f"gradients must have one number of steps, got {sorted(steps)}.")


def _matrix(leaves: Mapping[str, np.ndarray]) -> np.ndarray:
    steps = min(len(x) for x in leaves.values())
    return np.concatenate(
        [x[:steps].reshape(steps, -1).astype(np.float64) for x in leaves.values()], axis=1
    )


def _precision(leaves: Mapping[str, np.ndarray]) -> float:
    """Return the rounding error of the coarsest dtype of some leaves.

    A stream that was stored as float64 shows its own dtype: all its numbers are in it.
    """
    return max(_leaf_precision(x) for x in leaves.values())


def _leaf_precision(x: np.ndarray) -> float:
    if x.dtype.kind in "iu":
        return float(np.finfo(np.float64).eps)
    own = float(jnp.finfo(x.dtype).eps)
    flat = x[np.isfinite(x) & (x != 0)].ravel().astype(np.float64)[:10_000]
    mantissas = len(np.unique(np.frexp(np.abs(flat))[0]))
    if mantissas < 16:  # ±τ alone is exact in every dtype, and proves nothing
        return own
    for dtype in _PRECISIONS:
        eps = float(jnp.finfo(dtype).eps)
        with np.errstate(over="ignore"):
            exact = flat.astype(dtype).astype(np.float64) == flat
        if eps > own and exact.all():
            return eps
    return own


def _quantum(u: np.ndarray) -> np.ndarray:
    """Return the error that θ(k+1) - θ(k) keeps from the rounding of θ, read from its last bits.

    A difference of two parameters is a multiple of their spacing. Of five steps the smallest last
    bit is taken: by chance alone one update ends in zeros.
    """
    finite = np.where(np.isfinite(u), u, 0.0)
    mantissa, exponent = np.frexp(finite)
    whole = np.abs(mantissa * 2.0**53).astype(np.int64)
    lowest = (whole & -whole).astype(np.float64)
    last_bit = np.where(whole > 0, np.ldexp(lowest, exponent - 53), np.inf)
    padded = np.pad(last_bit, ((2, 2), (0, 0)), constant_values=np.inf)
    smallest = np.min([padded[i : i + len(u)] for i in range(5)], 0)
    column = last_bit.min(0, initial=np.inf)
    smallest = np.where(np.isfinite(smallest), smallest, np.where(np.isfinite(column), column, 0))
    varied = np.array([len(np.unique(np.abs(column))) > 8 for column in finite.T])
    return np.where(varied, smallest, 0.0)
