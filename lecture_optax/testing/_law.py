"""Laws, and comparisons whose errors name the leaf that differs."""

import contextlib
import functools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ._subject import Subject


@dataclass(frozen=True)
class Law:
    """A property that every transformation must have, and the experiment that tests it.

    Calling it with a `Subject` returns nothing, or raises an `AssertionError` that names the law,
    the transformation, the dtypes and the leaf.
    """

    number: int
    holds: Callable[[Subject], None]

    @property
    def name(self) -> str:
        """The name of the law in `check` and in a list of exceptions."""
        return self.holds.__name__

    @property
    def sentence(self) -> str:
        """The property that the law states, in one sentence."""
        return (self.holds.__doc__ or "").splitlines()[0]

    def __call__(self, subject: Subject) -> None:
        reason = subject.exceptions.get(self.name)
        try:
            self.holds(subject)
        except Exception as error:
            if reason is not None:
                return
            raise AssertionError(
                f"law {self.number}, {self.name}, does not hold for {subject}: "
                f"{_words_of(error)}\n({self.sentence})"
            ) from error
        if reason is not None:
            raise AssertionError(
                f"law {self.number}, {self.name}, holds for {subject}, which lists it as an "
                f"exception ({reason}): take it off the list."
            )


def law(number: int) -> Callable[[Callable[[Subject], None]], Law]:
    """Make a law of a function; the first line of its docstring is the sentence of the law."""
    return functools.partial(Law, number)


def expect(holds: Any, problem: str) -> None:
    """Raise an `AssertionError` with the text `problem` unless `holds` is true."""
    if not holds:
        raise AssertionError(problem)


@contextlib.contextmanager
def naming(where: str) -> Iterator[None]:
    """Prefix the message of an error in the block with `where`."""
    try:
        yield
    except Exception as error:
        raise AssertionError(f"{where}: {_words_of(error)}") from error


def with_and_without_x64(holds: Callable[[Subject], None]) -> Callable[[Subject], None]:
    """Check a law without float64, and again with float64 among the dtypes.

    With float64, float32 leaves meet float64 hyperparameters, which promotes by design.
    """

    @functools.wraps(holds)
    def twice(subject: Subject) -> None:
        with jax.enable_x64(False):
            holds(subject)
        with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"), naming("under x64"):
            holds(subject)

    return twice


def leaves(tree: Any) -> list[tuple[str, Any]]:
    """Return every leaf with its path as a name."""
    return [
        (jax.tree_util.keystr(path) or "its only leaf", leaf)
        for path, leaf in jax.tree_util.tree_leaves_with_path(tree)
    ]


def counts(state: Any) -> list[tuple[str, int]]:
    """Every `count` in a state, with its path as a name."""
    return [(path, int(leaf)) for path, leaf in leaves(state) if path.endswith(".count")]


_OF_STEPS = re.compile(r"\b(count|step|t|iterations?|(step|iteration)_count|num_steps)['\"\]]*$")


def counters(state: Any) -> dict[str, int]:
    """Every whole number of a state that by its name counts steps, as authors call it."""
    return {
        path: int(leaf)
        for path, leaf in leaves(state)
        if _OF_STEPS.search(path) and not np.ndim(leaf) and jnp.issubdtype(leaf.dtype, jnp.integer)
    }


def with_counters(state: Any, number: int) -> Any:
    """Return the state with another number of steps."""
    found = counters(state)
    return jax.tree_util.tree_map_with_path(
        lambda path, x: jnp.full_like(x, number) if jax.tree_util.keystr(path) in found else x,
        state,
    )


def keys(state: Any) -> list[tuple[str, np.ndarray]]:
    """Every key of random numbers in a state, typed or as two integers, as its integers."""
    named = re.compile(r"(key|rng)['\"\]]*$")
    return [
        (path, in_numpy(leaf))
        for path, leaf in leaves(state)
        if is_key(leaf) or (named.search(path) and jnp.result_type(leaf) == jnp.uint32)
    ]


