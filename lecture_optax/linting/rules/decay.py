"""LO104 and LO113: weight decay that goes through the preconditioner D, and one that grows weights.

The first is seen at a gradient of 0, where only the decay is left: decoupled decay moves a
parameter by a multiple of itself; decay that goes through D moves it by the learning rate, however
small it is. The same is asked of small gradients without decay, because a clip limits updates too.
RAdam is missed: its first steps are those of SGD with momentum. The second is seen there too: the
update is a multiple of the parameter, with its sign.
"""

from collections.abc import Iterator

import numpy as np

from ..._core.describe import describe
from ..._core.types import Finding
from ..parts import is_rate
from ..probe import Lanes
from ..rule import Case, Rule, number, some
from .clip import CLIPS
from .rates import goes_downhill

_SIZES = np.geomspace(1e3, 1e-3, 7)
"""Sizes of a parameter, each a tenth of the one before: an ε may hide the decay of small ones."""

_SAME = 0.5
"""How much of an update is left at a tenth of the parameter, where it goes through D; 0.1 else."""


def _through_d(case: Case) -> Iterator[Finding]:
    if goes_downhill(case) and not any("decay" in p.name for p in describe(case.tx).walk()):
        return
    if describe(case.tx).name == "adamw":
        return
    g = np.concatenate([np.zeros(len(_SIZES) + 1), [1e-2, 1e-3]])
    θ = np.concatenate([_SIZES, [-0.1], [0.0, 0.0]])
    answer = case.respond(Lanes(g, θ, seen=1, most=case.every)).first
    (other, large, small), decays = answer[-3:], answer[:-3]
    if any(part.name in CLIPS for part in case.parts):  # which may limit the decay of a 1
        decays = decays[_SIZES < 1]
    left = _ratios(decays)
    adaptive = (large < 0) & (small <= _SAME * large)
    found = (other > 0) & adaptive & (left >= _SAME).any(0)
    if found.any():
        paths = [path for path, there in zip(case.paths, found, strict=True) if there]
        part = float(left[:, found].max())
        yield Finding(
            "LO104",
            {"leaves": paths, "part_at_a_tenth": part},
            f"the weight decay of {some(paths)} goes through the preconditioner: at a tenth of the "
            f"parameter, {number(part)} of its update is left. Large gradients cancel it, and "
            "small parameters decay as fast as large ones.",
            "Put optax.add_decayed_weights behind the preconditioner and before the learning rate, "
            "as lo.adamw and optax.adamw do.",
        )


def _ratios(decays: np.ndarray) -> np.ndarray:
    """Return which part of each update is left at a tenth of the parameter, 0 if it grows it."""
    shrinks = (decays[:-1] < 0) & (decays[1:] < 0)
    return np.divide(decays[1:], decays[:-1], out=np.zeros_like(decays[1:]), where=shrinks)


def _grows(case: Case) -> Iterator[Finding]:
    order = [part for part in case.parts if "decay" in part.name or is_rate(part)]
    if goes_downhill(case) and (not order or is_rate(order[-1])):  # no program to compile
        return
    g, θ = np.array([[0.0, 0.0, 0.0, 1.0], [1.0, 0.5, -1.0, 0.0]])
    lanes = Lanes(g, θ, seen=1, most=case.every)
    one, half, other, descent = case.respond(lanes).first
    linear = np.isclose(one, 2 * half, rtol=1e-3) & np.isclose(one, -other, rtol=1e-3)
    found = (one > 0) & linear & (descent < 0)
    if found.any():
        paths = [path for path, there in zip(case.paths, found, strict=True) if there]
        part = float(one[found].max())
        yield Finding(
            "LO113",
            {"leaves": paths, "part": part},
            f"the weight decay of {some(paths)} has the wrong sign: at a gradient of 0 each step "
            f"adds {number(part)} of a parameter to it, so the weights grow.",
            "Put optax.add_decayed_weights before the learning rate, which has the minus sign.",
        )


GROWS = Rule("LO113", "weight decay with the wrong sign", (), _grows)
THROUGH_D = Rule("LO104", "weight decay that goes through D", (), _through_d)
