"""What is a curve, wherever it comes from? Losses of equal windows, and how the run failed."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ...training.loop.nonfinite import NonFiniteError
from ...training.loop.run import History
from ..population.curve import Curve

HELD_OUT = ("valid_loss", "averaged_loss")
"""What a record may say of held-out rows: of the weights, and of their average."""

LARGEST = 1e300
"""A loss beyond is as good as infinite: sums of it are."""


class Failure(NamedTuple):
    """The first step at which a number was not finite, which number, and of which leaf.

    Steps count from 1: nothing was finite of step 1 where the first loss was not.
    `leaf` is the key path of a gradient, an update or a parameter; "" where no leaf is known.
    """

    step: int
    quantity: str
    leaf: str = ""

    def __str__(self) -> str:
        return (
            f"{self.quantity}{self.leaf and f' of {self.leaf}'} was not finite at step {self.step}"
        )


class Evaluations(NamedTuple):
    """Held-out losses at steps: of the weights or of their average, whichever is lower.

    An average shows what a rate that falls in the end comes to, before it has fallen; it lags
    behind weights that still fall.
    """

    steps: np.ndarray
    losses: np.ndarray

    @property
    def by_step(self) -> dict[int, float]:
        return dict(zip(self.steps.tolist(), self.losses.tolist(), strict=True))


class Track(NamedTuple):
    """A curve as a diagnosis sees it.

    - `losses`: means of windows of `width` steps, in float64; finite, as far as the run was.
    - `rate`: its learning rate, NaN where it is not known.
    - `gradients`: |g| at windows, where it was recorded.
    - `failed`: how the run ended, if it was not finite.
    - `evaluations`: held-out losses on the way, where there are any.
    """

    losses: np.ndarray
    width: int = 1
    rate: float = np.nan
    gradients: np.ndarray | None = None
    failed: Failure | None = None
    evaluations: Evaluations | None = None

    @property
    def steps(self) -> int:
        return len(self.losses) * self.width

    def coarser(self, width: int) -> "Track":
        """The same in wider windows, a multiple of its own."""
        times = width // self.width
        whole = len(self.losses) // times
        losses = self.losses[: whole * times].reshape(whole, times).mean(1)
        return self._replace(losses=losses, width=width)


def track_of(run: Any) -> Track:
    """A `Track` of losses, of a record with "loss", a `History`, a result or an error of `lo.fit`,
    or a `Curve` of the recipe.

    **Raises** `TypeError` or `ValueError` for what is none of them, or has no steps.
    """
    if isinstance(run, Track):
        return run
    if isinstance(run, Curve):
        failed = run.failed and Failure(*run.failed, run.leaf)
        evaluations = [(0, 0.0), *((x.step, lower_of(x.raw, x.averaged)) for x in run.evaluations)]
        means = np.asarray(run.means, np.float64)
        return Track(
            means,
            run.width,
            failed=failed,
            evaluations=evaluations_of(*zip(*evaluations, strict=True)),
        )
    if isinstance(run, NonFiniteError):
        history = run.run.history
        track = track_of(history) if len(history) else Track(np.zeros(0))
        return track._replace(failed=Failure(run.step + 1, run.quantity))
    found = getattr(run, "history", run)
    if isinstance(found, Mapping | History):
        return _of_records(found)
    return _cut(np.asarray(_numbers(found), np.float64))


def evaluations_of(steps: Any, losses: Any) -> Evaluations | None:
    """Those that are finite; None where there are none."""
    steps, losses = np.asarray(steps, np.int64), np.asarray(losses, np.float64)
    taken = np.isfinite(losses)
    return Evaluations(steps[taken], losses[taken]) if taken.any() else None


def lower_of(raw: Any, averaged: Any) -> Any:
    """The lower of two looks, where both were taken (NaN: it was not); an exploded one is one."""
    return np.where(np.isinf(raw), raw, np.fmin(raw, averaged))


def alike(tracks: Mapping[float, Track]) -> dict[float, Track]:
    """The same tracks in windows of one width."""
    width = math.lcm(*(track.width for track in tracks.values()))
    return {ratio: track.coarser(width) for ratio, track in tracks.items()}


def _of_records(records: Any) -> Track:
    """What a history holds of every step."""
    if "loss" not in records:
        raise ValueError('a record of a run must have "loss", one number a step.')
    track = _cut(np.asarray(_numbers(records["loss"]), np.float64))
    rate, gradients = np.nan, None
    if "learning_rate" in records and len(records["learning_rate"]):
        rates = np.asarray(records["learning_rate"], np.float64)
        rate = float(np.max(rates, where=np.isfinite(rates), initial=0.0)) or np.nan
    if "grad_norm" in records:
        gradients = np.asarray(records["grad_norm"], np.float64)[: len(track.losses)]
    seen = [records[name] for name in HELD_OUT if name in records and "step" in records]
    evaluations = evaluations_of(records["step"], lower_of(seen[0], seen[-1])) if seen else None
    return track._replace(rate=rate, gradients=gradients, evaluations=evaluations)


def _numbers(run: Any) -> np.ndarray:
    try:
        losses = np.asarray(run, np.float64)
    except (TypeError, ValueError):
        losses = None
    if losses is None or losses.ndim != 1:
        raise TypeError(
            "a curve must be the losses of a run, one number a step; a history, result or "
            f"NonFiniteError of lo.fit; or a recipe's Curve, got {type(run).__name__}"
            f"{'' if losses is None else f' of shape {losses.shape}'}."
        )
    return losses


def _cut(losses: np.ndarray) -> Track:
    """Up to the first loss that is not finite."""
    if not len(losses):
        raise ValueError("a curve must have a loss for every step, got none.")
    finite = np.abs(losses) < LARGEST
    if finite.all():
        return Track(losses)
    good = int(np.argmin(finite))
    return Track(losses[:good], failed=Failure(good + 1, "loss"))


NUMBERS = ("loss", "grad_norm", "update_norm", "parameter")
"""What a line may say was not finite."""


def tracks_in(path: Path) -> list[Track]:
    """The runs of a file, in order: where the step falls, another run begins.

    Each in windows as wide as the widest of its lines.

    **Raises** `OSError` for a file that cannot be read, and `ValueError` for a line that is none
    of a log, or a run without losses.
    """
    runs: list[list[dict[str, Any]]] = []
    for line in _lines(path):
        if not runs or line["step"] < runs[-1][-1]["step"]:
            runs.append([])
        runs[-1].append(line)
    if not runs:
        raise ValueError(f"{path} must hold a line for every look at a run, got none.")
    return [_track(path, lines) for lines in runs]


def _lines(path: Path) -> list[dict[str, Any]]:
    """All objects; the last line may have been cut off by a kill."""
    text = path.read_text()
    lines = text.splitlines()
    if lines and not text.endswith("\n"):
        lines = lines[:-1] if _object(lines[-1]) is None else lines
    found = [_object(line) for line in lines]
    if None in found:
        at = found.index(None)
        raise ValueError(
            f'{path} must hold {{"step": ..., "loss": ...}} a line, as lo.fit(log=...) writes it, '
            f"got {lines[at][:60]!r} in line {at + 1}."
        )
    return [line for line in found if line is not None]


def _object(line: str) -> dict[str, Any] | None:
    """What a line holds, if it is an object with a step."""
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) and _is_number(found.get("step")) else None


def _track(path: Path, lines: list[dict[str, Any]]) -> Track:
    bad = [(line["step"], name) for line in lines for name in NUMBERS if _is_bad(line.get(name))]
    failed = Failure(int(bad[0][0]), bad[0][1]) if bad else None
    good = [line for line in lines if _is_number(line.get("loss")) and not _is_bad(line["loss"])]
    good = [line for line in good if failed is None or line["step"] < failed.step]
    if not good and failed is None:
        raise ValueError(f'{path} must hold the "loss" of a run, got none in {len(lines)} lines.')
    said = [line["learning_rate"] for line in good if _is_number(line.get("learning_rate"))]
    rates = [rate for rate in said if rate > 0]
    ends = np.array([line["step"] for line in good], np.int64)
    losses = np.array([line["loss"] for line in good], np.float64)
    width, means = _in_equal_windows(ends, losses)
    rate = max(rates, default=math.nan)
    return Track(means, width, rate, failed=failed, evaluations=_evaluations(lines))


def _evaluations(lines: list[dict[str, Any]]) -> Evaluations | None:
    seen = [
        (line["step"], [line[x] for x in HELD_OUT if _is_number(line.get(x))]) for line in lines
    ]
    evaluations = [(step, lower_of(found[0], found[-1])) for step, found in seen if found]
    return evaluations_of(*zip(*evaluations, strict=True)) if evaluations else None


def _in_equal_windows(ends: np.ndarray, losses: np.ndarray) -> tuple[int, np.ndarray]:
    """From means of windows that end at `ends`, to those of equal ones; a rest is left out.

    The first window is taken to be as wide as the widest: a run may have begun in another file.
    """
    if not len(ends):
        return 1, losses
    widths = np.diff(ends)
    width = int(max(widths, default=ends[0]))
    widths = np.append(min(ends[0], width), widths)
    if (widths == width).all():
        return width, losses
    at = np.cumsum(np.append(0, widths))
    sums = np.cumsum(np.append(0.0, widths * losses))
    edges = np.arange(0, at[-1] + 1, width)
    return width, np.diff(np.interp(edges, at, sums)) / width


def _is_number(x: Any) -> bool:
    return isinstance(x, int | float) and not isinstance(x, bool)


def _is_bad(x: Any) -> bool:
    return _is_number(x) and not math.isfinite(x)
