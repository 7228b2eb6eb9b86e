"""The methods θ(k+1) = θ(k) - τ(k) (D v + λ θ): parts, updates for τ = 1, and a table."""

import functools
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .stream import Stream

_TORCH_PRODUCT = 2.0**-26
"""torch keeps NAdam's product of momenta in float32, for parameters of any dtype."""
DECAYS = ("b1", "b2", "momentum")


@dataclass(frozen=True)
class Structure:
    """The parts of a method.

    - `velocity`: "gradient", "trace", "nesterov", "dampened", "average", "corrected", "nadam",
      "nadam_torch" or "nadam_keras".
    - `magnitude`: None, "square", "sum", "largest" or "variance"; `correction`: of its start.
    - `maximum`: None, "after" or "before" the correction.
    - `eps`: None, "outside", "inside", "hat" (outside, before the correction), "hat_inside", or
      "average" (inside the average).
    - `decay`: None, "coupled" (added to the gradient), "decoupled" (times τ).
    - `momentum`: after D: None, "trace" or "nesterov"; with `rate_inside` τ is in that velocity.
    - `initial`: whether c(0) is another number than 0.
    - `clip`: None, "value", "global", "torch" (global, with 1e-6 added to the norm), "leaf", "rms".
    """

    name: str
    velocity: str = "gradient"
    magnitude: str | None = None
    correction: bool = False
    maximum: str | None = None
    eps: str | None = None
    decay: str | None = None
    momentum: str | None = None
    rate_inside: bool = False
    initial: bool = False
    clip: str | None = None

    @property
    def scalars(self) -> tuple[str, ...]:
        """The names of the numbers of this method, without τ."""
        parts = {
            "clip": self.clip is not None,
            "b1": self.velocity in ("average", "corrected", "nadam", "nadam_torch", "nadam_keras"),
            "b2": self.magnitude in ("square", "largest", "variance"),
            "momentum": self.velocity in ("trace", "nesterov", "dampened")
            or self.momentum is not None,
            "dampening": self.velocity == "dampened",
            "initial": self.initial,
            "eps": self.eps is not None,
            "weight_decay": self.decay is not None,
        }
        return tuple(name for name, used in parts.items() if used)

    @property
    def parts(self) -> int:
        """The number of parts, by which the simplest of several methods is chosen."""
        fields = (self.magnitude, self.maximum, self.decay, self.momentum, self.clip)
        odd = self.velocity not in ("gradient", "trace", "corrected") or self.eps in (
            "hat",
            "hat_inside",
            "average",
        )
        return len(self.scalars) + sum(x is not None for x in fields) + odd + self.rate_inside


def unit_update(
    structure: Structure, scalars: Mapping[str, float], stream: Stream
) -> tuple[np.ndarray, np.ndarray]:
    """Return the direction r of Δ = -τ r, and the size of the numbers that it is a sum of."""
    s = structure
    g, g_size = _gradient(s, scalars, stream)
    v, v_size = _velocity(s, scalars, g, g_size, stream.eps)
    if s.magnitude is not None:
        d, d_error = _diagonal(s, scalars, g)
        v, v_size = v * d, v_size * d * d_error
    if s.momentum is not None and not s.rate_inside:
        mu = scalars["momentum"]
        v, v_size = momentum(s.momentum, mu, v), momentum(s.momentum, mu, v_size)
    if s.decay == "decoupled":
        weight = scalars["weight_decay"]
        v, v_size = v + weight * stream.parameters, v_size + abs(weight) * np.abs(stream.parameters)
    return v, v_size


def _gradient(s: Structure, scalars: Mapping[str, float], stream: Stream) -> Any:
    g = stream.g
    if s.clip == "value":
        g = np.clip(g, -scalars["clip"], scalars["clip"])
    elif s.clip is not None:
        size = clipped_size(s.clip, stream)
        g = g * np.minimum(1.0, scalars["clip"] / np.where(size > 0, size, np.inf))
    if s.decay == "coupled":
        weight = scalars["weight_decay"]
        return g + weight * stream.parameters, np.abs(g) + abs(weight) * np.abs(stream.parameters)
    return g, np.abs(g)


def clipped_size(clip: str, stream: Stream) -> np.ndarray:
    """Return what a clip compares with its threshold."""
    return {
        "value": np.abs(stream.g),
        "global": stream.global_norm,
        "torch": stream.global_norm + 1e-6,
        "leaf": stream.leaf_norm,
        "rms": stream.leaf_rms,
    }[clip]


def powers(decay: float, steps: int) -> np.ndarray:
    """Return the lower triangle of decay^(k - j)."""
    k = np.arange(steps)
    apart = k[:, None] - k
    return np.where(apart >= 0, float(decay) ** np.maximum(apart, 0), 0.0)


