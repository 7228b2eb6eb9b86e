"""What happens to the path when the loss, the parameters or the coordinates are changed."""

import itertools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..candidate import Candidate
from ..paths import flat, step_of, stream, updates_along
from ..section import Section

_LOSS = range(-8, 9)
_PARAMS = range(-4, 5)
"""Powers of ten by which the loss and the parameters are scaled."""

_TOLERANCE = 1e-3
"""Part of the largest update: below it an update is what the degree predicts, up to ε."""

_ROUNDING = 1e-5
"""Part of the largest update: what rotations in float32 may change in 20 steps."""

_Map = Callable[[Any], Any]


def _measure(candidate: Candidate) -> dict[str, Any]:
    if candidate.subject.extra_args is not None:
        raise ValueError(
            "its step takes more than the gradient (a loss, say), which is not transformed with it."
        )
    gradients, params = stream(candidate.params), candidate.params
    step = step_of(candidate)

    def run(of_gradient: _Map, of_params: _Map) -> list[Any]:
        given = [of_gradient(gradient) for gradient in gradients]
        return updates_along(candidate, step, given, of_params(params))

    path = run(_unchanged, _unchanged)
    if not flat(path).any() or not np.isfinite(flat(path)).all():
        raise ValueError("its updates are zero or not finite along normal gradients.")
    return {
        "loss": _by_powers([(j, run(_times(10.0**j), _unchanged)) for j in _LOSS]),
        "params": _by_powers([(j, run(_times(10.0**-j), _times(10.0**j))) for j in _PARAMS]),
        "coordinates": _by_coordinates(run, path),
        "rotated": _kept(run, path, _rotated),
        "matrices_rotated": _kept(run, path, _matrix_rotated, lambda x: x.ndim == 2),
        "permuted": _kept(run, path, _permuted),
        "reflected": _kept(run, path, _with_signs),
        "translated": _by_leaf(run(_unchanged, _plus_one), path),
    }


def _unchanged(tree: Any) -> Any:
    return tree


def _plus_one(tree: Any) -> Any:
    return jax.tree.map(lambda x: x + 1, tree)


def _times(factor: float) -> _Map:
    return lambda tree: jax.tree.map(lambda x: x * jnp.asarray(factor, x.dtype), tree)


def _by_powers(paths: list[tuple[int, Any]]) -> dict[str, Any]:
    """Return the degrees between neighbouring powers of ten, and where they stay the same."""
    decades, ranges = [], []
    for (power, before), (_, after) in itertools.pairwise(paths):
        degree, error = _degree(flat(before), flat(after), np.full(flat(before).shape, 10.0))
        decade = {"from": 10.0**power, "to": 10.0 ** (power + 1), "degree": degree, "error": error}
        decades.append(decade)
        if degree is None or error > _TOLERANCE:
            continue
        last = ranges[-1] if ranges else None
        if last and last["to"] == decade["from"] and abs(last["degree"] - degree) <= _TOLERANCE:
            last["to"], last["error"] = decade["to"], max(last["error"], error)
        else:
            ranges.append(dict(decade))
    return {"ranges": ranges, "decades": decades}


def _degree(before: np.ndarray, after: np.ndarray, factors: np.ndarray) -> tuple[Any, float]:
    """Return p such that after = factors^p before, entry by entry, and the largest error."""
    with np.errstate(all="ignore"):
        powers = np.log(np.abs(after / before)) / np.log(factors)
    powers = powers[np.isfinite(powers)]
    if not len(powers) or not np.isfinite(after).all():
        return None, float("inf")
    degree = float(np.median(powers))
    whole = round(degree * 12) / 12
    degree = whole if abs(degree - whole) <= _TOLERANCE / 2 else degree
    expected = factors**degree * before
    return degree, float(np.abs(after - expected).max() / np.abs(expected).max())


def _by_coordinates(run: Any, path: Any) -> dict[str, Any]:
    """Return the degree when each coordinate is scaled by a factor: θ → s θ, g → g/s."""
    rng = np.random.default_rng(2)
    factors = jax.tree.map(
        lambda x: np.exp2(rng.permutation(np.linspace(-3, 3, x.size))).reshape(x.shape), path[0]
    )
    scaled = run(
        lambda tree: jax.tree.map(lambda x, s: x / jnp.asarray(s, x.dtype), tree, factors),
        lambda tree: jax.tree.map(lambda x, s: x * jnp.asarray(s, x.dtype), tree, factors),
    )
    moving = flat(factors) != 1
    many = np.tile(flat(factors)[moving], len(path))
    before, after = (np.concatenate([flat(x)[moving] for x in of]) for of in (path, scaled))
    degree, error = _degree(before, after, many)
    return {"degree": degree if error <= _TOLERANCE else None, "error": error}


def _on_leaves(change: Callable[[np.random.Generator, np.ndarray], np.ndarray]) -> _Map:
    """Return a map of trees from one of arrays, with random numbers that depend on the leaf."""

    def apply(tree: Any) -> Any:
        leaves, structure = jax.tree.flatten(tree)
        new = [change(np.random.default_rng([9, i]), np.asarray(x)) for i, x in enumerate(leaves)]
        new = [jnp.asarray(y, x.dtype) for x, y in zip(leaves, new, strict=True)]
        return jax.tree.unflatten(structure, new)

    return apply


