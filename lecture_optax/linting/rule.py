"""A rule, and what it may read of a transformation."""

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.core import Tracer

from .._core.dtypes import dtype_of
from .._core.types import Finding
from .curve import Curve, curves_of
from .parts import Part, parts_of, usual
from .probe import Lanes, NotCheckedError, Response, response_of, small_copy


@dataclass(frozen=True, eq=False)
class Case:
    """What the rules read.

    - `tx`: the transformation; `params`: the parameters that it trains.
    - `steps`: the length of the run, or None; `gradients`: some gradients of the run, or None.
    """

    tx: Any
    params: Any
    steps: int | None = None
    gradients: Any = None

    @functools.cached_property
    def paths(self) -> list[str]:
        """Where each leaf of the parameters is, as a path."""
        found = jax.tree_util.tree_leaves_with_path(self.params)
        return [jax.tree_util.keystr(path) or "the parameters" for path, _ in found]

    @functools.cached_property
    def parts(self) -> list[Part]:
        """The stages that its closures and its description name, in order."""
        return parts_of(self.tx)

    @functools.cached_property
    def usual(self) -> list[Part]:
        """The stages of a chain of Optax in the usual order, which need no trial: see `parts`."""
        return usual(self.parts)

    @functools.cached_property
    def state(self) -> Any:
        """The first state, on a small copy of the parameters."""
        try:
            return self.tx.init(small_copy(self.params))
        except Exception as error:  # whatever a transformation of another author raises
            raise NotCheckedError(f"its state cannot be built: {_line(error)}") from error

    @functools.cached_property
    def dtypes(self) -> list[Any]:
        """The dtype of each leaf of the parameters."""
        return [dtype_of(x) for x in jax.tree.leaves(self.params)]

    @functools.cached_property
    def first(self) -> Response:
        """The first updates for gradients and parameters of ones."""
        return self.respond(Lanes())

    @functools.cached_property
    def curves(self) -> list[Curve]:
        """The schedules: see `curve.curves_of`."""
        return curves_of(self)

    @functools.cached_property
    def every(self) -> int:
        """The gradients for an update: more than 1 in `optax.MultiSteps`."""
        return int(max(1, self.first.at.max(initial=1)))

    @functools.cached_property
    def by_size(self) -> tuple[np.ndarray, np.ndarray]:
        """Sizes of a gradient, and the first update that each gives, without parameters."""
        sizes = np.geomspace(1e-10, 1e5, 64)
        lanes = Lanes(sizes, parameter=0.0, seen=1, most=self.every)
        return sizes, np.abs(self.respond(lanes).first)

    def respond(self, lanes: Lanes) -> Response:
        """Return how it answers to gradients and parameters of several sizes, at several counts."""
        try:
            return response_of(self.tx, self.params, lanes)
        except Exception as error:  # as above
            raise NotCheckedError(f"it takes no step on its own: {_line(error)}") from error


class Rule(NamedTuple):
    """A rule of `lint`.

    - `name`: its stable identifier, "LO101".
    - `sentence`: what it finds, in a few words.
    - `needs`: which of "steps" and "gradients" it cannot do without.
    - `find`: `case -> findings`. It raises `NotCheckedError` where it has no verdict.
    """

    name: str
    sentence: str
    needs: tuple[str, ...]
    find: Callable[[Case], Iterator[Finding]]


def some(paths: Sequence[str], most: int = 3) -> str:
    """Return the first paths as words."""
    more = f" and {len(paths) - most} more" if len(paths) > most else ""
    return ", ".join(paths[:most]) + more


def number(x: Any) -> str:
    """Return a number as it would be typed, in at most four digits."""
    return f"{float(np.asarray(x)):.4g}"


def is_known(x: Any) -> bool:
    """Return whether an array or a number has a value, outside of a compiled function."""
    return not isinstance(x, Tracer | jax.ShapeDtypeStruct)


def _line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
