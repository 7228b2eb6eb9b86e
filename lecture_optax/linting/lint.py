"""`lint`: likely mistakes in a transformation, before it trains anything."""

from collections.abc import Iterator, Sequence
from typing import Any

import optax

from .._core import validate
from .._core.types import Finding
from .probe import NotCheckedError
from .rule import Case, Rule
from .rules.clip import CLIP_AFTER_RATE
from .rules.decay import GROWS, THROUGH_D
from .rules.masks import EMPTY_MASK
from .rules.memory import BETA2_IS_ONE
from .rules.rates import ASCENT, NO_RATE, TWO_RATES
from .rules.schedules import HORIZON, NEVER_MOVES, NO_WARMUP
from .rules.sizes import EPSILON, LOST

RULES: list[Rule] = [
    TWO_RATES,
    NO_RATE,
    ASCENT,
    THROUGH_D,
    CLIP_AFTER_RATE,
    EMPTY_MASK,
    NO_WARMUP,
    HORIZON,
    BETA2_IS_ONE,
    EPSILON,
    LOST,
    NEVER_MOVES,
    GROWS,
]
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

    def __str__(self) -> str:
        found = [f"{x.name}  {x}\n       docs/reference/findings/{_page(x)}" for x in self._found]
        missing = [f"{name}  not checked: {why}" for name, why in self.not_checked.items()]
        return "\n".join([*(found or ["no findings"]), *missing])

    def __repr__(self) -> str:
        return str(self)


def _page(finding: Finding) -> str:
    return f"{finding.name.lower()}.md"


def lint(
    tx: optax.GradientTransformation,
    params: Any,
    *,
    steps: int | None = None,
    gradients: Any = None,
) -> Findings:
    """Find likely mistakes in a transformation, whoever wrote it.

    It is tried on a small copy of the parameters, with gradients of several sizes, and its state
    and its closures are read. Each finding has a stable identifier, a sentence with its number, and
    a remedy; `print` shows them, and the rules that could not be checked.

    **Arguments**

    - `tx`: the transformation, from this library, Optax or anywhere.
    - `params`: the parameters that it trains: their tree, shapes and dtypes, and their sizes where
      a rule compares an update with them.
    - `steps`: the length of the run, in updates, at least 1; None where it is not known.
    - `gradients`: a gradient of the run, or a list of them, or None.

    **Returns** `Findings`, a sequence; `findings.not_checked` has the reasons by identifier.

    **Raises** `TypeError` if `tx` is not a gradient transformation, and `ValueError` if `steps` is
    below 1. A transformation that cannot
    be tried is not an error: its rules are in `not_checked`.

    ```python
    >>> import jax.numpy as jnp, lecture_optax as lo, optax
    >>> findings = lo.lint(optax.chain(optax.adam(0.1), optax.sgd(0.5)), jnp.zeros(3))
    >>> [finding.name for finding in findings]
    ['LO101']
    >>> print(findings[0].remedy)
    Keep one of them; to weigh a part of the chain, use optax.scale.

    ```
    """
    validate.transformation(tx=tx)
    if steps is not None:
        validate.steps(steps=steps)
    case = Case(tx, params, steps, gradients)
    found: list[Finding] = []
    not_checked: dict[str, str] = {}
    for rule in RULES:
        missing = [name for name in rule.needs if getattr(case, name) is None]
        try:
            found += [] if missing else rule.find(case)
        except NotCheckedError as error:
            not_checked[rule.name] = str(error)
        except Exception as error:  # whatever a transformation of another author raises
            not_checked[rule.name] = f"{type(error).__name__}: {error}"
        if missing:
            not_checked[rule.name] = f"it needs {' and '.join(missing)}"
    return Findings(found, not_checked)
