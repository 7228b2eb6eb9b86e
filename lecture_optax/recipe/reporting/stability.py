"""The stability of the selected learning rate: the sharpness at the end of its arm."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from ...schedules import wsd
from ...theory.gauge import Gauge, curvature_gauge
from ...training._trees import n_rows
from ...training.compiled.settings import run_settings
from ...training.compiled.step import Carry
from ...training.problem import Problem
from ..population.arms import Arm, OptimizerFactory, without_average
from ..population.held_out import pick_rows
from ..population.population import Population, to_device

ROWS = 512
"""The number of random training examples of the measurement; their mean is near that of all."""

NEVER = 2**30


class StabilityReport(NamedTuple):
    """The measurement after `steps` at a constant learning rate `rate`, or `why_not`."""

    gauge: Gauge | None
    steps: int
    rate: float
    why_not: str = ""


def measure_stability(
    population: Population,
    problem: Problem,
    optimizers: Mapping[str, OptimizerFactory],
    wrap: Any,
    arm: Arm,
) -> Callable[[], StabilityReport]:
    """Return a function that measures the stability of the selected arm, in a second or two.

    It measures before any decay: a learning rate that has decayed to 0 is stable everywhere.
    """
    constant = arm._replace(decay=None)
    member, step = population.members[constant], population.step(constant)
    if member.carry is None or not member.is_finite:
        why_not = "Its weights were not finite at the end."
        return partial(StabilityReport, None, step, arm.rate, why_not)
    name, optimizer = list(optimizers.items())[arm.optimizer]
    own, like = (  # keeps no other arm alive
        carry._replace(opt_state=carry.opt_state[0][name])
        for carry in (member.carry, population.start)
    )
    there = like if population.offload else None
    return partial(_measured, own, there, problem, optimizer, wrap, step, arm.rate)


@run_settings()
def _measured(
    own: Carry,
    like: Carry | None,
    problem: Problem,
    optimizer: OptimizerFactory,
    wrap: Any,
    step: int,
    learning_rate: float,
) -> StabilityReport:
    """Measure the stability at `own`, which is moved to where `like` is."""
    rate = wsd(learning_rate, decay_start=NEVER, decay_steps=1)  # the state's own schedule
    try:
        here = own if like is None else to_device(own, like)
        drawn = np.random.default_rng(0).permutation(n_rows(problem.train))[:ROWS]
        batch = pick_rows(problem.train, drawn)

        def loss(params, batch):  # with one key, as a curvature belongs to one function
            return problem.loss(params, here.model_state, batch, here.key)[0]

        tx = without_average(optimizer, wrap, rate)
        gauge = curvature_gauge(loss, here.params, tx, here.opt_state, batch)
    except Exception as error:  # of a user's loss or optimizer: the report does without
        return StabilityReport(None, step, learning_rate, " ".join(str(error).split()))
    return StabilityReport(gauge, step, learning_rate)


def sentence(report: StabilityReport, optimizer: str) -> str:
    """Return the sentence of the report; the selection does not use the measurement."""
    gauge, where = report.gauge, f"{optimizer} at {report.rate:.3g} after {report.steps} steps"
    if gauge is None:
        return f"Stability: not known for {where}. {report.why_not}"
    largest = report.rate / gauge.ratio if gauge.ratio > 0 else np.inf
    return (
        f"Stability: the sharpness is {gauge.curvature:.4g}, {100 * gauge.ratio:.2g} % of the "
        f"limit {gauge.edge:.4g} ({gauge.colour}) for {where}; learning rates up to {largest:.3g} "
        "would be stable at this point. For information only; the selection does not use it."
    )
