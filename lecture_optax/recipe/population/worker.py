"""Segments of a search, run and evaluated by one worker: a device, a thread or a process."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ...training._trees import copied
from ...training.loop.evaluation import averaged_params
from .. import constants as c
from .arms import REFIT, Arm, step_at
from .curve import Evaluation
from .held_out import HeldOut
from .lanes import advance_arms
from .member import Candidate, Member
from .population import Population, Weights


class Call(NamedTuple):
    """The steps of an arm to `end`, from where its member stands.

    - `best`: by whether they are averaged, the best evaluated weights so far, if others than the
      arm's own best ones count.
    """

    arm: Arm
    end: int
    member: Member
    best: dict[bool, Candidate]


@dataclass
class SearchWorker:
    """The arms and the validation set, on one device."""

    population: Population
    held_out: HeldOut

    def placed_on(self, device: Any) -> "SearchWorker":
        """Return this worker with all its arrays on a device."""
        return SearchWorker(self.population.placed_on(device), self.held_out.placed_on(device))

    def run(
        self, call: Call, state: Any, poll: Callable[[], None]
    ) -> tuple[Member, dict[str, Any]]:
        """Run a segment from a state of its arm, or of the arm that it branches from."""
        for step in self._segment(call, state):
            self.population.advance(call.arm, call.member, step, poll)
        return call.member, call.member.states

    def run_together(
        self, calls: Sequence[Call], states: Sequence[Any], lanes: int, poll: Callable[[], None]
    ) -> list[tuple[Member, dict[str, Any]]]:
        """Run up to `lanes` segments as one program, with the same results up to rounding.

        Arms of folds train on other examples, and run alone.
        """
        if len(calls) == 1 or any(call.arm.fold is not None for call in calls):
            return [self.run(*x, poll) for x in zip(calls, states, strict=True)]
        segments = [self._segment(*x) for x in zip(calls, states, strict=True)]
        until = {i: step for i, x in enumerate(segments) if (step := next(x, None)) is not None}
        while until:
            arms = [(calls[i].arm, calls[i].member, step) for i, step in until.items()]
            advance_arms(self.population, arms, lanes)
            for i, (_, member, step) in zip([*until], arms, strict=True):
                if member.curve.step < step and member.is_finite:
                    continue
                if (step := next(segments[i], None)) is None:
                    del until[i]
                else:
                    until[i] = step
            poll()
        return [(call.member, call.member.states) for call in calls]

    def _segment(self, call: Call, state: Any) -> Iterator[int]:
        """Yield the next step to which the arm is to be advanced, and evaluate it there."""
        arm, end, member, _ = call
        population = self.population
        is_branch = member.carry is None and state is not None
        member.carry = population.carry_of(arm, copied(state) if is_branch else state)
        if population.stream:
            population.stream.learn(member.places)
        for step in self._marks(arm, member, end):
            member.curve.norm_steps = member.curve.norm_steps or step
            yield step
            population.check_state(member)
            if not member.is_finite:
                break
            if arm.decay is None and step in self._branches():
                member.branches[step] = population.copy_of(member.carry._replace(key=None))
            if population.stream and step in {end, *self._branches()}:
                member.places[step] = population.stream.place(step)
            if arm.fold is not None:
                self._evaluate_fold(arm, member, step)
            elif step == end or step in self._evaluation_steps():
                self._evaluate(call, step)
        member.carry = population.waiting(member.carry)

    def _marks(self, arm: Arm, member: Member, end: int) -> list[int]:
        """Return the steps at which an arm still has to stop on the way to `end`."""
        marks = {end, *(self._evaluation_steps() if arm.fold is None else ())}
        if arm.fold is not None:
            marks |= {self._at(fraction) for fraction in c.FOLD_MARKS}
        if arm.decay is None:
            marks |= self._branches()
        done = max((x.step for x in member.curve.evaluations), default=arm.begin)
        reached = member.curve.step  # further than `done` in a search that was resumed
        return sorted(mark for mark in marks if done < mark <= end and mark >= reached)

    def _at(self, fraction: float) -> int:
        return step_at(fraction, self.population.steps)

    def _branches(self) -> set[int]:
        """Return the steps at which a decay may begin."""
        return {self._at(fraction) for fraction in c.DECAYS}

    def _evaluation_steps(self) -> set[int]:
        plan, steps = self.held_out.plan, self.population.steps
        planned = (round(i * plan.every * steps) for i in range(1, round(1 / plan.every) + 1))
        return {*planned, *plan.own}

    def _evaluate_fold(self, arm: Arm, member: Member, step: int) -> None:
        """Evaluate an arm on the examples that it does not train on, if there are any."""
        folds = self.population.folds
        if folds is None or arm.fold is None or arm.fold == REFIT:
            return
        raw, averaged = (
            folds.changes(arm.fold, *self.final_weights(arm, member, kind))
            for kind in (False, True)
        )
        means = float(np.mean(raw)), float(np.mean(averaged))
        found = Evaluation(step, *means, losses=(raw, averaged))
        member.curve.evaluate(found, 2 * folds.rows // folds.count)

    def final_weights(self, arm: Arm, member: Member, averaged: bool) -> Weights:
        """Return the weights of an arm where it stands, averaged ones with batch statistics."""
        weights = weights_of(member.carry, averaged)
        return self.population.statistics(arm, member.curve.step, weights) if averaged else weights

    def _evaluate(self, call: Call, step: int) -> None:
        plan, curve, carry = self.held_out.plan, call.member.curve, call.member.carry
        change, movement, rows = np.nan, np.nan, 0
        raw, average = (weights_of(carry, kind) for kind in (False, True))
        if step <= self._at(c.LEVELS[-1]):
            change, movement = self.held_out.early_change(*average)
            rows = plan.early
        if step < c.EARLY * self.population.steps and step not in plan.own:
            curve.evaluate(Evaluation(step, np.nan, change, movement), rows)
            if plan.early == plan.late:  # on the same examples as later ones
                self._add_candidate(call, change, step, True)
            return
        loss, own = (self.held_out.loss_change(*x, "late") for x in (raw, average))
        own = own if loss < np.inf else np.inf  # the arm has diverged
        curve.evaluate(Evaluation(step, loss, own, movement), rows + 2 * plan.late)
        self._add_candidate(call, loss, step, False)
        self._add_candidate(call, own, step, True)

    def _add_candidate(self, call: Call, loss: float, step: int, is_average: bool) -> None:
        """Keep the best weights of every arm, if they are better than those that count."""
        new = Candidate(loss, step, call.arm, is_average)
        kin = [best[is_average] for best in (call.best, call.member.best) if is_average in best]
        if loss < np.inf and all(new.order < x.order for x in kin):
            weights = self.population.copy_of(weights_of(call.member.carry, is_average))
            call.member.best[is_average] = new._replace(weights=weights)


def weights_of(carry: Any, averaged: bool) -> Weights:
    """Return the parameters of a carry, or their average, and its model state."""
    return averaged_params(carry) if averaged else carry.params, carry.model_state