def with_other_keys(state: Any) -> Any:
    """Return the state with other keys of random numbers."""
    found = {path for path, _ in keys(state)}

    def other(path: Any, x: Any) -> Any:
        if jax.tree_util.keystr(path) not in found:
            return x
        return jax.random.fold_in(x, 1) if is_key(x) else x + 1

    return jax.tree_util.tree_map_with_path(other, state)


def entry(tree: Any, i: int) -> Any:
    """Return the i-th of several stacked trees."""
    return jax.tree.map(lambda x: x[i], tree)


def same_tree(actual: Any, expected: Any, what: str) -> None:
    """Expect the same structure."""
    ours, theirs = jax.tree.structure(actual), jax.tree.structure(expected)
    expect(ours == theirs, f"{what} has the structure {ours}, expected {theirs}")


def same_avals(actual: Any, expected: Any, what: str) -> None:
    """Expect the same structure, shapes, dtypes and weak types."""
    same_tree(actual, expected, what)
    for (path, x), (_, y) in zip(leaves(actual), leaves(expected), strict=True):
        ours, theirs = _aval(x), _aval(y)
        expect(ours == theirs, f"{what} at {path} is {ours}, expected {theirs}")


def same_shapes(actual: Any, expected: Any, what: str) -> None:
    """Expect the same structure and shapes."""
    same_tree(actual, expected, what)
    for (path, x), (_, y) in zip(leaves(actual), leaves(expected), strict=True):
        ours, theirs = np.shape(x), np.shape(y)
        expect(ours == theirs, f"{what} at {path} has shape {ours}, expected {theirs}")


def same_values(actual: Any, expected: Any, what: str, tolerance: Any = 0.0, ulps: int = 0) -> None:
    """Expect the same numbers, bitwise, or up to a part of the largest entry of each leaf.

    The part is `tolerance`, one number or one for each leaf, or so many units in the last place of
    the leaf's own precision.
    """
    same_shapes(actual, expected, what)
    (ours, theirs), parts = map(leaves, (actual, expected)), np.asarray(tolerance, float)
    parts = np.broadcast_to(parts, len(ours))
    for (path, x), (_, y), part in zip(ours, theirs, parts, strict=True):
        part = part + (ulps * _last_place(y) if ulps else 0.0)
        x, y = _numbers(x), _numbers(y)
        allowed = part * np.max(np.abs(y), initial=0.0, where=np.isfinite(y))
        close = np.isclose(x, y, rtol=0, atol=allowed, equal_nan=True)
        expect(close.all(), f"{what} at {path} is {x}, expected {y} to {allowed:.1e}")


def finite(tree: Any, what: str) -> None:
    """Expect every entry of every inexact leaf to be a finite number."""
    for path, x in leaves(tree):
        numbers = _numbers(x)
        expect(np.isfinite(numbers).all(), f"{what} at {path} is {numbers}")


def _aval(x: Any) -> str:
    aval = x if isinstance(x, jax.ShapeDtypeStruct) else jax.typeof(x)
    weak = " with the weak dtype of a Python number" if getattr(aval, "weak_type", False) else ""
    return f"{aval.dtype.name}{list(aval.shape)}{weak}"


def is_key(x: Any) -> bool:
    """Return whether a leaf is a key of random numbers, which has no arithmetic."""
    return jnp.issubdtype(jnp.result_type(x), jax.dtypes.prng_key)


def in_numpy(tree: Any) -> Any:
    """Copy every leaf to NumPy; a key of random numbers as the integers in it."""
    return jax.tree.map(lambda x: np.array(jax.random.key_data(x) if is_key(x) else x), tree)


def _numbers(x: Any) -> np.ndarray:
    numbers = in_numpy(x)
    if np.iscomplexobj(numbers):
        return numbers.astype(np.complex128)
    return numbers.astype(np.float64)


def _last_place(x: Any) -> float:
    dtype = jnp.asarray(x).dtype
    return float(jnp.finfo(dtype).eps) if jnp.issubdtype(dtype, jnp.inexact) else 0.0


def _words_of(error: Exception) -> str:
    words = str(error)
    return words if isinstance(error, AssertionError) else f"{type(error).__name__}: {words}"
