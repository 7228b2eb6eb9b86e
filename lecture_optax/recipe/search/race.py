"""How far is an arm to run, and what is it worth there? Steps, looks, and the best of all looks."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from ...training.loop.evaluation import average_of
from .. import constants as c
from ..population.arms import Arm
from ..population.curve import Evaluation
from ..population.held_out import HeldOut
from ..population.population import Population

INF = math.inf


class Candidate(NamedTuple):
    """Weights that were looked at: how their loss differs from the start's, and whose they are."""

    change: float
    params: Any
    model_state: Any
    arm: Arm
    step: int
    is_average: bool


@dataclass
class Race:
    """The arms on their way, in fractions of a run of T steps.

    `unit` is the size of a change of the loss that is not small (`plateau.py`). `found` are the
    lowest looks so far: of raw weights, of averages, and, where late looks do not see all rows, a
    few more. `stage` is the step of the policy, in words.
    """

    population: Population
    held_out: HeldOut
    budget: float
    found: list[Candidate] = field(default_factory=list)
    midpoint_losses: dict[tuple[Arm, int], float] = field(default_factory=dict)
    unit: float = 0.0
    stage: str = "walk"

    def __post_init__(self):
        self.unit = self.held_out.spread

    @property
    def steps(self) -> int:
        return self.population.steps

    @property
    def left(self) -> float:
        """Runs that can still be paid for."""
        return (self.population.limit - self.population.spent) / self.steps

    @property
    def progress(self) -> float:
        """The largest fall of the held-out loss so far: the unit of every margin."""
        return max([0.0, *(-x.change for x in self.found)])

    def affords(self, runs: float) -> bool:
        return runs <= self.left + 1e-9

    def done(self, arm: Arm) -> float:
        return self.population.step(arm) / self.steps

    def lowest(self, arm: Arm) -> float:
        """The lowest late look of an arm and of the branches that fell from it."""
        curves = [m.curve for a, m in self.population.members.items() if a[:2] == arm[:2]]
        return min(
            (_both(evaluation) for curve in curves for evaluation in curve.evaluations), default=INF
        )

    def now(self, arm: Arm) -> float:
        """The lower of raw and averaged at the last late look."""
        evaluations = [
            x for x in self.population.members[arm].curve.evaluations if not np.isnan(x.raw)
        ]
        return _both(evaluations[-1]) if evaluations else INF

    def at(self, arm: Arm, fraction: float) -> float:
        member = self.population.members.get(arm)
        return member.curve.at(self._step(fraction)) if member else INF

    def movement(self, arm: Arm) -> float:
        """How much the rows' losses have moved to and fro under the average of an arm."""
        return self._ask(arm, "movement", lambda: self.held_out.movement(*self._weights(arm)))

    def last_decrease(self, arm: Arm, fraction: float) -> float:
        """By how much the average fell over the last half of its steps."""
        step = self._step(fraction)
        before = self.midpoint_losses.get((arm, step // 2), INF)
        now = self.population.members[arm].curve.at(step)
        return max(0.0, before - now) if math.isfinite(before) and math.isfinite(now) else 0.0

    def run(self, arm: Arm, fraction: float, *, halfway: bool = False) -> float:
        """Take an arm to a fraction of the run, looking on the way: the score of its average."""
        end, score = self._step(fraction), INF
        half = end // 2 if halfway else 0
        for step in self._marks(arm, end, half):
            if not self.population.advance(arm, step):
                return INF
            if arm.decay is None and self.population.step(arm) == self.steps // 2:
                self.population.save(arm)
            if step == half and self.population.step(arm) == half:
                self.midpoint_losses[arm, half] = self._average(arm, "late")
            on_the_way = step in self._rhythm() and self.held_out.has_room()
            if step == end or on_the_way or self.population.step(arm) < step:
                score = self._evaluate(arm)
            if self.population.step(arm) < step:
                return score
        return score if score < INF else self._seen(arm, end)

    def evaluate_at(self, arm: Arm, steps: list[int]) -> None:
        """Take an arm to steps of one's own, and look at all late rows there."""
        for step in steps:
            if not self.population.advance(arm, step):
                return
            self._evaluate(arm, late=True)

    def branch_with_decay(self, arm: Arm, start: float | None, end: float) -> None:
        """Branch from where an arm is, or was, and let its rate fall to 0 at a fraction."""
        step = self.population.step(arm) if start is None else self._step(start)
        last = max(step + 1, self._step(end))
        self.run(self.population.branch(arm, step, last), last / self.steps)

    def _marks(self, arm: Arm, end: int, half: int) -> list[int]:
        marks = {*self._rhythm(), end, half}
        if arm.decay is None:
            marks.add(self.steps // 2)
        return sorted(mark for mark in marks if self.population.step(arm) < mark <= end)

    def _rhythm(self) -> list[int]:
        every = self.held_out.plan.every
        return [round(i * every * self.steps) for i in range(1, round(1 / every) + 1)]

    def _step(self, fraction: float) -> int:
        return max(1, round(fraction * self.steps))

    def _seen(self, arm: Arm, step: int) -> float:
        """What was seen at a step that the arm has passed already."""
        member = self.population.members.get(arm)
        if member is None or not member.alive:
            return INF
        seen = member.curve.at(step)
        return seen if seen < INF or member.curve.step == 0 else self._evaluate(arm)

    def _evaluate(self, arm: Arm, late: bool = False) -> float:
        plan, step = self.held_out.plan, self.population.step(arm)
        if step == 0:
            return INF
        member = self.population.members[arm]
        if step < c.EARLY * self.steps and plan.early < plan.late and not late:
            member.curve.evaluations.append(Evaluation(step, np.nan, self._average(arm, "early")))
            return member.curve.evaluations[-1].averaged
        raw, smooth = self._ask(arm, "evaluation", lambda: self._late(arm))
        member.curve.evaluations.append(Evaluation(step, raw, smooth))
        self._keep(raw, arm, False)
        self._keep(smooth, arm, True)
        return smooth if raw < INF else INF

    def _late(self, arm: Arm) -> list[float]:
        """The change of the raw weights and of their average."""
        both = [self._weights(arm, averaged) for averaged in (False, True)]
        return [self.held_out.change(*weights, "late") for weights in both]

    def _average(self, arm: Arm, rows: str) -> float:
        def change():
            return self.held_out.change(*self._weights(arm), rows)

        return self._ask(arm, f"average on {rows} rows", change)

    def _ask(self, arm: Arm, what: str, measure: Callable[[], Any]) -> Any:
        """What held-out rows say of an arm where it stands; how much they were asked is told too,
        as later looks depend on it."""
        question = f"{what} of {arm.name} at step {self.population.step(arm)}"
        journal = self.population.journal
        told, self.held_out.asked = journal.ask(question, lambda: [measure(), self.held_out.asked])
        return told

    def _weights(self, arm: Arm, averaged: bool = True) -> tuple[Any, Any]:
        """The parameters of an arm, or their average, and its model state."""
        carry = self.population.members[arm].carry
        if carry is None:  # they are given back at the end of the journal
            return None, None
        return average_of(carry) if averaged else carry.params, carry.model_state

    def _keep(self, change: float, arm: Arm, is_average: bool) -> None:
        """Keep the lowest of each kind, and the lowest few where they are to be compared again."""
        kin = [x for x in self.found if x.is_average == is_average]
        room = max(1, self.held_out.plan.recheck)
        if change < INF and (len(kin) < room or change < kin[-1].change):
            params, state = self.population.kept(self._weights(arm, is_average))
            new = Candidate(change, params, state, arm, self.population.step(arm), is_average)
            best = sorted([*kin, new], key=lambda x: x.change)[:room]
            self.found = best + [x for x in self.found if x.is_average != is_average]


def _both(evaluation: Evaluation) -> float:
    return INF if np.isnan(evaluation.raw) else min(evaluation.raw, evaluation.averaged)
