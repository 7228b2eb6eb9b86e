"""How often is the symptom of a run on a quadratic right?

    python -m benchmarks.diagnosis.quadratics

Labels come from the exact recursion of the moments of θ.

    E(θ) = ½ Σ λ θ²,    g = λ θ + ξ,    Var ξ = ρ² λ,    z = (θ, v),    z' = M z + b ξ

    E[z' z'ᵀ] = M E[z zᵀ] Mᵀ + b bᵀ ρ² λ

A run records the loss of a minibatch, E(θ) + ξ·θ + ζ; the label comes from the mean of E alone.
"""

import itertools
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from lecture_optax.recipe import diagnose
from lecture_optax.training.curves.learning_curve import LearningCurve, learning_curve_of

from ..measured import Figures, show

PARTS_OF_EDGE = (1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.2, 0.4, 0.6, 0.8, 0.95, 1.02, 1.05, 1.1, 1.25, 1.5)
"""Learning rates, in units of the largest stable one."""

METHODS = {"gradient descent": (0.0, False), "heavy ball": (0.9, False), "Nesterov": (0.9, True)}

SLACK = 1.5
"""A label that depends on a threshold within this factor is a tie."""

DIVERGED = 1e30

Counts = dict[tuple[str | None, str], int]
"""Counts of pairs (label, symptom found)."""

Spectrum = np.ndarray

DEVELOPMENT = {
    "condition 10": np.geomspace(1, 10, 8),
    "condition 1000": np.geomspace(1e-2, 10, 16),
}
OTHERS = {
    "condition 1": np.ones(4),
    "condition 100": np.geomspace(0.1, 10, 10),
    "condition 1e5": np.geomspace(1e-5, 1, 20),
    "two scales": np.concatenate([np.linspace(0.05, 1, 18), [40.0, 60.0]]),
}


class Run(NamedTuple):
    """One run on a quadratic."""

    spectrum: np.ndarray
    method: str
    noise: float
    steps: int
    rate: float

    def at(self, ratio: float) -> "Run":
        return self._replace(rate=self.rate * ratio)


def edge(spectrum: np.ndarray, method: str) -> float:
    """Return the largest stable learning rate: 2(1 + μ)/λ, with Nesterov 2(1 + μ)/((1 + 2μ)λ)."""
    momentum, ahead = METHODS[method]
    return 2 * (1 + momentum) / ((1 + 2 * momentum if ahead else 1) * spectrum.max())


def recursion(run: Run) -> tuple[np.ndarray, np.ndarray]:
    """Return M and b of every eigenvalue.

    v' = μ v + g; θ' = θ - τ v', with Nesterov θ - τ (g + μ v').
    """
    momentum, ahead = METHODS[run.method]
    one, λ = np.ones_like(run.spectrum), run.spectrum
    past, now = (momentum**2, 1 + momentum) if ahead else (momentum, 1.0)
    rows = [[1 - run.rate * now * λ, -run.rate * past * one], [λ, momentum * one]]
    return np.moveaxis(np.array(rows), -1, 0), np.array([-run.rate * now, 1.0])


def mean_losses(run: Run) -> np.ndarray:
    """Return the exact mean of E at every step until it diverges."""
    matrix, kick = recursion(run)
    moments = np.zeros((len(run.spectrum), 2, 2))
    moments[:, 0, 0] = 1 / run.spectrum.sum()
    noise = run.noise**2 * run.spectrum[:, None, None] * np.outer(kick, kick)
    losses = []
    for _ in range(run.steps):
        losses.append(0.5 * float(run.spectrum @ moments[:, 0, 0]))
        if losses[-1] > DIVERGED:
            break
        moments = matrix @ moments @ matrix.transpose(0, 2, 1) + noise
    return np.array(losses)