def one_minus_power(decay: float, k: np.ndarray) -> np.ndarray:
    """Return 1 - decay^k without cancellation."""
    return np.ones(len(k)) if decay <= 0 else -np.expm1(k * np.log(decay))


def momentum(kind: str, mu: float, x: np.ndarray) -> np.ndarray:
    """Return the heavy ball's or Nesterov's velocity of x."""
    v = powers(mu, len(x)) @ x
    return x + mu * v if kind == "nesterov" else v


def _velocity(
    s: Structure, scalars: Mapping[str, float], g: np.ndarray, size: np.ndarray, eps: float
) -> Any:
    if s.velocity == "gradient":
        return g, size
    weights = velocity_weights(s.velocity, scalars, len(g))
    size = np.abs(weights) @ size * _spread(scalars.get("b1", 0.0), len(g))
    return weights @ g, size * (1 + _TORCH_PRODUCT / eps if s.velocity == "nadam_torch" else 1)


def velocity_weights(kind: str, scalars: Mapping[str, float], steps: int) -> np.ndarray:
    """Return the matrix h(k, j) of v(k) = sum over j of h(k, j) g(j)."""
    k = np.arange(1, steps + 1)
    unit = np.eye(steps)
    if kind in ("trace", "nesterov"):
        return momentum(kind, scalars["momentum"], unit)
    if kind == "dampened":
        weights = (1 - scalars["dampening"]) * powers(scalars["momentum"], steps)
        weights[:, 0] = powers(scalars["momentum"], steps)[:, 0]
        return weights
    b1 = scalars["b1"]
    average = (1 - b1) * powers(b1, steps)
    if kind == "average":
        return average
    if kind == "corrected":
        return average / one_minus_power(b1, k)[:, None]
    if kind == "nadam":
        ahead = b1 / one_minus_power(b1, k + 1)[:, None] * average
        return ahead + (1 - b1) / one_minus_power(b1, k)[:, None] * unit
    momentum_decay = {"nadam_torch": 0.004, "nadam_keras": 1.0}[kind]
    mu = b1 * (1 - 0.5 * 0.96 ** (np.arange(1, steps + 2) * momentum_decay))
    product = np.cumprod(mu)
    newest = (1 - mu[:-1]) / (1 - product[:-1])
    return (mu[1:] / (1 - product[1:]))[:, None] * average + newest[:, None] * unit


def _diagonal(s: Structure, scalars: Mapping[str, float], g: np.ndarray) -> Any:
    """Return D, and the factor by which its rounding error exceeds that of one operation."""
    b2, eps, initial = scalars.get("b2", 0.0), scalars.get("eps", 0.0), scalars.get("initial", 0.0)
    steps = len(g)
    k = np.arange(1, steps + 1)
    w = one_minus_power(b2, k)[:, None] if b2 else np.ones((steps, 1))
    error = _spread(b2, steps)
    if s.magnitude == "largest":
        c = _largest(np.abs(g) + (eps if s.eps == "inside" else 0.0), b2)
        return _inverse(c + (eps if s.eps == "outside" else 0.0)), error
    if s.magnitude == "sum":
        c = initial + np.cumsum(g * g, 0)
    else:
        c = (1 - b2) * (powers(b2, steps) @ (g * g)) + b2 ** k[:, None] * initial
    if s.magnitude == "variance":
        x = _variance(g, b2, s.correction, initial)
        error = error + np.minimum(np.abs(c) / np.where(x > 0, x, np.inf), 1e6)
        c = x
    if s.maximum == "before":
        c = np.maximum.accumulate(c, 0)
    corrected = c / w if s.correction and s.magnitude != "variance" else c
    if s.maximum == "after":
        corrected = np.maximum.accumulate(corrected, 0)
    if s.eps == "inside":
        return _inverse(np.sqrt(corrected + eps)), error
    if s.eps == "hat_inside":
        return _inverse(np.sqrt(corrected + eps / w)), error
    if s.eps == "average":
        return _inverse(np.sqrt(corrected + eps * w)), error
    outside = {None: 0.0, "outside": eps, "hat": eps / np.sqrt(w)}[s.eps]
    return _inverse(np.sqrt(corrected) + outside), error


def _spread(decay: float, steps: int) -> np.ndarray:
    """Return how much a rounding of decay, and of 1 - decay^k, may add to that of an operation.

    Optax computes both in the dtype of the gradients.
    """
    k = np.arange(1, steps + 1)
    memory = np.minimum(k, 1 / (1 - min(decay, 1 - 1e-9)))
    return (1 + 0.05 * memory + 0.1 / one_minus_power(decay, k))[:, None]


