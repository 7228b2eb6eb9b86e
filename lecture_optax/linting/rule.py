"""A rule, and what it may read of a transformation."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from .._core.types import Finding


@dataclass(frozen=True)
class Case:
    """What the rules read.

    - `tx`: the transformation; `params`: the parameters that it trains.
    - `steps`: the length of the run, or None; `gradients`: some gradients of the run, or None.
    """

    tx: Any
    params: Any
    steps: int | None = None
    gradients: Any = None


class Rule(NamedTuple):
    """A rule of `lint`.

    - `name`: its stable identifier, "LO101".
    - `sentence`: what it finds, in a few words.
    - `needs`: which of "steps" and "gradients" it cannot do without.
    - `find`: `case -> findings`.
    """

    name: str
    sentence: str
    needs: tuple[str, ...]
    find: Callable[[Case], Iterator[Finding]]
