"""Which optimizer, when nobody says? The lecture's default; or, with a budget, what is found."""

from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from .._core.types import Scalar, Transformation
from ..optimizers import adam
from ..schedules import linear

if TYPE_CHECKING:
    from .problem import Problem
    from .result import Result


class Choice(NamedTuple):
    """A function that builds an optimizer, its numbers, the reason, and what finding it cost."""

    make: object
    hyperparams: dict[str, Scalar]
    why: str
    cost: float


def lecture_default(steps: int) -> Choice:
    """Adam at 1e-3, the lecture's first try, decayed to 0 along a line."""
    return Choice(
        _adam_with_linear_decay,
        {"learning_rate": 1e-3, "total_steps": steps},
        f"the lecture's default: Adam at 1e-3, falling along a line to 0 at step {steps}",
        1.0,
    )


def _adam_with_linear_decay(learning_rate: Scalar, total_steps: Scalar) -> Transformation:
    return adam(linear(learning_rate, total_steps))


def by_recipe(problem: "Problem", beside: dict[str, Any], **options: Any) -> "Result":
    """Let the recipe choose and train, within a budget. It lies above training: loaded by name.

    `beside`: what the person gave that a search has no use for; each is None, 0 or empty if not.
    """
    given = [name for name, value in beside.items() if value]
    if given:
        raise ValueError(
            f"budget lets the recipe choose and train, which takes no {', '.join(given)}: leave "
            "them out; or choose first, by lo.recipe.run, and pass its optimizer as tx."
        )
    recipe = import_module(f"{(__package__ or '').rpartition('.')[0]}.recipe.fitted")
    return recipe.fitted(problem, **options)
