"""The shape of a learning rate τ(k) that is known at some steps, with error bars."""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from .decimals import digits, shortest

Curve = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Shape:
    """A schedule: its name, the Python that builds it, its numbers and its values.

    `free` counts the numbers that are neither whole nor 0; `intervals` has what is not decided.
    """

    name: str
    expression: str
    values: np.ndarray
    numbers: Mapping[str, float] = field(default_factory=dict)
    free: int = 1
    intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict)


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
    rates = np.where(error < 0.5, rates, 0.0)
    largest = float(np.max(np.abs(rates[error < 0.5]), initial=0.0))
    if largest == 0:
        return None
    allowed = 3 * (error + eps) * np.abs(rates) + 8 * eps * largest
    known = error < 0.5
    allowed = np.where(known, allowed, np.inf)
    k = np.arange(len(rates))
    with np.errstate(all="ignore"):
        return _simplest(k, rates, allowed)


def _simplest(k: np.ndarray, rates: np.ndarray, allowed: np.ndarray) -> Shape | None:
    for family in _FAMILIES:
        found = [
            shape
            for guess in family(rates, allowed)
            if (shape := _snapped(guess, k, rates, allowed))
        ]
        if found:
            best = min(found, key=_length)
            return replace(best, intervals={**best.intervals, **_whole_intervals(best, found)})
    return None


def _whole_intervals(best: Shape, found: list[Shape]) -> dict[str, tuple[float, float]]:
    """Return the range of a horizon, where other horizons go through the rates too."""
    alike = [s for s in found if s.name == best.name and s.free == best.free]
    totals = [s.numbers["total_steps"] for s in alike if "total_steps" in s.numbers]
    several = len(set(totals)) > 1
    return {"total_steps": (float(min(totals)), float(max(totals)))} if several else {}


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
    intervals: dict[str, tuple[float, float]] = {}
    free = _least_squares(guess.curve, free, fixed, k, rates, allowed)
    if not _within(guess.curve(k, free), rates, allowed):
        return None
    while len(fixed) < len(free):
        bars = _bars(guess.curve, free, fixed, k, allowed)
        i = min(bars, key=lambda i: bars[i] / max(abs(free[i]), 1e-300))
        if abs(free[i]) > bars[i] > 0.3 * abs(free[i]):
            if guess.labels[i] != "end_value":
                return None  # this number is not decided
            intervals["end_value"] = (float(free[i] - bars[i]), float(free[i] + bars[i]))
        fixed[i] = _nearest(free[i], bars[i])
        free[i] = fixed[i]
        free = _least_squares(guess.curve, free, fixed, k, rates, allowed)
    values = guess.curve(k, free)
    if not _within(values, rates, allowed):
        return None
    numbers = dict(zip(guess.labels, map(float, free), strict=True))
    count = int(np.count_nonzero(free))
    whole = dict(guess.whole)
    return Shape(guess.name, guess.write(**numbers), values, whole | numbers, count, intervals)


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
    slack = allowed + np.maximum(k, 1) * allowed[1]
    off = np.flatnonzero(np.abs(rates - line) > slack)
    last = int(off[0] if len(off) else len(rates)) - 1
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
        yield from _horizons(rates, w, allowed)
        yield from _exponentials(rates, w, peak)
        yield from _inverse_times(rates, w, peak)


def _part(k: np.ndarray, w: int, total: int) -> np.ndarray:
    return np.clip((total - k) / (total - w), 0, 1)


_FALLS: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
    "linear": lambda left: left,
    "cosine": lambda left: np.sin(np.pi / 2 * left) ** 2,
}


def _horizons(rates: np.ndarray, w: int, allowed: np.ndarray) -> Iterator[_Guess]:
    """Return decays that end at a step: that of the record, or one after it with end value 0."""
    last = len(rates) - 1
    for name, fall in _FALLS.items():
        for total in sorted(_far_end(name, rates, w, allowed)):
            yield _horizon(name, fall, w, total, float(rates[w]), None)
        for total, (end, rise) in _ends(fall, rates, allowed, w, 3 * last + 20):
            yield _horizon(name, fall, w, total, end + rise, end)


