"""Pictures of the stability edge, and of the noise below it."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import optax

from ..._core.chain import chain
from ..._first_moment import first_moment
from ..._learning_rate import scale_by_learning_rate
from ..._nesterov import nesterov_trace
from ..._trace import trace
from ...optimizers import adam, sgd
from ..claims._descent import descend
from ..probes import contraction, stability_edge, stationary_variance
from ..probes.replay import float64
from .style import REFERENCE, axes_for, look, outlined

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Velocity = Callable[[float], optax.GradientTransformation]


def spectral_radius(
    velocity: Velocity = trace,
    beside: Velocity = nesterov_trace,
    *,
    points: int = 33,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw how fast a velocity contracts a parabola, over τλ and its momentum.

    Light areas converge slowly, hatched areas diverge. The solid line is the stability edge, the
    dashed line that of `beside`. With more momentum the edge of heavy ball grows from 2 to 4, and
    that of Nesterov's method shrinks to 4/3.

    **Arguments**

    - `velocity`, `beside`: `momentum -> transformation`, without a learning rate.
    - `points`: the number of momenta; there are three times as many values of τλ.
    - `ax`: axes to draw on; new ones by default.

    ```python
    >>> import lecture_optax as lo
    >>> ax = lo.theory.pictures.spectral_radius(lo.nesterov_trace, beside=lo.trace, points=3)
    >>> ax.get_xlabel(), ax.get_ylabel()
    ('τλ', 'momentum μ')

    ```
    """
    momenta = np.linspace(0, 0.98, points)
    curvatures = np.linspace(1e-3, 4, 3 * points)  # at 0 the factor is always 1
    radii = np.array([contraction(_at_rate_1(velocity(mu)), curvatures) for mu in momenta])
    ax = axes_for(ax, xlabel="τλ", ylabel="momentum μ", title=f"{_name(velocity)} on λθ²/2")
    levels = [0, 0.5, 0.7, 0.8, 0.9, 0.95, 1]
    filled = ax.contourf(curvatures, momenta, radii, levels, cmap="cividis")
    ax.contourf(curvatures, momenta, radii, [1, np.inf], colors="1", hatches=["///"])
    ax.figure.colorbar(filled, ax=ax, label="contraction of a step")
    some = momenta[:: max(points // 8, 1)]
    for each, dashes in ((velocity, "-"), (beside, "--")):
        edges = [stability_edge(_at_rate_1(each(mu))) for mu in some]
        outlined(ax.plot(edges, some, color="0", linestyle=dashes, label=f"edge of {_name(each)}"))
    ax.set(xlim=(0, 4), ylim=(0, momenta[-1]))
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.14), frameon=False)
    return ax


@float64()
def adam_at_its_edge(
    b1: Sequence[float] = (0.9, 0.5, 0.0), *, steps: int = 8000, ax: "Axes | None" = None
) -> "Axes":
    """Draw how Adam moves to its edge of stability on θ²/2, and stays there.

    D(k) grows while the gradient decreases, until τ λ D(k) reaches the edge of Adam's velocity,
    (2 + 2 b1)/(1 - b1) (the grey lines): 38 for b1 = 0.9. Here τ = 1e-3 and b2 = 0.99.

    **Arguments**

    - `b1`: one line for each value.
    - `steps`: the number of steps.
    - `ax`: axes to draw on; new ones by default.

    Source: Cohen et al. (2022), "Adaptive gradient methods at the edge of stability".

    ```python
    >>> import lecture_optax as lo
    >>> ax = lo.theory.pictures.adam_at_its_edge([0.9], steps=2000)
    >>> [line.get_label() for line in ax.lines[:1]]
    ['b1 = 0.9']

    ```
    """
    ax = axes_for(ax, xlabel="step k", ylabel="τ λ D(k)", title="Adam on θ²/2")
    k = np.arange(1, steps + 1)
    for i, decay in enumerate(b1):
        tx = adam(1e-3, decay, 0.99)
        nu = descend(tx, lambda θ: θ, 1.0, steps, read=_second_moment)[1:]
        preconditioned = 1e-3 / np.sqrt(nu / (1 - 0.99**k))
        ax.plot(k, preconditioned, label=f"b1 = {decay}", **look(i, marked=False))
        edge = stability_edge(chain(first_moment(decay), scale_by_learning_rate(1.0)))
        ax.axhline(edge, **REFERENCE)
        ax.annotate(f"{edge:.4g}", (k[-1], edge), (3, 0), textcoords="offset points", va="center")
    ax.set(yscale="log", xlim=(0, steps))
    ax.legend(loc="lower right")
    return ax


def variance(
    methods: dict[str, Callable[[float], Any]] | None = None,
    *,
    points: int = 24,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw the variance that θ settles to under noisy gradients, against τλ.

    For small τ it is proportional to τ/(1 - μ). At the edge of stability (grey) it is infinite.

    **Arguments**

    - `methods`: names and `τ -> transformation`; by default SGD, heavy ball and Nesterov with 0.9.
    - `points`: the number of values of τ.
    - `ax`: axes to draw on; new ones by default.

    ```python
    >>> import lecture_optax as lo
    >>> ax = lo.theory.pictures.variance({"SGD": lo.sgd}, points=3)
    >>> ax.get_ylabel()
    'variance of θ, in σ²/λ²'

    ```
    """
    methods = methods or {
        "SGD": sgd,
        "heavy ball, 0.9": lambda rate: sgd(rate, 0.9),
        "Nesterov, 0.9": lambda rate: sgd(rate, 0.9, nesterov=True),
    }
    words = {"xlabel": "τλ", "ylabel": "variance of θ, in σ²/λ²"}
    ax = axes_for(ax, **words)
    ax.set_title("variance of θ under gradient noise", pad=15)
    for i, (name, make) in enumerate(methods.items()):
        edge = stability_edge(make(1e-3))
        inside = 1 - np.geomspace(1e-3, 1, points // 2, endpoint=False)[::-1]
        rates = edge * np.concatenate([np.geomspace(1e-3, inside[0], points - len(inside)), inside])
        settled = [stationary_variance(make(rate), curvature=1.0) for rate in rates]
        ax.plot(rates, settled, label=name, **look(i, marked=False))
        ax.axvline(edge, **REFERENCE)
        ends = {"xycoords": ("data", "axes fraction"), "textcoords": "offset points"}
        ax.annotate(f"{edge:.4g}", (edge, 1), (0, 3), ha="center", fontsize="small", **ends)
    ax.set(xscale="log", yscale="log")
    ax.legend(loc="upper left")
    return ax


def _at_rate_1(velocity: optax.GradientTransformation) -> optax.GradientTransformation:
    return chain(velocity, scale_by_learning_rate(1.0))


def _name(velocity: Velocity) -> str:
    return getattr(velocity, "__name__", "the method")


def _second_moment(tx: Any, state: Any, params: Any) -> Any:
    return optax.tree.get(state, "nu")
