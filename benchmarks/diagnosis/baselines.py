"""What would simple rules say of one curve? For comparison: the remedies that tools give today."""

from collections.abc import Callable, Mapping

import numpy as np

from lecture_optax.recipe.diagnosis.learning_curve import Track
from lecture_optax.recipe.diagnosis.statistics import blocks


def like_autotrainer(track: Track) -> str:
    """Zhang et al. (2021): not finite, a loss that oscillates, or one that moves too slowly.

    Theirs are of accuracy, with the same constants: .03 of fluctuation in .3 of the checks, and a
    change below .01.
    """
    x = track.losses
    if track.failed is not None or not len(x):
        return "decrease"
    pieces = blocks(x / max(abs(x[0]), 1e-30), 16)
    moves = np.diff(pieces)
    if np.mean(moves > 0.03) >= 0.3:
        return "decrease"
    return "increase" if np.abs(pieces[-1] - pieces[0]) < 0.01 else "keep"


def like_bttackler(track: Track) -> str:
    """Pei et al. (2024): gradients that grow or vanish, a loss above its start, or one that stands.

    Gradients that grow a hundredfold or fall to a thousandth of the first; a loss that has not
    changed by a hundredth of itself in the last half.
    """
    x, g = track.losses, track.gradients
    if track.failed is not None or not len(x):
        return "decrease"
    late = x[len(x) // 2 :]
    if x[-len(x) // 4 :].mean() > x[0] or (g is not None and g[-len(g) // 4 :].mean() > 100 * g[0]):
        return "decrease"
    stands = abs(late[: len(late) // 2].mean() - late[len(late) // 2 :].mean())
    vanished = g is not None and g[-len(g) // 4 :].mean() < 1e-3 * g[0]
    return "increase" if vanished or stands < 0.01 * abs(late.mean()) else "keep"


RULES: Mapping[str, Callable[[Track], str]] = {
    "AutoTrainer-like, one curve": like_autotrainer,
    "BTTackler-like, one curve": like_bttackler,
}
