"""Claims about the stability edge: the τλ above which a method diverges."""

import numpy as np

from ..._bias_correction import bias_correction
from ..._core.chain import chain
from ..._first_moment import first_moment
from ..._learning_rate import scale_by_learning_rate
from ...optimizers import sgd
from ..probes import stability_edge
from ._descent import descend
from .statement import Finding, statement

MOMENTA = (0.0, 0.5, 0.9, 0.99)


@statement(
    "stability-edges",
    claim="Stable below τλ = 2(1+μ) with heavy ball, 2(1+μ)/(1+2μ) with Nesterov",
    slide="Momentum",
    source="Polyak (1964); Lessard, Recht and Packard (2016)",
    picture="spectral_radius",
)
def stability_edges(sgd=sgd):
    yield _edge(stability_edge(sgd(0.1)), 2.0, "gradient descent")
    for mu in MOMENTA:
        yield _edge(stability_edge(sgd(0.1, mu)), 2 * (1 + mu), f"heavy ball, {mu}")
        ahead = 2 * (1 + mu) / (1 + 2 * mu)
        yield _edge(stability_edge(sgd(0.1, mu, True)), ahead, f"Nesterov, {mu}")


@statement(
    "the-edge-of-averages",
    claim="An averaging velocity, as Adam's, is stable below τλ = (2 + 2 b1)/(1 - b1): 38 at 0.9",
    slide="Adam",
    source="Cohen et al. (2022), Adaptive gradient methods at the edge of stability",
    picture="adam_at_its_edge",
)
def edge_of_averages(first_moment=first_moment, bias_correction=bias_correction):
    rate = scale_by_learning_rate(0.1)
    for b1 in (0.0, 0.5, 0.9):
        edge = 2 * (1 + b1) / (1 - b1)
        plain = chain(first_moment(b1), rate)
        corrected = chain(first_moment(b1), bias_correction(b1), rate)
        yield _edge(stability_edge(plain), edge, f"b1 = {b1}")
        yield _edge(stability_edge(corrected), edge, f"b1 = {b1}, bias corrected")


@statement(
    "an-edge-is-where-runs-diverge",
    claim="At 0.999 of the edge a run converges, at 1.001 it diverges",
    slide="Gradient descent",
    source="the edges of stability-edges, in runs",
    picture="spectral_radius",
)
def edge_is_where_runs_diverge(sgd=sgd):
    methods = {
        "gradient descent": (sgd(1.0), 2.0),
        "heavy ball": (sgd(1.0, 0.9), 3.8),
        "Nesterov": (sgd(1.0, 0.9, True), 3.8 / 2.8),
    }
    for name, (tx, edge) in methods.items():
        curvatures = edge * np.array([0.999, 1.001])
        path = np.abs(descend(tx, lambda θ, c=curvatures: c * θ, np.ones(2), 20_000))
        early, late = path[:10_000].max(0), path[10_000:].max(0)
        yield Finding(late[0] / early[0], 0.1, relation="<=", what=f"{name}, 0.999 of its edge")
        yield Finding(late[1] / early[1], 10, relation=">=", what=f"{name}, 1.001 of its edge")


def _edge(measured: float, predicted: float, what: str) -> Finding:
    return Finding(measured, predicted, 1e-9 * predicted, what=what)
