"""Statements: a claim of the lecture, its slide and source, and the numbers that decide it."""

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal, TypeAlias, get_args

import jax

from ..._core import validate
from ..._core.keywords import checked
from ..._core.types import Scalar

Relation: TypeAlias = Literal["=", "<=", ">="]


@dataclass(frozen=True)
class Finding:
    """A number measured on a transformation, and the number that theory predicts.

    **Attributes**

    - `measured`, `predicted`: the two numbers. For arrays, compare the largest difference with 0.
    - `tolerance`: the largest absolute difference that counts as agreement.
    - `relation`: `measured = predicted`, `<=` or `>=`, up to `tolerance`.
    - `what`: what was measured, in a few words; empty if the claim says it.

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
        validate.number(measured=self.measured, predicted=self.predicted)
        object.__setattr__(self, "measured", float(self.measured))
        object.__setattr__(self, "predicted", float(self.predicted))
        validate.non_negative(tolerance=self.tolerance)
        validate.one_of(*get_args(Relation), relation=self.relation)
        validate.text(what=self.what)

    @property
    def holds(self) -> bool:
        """True if the relation between the two numbers is true; false for NaN."""
        if self.measured == self.predicted:  # also when both are infinite
            return True
        excess = float(self.measured) - float(self.predicted)
        above = {"=": abs(excess), "<=": excess, ">=": -excess}
        return above[self.relation] <= self.tolerance


Find: TypeAlias = Callable[..., Finding | Iterable[Finding]]


@dataclass(frozen=True)
class Statement:
    """A claim about a method, and a function that checks it on the library's own transformations.

    Call it to compute its findings in float64. Its keyword arguments are its subjects: the
    factories that the claim is about, by default those of the library. `statement(sgd=mine)` checks
    the same claim for another factory.

    **Attributes**

    - `name`, `claim`, `slide`, `source`: a unique name, the claim in one sentence, its slide, and
      who proved or measured it.
    - `find`: the function `(**subjects) -> findings`.
    - `needs`: the optional modules that the check needs.
    - `picture`: the picture that shows the claim, `lo.theory.pictures.NAME()`, or "".
    """

    name: str
    claim: str
    slide: str
    source: str
    find: Find
    needs: tuple[str, ...] = ()
    picture: str = ""

    def __call__(self, **subjects: Callable) -> tuple[Finding, ...]:
        """Compute the findings in float64, whatever the configuration of JAX."""
        if unknown := sorted(set(subjects) - set(self.subjects)):
            raise TypeError(
                f"unknown subject {', '.join(map(repr, unknown))} for {self.name}; "
                f"choose from {', '.join(self.subjects) or '(none)'}."
            )
        with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):
            found = self.find(**subjects)
            return (found,) if isinstance(found, Finding) else tuple(found)

    @property
    def where(self) -> str:
        """The file in `theory/claims/` and the function: "worst_cases.nesterov_worst_case"."""
        return f"{self.find.__module__.rpartition('.')[2]}.{self.find.__name__}"

    @property
    def subjects(self) -> tuple[str, ...]:
        """The names of the factories that the claim is about."""
        return tuple(inspect.signature(self.find).parameters)

    @property
    def missing(self) -> tuple[str, ...]:
        """The modules in `needs` that are not installed."""
        return tuple(module for module in self.needs if find_spec(module) is None)


STATEMENTS: dict[str, Statement] = {}
"""The table of statements. Importing a file of claims fills it; `statements()` imports them all."""


@checked
def statement(
    name: str,
    *,
    claim: str,
    slide: str,
    source: str,
    needs: tuple[str, ...] = (),
    picture: str = "",
) -> Callable[[Find], Statement]:
    """Decorate a function to make it a statement and add it to the table.

    The function `(**subjects) -> Finding` may return or yield several findings. Its keyword
    arguments are the factories that the claim is about, with those of the library as defaults.

    **Arguments**

    - `name`: a unique name for `--only`, words joined by hyphens.
    - `claim`: the claim, in one sentence.
    - `slide`: the slide with the claim, or "" if no slide has it.
    - `source`: author, year, theorem; or "ours", and then the docstring contains the derivation.
    - `needs`: optional modules; if one is absent, the statement is skipped.
    - `picture`: the name of the picture in `theory.pictures` that shows the claim, or "".

    **Raises** `ValueError` if another statement has this name.

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
    >>> [finding.holds for finding in first_step(adam=lo.adamax)]  # the same claim for AdaMax
    [True]
    >>> del STATEMENTS["first-step"]

    ```
    """

    def enter(find: Find) -> Statement:
        known = STATEMENTS.get(name)
        if known and known.find.__module__ != find.__module__:  # equal modules: a reload
            raise ValueError(f"name must be unique, got {name!r}, the name of: {known.claim}")
        STATEMENTS[name] = Statement(name, claim, slide, source, find, needs, picture)
        return STATEMENTS[name]

    return enter
