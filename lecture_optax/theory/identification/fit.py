"""The numbers of a structure by least squares, with τ(k) eliminated in closed form."""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from .stream import Stream
from .structure import DECAYS, Structure, clipped_size, momentum, unit_update

ALLOWED = 8.0
"""The largest residual of a structure that fits, in rounding errors of its number."""

_COORDINATES = {name: "decay" for name in DECAYS} | {"dampening": "plain"}


@dataclass(frozen=True)
class Fit:
    """A structure with its numbers.

    - `rates`: τ(k); `rate_error`: its error bar, relative; `free`: one τ for every step.
    - `error_bars`: of the coordinates: of log(1 - β) for a decay, of log x for the others.
    - `worst`: the largest residual, in allowed rounding errors: it fits up to 1.
    """

    structure: Structure
    scalars: Mapping[str, float]
    rates: np.ndarray
    rate_error: np.ndarray
    free: bool
    error_bars: Mapping[str, float]
    worst: float

    @property
    def fits(self) -> bool:
        return bool(self.worst <= 1)


def fit(
    structure: Structure,
    stream: Stream,
    *,
    free: bool,
    fixed: Mapping[str, float] | None = None,
    starts: Sequence[Mapping[str, float]] | None = None,
) -> Fit:
    """Return the best numbers of a structure on a stream of a few informative entries."""
    fixed = dict(fixed or {})
    names = tuple(name for name in structure.scalars if name not in fixed)
    problem = _Problem(structure, stream, names, fixed, free)
    if starts is None:
        best = _best_starts(problem, _grid(structure, names, stream), 3)
    else:
        best = [problem.encode(start) for start in starts]
    solved = [problem.solve(x, 12) for x in best]
    x, cost = min(solved, key=lambda pair: pair[1])
    if names and cost < 1e-3 * problem.start_cost:
        x, cost = problem.solve(x, 40)
    return problem.result(x)


def screen(structure: Structure, stream: Stream) -> tuple[float, dict[str, float]]:
    """Return the part of the stream that a structure leaves open with a free τ(k), and its numbers.

    The part is of the sum of squares; a stream of a few entries is enough.
    """
    problem = _Problem(structure, stream, structure.scalars, {}, True)
    count = 2 if structure.clip is None else 3
    x, cost = np.zeros(0), np.inf
    for start in _best_starts(problem, _grid(structure, structure.scalars, stream), count):
        x, cost = min((x, cost), problem.solve(start, 12, patient=False), key=lambda pair: pair[1])
        if cost < 1e-8 * problem.start_cost:
            break
    return cost / max(problem.start_cost, 1e-300), problem.decode(x)


def predict(
    structure: Structure, scalars: Mapping[str, float], rates: np.ndarray, stream: Stream
) -> tuple[np.ndarray, np.ndarray]:
    """Return the updates of a method, and the size of the numbers that they are sums of."""
    r, size = unit_update(without_decay(structure), scalars, stream)
    t = rates[:, None]
    u, size = -t * r, np.abs(t) * size
    if structure.rate_inside:
        mu, kind = scalars["momentum"], str(structure.momentum)
        u, size = momentum(kind, mu, u), momentum(kind, mu, size)
    if structure.decay == "decoupled":
        shrink = t * scalars["weight_decay"] * stream.parameters
        u, size = u - shrink, size + np.abs(shrink)
    return u, size


def deviations(
    structure: Structure, scalars: Mapping[str, float], rates: np.ndarray, stream: Stream
) -> np.ndarray:
    """Return |stream - method|, in allowed rounding errors, (step, entry)."""
    u, size = predict(structure, scalars, rates, stream)
    smallest = 1e-300 if stream.eps < 1e-10 else 1e-37
    allowed = ALLOWED * (stream.eps * np.maximum(size, np.abs(stream.u)) + smallest)
    return np.abs(stream.u - u) / (allowed + 2 * stream.quantum)


def without_decay(structure: Structure) -> Structure:
    return replace(structure, decay=None) if structure.decay == "decoupled" else structure


