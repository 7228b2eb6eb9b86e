"""LO105: a clip that acts after the learning rate.

The order is read from the closures, of Optax's chains and of ours. In a closure that names no
stages it is seen where there is a schedule: at a gradient of 1e12 a clip before the rate leaves
an update that follows the schedule, a clip behind it one that does not.
"""

from collections.abc import Iterator

import numpy as np

from ..._core.types import Finding
from ..parts import Part, is_rate
from ..probe import Lanes
from ..rule import Case, Rule, number
from .rates import goes_downhill

CLIPS = {"clip", "clip_by_global_norm", "clip_by_block_rms", "adaptive_grad_clip", "unitwise_clip"}
_BOUNDS = ("max_delta", "max_norm", "threshold", "clipping")
_HUGE = 1e12


def _after_the_rate(case: Case) -> Iterator[Finding]:
    for i, clip in enumerate(case.parts):
        if clip.name in CLIPS and any(_is_before(rate, clip) for rate in case.parts[:i]):
            bound = next((clip.numbers[n] for n in _BOUNDS if n in clip.numbers), None)
            yield _finding(f"optax.{clip.name}", bound)
            return
    bound = None if goes_downhill(case) else _seen_bound(case)
    if bound is not None:
        yield _finding("a clip", bound)


def _is_before(rate: Part, clip: Part) -> bool:
    """Return whether a stage is a learning rate, and acts on leaves that the clip acts on."""
    shared = min(len(rate.leaves), len(clip.leaves))
    return is_rate(rate) and rate.leaves[:shared] == clip.leaves[:shared]


def _seen_bound(case: Case) -> float | None:
    """Return the bound of a clip that no schedule moves, or None."""
    for curve in case.curves:
        steps, rates = curve.around
        near = steps < 1 << 20
        low, high = (int(steps[near][f(rates[near])]) for f in (np.argmin, np.argmax))
        g, counts = np.array([1e-3, 1e-3, _HUGE, _HUGE]), np.array([low, high, low, high])
        lanes = Lanes(g, 0.0, counts, seen=1, most=curve.every)
        slow, fast, bound, other = np.abs(case.respond(lanes).first)
        moves = (slow > 0) & (fast > 2 * slow)
        clipped = (bound == other) & (bound > fast) & (bound < 1e-3 * _HUGE * fast)
        if (moves & clipped).any():
            return float(bound[moves & clipped].max())
    return None


def _finding(name: str, bound: object) -> Finding:
    size = number(bound) if isinstance(bound, int | float) else "its bound"
    return Finding(
        "LO105",
        {"bound": bound if isinstance(bound, int | float) else None},
        f"{name} acts after the learning rate: it limits the update, to {size}, and not the "
        "gradient. With a smaller learning rate it stops to act.",
        "Put it in front of the optimizer: optax.chain(optax.clip_by_global_norm(1.0), "
        "optax.adam(1e-3)).",
    )


CLIP_AFTER_RATE = Rule("LO105", "clipping after the learning rate", (), _after_the_rate)
