"""What is a statement? A claim of the lecture, where it stands, and the numbers that decide it."""

import inspect
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal, TypeAlias

import jax

from ..._core.types import Scalar

Relation: TypeAlias = Literal["=", "<=", ">="]


@dataclass(frozen=True)
class Finding:
    """A number that was measured on a transformation, and what theory says of it.

    **Attributes**

    - `measured`, `predicted`: the two numbers. Of arrays, compare what decides: the largest
      difference with 0.
    - `tolerance`: the absolute difference that is still agreement.
    - `relation`: `measured = predicted`, `<=` or `>=`, up to `tolerance`.
    - `what`: what was measured, in a few words. Empty where the claim says it.

    ```python
    >>> from lecture_optax.theory import Finding
    >>> Finding(0.02380953, 1 / 42, tolerance=1e-6).holds
    True
    >>> Finding(float("nan"), 0.0, tolerance=1e-6, relation="<=").holds
    False

    ```
    """

    measured: Scalar
    predicted: Scalar
    tolerance: float = 0.0
    relation: Relation = "="
    what: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "measured", float(self.measured))
        object.__setattr__(self, "predicted", float(self.predicted))
        if not 0 <= self.tolerance < math.inf:
            raise ValueError(f"tolerance must be a finite number >= 0, got {self.tolerance!r}.")

    @property
    def holds(self) -> bool:
        """Whether the measured number stands in its relation to the predicted one; NaN does not."""
        if self.measured == self.predicted:  # infinite, both, too
            return True
        excess = float(self.measured) - float(self.predicted)
        above = {"=": abs(excess), "<=": excess, ">=": -excess}
        return above[self.relation] <= self.tolerance


Find: TypeAlias = Callable[..., Finding | Iterable[Finding]]


@dataclass(frozen=True)
class Statement:
    """A claim about a method, and the function that puts it to the test on our own transforms.

    Called, it returns its findings, computed in float64. Its keyword arguments are its subjects,
    the shipped factories by default: `statement(sgd=mine)` puts the same claim to somebody else's.

    **Attributes**

    - `name`, `claim`, `slide`, `source`: which claim, in one sentence, on which slide, by whom.
    - `find`: the function: `(**subjects) -> findings`.
    - `needs`: modules of an extra without which it cannot be decided.
    - `picture`: the one that shows it, `lo.theory.pictures.NAME()`; "" if none does.
    """

    name: str
    claim: str
    slide: str
    source: str
    find: Find
    needs: tuple[str, ...] = ()
    picture: str = ""

    def __call__(self, **subjects: Callable) -> tuple[Finding, ...]:
        """Its findings, in float64, whatever the caller has switched on."""
        if unknown := sorted(set(subjects) - set(self.subjects)):
            raise TypeError(
                f"{self.name} has no subject {', '.join(unknown)}: it is about "
                f"{', '.join(self.subjects) or 'nothing that can be exchanged'}."
            )
        with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):
            found = self.find(**subjects)
            return (found,) if isinstance(found, Finding) else tuple(found)

    @property
    def where(self) -> str:
        """The file it stands in and the function: "worst_cases.nesterov_worst_case"."""
        return f"{self.find.__module__.rpartition('.')[2]}.{self.find.__name__}"

    @property
    def subjects(self) -> tuple[str, ...]:
        """The names of the factories it is about."""
        return tuple(inspect.signature(self.find).parameters)

    @property
    def missing(self) -> tuple[str, ...]:
        """The modules it needs that are not installed."""
        return tuple(module for module in self.needs if find_spec(module) is None)


STATEMENTS: dict[str, Statement] = {}
"""The one table, filled as the modules of statements are imported; `statements()` imports all."""


def statement(
    name: str,
    *,
    claim: str,
    slide: str,
    source: str,
    needs: tuple[str, ...] = (),
    picture: str = "",
) -> Callable[[Find], Statement]:
    """Enter a function into the table of statements.

    Above a function `(**subjects) -> Finding` (or several, returned or yielded), whose keyword
    arguments are the factories it is about, with the shipped ones as defaults.

    **Arguments**

    - `name`: how `--only` calls it: words joined by hyphens, unique.
    - `claim`: what it says, one sentence.
    - `slide`: the slide it stands on, or "" where it goes beyond them.
    - `source`: author, year, theorem; or "ours", and then the docstring derives it.
    - `needs`: modules of an extra; where one is absent the statement is skipped, not failed.
    - `picture`: the name of the one in `theory.pictures` that shows it, if any does.

    **Raises** `ValueError` for a name that is taken.

    ```python
    >>> import lecture_optax as lo
    >>> from lecture_optax.theory.claims.statement import STATEMENTS, Finding, statement
    >>> @statement("first-step", claim="Adam's first step is τ", slide="Adam", source="ours")
    ... def first_step(adam=lo.adam):
    ...     tx = adam(0.5, eps=0.0)
    ...     update, _ = tx.update(7.0, tx.init(0.0))
    ...     return Finding(-update, 0.5, tolerance=1e-15)
    >>> [finding.holds for finding in first_step()]
    [True]
    >>> [finding.holds for finding in first_step(adam=lo.adamax)]  # the same claim of AdaMax
    [True]
    >>> del STATEMENTS["first-step"]

    ```
    """

    def enter(find: Find) -> Statement:
        known = STATEMENTS.get(name)
        if known and known.find.__module__ != find.__module__:  # the same again is a reload
            raise ValueError(f"name must be new, got {name!r}, which says: {known.claim}")
        STATEMENTS[name] = Statement(name, claim, slide, source, find, needs, picture)
        return STATEMENTS[name]

    return enter
