"""`lint`: likely mistakes in a transformation, before it trains anything."""

from collections.abc import Iterator, Sequence
from typing import Any

import optax

from .._core import validate
from .._core.types import Finding
from .rule import Case, Rule

RULES: list[Rule] = []
"""Every rule, by identifier."""


class Findings(Sequence[Finding]):
    """The findings of `lint`, in order, and the rules that could not be checked.

    - `not_checked`: `{identifier: reason}`.
    """

    def __init__(self, found: Sequence[Finding], not_checked: dict[str, str]) -> None:
        self._found, self.not_checked = tuple(found), dict(not_checked)

    def __len__(self) -> int:
        return len(self._found)

    def __getitem__(self, at: Any) -> Any:
        return self._found[at]

    def __iter__(self) -> Iterator[Finding]:
        return iter(self._found)


def lint(
    tx: optax.GradientTransformation,
    params: Any,
    *,
    steps: int | None = None,
    gradients: Any = None,
) -> Findings:
    """Find likely mistakes in a transformation."""
    validate.transformation(tx=tx)
    case = Case(tx, params, steps, gradients)
    found: list[Finding] = []
    not_checked: dict[str, str] = {}
    for rule in RULES:
        missing = [name for name in rule.needs if getattr(case, name) is None]
        if missing:
            not_checked[rule.name] = f"it needs {' and '.join(missing)}"
        else:
            found += rule.find(case)
    return Findings(found, not_checked)