class _Problem:
    """Least squares in the coordinates of some numbers."""

    def __init__(
        self,
        structure: Structure,
        stream: Stream,
        names: tuple[str, ...],
        fixed: Mapping[str, float],
        free: bool,
    ) -> None:
        self.structure, self.stream, self.names = structure, stream, names
        self.fixed, self.free = fixed, free
        typical = np.sqrt((stream.u**2).mean(0, keepdims=True))
        sigma = stream.eps * (np.abs(stream.u) + 0.3 * typical) + 0.5 * stream.quantum
        self.weight = np.where(sigma > 0, 1 / np.where(sigma > 0, sigma, 1), 0.0)
        self.start_cost = float(((stream.u * self.weight) ** 2).sum())

    def encode(self, scalars: Mapping[str, float]) -> np.ndarray:
        return np.array([_encode(name, scalars[name]) for name in self.names])

    def decode(self, x: np.ndarray) -> dict[str, float]:
        found = {name: _decode(name, value) for name, value in zip(self.names, x, strict=True)}
        return {**self.fixed, **found}

    def explained(self, scalars: Mapping[str, float]) -> tuple[np.ndarray, np.ndarray]:
        """Return τ(k), the weighted regression of the updates on the direction, and its updates."""
        if self.structure.rate_inside:
            rates = self._sequential(scalars)
            return rates, predict(self.structure, scalars, rates, self.stream)[0]
        r, _ = unit_update(self.structure, scalars, self.stream)
        weighted = self.weight**2 * r
        above, below = (weighted * self.stream.u).sum(1), (weighted * r).sum(1)
        if not self.free:
            above, below = np.full(len(r), above.sum()), np.full(len(r), below.sum())
        rates = np.where(below > 0, -above / np.where(below > 0, below, 1), 0.0)
        return rates, -rates[:, None] * r

    def _sequential(self, scalars: Mapping[str, float]) -> np.ndarray:
        """Return τ(k), step by step, where it stands inside a velocity."""
        core = without_decay(self.structure)
        r, _ = unit_update(core, scalars, self.stream)
        mu = scalars["momentum"]
        own, past = (1 + mu, mu**2) if self.structure.momentum == "nesterov" else (1.0, mu)
        shrink = self._shrink(scalars)
        v, rates = np.zeros(r.shape[1]), np.zeros(len(r))
        for k, w in enumerate(self.weight**2):
            regressor = own * r[k] + shrink[k]
            below = (w * regressor**2).sum()
            rest = self.stream.u[k] - past * v
            rates[k] = -(w * rest * regressor).sum() / below if below > 0 else 0.0
            v = mu * v - rates[k] * r[k]
        return rates

    def _shrink(self, scalars: Mapping[str, float]) -> np.ndarray:
        """Return λ θ of a decoupled decay, and 0 without one."""
        if self.structure.decay != "decoupled":
            return np.zeros_like(self.stream.u)
        return scalars["weight_decay"] * self.stream.parameters

    def residual(self, x: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):
            _, u = self.explained(self.decode(x))
            result = ((self.stream.u - u) * self.weight).ravel()
        return np.where(np.isfinite(result), result, 1e30)

    def cost(self, x: np.ndarray) -> float:
        return float((self.residual(x) ** 2).sum())

    def jacobian(self, x: np.ndarray, at: np.ndarray) -> np.ndarray:
        columns = []
        for i in range(len(x)):
            step = np.zeros(len(x))
            step[i] = 1e-5
            columns.append((self.residual(x + step) - self.residual(x - step)) / 2e-5)
        return np.stack(columns, 1) if columns else np.zeros((len(at), 0))

    def solve(
        self, x: np.ndarray, iterations: int, patient: bool = True
    ) -> tuple[np.ndarray, float]:
        """Return the numbers at the nearest minimum (Levenberg and Marquardt), and its cost."""
        r = self.residual(x)
        cost, damping = float(r @ r), 1e-2
        if not len(x):
            return x, cost
        for _ in range(iterations):
            j = self.jacobian(x, r)
            size = np.sqrt((j * j).sum(0))
            if not np.all(np.isfinite(size)) or not size.any():
                break
            scale = np.where(size > 0, size, 1.0)
            u, s, vt = np.linalg.svd(j / scale, full_matrices=False)
            before = cost
            for _ in range(6):
                step = vt.T @ (s / (s**2 + damping * max(s[0], 1e-300) ** 2) * (u.T @ -r)) / scale
                step = np.clip(step, -2.0, 2.0)
                trial = self.residual(x + step)
                if trial @ trial < cost:
                    x, r, cost = x + step, trial, float(trial @ trial)
                    damping *= 0.1
                    break
                damping *= 8
            enough = 1e-6 if patient else 0.03
            if cost > before * (1 - enough) or cost < 0.01 * len(r):
                break
        return x, cost

    def result(self, x: np.ndarray) -> Fit:
        scalars = self.decode(x)
        with np.errstate(all="ignore"):
            rates, _ = self.explained(scalars)
            far = deviations(self.structure, scalars, rates, self.stream)
            worst = float(np.max(np.where(np.isfinite(far), far, np.inf), initial=0.0))
            r = self.residual(x)
            noise = max(float(np.sqrt((r @ r) / max(len(r), 1))), 0.3)
            bars = _error_bars(self.jacobian(x, r), noise, self.stream)
            rate_error = self._rate_error(scalars, rates)
        named = dict(zip(self.names, bars, strict=True))
        return Fit(self.structure, scalars, rates, rate_error, self.free, named, worst)

    def _rate_error(self, scalars: Mapping[str, float], rates: np.ndarray) -> np.ndarray:
        """Return the error of each τ(k) if all roundings of its step add up, relative."""
        u, size = predict(self.structure, scalars, rates, self.stream)
        error = self.stream.eps * np.maximum(size, np.abs(u)) + 0.5 * self.stream.quantum
        own = np.abs(u)
        if self.structure.rate_inside:
            r, _ = unit_update(without_decay(self.structure), scalars, self.stream)
            own = np.abs(rates[:, None] * r)
            error = error + np.concatenate([np.zeros((1, r.shape[1])), error[:-1]])
        w = self.weight**2 * own
        below = (w * own).sum(1)
        return np.where(below > 0, (w * error).sum(1) / np.where(below > 0, below, 1), 1.0)


