"""Simple rules for one curve, as in published tools."""

from collections.abc import Callable, Mapping

import numpy as np

from lecture_optax.training.curves.learning_curve import LearningCurve
from lecture_optax.training.curves.statistics import blocks


def like_autotrainer(curve: LearningCurve) -> str:
    """Zhang et al. (2021): not finite, an oscillating loss, or one that moves too slowly.

    Their rules apply to the accuracy, with the same constants: .03 of fluctuation in .3 of the
    checks, and a change below .01.
    """
    x = curve.losses
    if curve.failed is not None or not len(x):
        return "decrease"
    pieces = blocks(x / max(abs(x[0]), 1e-30), 16)
    moves = np.diff(pieces)
    if np.mean(moves > 0.03) >= 0.3:
        return "decrease"
    return "increase" if np.abs(pieces[-1] - pieces[0]) < 0.01 else "keep"


def like_bttackler(curve: LearningCurve) -> str:
    """Pei et al. (2024): exploding or vanishing gradients, a loss above its start, or a flat one.

    Gradients 100 or 0.001 times the first; a loss that changed by less than 1 % in the last half.
    """
    x, g = curve.losses, curve.gradients
    if curve.failed is not None or not len(x):
        return "decrease"
    late = x[len(x) // 2 :]
    if x[-len(x) // 4 :].mean() > x[0] or (g is not None and g[-len(g) // 4 :].mean() > 100 * g[0]):
        return "decrease"
    is_flat = abs(late[: len(late) // 2].mean() - late[len(late) // 2 :].mean())
    vanished = g is not None and g[-len(g) // 4 :].mean() < 1e-3 * g[0]
    return "increase" if vanished or is_flat < 0.01 * abs(late.mean()) else "keep"


RULES: Mapping[str, Callable[[LearningCurve], str]] = {
    "AutoTrainer-like, one curve": like_autotrainer,
    "BTTackler-like, one curve": like_bttackler,
}
