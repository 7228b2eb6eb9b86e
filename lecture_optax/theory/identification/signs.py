"""Methods whose update is a sign times τ: signSGD, Signum and Lion."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from .decimals import shortest_decay
from .rates import Shape, shape_of
from .stream import Stream
from .structure import powers

_RESTS = np.unique(np.concatenate([np.geomspace(1e-3, 0.999, 150), np.arange(1, 100) / 100]))
"""Values of 1 - β that are tried: signs change at some of them, and say no more than that."""


@dataclass(frozen=True)
class Signs:
    """A sign method, with the decays that make all recorded signs, and their ranges."""

    name: str
    scalars: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]]
    rates: np.ndarray
    shape: Shape | None
    weight_decay: float | None

    @property
    def chain(self) -> str:
        """The Python that builds it."""
        if self.shape is not None:
            rate = self.shape.expression
        else:
            rate = f"lambda k: jnp.asarray({[float(f'{x:.9g}') for x in self.rates]})[k]"
        head = {
            "sign_sgd": [],
            "signum": [f"lo.first_moment({self.scalars.get('b1')!r})"],
        }.get(self.name)
        if head is None:
            direction = [f"optax.scale_by_lion({self.scalars['b1']!r}, {self.scalars['b2']!r})"]
        else:
            direction = [*head, "optax.scale_by_sign()"]
        if self.weight_decay:
            direction.append(f"optax.add_decayed_weights({self.weight_decay!r})")
        return f"lo.chain({', '.join([*direction, f'lo.scale_by_learning_rate({rate})'])})"


def sign_method(stream: Stream) -> Signs | None:
    """Return the sign method that made a stream, or None."""
    moved = stream.g.any(0)
    if moved.sum() < 2:
        return None
    part = stream.take(np.flatnonzero(moved))
    for params in [None] if part.p is None else [None, part.p]:
        found = _sizes(part, params)
        if found is None:
            continue
        rates, error, weight = found
        signs = np.sign(-part.u) if params is None else np.sign(-(part.u + weight * params))
        for name, scalars, intervals in _memories(part.g, signs):
            shape = shape_of(rates, error, part.eps)
            weight_decay = None if shape is None or params is None else weight / rates[0]
            decay = None if weight_decay is None else float(f"{weight_decay:.4g}")
            if params is not None and (decay is None or np.ptp(rates) > 4 * part.eps * rates[0]):
                return None
            return Signs(name, scalars, intervals, rates, shape, decay)
    return None


def _sizes(
    stream: Stream, params: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, float] | None:
    """Return τ(k), its error bar and τ λ, where all updates of a step have one size."""
    weight = 0.0
    u = stream.u
    if params is not None:
        sign = np.sign(u).ravel()
        basis = np.stack([sign, params.ravel()], 1)
        solved = np.linalg.lstsq(basis, u.ravel(), rcond=None)[0]
        weight = -float(solved[1])
        u = u + weight * params
    size = np.where(u != 0, np.abs(u), np.nan)
    if np.isnan(size).all(1).any():
        return None
    rates = np.nanmedian(size, 1)
    slack = 8 * stream.eps * (rates[:, None] + np.abs(u - stream.u)) + 2 * stream.quantum
    if np.nanmax(np.abs(size - rates[:, None]) / slack) > 1:
        return None
    own = np.nanmax(stream.quantum, 1) / rates + stream.eps
    return rates, own, weight


def _memories(g: np.ndarray, signs: np.ndarray) -> Iterator[tuple[str, dict, dict]]:
    """Return the velocities whose signs are all the recorded ones, the simplest first."""
    known = signs != 0
    if np.array_equal(np.sign(g)[known], signs[known]):
        yield "sign_sgd", {}, {}
    rests = [r for r in _RESTS if _agree(_average(g, 1 - r), signs)]
    if rests:
        yield "signum", *_ranges(b1=rests)
        return
    pairs = [
        (r1, r2)
        for r2 in _RESTS[::4]
        for r1, v in ((r1, _lion(g, 1 - r1, 1 - r2)) for r1 in _RESTS[::8])
        if _agree(v, signs)
    ]
    usual = [
        (r1, r2)
        for r1, r2 in ((0.1, 0.01), (0.05, 0.02))
        if _agree(_lion(g, 1 - r1, 1 - r2), signs)
    ]
    if pairs or usual:
        every = [*pairs, *usual]
        scalars, intervals = _ranges(b1=[r for r, _ in every], b2=[r for _, r in every])
        if usual:
            scalars = {"b1": 1 - usual[0][0], "b2": 1 - usual[0][1]}
        if _agree(_lion(g, scalars["b1"], scalars["b2"]), signs):
            yield "lion", scalars, intervals


def _ranges(**rests: list[float]) -> tuple[dict, dict]:
    """Return the shortest decays that agree, and the nearest below and above that do not."""
    intervals, scalars = {}, {}
    for name, agree in rests.items():
        below, above = _RESTS[min(agree) > _RESTS], _RESTS[max(agree) < _RESTS]
        low = 1 - float(above[0]) if len(above) else 0.0
        high = 1 - float(below[-1]) if len(below) else 1.0
        intervals[name] = (low, high)
        scalars[name] = float(shortest_decay(float(min(agree)), float(max(agree))))
    return scalars, intervals


def _average(g: np.ndarray, decay: float) -> np.ndarray:
    return (1 - decay) * powers(decay, len(g)) @ g


def _lion(g: np.ndarray, b1: float, b2: float) -> np.ndarray:
    m = _average(g, b2)
    before = np.concatenate([np.zeros((1, g.shape[1])), m[:-1]])
    return b1 * before + (1 - b1) * g


def _agree(v: np.ndarray, signs: np.ndarray) -> bool:
    """Return whether all signs agree, where the velocity is not 0 but for rounding."""
    clear = (np.abs(v) > 1e-5 * np.abs(v).max(0, initial=0.0)) & (signs != 0)
    return bool(np.all(np.sign(v)[clear] == signs[clear]))
