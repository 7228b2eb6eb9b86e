"""Pictures of the path of θ, and of the memory of a method."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import optax

from ..._core.chain import chain
from ..._first_moment import first_moment
from ..._learning_rate import scale_by_learning_rate
from ..._nesterov import lookahead_readout
from ...optimizers import adam, sgd
from ...schedules import momentum_nesterov
from ..claims._descent import descend
from ..probes import response
from ..probes.replay import float64
from .style import REFERENCE, axes_for, look

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@float64()
def three_cycle(
    methods: Mapping[str, optax.GradientTransformation] | None = None,
    *,
    start: float = 3.3,
    steps: int = 24,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw runs on a convex loss on which the best heavy ball for quadratics does not converge.

    Heavy ball repeats -2208/1225, 792/1225, 2592/1225 (grey) for ever; gradient descent and
    Nesterov's method converge to the minimum, 0.

    **Arguments**

    - `methods`: names and transformations; those three by default.
    - `start`: θ(0). About one start in nine ends in the cycle.
    - `steps`: the number of steps.
    - `ax`: axes to draw on; new ones by default.

    Source: Lessard, Recht and Packard (2016), section 4.6.

    ```python
    >>> import lecture_optax as lo
    >>> ax = lo.theory.pictures.three_cycle()
    >>> [line.get_label() for line in ax.lines[:1]]
    ['heavy ball, τ = 1/9, μ = 4/9']

    ```
    """
    from ..claims.heavy_ball_counterexample import lessards_slope

    methods = methods or {
        "heavy ball, τ = 1/9, μ = 4/9": sgd(1 / 9, momentum=4 / 9),
        "Nesterov, τ = 1/25, μ = 2/3": sgd(1 / 25, momentum=2 / 3, nesterov=True),
        "gradient descent, τ = 1/25": sgd(1 / 25),
    }
    ax = axes_for(ax, xlabel="step k", ylabel="θ(k)", title="f' = 25 θ  |  θ + 24  |  25 θ - 24")
    for i, (name, tx) in enumerate(methods.items()):
        ax.plot(descend(tx, lessards_slope, start, steps), label=name, **look(i))
    for place in (-2208, 792, 2592):
        ax.axhline(place / 1225, **REFERENCE)
        beside = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points"}
        ax.annotate(f"{place}/1225", (1, place / 1225), (3, 0), va="center", **beside)
    ax.legend(loc="upper center", ncols=1)
    ax.margins(y=0.3)
    return ax


def memory(
    methods: Mapping[str, optax.GradientTransformation] | None = None,
    *,
    steps: int = 30,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw the updates that one gradient causes over time: the memory of each method.

    **Arguments**

    - `methods`: names and transformations; by default, at τ = 1, the velocities of the lecture and
      Adam, whose memory is b1^k/b2^(k/2).
    - `steps`: the number of steps.
    - `ax`: axes to draw on; new ones by default.

    ```python
    >>> import lecture_optax as lo
    >>> ax = lo.theory.pictures.memory({"mine": lo.sgd(1.0, momentum=0.5)}, steps=4)
    >>> ax.lines[0].get_ydata().tolist()
    [1.0, 0.5, 0.25, 0.125]

    ```
    """
    methods = methods or {
        "gradient descent": sgd(1.0),
        "heavy ball, 0.9": sgd(1.0, momentum=0.9),
        "Nesterov, 0.9": sgd(1.0, momentum=0.9, nesterov=True),
        "an average, 0.9": chain(first_moment(0.9), scale_by_learning_rate(1.0)),
        "Adam": adam(1.0),
    }
    words = {"xlabel": "steps since the gradient", "ylabel": "step per unit of gradient"}
    ax = axes_for(ax, title="updates caused by one gradient", **words)
    for i, (name, tx) in enumerate(methods.items()):
        ax.plot(-response(tx, steps), label=name, **look(i))
    ax.axhline(0, **REFERENCE)
    ax.legend()
    return ax


@float64()
def ode_limit(
    rates: Sequence[float] = (1 / 4, 1 / 16, 1 / 64, 1 / 256),
    *,
    until: float = 10.0,
    ax: "Axes | None" = None,
) -> "Axes":
    """Draw Nesterov's iterates for several τ, and the curve that they approach as τ → 0.

        X'' + (3/t) X' + X = 0,    X(t) = 2 J₁(t)/t,    t = k√τ

    **Arguments**

    - `rates`: τ, in (0, 1]; the loss is θ²/2.
    - `until`: the last t.
    - `ax`: axes to draw on; new ones by default.

    Source: Su, Boyd and Candès (2016), section 3.

    ```python
    >>> import lecture_optax as lo
    >>> ax = lo.theory.pictures.ode_limit([0.25])
    >>> [line.get_label() for line in ax.lines]
    ['2 J₁(t)/t', 'τ = 0.25']

    ```
    """
    from ..claims.bessel_solution import solution

    ax = axes_for(ax, xlabel="t = k√τ", ylabel="x(k)", title="Nesterov's method and its limit")
    t = np.linspace(0, until, 400)
    ax.plot(t, solution(t), color="0.5", linewidth=4, alpha=0.5, label="2 J₁(t)/t", zorder=0)
    for i, rate in enumerate(rates):
        tx = sgd(rate, momentum_nesterov(), nesterov=True)
        steps = round(until / rate**0.5)
        x = descend(tx, lambda θ: θ, 1.0, steps, read=lookahead_readout)
        sparse = {**look(i), "markevery": max(steps // 20, 1)}
        ax.plot(np.arange(steps + 1) * rate**0.5, x, label=f"τ = {rate:.3g}", **sparse)
    ax.legend()
    return ax
