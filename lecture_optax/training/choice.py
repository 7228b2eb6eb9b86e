"""Which optimizer, when nobody says? For now the lecture's default."""

from typing import NamedTuple

from .._types import Scalar, Transformation
from ..optimizers import adam
from ..schedules import linear


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
