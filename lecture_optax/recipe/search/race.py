"""The race of the arms: how far each one is, its losses, and the best weights of all.

Steps are counted in fractions of a run of T steps.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from ...training.loop.evaluation import averaged_params
from .. import constants as c
from ..population.arms import Arm
from ..population.curve import Evaluation
from ..population.held_out import HeldOut
from ..population.population import Population

INF = math.inf


class Candidate(NamedTuple):
    """Evaluated weights: the change of their loss since the start, and where they come from."""

    loss_change: float
    params: Any
    model_state: Any
    arm: Arm
    step: int
    is_average: bool


@dataclass
class Race:
    """The arms of a search, their validation set, and the budget in runs.

    - `candidates`: the lowest evaluations so far, of raw weights and of averages; a few more where
      late evaluations use a subset of the examples.
    - `midpoint_losses`: the averaged loss of an arm halfway to a rung.
    - `loss_scale`: the size of a change of the loss that is not small (`scoring.py`).
    - `phase`: the step of the policy, as progress shows it.
    """

    population: Population
    held_out: HeldOut
    budget: float
    candidates: list[Candidate] = field(default_factory=list)
    midpoint_losses: dict[tuple[Arm, int], float] = field(default_factory=dict)
    loss_scale: float = 0.0
    phase: str = "bracket"

    def __post_init__(self):
        self.loss_scale = self.held_out.spread

    @property
    def steps(self) -> int:
        return self.population.steps

    @property
    def remaining_runs(self) -> float:
        """The runs that can still be paid for."""
        return (self.population.limit - self.population.spent) / self.steps

    @property
    def progress(self) -> float:
        """The largest decrease of the validation loss so far, in which all margins are given."""
        return max([0.0, *(-x.loss_change for x in self.candidates)])

    def affords(self, runs: float) -> bool:
        return runs <= self.remaining_runs + 1e-9

    def fraction_done(self, arm: Arm) -> float:
        return self.population.step(arm) / self.steps

    def best_loss(self, arm: Arm) -> float:
        """Return the lowest late loss of an arm and of its branches with a decay."""
        curves = [m.curve for a, m in self.population.members.items() if a[:2] == arm[:2]]
        return min(
            (_lower(evaluation) for curve in curves for evaluation in curve.evaluations),
            default=INF,
        )

    def last_loss(self, arm: Arm) -> float:
        """Return the lower of the raw and the averaged loss at the last late evaluation."""
        evaluations = [
            x for x in self.population.members[arm].curve.evaluations if not np.isnan(x.raw)
        ]
        return _lower(evaluations[-1]) if evaluations else INF

    def loss_at(self, arm: Arm, fraction: float) -> float:
        member = self.population.members.get(arm)
        return member.curve.loss_at(self._step(fraction)) if member else INF

    def mean_abs_change(self, arm: Arm) -> float:
        """Return how much the losses of examples changed, up or down, under an arm's average."""
        return self._measure(
            arm, "mean change", lambda: self.held_out.mean_abs_change(*self._weights(arm))
        )

    def last_decrease(self, arm: Arm, fraction: float) -> float:
        """Return by how much the averaged loss decreased over the last half of the steps."""
        step = self._step(fraction)
        before = self.midpoint_losses.get((arm, step // 2), INF)
        now = self.population.members[arm].curve.loss_at(step)
        return max(0.0, before - now) if math.isfinite(before) and math.isfinite(now) else 0.0

    def run(self, arm: Arm, fraction: float, *, halfway: bool = False) -> float:
        """Run an arm to a fraction of its steps, with evaluations on the way.

        **Returns** the loss of its average there; infinite if it diverged.
        """
        end, loss = self._step(fraction), INF
        half = end // 2 if halfway else 0
        for step in self._marks(arm, end, half):
            if not self.population.advance(arm, step):
                return INF
            if arm.decay is None and self.population.step(arm) == self.steps // 2:
                self.population.save(arm)
            if step == half and self.population.step(arm) == half:
                self.midpoint_losses[arm, half] = self._average(arm, "late")
            on_the_way = step in self._evaluation_steps() and self.held_out.within_budget()
            if step == end or on_the_way or self.population.step(arm) < step:
                loss = self._evaluate(arm)
            if self.population.step(arm) < step:
                return loss
        return loss if loss < INF else self._known_loss(arm, end)

    def evaluate_at(self, arm: Arm, steps: list[int]) -> None:
        """Run an arm to the given steps and evaluate it there as late ones are."""
        for step in steps:
            if not self.population.advance(arm, step):
                return
            self._evaluate(arm, late=True)

    def branch_with_decay(self, arm: Arm, start: int | None, end: float) -> None:
        """Run a branch whose learning rate decays from step `start`, or from now, to 0 at `end`."""
        step = self.population.step(arm) if start is None else start
        last = max(step + 1, self._step(end))
        self.run(self.population.branch(arm, step, last), last / self.steps)

    def _marks(self, arm: Arm, end: int, half: int) -> list[int]:
        """Return the steps up to `end` at which an arm has to stop."""
        marks = {*self._evaluation_steps(), end, half}
        if arm.decay is None:
            marks.add(self.steps // 2)
        return sorted(mark for mark in marks if self.population.step(arm) < mark <= end)

    def _evaluation_steps(self) -> list[int]:
        every = self.held_out.plan.every
        return [round(i * every * self.steps) for i in range(1, round(1 / every) + 1)]

    def _step(self, fraction: float) -> int:
        return max(1, round(fraction * self.steps))

    def _known_loss(self, arm: Arm, step: int) -> float:
        """Return the loss at `step`; if it was not evaluated there, evaluate the arm now."""
        member = self.population.members.get(arm)
        if member is None or not member.is_finite:
            return INF
        known = member.curve.loss_at(step)
        return known if known < INF or member.curve.step == 0 else self._evaluate(arm)

    def _evaluate(self, arm: Arm, late: bool = False) -> float:
        plan, step = self.held_out.plan, self.population.step(arm)
        if step == 0:
            return INF
        member = self.population.members[arm]
        if step < c.EARLY * self.steps and plan.early < plan.late and not late:
            member.curve.evaluations.append(Evaluation(step, np.nan, self._average(arm, "early")))
            return member.curve.evaluations[-1].averaged
        raw, smooth = self._measure(arm, "evaluation", lambda: self._raw_and_average(arm))
        member.curve.evaluations.append(Evaluation(step, raw, smooth))
        self._add_candidate(raw, arm, False)
        self._add_candidate(smooth, arm, True)
        return smooth if raw < INF else INF

    def _raw_and_average(self, arm: Arm) -> list[float]:
        both = [self._weights(arm, averaged) for averaged in (False, True)]
        return [self.held_out.loss_change(*weights, "late") for weights in both]

    def _average(self, arm: Arm, examples: str) -> float:
        def loss_change():
            return self.held_out.loss_change(*self._weights(arm), examples)

        return self._measure(arm, f"average on {examples} examples", loss_change)

    def _measure(self, arm: Arm, what: str, measure: Callable[[], Any]) -> Any:
        """Return a measurement of an arm, from the log if it is there.

        The log also holds how many rows were evaluated: later evaluations depend on that.
        """
        question = f"{what} of {arm.name} at step {self.population.step(arm)}"
        value, self.held_out.rows_evaluated = self.population.log.measure(
            question, lambda: [measure(), self.held_out.rows_evaluated]
        )
        return value

    def _weights(self, arm: Arm, averaged: bool = True) -> tuple[Any, Any]:
        """Return the parameters of an arm, or their average, and its model state."""
        carry = self.population.members[arm].carry
        if carry is None:  # they are restored at the end of the log
            return None, None
        return averaged_params(carry) if averaged else carry.params, carry.model_state

    def _add_candidate(self, loss_change: float, arm: Arm, is_average: bool) -> None:
        """Keep the lowest of each kind, or the lowest few where they are to be compared again."""
        kin = [x for x in self.candidates if x.is_average == is_average]
        room = max(1, self.held_out.plan.recheck)
        if loss_change < INF and (len(kin) < room or loss_change < kin[-1].loss_change):
            params, state = self.population.copy_of(self._weights(arm, is_average))
            new = Candidate(loss_change, params, state, arm, self.population.step(arm), is_average)
            best = sorted([*kin, new], key=lambda x: x.loss_change)[:room]
            self.candidates = best + [x for x in self.candidates if x.is_average != is_average]


def _lower(evaluation: Evaluation) -> float:
    return INF if np.isnan(evaluation.raw) else min(evaluation.raw, evaluation.averaged)