def _error_bars(jacobian: np.ndarray, noise: float, stream: Stream) -> np.ndarray:
    """Return three standard errors, as if all errors of one step were the same one."""
    if not jacobian.shape[1]:
        return np.zeros(0)
    entries = max(jacobian.shape[0] // stream.steps, 1)
    size = np.sqrt((jacobian**2).sum(0))
    scale = np.where(size > 0, size, 1e-30)
    _, s, vt = np.linalg.svd(jacobian / scale, full_matrices=False)
    inverse = np.where(s > 1e-9, 1 / np.where(s > 0, s, 1.0), 1e9)
    spread = np.sqrt(((vt.T * inverse) ** 2).sum(1)) / scale
    return 3 * noise * np.sqrt(entries) * spread


def _encode(name: str, value: float) -> float:
    kind = _COORDINATES.get(name, "log")
    if kind == "decay":
        return float(np.log1p(-min(value, 1 - 1e-12)))
    return float(np.log(max(value, 1e-300))) if kind == "log" else value


def _decode(name: str, x: float) -> float:
    kind = _COORDINATES.get(name, "log")
    if kind == "decay":
        return float(np.clip(-np.expm1(x), 0.0, 1 - 1e-12))
    return float(np.exp(np.clip(x, -650, 650))) if kind == "log" else float(x)


def _best_starts(
    problem: _Problem, grid: Iterator[Mapping[str, float]], count: int
) -> list[np.ndarray]:
    costs = [(problem.cost(x), i, x) for i, x in enumerate(map(problem.encode, grid))]
    return [x for _, _, x in sorted(costs, key=lambda item: item[:2])[:count]]


def _grid(structure: Structure, names: Sequence[str], stream: Stream) -> Iterator[dict[str, float]]:
    """Return the points from which the search starts."""
    sizes = np.abs(stream.g[stream.g != 0])
    low, middle = np.quantile(sizes, [0.05, 0.5]) if len(sizes) else (1e-8, 1.0)
    squared = structure.eps in ("inside", "hat_inside", "average")
    squared = squared and structure.magnitude != "largest"
    power = 2 if squared else 1
    values: dict[str, Callable[[], Sequence[float]]] = {
        "b1": lambda: (0.9, 0.5, 0.98),
        "b2": lambda: (0.999, 0.99, 0.9, 0.5),
        "momentum": lambda: (0.9, 0.5, 0.98),
        "dampening": lambda: (0.1, 0.5, 0.9),
        "initial": lambda: (0.1, middle**2),
        "eps": lambda: ((1e-2 * low) ** power, low**power, (3 * middle) ** power),
        "weight_decay": lambda: (1e-4, 1e-2, 1e-1),
        "clip": lambda: _thresholds(structure, stream),
    }
    if structure.clip is not None and structure.magnitude is not None:
        # the threshold decides which minimum is found; from one typical point D follows
        values |= {"b1": lambda: (0.9,), "b2": lambda: (0.99,), "eps": lambda: (0.1 * low,)}
    lists = [values[name]() for name in names]
    for point in itertools.product(*lists):
        yield dict(zip(names, map(float, point), strict=True))


def _thresholds(structure: Structure, stream: Stream) -> Sequence[float]:
    sizes = clipped_size(str(structure.clip), stream)
    return tuple(np.quantile(sizes, [0.05, 0.2, 0.4, 0.6, 0.8, 0.95]))
