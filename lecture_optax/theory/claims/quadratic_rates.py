"""Claims about the contraction of a quadratic: the rate of each method."""

import numpy as np

from ...optimizers import nesterov_tuning, polyak_tuning, sgd
from ..probes import contraction
from ._descent import descend
from .statement import Finding, statement

KAPPA = 100.0  # curvatures from 1/κ to 1
CURVATURES = np.geomspace(1 / KAPPA, 1.0, 501)


@statement(
    "best-rates",
    claim="Momentum turns the rate 1 - 2/κ into 1 - 2/√κ",
    slide="Momentum",
    source="Polyak (1964); Nesterov (2004), 2.2; Lessard, Recht and Packard (2016), proposition 1",
    picture="spectral_radius",
)
def best_rates(sgd=sgd):
    root, wide = KAPPA**0.5, (3 * KAPPA + 1) ** 0.5
    best = (root - 1) / (root + 1)
    smallest, ratio = 1 / KAPPA, (KAPPA - 1) / (KAPPA + 1)
    methods = {
        "gradient descent, τ = 2/(L + μ)": (sgd(2 / (1 + smallest)), ratio),
        "heavy ball": (sgd(*polyak_tuning(1.0, smallest)), best),
        "Nesterov, τ = 1/L": (sgd(1.0, best, True), 1 - 1 / root),
        "Nesterov, τ = 4/(3L + μ)": (
            sgd(*nesterov_tuning(1.0, smallest), True),
            1 - 2 / wide,
        ),
    }
    for name, (tx, rate) in methods.items():
        # at a double eigenvalue a rounding error of 1e-16 becomes its root, 1e-8
        yield Finding(np.max(contraction(tx, CURVATURES)), rate, 1e-7, what=name)


@statement(
    "critical-momentum",
    claim="Heavy ball is critical at μ = (1 - √x)², with rate 1 - √x; above it the rate is √μ",
    slide="Momentum",
    source="Goh (2017), Why momentum really works; x = τλ",
    picture="spectral_radius",
)
def critical_momentum(sgd=sgd):
    for x in (0.01, 0.25, 0.49):
        critical = (1 - x**0.5) ** 2
        at = contraction(sgd(x, momentum=critical), 1.0)
        yield Finding(at, 1 - x**0.5, 1e-7, what=f"x = {x}, at the critical momentum")
        above = (1 + critical) / 2
        yield Finding(contraction(sgd(x, momentum=above), 1.0), above**0.5, 1e-12, what="above it")
        below = critical / 2
        slower = contraction(sgd(x, momentum=below), 1.0)
        yield Finding(slower, below**0.5, relation=">=", what="below it")


@statement(
    "nesterov-damps-more",
    claim="When Nesterov's method oscillates, its rate is √(μ(1 - x)): steep directions are faster",
    slide="Nesterov 1983",
    source="O'Donoghue and Candès (2015), section 4; from z² - (1+μ)(1-x) z + μ(1-x)",
    picture="spectral_radius",
)
def nesterov_damps_more(sgd=sgd):
    for mu, x in ((0.9, 0.01), (0.9, 0.5), (0.5, 0.8)):
        rate = contraction(sgd(x, mu, True), 1.0)
        yield Finding(rate, (mu * (1 - x)) ** 0.5, 1e-12, what=f"μ = {mu}, x = {x}")


@statement(
    "momentum-amplifies-first",
    claim="From rest, the best heavy ball first grows to √κ/e times the start",
    slide="Momentum",
    source="ours; the effect: Danilova, Kulakova and Polyak (2020)",
)
def momentum_amplifies_first(sgd=sgd):
    """Check the largest |θ(k)| at λ = L, where both eigenvalues are -q, q = √μ.

    There θ(k) = (-q)^k (1 + c k) θ(0). From rest θ(1) = (1 - x) θ(0) with x = (1 + q)²,
    so c = 1 + q: |θ(k)| = q^k (1 + (1 + q) k).
    With q ≈ 1 - 2/√κ that is about 2k e^(-2k/√κ), which is largest at k = √κ/2: √κ/e.
    """
    for kappa in (1e2, 1e3, 1e4):
        q = (kappa**0.5 - 1) / (kappa**0.5 + 1)
        tx = sgd(*polyak_tuning(1.0, 1 / kappa))
        steps = int(2 * kappa**0.5)
        largest = np.abs(descend(tx, lambda θ: θ, 1.0, steps)).max()
        k = np.arange(steps + 1)
        exact = (q**k * (1 + (1 + q) * k)).max()
        yield Finding(largest, exact, 1e-9, what=f"κ = {kappa:.0f}")
    yield Finding(largest / kappa**0.5, 1 / np.e, 1e-3, what="over √κ, κ = 10000: 1/e")
