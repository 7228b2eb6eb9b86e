"""LO104: weight decay that goes through the preconditioner D.

It is seen at a gradient of 0, where only the decay is left: decoupled decay moves a parameter by a
multiple of itself; decay that goes through D moves it by the learning rate, however small it is.
The same is asked of small gradients without decay, because a clip limits updates too.
"""

from collections.abc import Iterator

import numpy as np

from ..._core.describe import describe
from ..._core.types import Finding
from ..probe import Lanes
from ..rule import Case, Rule, number, some
from .clip import CLIPS
from .rates import goes_downhill

_SAME = 0.5
"""How much of an update is left at a tenth of the parameter, where it goes through D; 0.1 else."""


def _through_d(case: Case) -> Iterator[Finding]:
    if goes_downhill(case.tx) and not any("decay" in p.name for p in describe(case.tx).walk()):
        return
    if describe(case.tx).name == "adamw":
        return
    θ = np.array([1.0, 0.1, 0.01, 0.001, -0.1, 1.0, 1.0])
    g = np.array([0.0, 0.0, 0.0, 0.0, 0.0, 1e-2, 1e-3])
    θ[5:] = 0.0
    lanes = Lanes(g, θ, seen=1, most=case.every)
    one, tenth, hundredth, thousandth, other, large, small = case.respond(lanes).first
    shrinks = (tenth < 0) & (other > 0)
    same = (hundredth <= _SAME * tenth) | (thousandth <= _SAME * hundredth)
    if not any(part.name in CLIPS for part in case.parts):  # which may limit the decay of a 1
        same |= tenth <= _SAME * one
    adaptive = (large < 0) & (small <= _SAME * large)
    found = shrinks & same & adaptive
    if found.any():
        paths = [path for path, there in zip(case.paths, found, strict=True) if there]
        parts = [tenth / one, hundredth / tenth, thousandth / hundredth]
        part = float(np.max(parts, 0)[found].max())
        yield Finding(
            "LO104",
            {"leaves": paths, "part_at_a_tenth": part},
            f"the weight decay of {some(paths)} goes through the preconditioner: at a tenth of the "
            f"parameter, {number(part)} of its update is left. Large gradients cancel it, and "
            "small parameters decay as fast as large ones.",
            "Put optax.add_decayed_weights behind the preconditioner and before the learning rate, "
            "as lo.adamw and optax.adamw do.",
        )


THROUGH_D = Rule("LO104", "weight decay that goes through D", (), _through_d)
