"""Claims about acceleration: the optimized method, the momentum of t(k), restarts."""

import math
from typing import Any

import jax.numpy as jnp
import numpy as np
import optax

from ..._core.chain import chain
from ..._core.types import Transformation
from ..._learning_rate import scale_by_learning_rate
from ..._nesterov import lookahead_readout, nesterov_trace
from ..._optimized_trace import optimized_trace
from ..._restart import restart
from ...optimizers import sgd
from ...schedules import momentum_constant, momentum_fista, momentum_nesterov
from ..probes import lower_bound, step_matrix, worst_case
from ._descent import descend, updates_along
from .statement import Finding, statement
from .worst_cases import left_on_huber

STEPS = (2, 5, 10)
RATE = scale_by_learning_rate(1.0)
CURVATURES = np.logspace(-4, 0, 100)


@statement(
    "optimized-worst-case",
    claim="The optimized method reaches L R²/(2 t(N)²) on Huber's function: half of Nesterov's",
    slide="Nesterov 1983",
    source="Kim and Fessler (2016), theorem 2",
    picture="worst_cases",
)
def optimized_worst_case(optimized_trace=optimized_trace):
    """Check L R²/(2 t²) = L R²/(2 (2S + 1)) on the slope, with row sum S = (t(N)² - 1)/2."""
    for steps in STEPS:
        t = last_t(steps)
        left = left_on_huber(chain(optimized_trace(steps), RATE), steps, (t**2 - 1) / 2)
        yield Finding(left, 1 / (2 * t**2), 1e-12, what=f"N = {steps}")


@statement(
    "certified-optimized",
    claim="No convex loss is worse for the optimized method than Huber's function",
    slide="Nesterov 1983",
    source="Drori and Teboulle (2014); Kim and Fessler (2016), theorem 2",
    needs=("PEPit",),
    picture="worst_cases",
)
def certified_optimized(optimized_trace=optimized_trace):
    for steps in STEPS:
        predicted = 1 / (2 * last_t(steps) ** 2)
        measured = worst_case(chain(optimized_trace(steps), RATE), steps)
        yield Finding(measured, predicted, 1e-4 * predicted, what=f"N = {steps}")


@statement(
    "momentum-of-t",
    claim="With (t(k) - 1)/t(k+1), t of Nesterov's recursion, x(N) is within 2 L R²/(N + 1)²",
    slide="Nesterov 1983",
    source="Nesterov (1983); Beck and Teboulle (2009), theorem 4.4",
)
def momentum_of_t(sgd=sgd, momentum_fista=momentum_fista):
    t = [1.0]
    for k in range(3000):
        t.append((1 + np.sqrt(1 + 4 * t[k] ** 2)) / 2)
    recursion = (np.array(t[:-1]) - 1) / t[1:]
    off = np.abs(momentum_fista()(jnp.arange(3000)) - recursion).max()
    yield Finding(off, 0, 1e-15, what="off the recursion, k < 3000")
    tx = sgd(1.0, momentum_fista(), nesterov=True)
    x = lower_bound(step_matrix(tx, 10, read=lookahead_readout))
    yield Finding(x, 2 / 11**2, relation="<=", what="Huber's loss at x(10)")
    yield Finding(lower_bound(tx, 10), 0.0110268, 1e-7, what="Huber's loss at y(10), the stored θ")


@statement(
    "restarts-need-no-curvature",
    claim="On a quadratic with κ = 10⁴, restarts save 6 of 10 steps and do not need κ",
    slide="Nesterov 1983",
    source="O'Donoghue and Candès (2015); the numbers: ours",
)
def restarts_need_no_curvature(
    restart=restart,
    nesterov_trace=nesterov_trace,
    momentum_nesterov=momentum_nesterov,
    momentum_constant=momentum_constant,
):
    growing = nesterov_trace(momentum_nesterov())
    methods = {
        "k/(k+3)": (growing, 6044, 0),
        "restarted by its gradients": (restart(growing), 2302, 30),
        "restarted by the loss": (_told_the_loss(restart(growing, on="value")), 2307, 30),
        "(√κ - 1)/(√κ + 1), κ known": (nesterov_trace(momentum_constant(1e4)), 824, 5),
    }
    for name, (velocity, steps, tolerance) in methods.items():
        path = descend(chain(velocity, RATE), _slope, np.ones(len(CURVATURES)), 6100)
        gaps = np.asarray(np.square(path) @ CURVATURES)
        arrived = int(np.argmax(gaps <= 1e-10 * gaps[0]))
        yield Finding(arrived, steps, tolerance, what=f"steps to 1e-10, {name}")
    turned = np.array([1.0, 1.0, -0.05, -1.0, -1.0, -1.0])  # the third one points uphill
    again, afresh = updates_along(restart(growing), turned), updates_along(growing, turned[2:])
    yield Finding(np.abs(again[2:] - afresh).max(), 0, 1e-15, what="restart, off a new run")
    by_value = restart(growing, on="value")
    state = by_value.init(jnp.zeros(()))
    for value in (3.0, 1.0, 2.0, 1.5):  # 1.5 is above the best, but below the last
        _, state = by_value.update(jnp.ones(()), state, value=jnp.asarray(value))
    yield Finding(state.restarts, 1, what="restarts, for the losses 3, 1, 2, 1.5")


def last_t(steps: int) -> float:
    """Return t(N): Nesterov's recursion, with 8 instead of 4 in the last step."""
    t = 1.0
    for k in range(1, steps + 1):
        t = (1 + math.sqrt(1 + (8 if k == steps else 4) * t**2)) / 2
    return t


def _slope(θ: Any) -> Any:
    return jnp.asarray(CURVATURES) * θ


def _told_the_loss(velocity: Transformation) -> Transformation:
    """Pass the loss to a velocity in a loop that passes only the parameters."""

    def update(updates: Any, state: Any, params: Any = None, **extra_args: Any):
        value = params @ _slope(params) / 2
        return velocity.update(updates, state, params, value=value)

    return optax.GradientTransformationExtraArgs(velocity.init, update)