def _ends(
    fall: Callable, rates: np.ndarray, allowed: np.ndarray, w: int, most: int
) -> Iterator[tuple[int, np.ndarray]]:
    """Return the horizons whose curve, with the best two ends, goes through the rates."""
    k = np.arange(w, len(rates))
    for total in range(w + 2, most):
        basis = np.stack([np.ones(len(k)), fall(_part(k, w, total))], 1) / allowed[w:, None]
        ends = np.linalg.lstsq(basis, rates[w:] / allowed[w:], rcond=None)[0]
        if np.all(np.abs(basis @ ends - rates[w:] / allowed[w:]) <= 2):
            yield total, ends


def _far_end(name: str, rates: np.ndarray, w: int, allowed: np.ndarray) -> set[int]:
    """Return horizons with end value 0, from the first and the last rate and their error bars."""
    last = len(rates) - 1
    if rates[w] <= 0:
        return set()
    apart = float((allowed[[w, last]] / np.maximum(np.abs(rates[[w, last]]), 1e-300)).sum())
    ratio = rates[last] / rates[w] * np.array([1 - apart, 1 + apart])
    if not (ratio[0] > 0 and ratio[1] < 1):
        return set()
    part = 1 - ratio if name == "linear" else 2 / np.pi * np.arcsin(np.sqrt(1 - ratio))
    low, high = np.sort(w + (last - w) / part)
    middle = round((low + high) / 2)
    near = {middle - 1, middle, middle + 1, math.ceil(low), math.floor(high)}
    return {total for total in near | {round(shortest(low, high))} if w + 1 < total < 1e7}


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
    ratio = np.median(ratios)  # of NumPy: its powers overflow to infinity
    if not ratio > 0:
        return
    for steps in (1, 10, 100, 1000, 10_000):
        yield _Guess(
            "exponential",
            lambda k, x, steps=steps: _climb(
                k, x[0] * np.abs(x[1]) ** (np.maximum(k - w, 0) / steps), w, x[0]
            ),
            (peak, float(ratio**steps)),
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


def _one_cycles(rates: np.ndarray, allowed: np.ndarray) -> Iterator[_Guess]:
    """Return half a cosine up and another down, where the peak is inside the record."""
    top, last = int(np.argmax(rates)), len(rates) - 1
    if not 1 < top < last - 1 or rates[0] > 0.9 * rates[top]:
        return
    k = np.arange(len(rates))

    def basis(w: int, total: int, k: np.ndarray) -> np.ndarray:
        up = np.sin(np.pi / 2 * np.clip(k / w, 0, 1)) ** 2
        down = np.sin(np.pi / 2 * _part(k, w, total)) ** 2
        climbs = k < w
        columns = [(1 - up) * climbs, np.where(climbs, up, down), np.where(climbs, 0, 1 - down)]
        return np.stack(columns, 1)

    for w in (top - 1, top, top + 1):
        for total in range(w + 2, 4 * last + 20):
            weighted = basis(w, total, k) / allowed[:, None]
            ends = np.linalg.lstsq(weighted, rates / allowed, rcond=None)[0]
            if np.all(np.abs(weighted @ ends - rates / allowed) <= 2):
                yield _Guess(
                    "one cycle",
                    lambda k, x, w=w, total=total: basis(w, total, k) @ x,
                    tuple(map(float, ends)),
                    lambda init_value, peak_value, end_value, w=w, total=total: (
                        f"lo.schedules.one_cycle({peak_value!r}, {total}, warmup_steps={w}, "
                        f"init_value={init_value!r}, end_value={end_value!r})"
                    ),
                    ("init_value", "peak_value", "end_value"),
                    {"warmup_steps": w, "total_steps": total},
                )


def _late_cosines(rates: np.ndarray, allowed: np.ndarray) -> Iterator[_Guess]:
    """Return a climb from another rate than 0, then a cosine."""
    last, fall = len(rates) - 1, _FALLS["cosine"]
    if last < 6 or not allowed[0] < rates[0] < rates[1]:
        return
    k = np.arange(len(rates))
    line = rates[0] + (rates[1] - rates[0]) * k
    slack = allowed + (k + 1) * (allowed[0] + allowed[1])
    end_of_climb = int(np.argmax(np.abs(rates - line) > slack)) - 1
    for w in (end_of_climb - 1, end_of_climb):
        if not 1 <= w <= last - 4:
            continue
        for total, (end, rise) in _ends(fall, rates, allowed, w, 20 * last):
            yield _Guess(
                "cosine",
                lambda k, x, w=w, total=total: np.where(
                    k < w,
                    x[0] + (x[1] - x[0]) * k / w,
                    x[2] + (x[1] - x[2]) * fall(_part(k, w, total)),
                ),
                (float(rates[0]), float(end + rise), float(end)),
                lambda init_value, peak_value, end_value, w=w, total=total: (
                    f"optax.warmup_cosine_decay_schedule({init_value!r}, {peak_value!r}, {w}, "
                    f"{total}, end_value={end_value!r})"
                ),
                ("init_value", "peak_value", "end_value"),
                {"total_steps": total, "warmup_steps": w},
            )


def _stays(rates: np.ndarray, allowed: np.ndarray) -> Iterator[_Guess]:
    """Return a peak that stays, then a decay (WSD)."""
    last = len(rates) - 1
    for w in _warmups(rates, allowed):
        if w > last - 4:
            continue
        apart = np.flatnonzero(np.abs(rates[w:] - rates[w]) > allowed[w:] + allowed[w])
        if not len(apart) or apart[0] < 3:
            continue
        for start in (w + int(apart[0]) - 1, w + int(apart[0]) - 2):
            for shape, fall in _FALLS.items():
                for total, (end, rise) in _ends(fall, rates, allowed, start, 3 * last + 20):
                    yield _stay(shape, fall, w, start, total, end + rise, end)


def _stay(
    shape: str, fall: Callable, w: int, start: int, total: int, peak: float, end: float
) -> _Guess:
    def write(peak_value: float, end_value: float) -> str:
        tail = f", end_value={end_value!r}" if end_value else ""
        tail += f", shape={shape!r}" if shape != "linear" else ""
        return _call("wsd", f"{peak_value!r}, {total}, decay_steps={total - start}{tail}", w)

    return _Guess(
        "warm-up, stay, decay",
        lambda k, x: _climb(k, x[1] + (x[0] - x[1]) * fall(_part(k, start, total)), w, x[0]),
        (float(peak), float(end)),
        write,
        ("peak_value", "end_value"),
        {"total_steps": total, "decay_steps": total - start, "warmup_steps": w},
    )


def _polynomials(rates: np.ndarray, allowed: np.ndarray) -> Iterator[_Guess]:
    last = len(rates) - 1
    for w in _warmups(rates, allowed):
        if w > last - 4 or not 0 < rates[last] < rates[w]:
            continue
        for total in range(last + 1, 5 * last + 20):
            power = float(np.log(rates[last] / rates[w]) / np.log((total - last) / (total - w)))
            yield _Guess(
                "polynomial",
                lambda k, x, w=w, total=total: _climb(
                    k, x[0] * np.maximum(_part(k, w, total), 1e-300) ** x[1], w, x[0]
                ),
                (float(rates[w]), power),
                lambda init_value, power, w=w, total=total: _call(
                    "polynomial", f"{init_value!r}, {total}, power={power!r}", w
                ),
                ("init_value", "power"),
                {"total_steps": total},
            )


_FAMILIES = (_constants, _climbs, _steps, _decays, _stays, _one_cycles, _polynomials, _late_cosines)
