"""Running a search: the segments that the policy asks for, with evaluations on the way."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from ...training.loop.evaluation import averaged_params
from .. import constants as c
from ..population.arms import REFIT, Arm
from ..population.curve import Evaluation
from ..population.held_out import HeldOut
from ..population.population import Population
from .folds import FoldPlan
from .journal import Journal, Outcome, Segment, outcome_of
from .policy import next_segments, rounds_of


class Candidate(NamedTuple):
    """Evaluated weights: the change of their loss since the start, and where they come from."""

    loss_change: float
    params: Any
    model_state: Any
    arm: Arm
    step: int
    is_average: bool


@dataclass
class Runner:
    """The arms of a search, their validation set, and what was measured.

    - `budget`: in runs; `gains`: an entry for every optimizer (`arms.gain_of`).
    - `folds`: how the last arms are cross-validated, or None.
    - `outcomes`: of the segments that have ended, in this order.
    - `candidates`: the best evaluated weights of every arm, raw and averaged.
    """

    population: Population
    held_out: HeldOut
    budget: float
    gains: Sequence[float | None]
    folds: FoldPlan | None = None
    outcomes: dict[Segment, Outcome] = field(default_factory=dict)
    candidates: dict[tuple[Arm, bool], Candidate] = field(default_factory=dict)
    journal: Journal = field(init=False)

    def __post_init__(self):
        self.journal = Journal(self.population.steps, self.population.limit)

    def run(self) -> None:
        """Run what the policy asks for and what has no outcome yet, until it asks for nothing."""
        self.journal = Journal(self.population.steps, self.population.limit)
        for segments in rounds_of(self.journal, self.gains, self.folds):
            for segment in segments:
                if segment not in self.outcomes:
                    self.outcomes[segment] = self._measure(segment)
                    self.population.poll()
            self.journal.tell({segment: self.outcomes[segment] for segment in segments})

    def resume(self, outcomes: dict[Segment, Outcome]) -> None:
        """Resume after these outcomes.

        **Raises** `ValueError` where the policy has not asked for them.
        """
        self.outcomes = outcomes
        steps, limit = self.population.steps, self.population.limit
        self.journal, _ = next_segments(outcomes, steps, limit, self.gains, self.folds)
        for arm, end in outcomes:
            if end not in self.journal.ends.get(arm, ()) and self.journal.asked.get(arm) != end:
                raise ValueError(f"this one never runs {arm.name!r} to step {end}")

    def _measure(self, segment: Segment) -> Outcome:
        arm, end = segment
        start = self.journal.step(arm)
        for step in self._marks(arm, end):
            if not self.population.advance(arm, step):
                break
            if arm.decay is None and step in self._branches():
                self.population.save(arm)
            if arm.fold is not None:
                self._evaluate_fold(arm, step)
            elif step == end or step in self._evaluation_steps():
                self._evaluate(arm, step)
        return outcome_of(self.population.members[arm].curve, start, end)

    def _marks(self, arm: Arm, end: int) -> list[int]:
        """Return the steps at which an arm still has to stop on the way to `end`."""
        steps = self._evaluation_steps() if arm.fold is None else self._fold_steps()
        marks = {*steps, end}
        if arm.decay is None:
            marks |= self._branches()
        member = self.population.members.get(arm)
        evaluations = member.curve.evaluations if member else []
        done = max((x.step for x in evaluations), default=arm.begin)
        reached = self.population.step(arm)  # further than `done` in a search that was resumed
        return sorted(mark for mark in marks if done < mark <= end and mark >= reached)

    def _branches(self) -> set[int]:
        """Return the steps at which a decay may begin."""
        return {self.journal.at(fraction) for fraction in c.DECAYS}

    def _evaluation_steps(self) -> set[int]:
        every = self.held_out.plan.every
        return {round(i * every * self.population.steps) for i in range(1, round(1 / every) + 1)}

    def _fold_steps(self) -> set[int]:
        return {self.journal.at(fraction) for fraction in c.FOLD_MARKS}

    def _evaluate_fold(self, arm: Arm, step: int) -> None:
        """Evaluate an arm on the examples that it does not train on, if there are any."""
        folds = self.population.folds
        if folds is None or arm.fold is None or arm.fold == REFIT:
            return
        raw, averaged = (
            folds.changes(arm.fold, *self.final_weights(arm, kind)) for kind in (False, True)
        )
        self.held_out.rows_evaluated += 2 * folds.rows // folds.count
        means = float(np.mean(raw)), float(np.mean(averaged))
        found = Evaluation(step, *means, losses=(raw, averaged))
        self.population.members[arm].curve.evaluations.append(found)

    def final_weights(self, arm: Arm, averaged: bool) -> tuple[Any, Any]:
        """Return the weights of an arm where it stands, averaged ones with batch statistics."""
        params, state = self._weights(arm, averaged)
        if averaged:
            state = self.population.statistics(arm, self.population.step(arm), params, state)
        return params, state

    def _evaluate(self, arm: Arm, step: int) -> None:
        curve, plan = self.population.members[arm].curve, self.held_out.plan
        change, movement = np.nan, np.nan
        if step <= self.journal.at(c.LEVELS[-1]):
            change, movement = self.held_out.early_change(*self._weights(arm, True))
        if step < c.EARLY * self.population.steps:
            curve.evaluations.append(Evaluation(step, np.nan, change, movement))
            if plan.early == plan.late:  # on the same examples as later ones
                self._add_candidate(change, arm, step, True)
            return
        raw, averaged = (
            self.held_out.loss_change(*self._weights(arm, kind), "late") for kind in (False, True)
        )
        averaged = averaged if raw < np.inf else np.inf  # the arm has diverged
        curve.evaluations.append(Evaluation(step, raw, averaged, movement))
        self._add_candidate(raw, arm, step, False)
        self._add_candidate(averaged, arm, step, True)

    def _weights(self, arm: Arm, averaged: bool) -> tuple[Any, Any]:
        """Return the parameters of an arm, or their average, and its model state."""
        carry = self.population.members[arm].carry
        assert carry is not None  # it has run
        return averaged_params(carry) if averaged else carry.params, carry.model_state

    def _add_candidate(self, loss_change: float, arm: Arm, step: int, is_average: bool) -> None:
        """Keep the best weights of every arm, or of all where evaluations use all examples."""
        kin = [x for x in self.candidates.values() if x.is_average == is_average]
        if self.held_out.plan.recheck:
            kin = [x for x in kin if x.arm == arm]
        if loss_change < min([np.inf, *(x.loss_change for x in kin)]):
            for x in kin:
                del self.candidates[x.arm, is_average]
            params, state = self.population.copy_of(self._weights(arm, is_average))
            new = Candidate(loss_change, params, state, arm, step, is_average)
            self.candidates[arm, is_average] = new