def simulated(run: Run, seed: int) -> LearningCurve:
    """Return the curve that a run records; siblings of one seed have the same noise."""
    random = np.random.default_rng(seed)
    matrix, kick = recursion(run)
    signs = random.choice([-1.0, 1.0], len(run.spectrum))
    z = np.stack([signs / np.sqrt(run.spectrum.sum()), np.zeros_like(signs)], 1)
    losses = []
    for _ in range(run.steps):
        ξ = run.noise * np.sqrt(run.spectrum) * random.normal(size=len(z))
        own = run.noise**2 * random.normal()
        losses.append(0.5 * run.spectrum @ z[:, 0] ** 2 + ξ @ z[:, 0] + own)
        if losses[-1] > DIVERGED:
            return learning_curve_of([*losses[:-1], np.inf])
        z = (matrix @ z[..., None])[..., 0] + kick * ξ[:, None]
    return learning_curve_of(losses)


def label(run: Run) -> str | None:
    """Return the symptom of the exact curve, or None for a tie.

    Ties are a loss that ends above its start at a stable learning rate, and one beyond the edge
    that has hardly begun to rise: "diverging" and "no progress" both fit.
    """
    curves = {ratio: mean_losses(run.at(ratio)) for ratio in (1.0, 10.0, 0.1)}
    lowest = min(level(x) for x in curves.values())
    names = {named(curves[1.0], lowest, slack) for slack in (1 / SLACK, 1.0, SLACK)}
    name = names.pop() if len(names) == 1 else None
    is_beyond = run.rate > edge(run.spectrum, run.method)
    return name if is_beyond == (name == "diverging") else None


def swings(run: Run) -> bool:
    """Return whether the steepest direction changes its sign: then a plateau of its noise may be
    called oscillating."""
    modes = np.linalg.eigvals(recursion(run)[0][np.argmax(run.spectrum)])
    least = modes[np.argmax(np.abs(modes))]
    return bool(least.real < 0 or least.imag != 0)


def named(x: np.ndarray, lowest: float, slack: float) -> str:
    """Return the symptom of a curve without noise, by the definitions of `symptoms.py`."""
    quarter = len(x) // 4
    decrease, most = x[0] - level(x), x[0] - lowest
    if -decrease > slack * max(most, 0.1 * x[0]):
        return "diverging"
    if decrease < 0.05 * slack * most:
        return "no progress"
    if x[quarter : 2 * quarter].mean() - level(x) > 0.02 * slack * decrease:
        return "healthy"
    return "quick plateau" if decrease < most * (1 - 0.05 * slack) else "converged"


def level(x: np.ndarray) -> float:
    return float(x[-(len(x) // 4) :].mean())


def runs(spectrum: np.ndarray) -> Iterator[Run]:
    for method, noise, steps in itertools.product(METHODS, (0.0, 0.03, 0.1), (200, 1000)):
        for part in PARTS_OF_EDGE:
            yield Run(spectrum, method, noise, steps, part * edge(spectrum, method))


def confusion(spectra: dict[str, Spectrum], seeds: int = 2) -> Counts:
    """Count the symptoms found for each label; ties are under (None, ...)."""
    counts: Counts = {}
    for spectrum in spectra.values():
        for run in runs(spectrum):
            wanted = label(run)
            for seed in range(seeds):
                siblings = {ratio: simulated(run.at(ratio), seed) for ratio in (10.0, 0.1)}
                found = diagnose(simulated(run, seed), siblings, rate=1.0).symptom.name
                if (wanted, found) == ("quick plateau", "oscillating") and swings(run):
                    found = wanted
                counts[wanted, found] = counts.get((wanted, found), 0) + 1
    return counts


def quality(counts: Counts, name: str) -> tuple[float, float]:
    """Return the precision and recall of a symptom, without ties."""
    hits = counts.get((name, name), 0)
    called = sum(n for (wanted, found), n in counts.items() if wanted and found == name)
    there = sum(n for (wanted, _), n in counts.items() if wanted == name)
    return hits / max(1, called), hits / max(1, there)


def figures(spectra: dict[str, Spectrum] = OTHERS) -> Figures:
    """Yield the precision and the recall of each symptom."""
    counts = confusion(spectra)
    for name in sorted({wanted for wanted, _ in counts if wanted}):
        precision, recall = quality(counts, name)
        there = sum(n for (wanted, _), n in counts.items() if wanted == name)
        yield name, {"runs": there, "precision, share": precision, "recall, share": recall}


if __name__ == "__main__":
    show(figures())