def _largest(sizes: np.ndarray, decay: float) -> np.ndarray:
    result = np.empty_like(sizes)
    c = np.zeros(sizes.shape[1])
    for k, size in enumerate(sizes):
        result[k] = c = np.maximum(decay * c, size)
    return result


def _variance(g: np.ndarray, decay: float, correction: bool, initial: float) -> np.ndarray:
    """Return the average of g² minus the square of the average of g, without cancellation."""
    steps = len(g)
    w = one_minus_power(decay, np.arange(steps + 1)) if correction else np.ones(steps + 1)
    m, x, result = np.zeros(g.shape[1]), np.full(g.shape[1], initial), np.empty_like(g)
    for k in range(steps):
        before = m / w[k] if w[k] else m
        x = decay * (x + (1 - decay) * (g[k] - before) ** 2 * (w[k] / w[k + 1]))
        m = decay * m + (1 - decay) * g[k]
        result[k] = x / w[k + 1]
    return result


def _inverse(x: np.ndarray) -> np.ndarray:
    return np.where(x > 0, 1 / np.where(x > 0, x, 1.0), 0.0)


@functools.cache
def candidates(decay: str | None = None, clip: str | None = None) -> tuple[Structure, ...]:
    """Return all methods with one kind of weight decay and one of clipping, the simplest first."""
    every = [*_descents(), *_adams(), *_root_means(), *_sums(), *_adamaxes()]
    if clip is not None:
        every = [s for s in every if is_common(s)]
    every = [replace(s, decay=decay, clip=clip) for s in every]
    if decay == "decoupled":  # without a D and a velocity the two decays are one
        every = [s for s in every if s.magnitude or s.velocity != "gradient" or s.momentum]
    return tuple(sorted(every, key=lambda s: s.parts))


def is_common(s: Structure) -> bool:
    """Return whether a library has the method by a name of its own."""
    keras = s.name == "adam" and s.eps == "hat"
    usual = s.eps in (None, "outside") or s.name in ("rmsprop", "adagrad") or keras
    odd = s.rate_inside or s.magnitude == "variance" or s.velocity in ("dampened", "nadam_keras")
    adam = s.name in ("adam", "amsgrad", "nadam")
    uncorrected = s.velocity == "average" or (adam and not s.correction)
    return usual and not (odd or uncorrected or (s.name == "rmsprop" and (s.momentum or s.initial)))


def _descents() -> Iterator[Structure]:
    for velocity in ("gradient", "trace", "nesterov", "dampened", "corrected"):
        yield Structure("sgd", velocity)
    for kind in ("trace", "nesterov"):
        yield Structure("sgd", momentum=kind, rate_inside=True)


def _adams() -> Iterator[Structure]:
    for velocity, correction in (("corrected", True), ("average", False)):
        for eps in ("outside", "inside"):
            yield Structure("adam", velocity, "square", correction, None, eps)
            yield Structure("amsgrad", velocity, "square", correction, "after", eps)
    for eps in ("hat", "hat_inside"):
        yield Structure("adam", "corrected", "square", True, None, eps)
        yield Structure("amsgrad", "corrected", "square", True, "before", eps)
    for eps in ("outside", "inside"):
        yield Structure("amsgrad", "corrected", "square", True, "before", eps)
        yield Structure("adam", "corrected", "square", False, None, eps)
        yield Structure("adam", "average", "square", True, None, eps)
        for velocity in ("nadam", "nadam_torch", "nadam_keras"):
            yield Structure("nadam", velocity, "square", True, None, eps)
    yield Structure("nadam", "nadam_keras", "square", True, None, "hat")
    yield Structure("adam", "average", "square", False, None, "average")


def _root_means() -> Iterator[Structure]:
    plain = ((None, False),)
    momenta = (("trace", True), ("trace", False), ("nesterov", True), ("nesterov", False))
    for magnitude, eps in itertools.product(("square", "variance"), ("inside", "outside")):
        one = Structure("rmsprop", "gradient", magnitude, eps=eps)
        for momentum, inside in (*plain, *momenta):
            yield replace(one, momentum=momentum, rate_inside=inside)
        for momentum, inside in (*plain, *momenta[:2]):
            yield replace(one, correction=True, momentum=momentum, rate_inside=inside)
            if magnitude == "square":
                yield replace(one, initial=True, momentum=momentum, rate_inside=inside)


def _sums() -> Iterator[Structure]:
    for eps, initial in itertools.product(("inside", "outside"), (False, True)):
        if (eps, initial) != ("inside", True):
            yield Structure("adagrad", "gradient", "sum", eps=eps, initial=initial)


def _adamaxes() -> Iterator[Structure]:
    for velocity, eps in itertools.product(("corrected", "average"), ("inside", "outside")):
        yield Structure("adamax", velocity, "largest", eps=eps)