def _rotated(rng: np.random.Generator, x: np.ndarray) -> np.ndarray:
    """Rotate all entries: the product of two reflections."""
    vector = x.reshape(-1, 1)
    return _mirror(rng, _mirror(rng, vector)).reshape(x.shape)


def _matrix_rotated(rng: np.random.Generator, x: np.ndarray) -> np.ndarray:
    """Rotate the rows and the columns of a matrix."""
    return _mirror(rng, _mirror(rng, x).T).T if x.ndim == 2 else x


def _mirror(rng: np.random.Generator, x: np.ndarray) -> np.ndarray:
    """Return (1 - 2 v vᵀ/|v|²) x for a random v."""
    v = rng.normal(size=len(x))
    return x - 2 * np.outer(v, v @ x) / (v @ v)


def _permuted(rng: np.random.Generator, x: np.ndarray) -> np.ndarray:
    return rng.permutation(x.ravel()).reshape(x.shape)


def _with_signs(rng: np.random.Generator, x: np.ndarray) -> np.ndarray:
    return x * rng.choice([-1.0, 1.0], x.shape)


def _kept(run: Any, path: Any, of_array: Any, only: Any = lambda x: True) -> dict[str, float]:
    """Return how far the path is from changing as the parameters do: update(Q g) = Q update(g)."""
    change = _on_leaves(of_array)
    return _by_leaf(run(change, change), [change(update) for update in path], only)


def _by_leaf(actual: Any, expected: Any, only: Any = lambda x: True) -> dict[str, float]:
    """Return the largest error of each leaf, as a part of its largest expected update."""
    errors = {}
    names = [jax.tree_util.keystr(p) for p, _ in jax.tree_util.tree_leaves_with_path(actual[0])]
    for i, name in enumerate(names):
        ours, theirs = (np.stack([jax.tree.leaves(u)[i] for u in of]) for of in (actual, expected))
        if only(ours[0]):
            largest = np.abs(theirs).max(initial=0) or 1.0
            errors[name] = float(np.abs(ours - theirs).max(initial=0) / largest)
    return errors


def _lines(numbers: dict[str, Any]) -> list[str]:
    lines = _words_of_powers("the loss", "g → c g", numbers["loss"])
    lines += _words_of_powers("the parameters", "θ → c θ, g → g/c", numbers["params"])
    degree, error = numbers["coordinates"]["degree"], numbers["coordinates"]["error"]
    each = "Each coordinate scaled by another factor (θ → s θ, g → g/s): "
    no_power = f"the update is no power of s (error {error:.1g})."
    lines.append(each + (no_power if degree is None else _power("s", degree, error)))
    for key, words in _CHANGES.items():
        if numbers[key]:
            lines.append(f"{words}: {_words_of_leaves(numbers[key], key == 'translated')}")
    return lines


_CHANGES = {
    "rotated": "Coordinates rotated",
    "matrices_rotated": "Rows and columns of matrices rotated",
    "permuted": "Coordinates permuted",
    "reflected": "Signs of some coordinates changed",
    "translated": "Parameters translated",
}


def _power(c: str, degree: float, error: float) -> str:
    found = {0.0: "is the same", 1.0: f"is {c} times as large", -1.0: f"is 1/{c} times as large"}
    words = found.get(degree, f"is {c}^{degree:.4g} times as large")
    return f"the update {words} (error {error:.1g})."


def _words_of_powers(what: str, how: str, found: dict[str, Any]) -> list[str]:
    start = f"With {what} scaled ({how}) "
    ranges = found["ranges"]
    if not ranges:
        return [f"{start}the update follows no power of c."]
    return [
        f"{start}by c from {part['from']:g} to {part['to']:g}, "
        f"{_power('c', part['degree'], part['error'])}"
        for part in ranges
    ]


def _words_of_leaves(errors: dict[str, float], is_translated: bool) -> str:
    broken = {name: error for name, error in errors.items() if not error <= _ROUNDING}
    same = "the update is the same" if is_translated else "the path changes with them"
    other = "the update depends on θ" if is_translated else "the path is another one"
    if not broken:
        return f"{same} (error {max(errors.values()):.1g})."
    where = "" if len(broken) == len(errors) else f" in {', '.join(broken)}"
    return f"{other}{where} (error {max(broken.values()):.1g})."


def _table(numbers: dict[str, Any]) -> Any:
    rows = []
    for key, what in (("loss", "loss scaled: g → c g"), ("params", "θ scaled: θ → c θ, g → g/c")):
        for part in numbers[key]["ranges"] or [{}]:
            found = f"c^{part['degree']:.4g}" if part else "no power of c"
            where = f"{part['from']:g} to {part['to']:g}" if part else ""
            rows.append((what, where, found, f"{part['error']:.0e}" if part else ""))
    found = numbers["coordinates"]
    degree = "no power of s" if found["degree"] is None else f"s^{found['degree']:.4g}"
    rows.append(("coordinates scaled: θ → s θ, g → g/s", "", degree, f"{found['error']:.0e}"))
    for key, words in _CHANGES.items():
        if errors := numbers[key]:
            holds = _words_of_leaves(errors, key == "translated").partition(" (")[0]
            rows.append((words.lower(), "", holds, f"{max(errors.values()):.0e}"))
    return ("change", "range of c", "the update", "error"), rows


HOMOGENEITY = Section(
    "homogeneity", "Changes of scale and of coordinates", _measure, _lines, _table
)
