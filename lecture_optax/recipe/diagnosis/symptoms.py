"""What is wrong with one curve? The first of these that fits, with the numbers that say so.

    exploding     not finite, or above the start for good
    no progress   no fall that the noise does not explain: too small a rate, or dead
    oscillating   it rises and falls by more than the noise, and does not get lower
    quick plateau no fall any more, and far from what a sibling reached or flat since early on
    converged     no fall any more
    healthy       it falls
    uncertain     too short to say

One curve says what is wrong, not what helps: siblings do (`verdict.py`).
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from .learning_curve import Failure, Track
from .statistics import Estimate, blocks, cut, mean, scatter

LEAST = 12
"""Fewer windows say nothing."""

PIECES = 16
"""Blocks in which a curve is read."""

CLEAR = 3.0
"""Standard errors of a fall that is one."""

HIGH = 8.0
"""Standard errors above the start from which on a curve has exploded."""

MOST = 0.95
"""A fall to less than .95 of what a sibling fell leaves something to gain."""

EARLY = 0.3
"""A plateau is quick where nine tenths of the fall were done before .3 of the steps."""

DEAD = 1e-3
"""The gradient of a dead network, as part of the first one."""

RISE, RISES = 7.0, 2
"""So many rises of so many errors of a piece are an oscillation."""

STILL = 1e-3
"""Noise below .001 of the fall is none: what stands still without noise is at a stationary point,
what stands still in noise may be held up by it."""

NEWS = 0.02
"""A late fall below .02 of the whole is none."""


class Symptom(NamedTuple):
    """What one curve shows.

    - `name`: one of the words above; `cause`: of no progress: "dead" or "too large", and "too
      small" where a sibling at a larger rate falls; else "".
    - `steps`: how long the curve is; `start`: the loss there; `level`: of the last quarter.
    - `decrease`: from the start to the level; `late`: how much of it in the second half.
    - `settled`: the step by which nine tenths of the fall were done.
    - `rises`: how often it rose by more than the noise in the second half, `rise`: the largest.
    - `peak`: how far above the start the first tenth went, if it came back (a catapult), else 0.
    - `failed`: what was not finite, if it was that.
    """

    name: str
    cause: str
    steps: int
    start: float
    level: float
    decrease: Estimate
    late: Estimate
    settled: int
    rises: int
    rise: float
    peak: float
    failed: Failure | None

    def __str__(self) -> str:
        return f"{self.name}{self.cause and f' ({self.cause})'}: {_WORDS[self.name](self)}"


def symptom_of(track: Track, most: float = 0.0, start: float | None = None) -> Symptom:
    """Read one curve. `most`: how far below its start the lowest of its siblings got; `start`: the
    loss there, where siblings say it better."""
    read = _read(track, start)
    return read._replace(**dict(zip(("name", "cause"), _named(read, track, most), strict=True)))


def start_of(x: np.ndarray) -> float:
    """The mean loss of the first fiftieth; the first one, where that has moved by then."""
    if not len(x):
        return np.nan
    opening = float(np.mean(x[: _opening(x)]))
    return float(x[0]) if abs(opening - x[0]) > HIGH * scatter(x) else opening


def late_part(x: np.ndarray) -> np.ndarray:
    """The last quarter: where a curve is now."""
    return x[len(x) - max(1, len(x) // 4) :]


def _named(read: Symptom, track: Track, most: float) -> tuple[str, str]:
    """The name and the cause, the first that fits."""
    if read.failed is not None or _diverging(read, track.losses, most):
        return "diverging", ""
    if len(track.losses) < LEAST:
        return "uncertain", ""
    if not read.decrease.exceeds(0.05 * most, CLEAR):
        return "no progress", _cause(read, track)
    if read.late.exceeds(NEWS * read.decrease.value, CLEAR):
        return "healthy", ""
    above = _above(read, track.losses, most)
    if read.rises >= RISES and (above or not most):
        return "oscillating", ""
    return ("quick plateau" if above and read.settled <= EARLY * read.steps else "converged"), ""


def _read(track: Track, start: float | None) -> Symptom:
    """All numbers, before a word is found for them."""
    x = track.losses
    start = start_of(x) if start is None else start
    level, noise = mean(late_part(x)), scatter(x)
    before, pieces = mean(x[len(x) // 4 : len(x) // 2]), blocks(x, PIECES)
    error = float(np.hypot(level.error, noise / np.sqrt(_opening(x))))
    ups = np.diff(pieces[len(pieces) // 2 :])
    large = ups[ups > RISE * noise / np.sqrt(max(1, len(x) // PIECES))]
    late = Estimate(before.value - level.value, float(np.hypot(before.error, level.error)))
    return Symptom(
        name="uncertain",
        cause="",
        steps=track.steps,
        start=start,
        level=level.value,
        decrease=Estimate(start - level.value, error),
        late=late,
        settled=_settled(pieces, start, level.value) * track.steps // max(1, len(pieces)),
        rises=len(large),
        rise=float(large.max(initial=0.0)),
        peak=_peak(x, start, level.value, noise),
        failed=track.failed,
    )


def _diverging(read: Symptom, x: np.ndarray, most: float) -> bool:
    """The last two of eight pieces are far above the start, and it does not come back.

    By their medians: rare rows make a loss jump now and then, an explosion stays above. One that
    leaps at every step looks like noise to them: then by their means, where no loss of the last
    quarter is back at the start.
    """
    pieces = cut(x, PIECES // 2)
    if len(pieces) < 4 or read.late.exceeds(0.0, CLEAR):
        return False
    noise = scatter(x[: max(LEAST, len(x) // 4)]) / np.sqrt(_opening(x))
    least = max(HIGH * noise, most)
    if _is_far_above(read.start, np.median(pieces, axis=1), least):
        return True
    stays = late_part(x).min() > read.start
    return bool(stays and _is_far_above(read.start, pieces.mean(1), least))


def _is_far_above(start: float, pieces: np.ndarray, least: float) -> bool:
    """The last two pieces, and by more than any fell below."""
    return bool(pieces[-2:].min() - start > max(least, start - pieces.min()))


def _above(read: Symptom, x: np.ndarray, most: float) -> bool:
    """Whether there is something to gain: what a sibling did, or else what noise may hide."""
    if most:
        return read.decrease.value < MOST * most
    return scatter(late_part(x)) > STILL * read.decrease.value


def _cause(read: Symptom, track: Track) -> str:
    """Of no progress: above the start, or with a gradient that is gone."""
    if -read.decrease.value > CLEAR * read.decrease.error:
        return "too large"
    g = track.gradients
    if g is not None and len(g) >= LEAST and late_part(g).mean() < DEAD * g[0]:
        return "dead"
    return ""


def _settled(pieces: np.ndarray, start: float, level: float) -> int:
    """The first piece in which nine tenths of the fall were done."""
    low = pieces <= start - 0.9 * (start - level)
    return int(np.argmax(low)) + 1 if low.any() else len(pieces)


def _peak(x: np.ndarray, start: float, level: float, noise: float) -> float:
    """How far above the start the first tenth went before it came back below."""
    first = blocks(x[: max(1, len(x) // 10)], 4)
    above = float(first.max() - start) if len(first) else 0.0
    clear = above > max(HIGH * noise, start - level) and level < start
    return above if clear else 0.0


def _opening(x: np.ndarray) -> int:
    return max(1, len(x) // 50)


_WORDS: dict[str, Callable[[Symptom], str]] = {
    "diverging": lambda s: (
        f"{s.failed}."
        if s.failed
        else f"the loss rose from {s.start:.4g} to {s.level:.4g} in {s.steps:,} steps."
    ),
    "no progress": lambda s: (
        f"from {s.start:.4g} the loss fell by {s.decrease} in {s.steps:,} steps."
    ),
    "oscillating": lambda s: (
        f"it rose {s.rises} times in the second half of {s.steps:,} steps, by up to {s.rise:.3g}, "
        f"and fell by {s.late} in all."
    ),
    "quick plateau": lambda s: (
        f"nine tenths of the fall from {s.start:.4g} to {s.level:.4g} were done by step "
        f"{s.settled:,} of {s.steps:,}; since then it fell by {s.late}."
    ),
    "converged": lambda s: (
        f"from {s.start:.4g} the loss fell by {s.decrease}, {s.late} of it late in {s.steps:,} steps."
    ),
    "healthy": lambda s: (
        f"from {s.start:.4g} the loss fell by {s.decrease}, {s.late} of it late in {s.steps:,} steps."
    ),
    "uncertain": lambda s: f"{s.steps:,} steps are too few to say.",
}
