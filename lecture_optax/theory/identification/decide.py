"""The digits of a fitted method, and the test that it made every recorded number."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from .decimals import shortest, shortest_decay
from .fit import Fit, deviations, fit
from .rates import Shape, shape_of
from .stream import Stream
from .structure import DECAYS, Structure

DEFAULT_EPS = {"rmsprop": 1e-8, "adagrad": 1e-7}
UNDECIDED = 0.05
"""A number is decided if the error bar of its logarithm (of 1 - β) is below this."""


@dataclass(frozen=True)
class Method:
    """A structure with the digits that the stream supports.

    - `shape`: the schedule, or None where τ(k) follows none that is known.
    - `intervals`: the numbers that the stream does not decide, with their ranges.
    - `worst`: the largest deviation over all entries, in allowed rounding errors.
    """

    structure: Structure
    scalars: Mapping[str, float]
    rates: np.ndarray
    shape: Shape | None
    intervals: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    worst: float = np.inf

    @property
    def fits(self) -> bool:
        return bool(self.worst <= 1)

    @property
    def ascends(self) -> bool:
        return bool(self.rates.max() <= 0)

    @property
    def vague(self) -> tuple[str, ...]:
        """The numbers, other than ε, of which not even the size is known."""
        return tuple(name for name, ends in self.intervals.items() if _is_wide(name, *ends))


def _is_wide(name: str, low: float, high: float) -> bool:
    if name in DECAYS:
        low, high = 1 - high, 1 - low
    return name not in ("eps", "end_value") and not high < 2 * low


def settle(found: Fit, sample: Stream, whole: Stream) -> Method:
    """Return a fitted method with rounded numbers, tested on all entries."""
    intervals: dict[str, tuple[float, float]] = {}
    fixed: dict[str, float] = {}
    if "eps" in found.scalars:
        without = _refit(found, sample, {"eps": 0.0})
        if without.fits and _worst(without, whole) <= 1:
            bound = _largest_eps(without, whole)
            intervals["eps"] = (0.0, bound)
            usual = DEFAULT_EPS.get(found.structure.name, 1e-8)
            fixed["eps"] = usual if usual <= bound / 4 else 0.0
            found = _refit(found, sample, fixed)
    while len(fixed) < len(found.scalars):
        name = min(found.error_bars, key=lambda name: found.error_bars[name])
        bar = found.error_bars[name] + _rounding(name, found, sample.eps)
        value, found = _round(found, name, bar, fixed, sample)
        if bar > UNDECIDED:
            intervals[name] = _interval(name, value, bar)
        fixed[name] = value
    structure = found.structure
    if _clip_is_a_scale(structure, fixed, whole):
        intervals["clip"] = (0.0, float(_norms(whole).min()))
    if structure.magnitude == "sum" and structure.eps == "inside":
        structure, fixed = replace(structure, initial=True), _split(fixed)
    sign = -1.0 if found.rates.max() <= 0 else 1.0
    if found.free:
        found = fit(found.structure, whole, free=True, fixed=found.scalars)
    shape = _shape(sign * found.rates, found.rate_error, sample.eps)
    rates = found.rates if shape is None else sign * shape.values
    if shape is not None:
        intervals |= shape.intervals
    method = Method(structure, fixed, rates, shape, intervals)
    # a schedule in float32 is off by its largest rate's rounding: `shape_of` has tested that
    tested = replace(method, rates=found.rates) if found.free else method
    return replace(method, worst=worst_of(tested, whole))


def _clip_is_a_scale(s: Structure, scalars: Mapping[str, float], stream: Stream) -> bool:
    """Return whether a clip binds in every step, before a D that divides its bound out again."""
    invariant = s.magnitude is not None and s.decay != "coupled" and not s.initial
    return (
        s.clip in ("global", "torch")
        and invariant
        and scalars["clip"] < float(_norms(stream).min())
    )


def _norms(stream: Stream) -> np.ndarray:
    return np.sqrt((stream.g**2).sum(1))


def _shape(rates: np.ndarray, error: np.ndarray, eps: float) -> Shape | None:
    """Return the schedule through τ(k); many libraries compute it in float32 for any dtype."""
    single = float(np.finfo(np.float32).eps)
    return shape_of(rates, error, eps) or (shape_of(rates, error, single) if eps < single else None)


def _split(scalars: Mapping[str, float]) -> dict[str, float]:
    """Return c(0) and ε of AdaGrad, of which only the sum acts: 0.1000001 is 0.1 and 1e-7."""
    total = scalars["eps"]
    leading = float(f"{total:.0e}")
    rest = float(f"{total - leading:.6g}")
    if 0 < rest < 1e-3 * leading:
        return {**scalars, "initial": leading, "eps": rest}
    initial, eps = (total, 0.0) if total > 1e-5 else (0.0, total)
    return {**scalars, "initial": initial, "eps": eps}


def worst_of(method: Method, stream: Stream) -> float:
    return _largest(deviations(method.structure, method.scalars, method.rates, stream))


def _worst(found: Fit, stream: Stream) -> float:
    return _largest(deviations(found.structure, found.scalars, found.rates, stream))


def _largest(far: np.ndarray) -> float:
    return float(np.max(np.where(np.isfinite(far), far, np.inf), initial=0.0))


def _refit(found: Fit, sample: Stream, fixed: Mapping[str, float]) -> Fit:
    return fit(found.structure, sample, free=found.free, fixed=fixed, starts=[found.scalars])


def _round(
    found: Fit, name: str, bar: float, fixed: Mapping[str, float], sample: Stream
) -> tuple[float, Fit]:
    """Return a number with the fewest digits that the stream allows, and the fit with it.

    Roundings that are common to a step bend the numbers by more than their error bars, so wider
    intervals come first. In these a short number must fit as well as the exact one.
    """
    exact = found.scalars[name]
    for width in (300.0, 30.0, 5.0, 1.0, 0.1, 0.01):
        value = _shortest(name, exact, bar * width)
        again = _refit(found, sample, {**fixed, name: value})
        as_good = width <= 1 or again.worst <= max(1.2 * found.worst + 0.01, 0.3)
        if again.fits and as_good:
            return value, again
    return exact, _refit(found, sample, {**fixed, name: exact})


def _rounding(name: str, found: Fit, eps: float) -> float:
    """Return the error that a number has from its own dtype, in its coordinate."""
    value = found.scalars[name]
    if name == "weight_decay" and found.structure.decay == "decoupled":
        shrink = float(np.abs(found.rates).max()) * value  # torch multiplies by 1 - τ λ
        return eps / shrink if shrink > 0 else 1.0
    return eps * value / (1 - value) if name in DECAYS and value < 1 else eps


def _interval(name: str, value: float, bar: float) -> tuple[float, float]:
    bar = min(bar, 50.0)
    if name in DECAYS:
        rest = 1 - value
        return max(1 - rest * math.exp(bar), 0.0), 1 - rest * math.exp(-bar)
    if name == "dampening":
        return value - bar, value + bar
    return value * math.exp(-bar), value * math.exp(bar)


def _shortest(name: str, value: float, bar: float) -> float:
    low, high = _interval(name, value, min(bar, 1.0))
    if name in DECAYS:
        return shortest_decay(1 - high, 1 - low)
    return shortest(float(low), float(high))


def _largest_eps(without: Fit, stream: Stream) -> float:
    """Return the largest ε that the stream allows."""
    sizes = np.abs(stream.g[stream.g != 0])
    low, high = -700.0, float(np.log(np.max(sizes, initial=1e-300))) + 5
    for _ in range(30):
        middle = (low + high) / 2
        scalars: Any = {**without.scalars, "eps": float(np.exp(middle))}
        far = deviations(without.structure, scalars, without.rates, stream)
        low, high = (middle, high) if _largest(far) <= 1 else (low, middle)
    return float(np.exp(low))
