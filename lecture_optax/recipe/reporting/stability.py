"""How near to the edge was the chosen rate? The curvature where its arm ended, for the report."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

from ...schedules import wsd
from ...theory.gauge import Gauge, curvature_gauge
from ...training.problem import Problem
from ..population.arms import Arm, OptimizerFactory, on_its_own
from ..population.held_out import rows_of
from ..population.population import Population, inside

ROWS = 512
"""Training rows on which it is measured, drawn at random: a mean of so many is near that of all."""

NEVER = 2**30


class Gauged(NamedTuple):
    """What was measured, or `why_not`; after so many `steps` at a `rate` that did not fall."""

    gauge: Gauge | None
    steps: int
    rate: float
    why_not: str = ""


def gauge_of(
    population: Population,
    problem: Problem,
    optimizers: Mapping[str, OptimizerFactory],
    wrap: Any,
    arm: Arm,
) -> Callable[[], Gauged]:
    """To be asked later, as it takes a second or two. At the end of the constant rate: a rate that
    has fallen to 0 is far from every edge."""
    constant = next(
        (x for x in (arm._replace(decay=None), population.again(arm)) if x in population.members),
        arm,
    )
    member, step = population.members[constant], population.step(constant)
    if member.carry is None or not member.alive:
        return lambda: Gauged(None, step, arm.rate, "Its weights were not finite in the end.")
    name, optimizer = list(optimizers.items())[arm.optimizer]
    own = member.carry._replace(opt_state=member.carry.opt_state[0][name])
    like, tight = population.start.params, population.tight  # the other arms are let go

    def measure() -> Gauged:
        rate = wsd(arm.rate, decay_start=NEVER, decay_steps=1)  # the state's own schedule
        try:
            here, batch = inside(own, like) if tight else own, _batch(problem)
            where = (here.params, on_its_own(optimizer, wrap, rate), here.opt_state)
            gauge = curvature_gauge(_loss(problem, here.model_state, here.key), *where, batch)
        except Exception as error:  # a loss or a method of anybody's: a report is never lost to it
            return Gauged(None, step, arm.rate, " ".join(str(error).split()))
        return Gauged(gauge, step, arm.rate)

    return measure


def sentence(gauged: Gauged, optimizer: str) -> str:
    """It explains, and was not asked when the arm was chosen."""
    gauge, where = gauged.gauge, f"{optimizer} at {gauged.rate:.3g} after {gauged.steps} steps"
    if gauge is None:
        return f"How near to the edge {where} was is not known. {gauged.why_not}"
    largest = gauged.rate / gauge.ratio if gauge.ratio > 0 else np.inf
    return (
        f"How near to the edge: {where} met a curvature of {gauge.curvature:.4g} of at most "
        f"{gauge.edge:.4g} ({100 * gauge.ratio:.2g} %, {gauge.colour}), so rates up to "
        f"{largest:.3g} would be stable just there. That explains and did not choose: noise moves "
        "edges down, and training without noise drifts to its edge and stays."
    )


def _loss(problem: Problem, model_state: Any, key: Any) -> Callable[..., Any]:
    """With the noise of one key, as a curvature is that of one function."""
    return lambda params, batch: problem.loss(params, model_state, batch, key)[0]


def _batch(problem: Problem) -> Any:
    rows = rows_of(problem.train)
    chosen = np.random.default_rng(0).permutation(rows)[:ROWS]
    return jax.tree.map(lambda x: jax.numpy.asarray(np.asarray(x)[chosen]), problem.train)
