"""What a diagnosis could not check, and why."""

from ...training.curves.learning_curve import LearningCurve
from ...training.curves.symptoms import LEAST, Symptom

HELPS = "whether another learning rate helps"

EVALUATIONS = 3
"""The fewest validation losses that show a rise."""


def not_checked(curve: LearningCurve, symptom: Symptom, siblings: int) -> tuple[str, ...]:
    """Return what the curve of a run with so many siblings does not show, with the reasons."""
    found = []
    if 0 < len(curve.losses) < LEAST:
        found.append(f"all but divergence: {len(curve.losses)} losses are fewer than {LEAST}")
    if curve.evaluations is None:
        found.append("overfitting: there is no validation loss")
    elif len(curve.evaluations.losses) < EVALUATIONS:
        found.append(f"overfitting: fewer than {EVALUATIONS} validation losses")
    if symptom.name == "no progress" and not symptom.cause and curve.gradients is None:
        found.append("whether the network is dead: there is no norm of the gradient")
    if not siblings:
        found.append(f"{HELPS}: there is one run")
    return (*found, *curve.unseen)
