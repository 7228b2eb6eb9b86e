"""Laws, and comparisons whose errors name the leaf that differs."""

import contextlib
import functools
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
    weak = " (weakly typed)" if getattr(aval, "weak_type", False) else ""
    return f"{aval.dtype.name}{list(aval.shape)}{weak}"


def _numbers(x: Any) -> np.ndarray:
    numbers = np.asarray(x)
    if np.iscomplexobj(numbers):
        return numbers.astype(np.complex128)
    return numbers.astype(np.float64)


def _last_place(x: Any) -> float:
    dtype = jnp.asarray(x).dtype
    return float(jnp.finfo(dtype).eps) if jnp.issubdtype(dtype, jnp.inexact) else 0.0


def _words_of(error: Exception) -> str:
    words = str(error)
    return words if isinstance(error, AssertionError) else f"{type(error).__name__}: {words}"
