"""What does a log say of its runs? The lines of `lo.fit(log="run.jsonl")`, as tracks."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np

from .tracks import HELD_OUT, Failure, Looks, Track, looks_of, lower_of

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
    return Track(means, width, rate, failed=failed, looks=_looks(lines))


def _looks(lines: list[dict[str, Any]]) -> Looks | None:
    seen = [
        (line["step"], [line[x] for x in HELD_OUT if _is_number(line.get(x))]) for line in lines
    ]
    looks = [(step, lower_of(found[0], found[-1])) for step, found in seen if found]
    return looks_of(*zip(*looks, strict=True)) if looks else None


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
