"""The shape of a learning rate τ(k) that is known at some steps, with error bars."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .decimals import digits, shortest

Curve = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Shape:
    """A schedule: its name, the Python that builds it, its numbers and its values.

    `free` counts the numbers that are neither whole nor 0.
    """

    name: str
    expression: str
    values: np.ndarray
    numbers: Mapping[str, float] = field(default_factory=dict)
    free: int = 1


@dataclass(frozen=True)
class _Guess:
    """A family with whole numbers chosen: a curve of real numbers, and how it is written."""

    name: str
    curve: Curve
    start: tuple[float, ...]
    write: Callable[..., str]
    labels: tuple[str, ...]
    whole: Mapping[str, int] = field(default_factory=dict)


def shape_of(rates: np.ndarray, error: np.ndarray, eps: float) -> Shape | None:
    """Return the simplest schedule through τ(k), or None.

    `error` is the relative error bar of each τ(k); where it is 1 or more, τ(k) is not known.
    """
    largest = float(np.max(np.abs(rates[error < 0.5]), initial=0.0))
    if largest == 0:
        return None
    allowed = 2 * (error + eps) * np.abs(rates) + 4 * eps * largest
    known = error < 0.5
    allowed = np.where(known, allowed, np.inf)
    k = np.arange(len(rates))
    for family in _FAMILIES:
        found = [
            shape
            for guess in family(rates, allowed)
            if (shape := _snapped(guess, k, rates, allowed))
        ]
        if found:
            return min(found, key=_length)
    return None


def _length(shape: Shape) -> tuple[int, int, float]:
    numbers = shape.numbers.values()
    return shape.free, sum(map(digits, numbers)), sum(numbers)


def constant(rates: np.ndarray, allowed: np.ndarray) -> float | None:
    """Return the one τ of the fewest digits within the error bars of all steps."""
    low, high = float(np.max(rates - allowed)), float(np.min(rates + allowed))
    return shortest(low, high) if low <= high else None


def _snapped(guess: _Guess, k: np.ndarray, rates: np.ndarray, allowed: np.ndarray) -> Shape | None:
    """Return the guess with its numbers fitted and rounded to the digits that are known."""
    free = np.array(guess.start, float)
    fixed: dict[int, float] = {}
    free = _least_squares(guess.curve, free, fixed, k, rates, allowed)
    if not _within(guess.curve(k, free), rates, allowed):
        return None
    while len(fixed) < len(free):
        bars = _bars(guess.curve, free, fixed, k, allowed)
        i = min(bars, key=lambda i: bars[i] / max(abs(free[i]), 1e-300))
        if abs(free[i]) > bars[i] > 0.3 * abs(free[i]):
            return None  # this number is not decided
        fixed[i] = _nearest(free[i], bars[i])
        free[i] = fixed[i]
        free = _least_squares(guess.curve, free, fixed, k, rates, allowed)
    values = guess.curve(k, free)
    if not _within(values, rates, allowed):
        return None
    numbers = dict(zip(guess.labels, map(float, free), strict=True))
    return Shape(
        guess.name,
        guess.write(**numbers),
        values,
        dict(guess.whole) | numbers,
        int(np.count_nonzero(free)),
    )


def _nearest(value: float, bar: float) -> float:
    if abs(value) <= bar:
        return 0.0
    return shortest(value - bar, value + bar)


def _within(values: np.ndarray, rates: np.ndarray, allowed: np.ndarray) -> bool:
    return bool(np.all(np.isfinite(values)) and np.all(np.abs(values - rates) <= allowed))


def _slopes(curve: Curve, x: np.ndarray, open_: list[int], k: np.ndarray) -> np.ndarray:
    columns = []
    for i in open_:
        h = np.zeros(len(x))
        h[i] = 1e-6 * max(abs(x[i]), 1e-9)
        columns.append((curve(k, x + h) - curve(k, x - h)) / (2 * h[i]))
    return np.stack(columns, 1)


def _least_squares(
    curve: Curve,
    x: np.ndarray,
    fixed: Mapping[int, float],
    k: np.ndarray,
    rates: np.ndarray,
    allowed: np.ndarray,
) -> np.ndarray:
    open_ = [i for i in range(len(x)) if i not in fixed]
    if not open_:
        return x
    with np.errstate(all="ignore"):
        for _ in range(12):
            rest = (rates - curve(k, x)) / allowed
            j = _slopes(curve, x, open_, k) / allowed[:, None]
            if not (np.isfinite(rest).all() and np.isfinite(j).all()):
                break
            size = np.sqrt((j * j).sum(0))
            scale = np.where(size > 0, size, 1.0)
            step = np.linalg.lstsq(j / scale, rest, rcond=1e-11)[0] / scale
            x = x.copy()
            x[open_] += step
            if np.all(np.abs(step) <= 1e-12 * np.abs(x[open_])):
                break
    return x


def _bars(
    curve: Curve, x: np.ndarray, fixed: Mapping[int, float], k: np.ndarray, allowed: np.ndarray
) -> dict[int, float]:
    """Return how far each open number may be off, if every τ(k) is within its error bar."""
    open_ = [i for i in range(len(x)) if i not in fixed]
    with np.errstate(all="ignore"):
        j = _slopes(curve, x, open_, k) / allowed[:, None]
    size = np.sqrt((j * j).sum(0))
    scale = np.where(size > 0, size, 1e-30)
    inverse = np.linalg.pinv(j / scale, rcond=1e-11)
    spread = np.abs(inverse).sum(1) / scale
    return {i: float(bar) for i, bar in zip(open_, spread, strict=True)}


def _constants(rates: np.ndarray, allowed: np.ndarray) -> Iterator[_Guess]:
    value = constant(rates, allowed)
    if value is not None:
        yield _Guess(
            "constant",
            lambda k, x: np.full(len(k), x[0]),
            (value,),
            lambda init_value: f"{init_value!r}",
            ("init_value",),
        )


def _call(name: str, numbers: str, warmup: int) -> str:
    tail = f", warmup_steps={warmup}" if warmup else ""
    return f"lo.schedules.{name}({numbers}{tail})"


def _climb(k: np.ndarray, rest: np.ndarray, warmup: int, peak: float) -> np.ndarray:
    return np.where(k < warmup, peak * k / max(warmup, 1), rest)


def _warmups(rates: np.ndarray, allowed: np.ndarray) -> list[int]:
    """Return the lengths that a climb from 0 may have, 0 first."""
    if not abs(rates[0]) <= allowed[0] or len(rates) < 3 or rates[1] <= 0:
        return [0]
    k = np.arange(len(rates))
    line = rates[1] * k
    slack = allowed + k * allowed[1]
    off = np.flatnonzero(np.abs(rates - line) > slack)
    last = (off[0] if len(off) else len(rates)) - 1
    return sorted({w for w in (last - 1, last, last + 1) if w >= 1})


def _climbs(rates: np.ndarray, allowed: np.ndarray) -> Iterator[_Guess]:
    for w in _warmups(rates, allowed):
        if 0 < w < len(rates) - 1:
            yield _Guess(
                "constant after a warm-up",
                lambda k, x, w=w: _climb(k, np.full(len(k), x[0]), w, x[0]),
                (float(rates[w]),),
                lambda init_value, w=w: _call("constant", f"{init_value!r}", w),
                ("init_value",),
                {"warmup_steps": w},
            )


def _decays(rates: np.ndarray, allowed: np.ndarray) -> Iterator[_Guess]:
    for w in _warmups(rates, allowed):
        if w >= len(rates) - 1:
            continue
        peak = float(rates[w])
        yield from _horizons(rates, w, peak)
        yield from _exponentials(rates, w, peak)
        yield from _inverse_times(rates, w, peak)


def _part(k: np.ndarray, w: int, total: int) -> np.ndarray:
    return np.clip((total - k) / (total - w), 0, 1)


_FALLS: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
    "linear": lambda left: left,
    "cosine": lambda left: np.sin(np.pi / 2 * left) ** 2,
}


def _horizons(rates: np.ndarray, w: int, peak: float) -> Iterator[_Guess]:
    """Return decays that end at a step: that of the record, or one after it with end value 0."""
    last = len(rates) - 1
    for name, fall in _FALLS.items():
        totals = set(range(w + 2, 3 * last + 20))
        far = _far_end(name, rates, w, last)
        for total in sorted(totals):
            yield _horizon(name, fall, w, total, peak, end=float(rates[-1]))
        for total in far - totals | far:
            yield _horizon(name, fall, w, total, peak, end=None)


def _far_end(name: str, rates: np.ndarray, w: int, last: int) -> set[int]:
    ratio = float(rates[last] / rates[w]) if rates[w] else 1.0
    if not 0 < ratio < 1:
        return set()
    if name == "linear":
        total = w + (last - w) / (1 - ratio)
    else:
        total = w + (last - w) * np.pi / 2 / np.arcsin(np.sqrt(1 - ratio))
    return {round(total) + i for i in range(-2, 3) if total < 1e7} - {w, w + 1}


def _horizon(
    name: str, fall: Callable, w: int, total: int, peak: float, end: float | None
) -> _Guess:
    def curve(k: np.ndarray, x: np.ndarray) -> np.ndarray:
        final = x[1] if len(x) > 1 else 0.0
        rest = final + (x[0] - final) * fall(_part(k, w, total))
        return _climb(k, rest, w, x[0])

    def write(init_value: float, end_value: float = 0.0) -> str:
        tail = f", end_value={end_value!r}" if end_value else ""
        return _call(name, f"{init_value!r}, {total}{tail}", w)

    whole = {"total_steps": total} | ({"warmup_steps": w} if w else {})
    labels = ("init_value",) if end is None else ("init_value", "end_value")
    start = (peak,) if end is None else (peak, end)
    return _Guess(name, curve, start, write, labels, whole)


def _exponentials(rates: np.ndarray, w: int, peak: float) -> Iterator[_Guess]:
    ratios = rates[w + 1 :] / np.where(rates[w:-1] != 0, rates[w:-1], 1)
    ratio = float(np.median(ratios))
    if not ratio > 0:
        return
    for steps in (1, 10, 100, 1000, 10_000):
        yield _Guess(
            "exponential",
            lambda k, x, steps=steps: _climb(
                k, x[0] * np.abs(x[1]) ** (np.maximum(k - w, 0) / steps), w, x[0]
            ),
            (peak, ratio**steps),
            lambda init_value, decay_rate, steps=steps: _call(
                "exponential",
                f"{init_value!r}, {decay_rate!r}"
                + (f", transition_steps={steps}" if steps > 1 else ""),
                w,
            ),
            ("init_value", "decay_rate"),
            {"transition_steps": steps} if steps > 1 else {},
        )


def _inverse_times(rates: np.ndarray, w: int, peak: float) -> Iterator[_Guess]:
    last = len(rates) - 1
    if not 0 < rates[last] < rates[w]:
        return
    for power in (1.0, 0.5):
        rate = float(((rates[w] / rates[last]) ** (1 / power) - 1) / (last - w))
        yield _Guess(
            "inverse time" if power == 1 else "inverse square root",
            lambda k, x, power=power: _climb(
                k, x[0] / np.maximum(1 + x[1] * np.maximum(k - w, 0), 1e-9) ** power, w, x[0]
            ),
            (peak, rate),
            lambda init_value, decay_rate, power=power: _call(
                "inverse_time",
                f"{init_value!r}, {decay_rate!r}" + (f", power={power}" if power != 1 else ""),
                w,
            ),
            ("init_value", "decay_rate"),
        )


def _steps(rates: np.ndarray, allowed: np.ndarray) -> Iterator[_Guess]:
    """Return a piecewise constant rate, where some piece has two steps or more."""
    apart = np.abs(np.diff(rates)) > allowed[1:] + allowed[:-1]
    edges = [int(k) + 1 for k in np.flatnonzero(apart)]
    if not edges or len(edges) > len(rates) // 3:
        return
    ratio = float((rates[-1] / rates[0]) ** (1 / len(edges))) if rates[0] * rates[-1] > 0 else 0.5

    def reached(k: np.ndarray) -> np.ndarray:
        return (k[:, None] >= np.array(edges)).sum(1)

    even = all(e == edges[0] * (i + 1) for i, e in enumerate(edges)) and len(edges) > 1
    at: Any = edges[0] if even else edges
    yield _Guess(
        "step",
        lambda k, x: x[0] * np.abs(x[1]) ** reached(k),
        (float(rates[0]), ratio),
        lambda init_value, factor: f"lo.schedules.step({init_value!r}, {at}, factor={factor!r})",
        ("init_value", "factor"),
        {f"boundaries[{i}]": e for i, e in enumerate(edges)},
    )


_FAMILIES = (_constants, _climbs, _steps, _decays)
