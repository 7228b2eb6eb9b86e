"""The order in which the methods of the table are tried on a stream."""

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from .decide import Method, settle
from .fit import deviations, fit, screen
from .stream import Stream
from .structure import Structure, candidates, is_common, unit_update

_SAMPLE = 48
"""Entries that the numbers are fitted to; all entries test them."""
_SCREEN = 12, 24
"""Entries and steps that decide which methods are worth a fit."""
_NEAR = 1e-3
"""The part of the sum of squares that a method worth a fit may leave open on these."""


_FAR = 30.0
"""The deviation on these, in allowed rounding errors, above which no more steps are tried."""

_FIRST = 8, 4
"""The steps from which a longest beginning is searched."""


class Group(NamedTuple):
    """Methods that are tried together: one kind of decay, one of clipping, τ constant or free."""

    decay: str | None
    clip: str | None
    free: bool


class Beginning(NamedTuple):
    """A method, the same on all steps of a stream, and the number of steps that it makes."""

    method: Method
    whole: Method
    steps: int


class Search:
    """A stream, and how far each structure is from it."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.sample = stream.take(informative(stream, _SAMPLE))
        entries, steps = _SCREEN
        self._small = self.sample.take(informative(self.sample, entries)).first(steps)
        self._open: dict[Structure, tuple[float, dict[str, float]]] = {}
        self._starts: dict[Structure, dict[str, float] | None] = {}
        self._linear = is_linear(self.sample)

    def groups(self) -> Iterator[Group]:
        """Return the groups in the order of what is supposed last: a decay, a schedule, a clip."""
        decays = (None,) if self.stream.p is None else (None, "decoupled", "coupled")
        clips = ("global", "torch", "value", "leaf", "rms")
        several = self.stream.g.shape[1] > 2
        for decay in decays:
            yield Group(decay, None, False)
            if several:
                yield Group(decay, None, True)
        for clip in clips:
            for decay in decays[:2]:
                yield Group(decay, clip, False)
        if several:
            for clip in clips[:3]:
                for decay in decays[:2]:
                    yield Group(decay, clip, True)

    def methods(self, group: Group) -> list[Method]:
        """Return the methods of a group that made the stream, the simplest first."""
        found: list[Method] = []
        if not self.sample.g.size:
            return found
        for structure in candidates(group.decay, group.clip):
            if structure.rate_inside and not group.free:
                continue
            scaled = group.clip in (None, "global", "torch")
            tested = self._linear is not None and (self._linear or scaled)
            if tested and self._linear == (structure.magnitude is not None):
                continue
            if found and _is_richer(structure, found[0]):
                continue
            method = self._method(structure, group.free)
            if method is not None and not self._is_limit(method):
                found = sorted([*found, method], key=_plainness)
        return found

    def _method(self, structure: Structure, free: bool) -> Method | None:
        start = self._start(structure)
        if start is None:
            return None
        one = fit(structure, self.sample, free=free, starts=[start])
        if not one.fits:
            return None
        method = settle(one, self.sample, self.stream)
        return method if method.fits and _is_sensible(method) else None

    def _is_limit(self, method: Method) -> bool:
        """Return whether D hardly acts: ε far above all gradients, or an average of no new ones."""
        s, scalars = method.structure, method.scalars
        if s.magnitude is None:
            return False
        largest = float(np.abs(self.stream.g).max())
        inside = s.eps in ("inside", "hat_inside", "average") and s.magnitude != "largest"
        bound = largest**2 if inside else largest
        return scalars.get("eps", 0.0) > 10 * bound or scalars.get("b2", 0.0) > 1 - 1e-7

    def _start(self, structure: Structure) -> dict[str, float] | None:
        """Return the numbers of a structure on a part, or None if it is far from that part."""
        if structure not in self._starts:
            near = structure.clip == "torch"  # to the global clip, for a screen
            open_, start = self._screened(replace(structure, clip="global") if near else structure)
            self._starts[structure] = None
            if open_ <= _NEAR:
                part = fit(structure, self._small, free=True, starts=[start])
                if part.worst <= _FAR:
                    self._starts[structure] = dict(part.scalars)
        return self._starts[structure]

    def _screened(self, structure: Structure) -> tuple[float, dict[str, float]]:
        if structure not in self._open:
            self._open[structure] = screen(structure, self._small)
        return self._open[structure]

    def plain(self, free: bool) -> list[Method]:
        """Return the methods of the first group without a clip that made the stream."""
        for group in self.groups():
            if group.clip is None and group.free == free and (found := self.methods(group)):
                return [method for method in found if not method.structure.rate_inside]
        return []

    def beginning(self) -> Beginning | None:
        """Return the method that makes the longest beginning of the stream.

        A method of the first few steps is continued to the first step that it does not make.
        """
        for steps in _FIRST:
            if steps >= self.stream.steps:
                continue
            for free in (False, True):
                if (found := self._longest(steps, free)) is not None:
                    return found
        return None

    def _longest(self, steps: int, free: bool) -> Beginning | None:
        """Return the longest beginning that starts with some steps."""
        best = None
        while steps <= self.stream.steps:
            methods = Search(self.stream.first(steps)).plain(free)
            found = [self._prolonged(m, steps, free) for m in methods if self._decided(m, free)]
            if not found:
                break
            best = max(found, key=lambda beginning: beginning.steps)  # of equals the simplest
            steps = best.steps + 1  # other methods may make this step too
        return best

    def _decided(self, method: Method, free: bool) -> bool:
        """Return whether a method has far fewer numbers than the steps that it makes."""
        steps = len(method.rates)
        numbers = len(method.structure.scalars) + (steps if free else 1)
        return steps * self.sample.g.shape[1] >= 3 * numbers

    def _prolonged(self, method: Method, steps: int, free: bool) -> Beginning:
        """Return a method with the longest beginning that it makes, its numbers fitted to that."""
        while True:
            whole = self._continued(method)
            far = deviations(whole.structure, whole.scalars, whole.rates, self.stream)
            off = np.flatnonzero(~(far <= 1).all(1))
            steps = max(steps, int(off[0]) if len(off) else self.stream.steps)
            longer = self._fitted(method, steps + 1, free)
            if longer is None:
                short = replace(method, rates=whole.rates[:steps])
                best = self._fitted(method, steps, free) or short
                return Beginning(best, self._continued(best), steps)
            method, steps = longer, steps + 1

    def _fitted(self, method: Method, steps: int, free: bool) -> Method | None:
        """Return a method with its numbers fitted to the first steps, if it makes them."""
        if steps > self.stream.steps:
            return None
        part, whole = self.sample.first(steps), self.stream.first(steps)
        one = fit(method.structure, part, free=free, starts=[method.scalars])
        settled = settle(one, part, whole) if one.fits else None
        return settled if settled is not None and settled.fits else None

    def _continued(self, method: Method) -> Method:
        """Return a method on all steps: its τ stays, or is the one of most entries."""
        rates = np.full(self.stream.steps, method.rates[-1])
        if method.shape is None or method.shape.name != "constant":
            r, _ = unit_update(method.structure, method.scalars, self.stream)
            ratio = np.where(r != 0, -self.stream.u / np.where(r != 0, r, 1), 0.0)
            rates = np.nan_to_num(np.median(ratio, 1))
        rates[: len(method.rates)] = method.rates
        return replace(method, rates=rates, shape=None)

    def nearest(self) -> Method | None:
        """Return the method that makes most of the stream.

        What deviates in one place must not bend the fit: half of the steps, and single leaves, are
        fitted as well.
        """
        order = sorted(self._open, key=lambda structure: self._open[structure][0])
        parts = [self.sample, self.sample.first(max(3, self.sample.steps // 2))]
        leaves = np.unique(self.sample.leaf)[:3] if len(self.stream.names) > 1 else []
        parts += [self.sample.take(np.flatnonzero(self.sample.leaf == leaf)) for leaf in leaves]
        every = [
            self._extended(structure, part)
            for structure in [s for s in order if not s.rate_inside][:3]
            for part in parts
        ]
        return min(every, key=self._distance) if every else None

    def _extended(self, structure: Structure, part: Stream) -> Method:
        """Return a method that is fitted to a part, with numbers of six digits."""
        one = fit(structure, part, free=False, starts=[self._open[structure][1]])
        scalars = {name: float(f"{value:.6g}") for name, value in one.scalars.items()}
        rates = np.full(self.stream.steps, one.rates[0])
        exact = Method(structure, one.scalars, rates, None)
        far = self._distance(exact)
        short = Method(structure, scalars, rates, None)
        return short if self._distance(short) <= far else exact

    def _distance(self, method: Method) -> float:
        far = deviations(method.structure, method.scalars, method.rates, self.stream)
        return float(np.mean(np.log1p(np.minimum(np.where(np.isnan(far), np.inf, far), 1e300))))


def is_linear(stream: Stream, step: int = 2) -> bool | None:
    """Return whether an update is a sum of the gradients and parameters so far; None if too few.

    The weights are those of all entries, as without a D.
    """
    if stream.steps <= step:
        return None
    parts = [stream.g[: step + 1]] + ([] if stream.p is None else [stream.p[: step + 1]])
    regressors = np.concatenate(parts).T
    if len(regressors) < 2 * regressors.shape[1] + 2 or not stream.u[step].any():
        return None
    error = stream.eps * np.abs(stream.u[step]) + stream.quantum[step]
    typical = np.sqrt((stream.u[: step + 1] ** 2).mean(0))
    weight = 1 / np.maximum(error + stream.eps * typical, 1e-300)
    weighted, target = regressors * weight[:, None], stream.u[step] * weight
    scale = np.maximum(np.sqrt((weighted**2).sum(0)), 1e-300)
    solved = np.linalg.lstsq(weighted / scale, target, rcond=None)[0]
    return bool(np.abs(target - weighted / scale @ solved).max() < 300)


def informative(stream: Stream, count: int) -> np.ndarray:
    """Return entries of all leaves, with gradients of all sizes."""
    size = np.sqrt((stream.g**2).mean(0))
    moved = np.flatnonzero((size > 0) & stream.u.any(0))
    if len(moved) <= count:
        return moved
    order = moved[np.argsort(size[moved], kind="stable")]
    some = count // 3
    spread = order[np.linspace(0, len(order) - 1, count - some).astype(int)]
    _, first = np.unique(stream.leaf[moved], return_index=True)
    return np.unique(np.concatenate([spread, moved[first[:some]]]))


def _is_richer(structure: Structure, than: Method) -> bool:
    """Return whether a structure would explain by more numbers what is explained already."""
    if than.shape is None or than.vague:
        return False
    known = than.structure
    return len(structure.scalars) > len(known.scalars) or structure.parts > known.parts + 2


def _is_sensible(method: Method) -> bool:
    """Return whether no simpler structure is meant, and τ(k) is not a clip in disguise."""
    velocity = [method.scalars.get(name, 1.0) for name in ("momentum", "b1")]
    s, free = method.structure, method.shape is None
    odd = s.name == "sgd" and (s.velocity in ("corrected", "dampened") or s.decay is not None)
    odd |= s.clip is not None
    # a bias correction acts as a schedule: with a free τ(k) only the usual ones have a name
    hidden = free and (odd or s.rate_inside or not is_common(s))
    return min(velocity) > 0 and not hidden and bool(np.any(method.rates != 0))


def _plainness(method: Method) -> tuple[bool, bool, int, int]:
    free = 0 if method.shape is None else method.shape.free
    numbers = free + len(method.structure.scalars)
    return bool(method.vague), method.shape is None, numbers, method.structure.parts
