"""The journal of a search: what it asked for, and what was measured.

The policy (`policy.py`) asks for segments and is told their outcomes, so a search resumes from its
journal, and segments that are asked for together can run side by side.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from ..population.arms import Arm, step_at
from ..population.curve import Curve, Evaluation
from .aim import Progress


class Segment(NamedTuple):
    """The steps of an arm to `end`, from where it stands."""

    arm: Arm
    end: int


class Outcome(NamedTuple):
    """What a segment measured.

    - `step`: of the last gradient of the arm; `is_finite`: False if it has diverged.
    - `evaluations`: of its validation loss; `gradient`, `update`: the mean of |g| and of |Δθ| over
      the first steps of the arm.
    """

    step: int
    is_finite: bool
    evaluations: tuple[Evaluation, ...]
    gradient: float = 0.0
    update: float = 0.0


def outcome_of(curve: Curve, start: int, end: int) -> Outcome:
    """Return the outcome of the segment of an arm from step `start` to `end`."""
    evaluations = tuple(x for x in curve.evaluations if start < x.step <= end)
    has_failed = curve.failed is not None and curve.failed[0] <= end
    is_finite = not has_failed and all(np.isfinite(x.averaged) for x in evaluations[-1:])
    return Outcome(min(curve.taken, end), is_finite, evaluations, curve.gradient, curve.update)


@dataclass
class Journal:
    """What a search has measured, in the order in which it asked.

    - `steps`: of a complete run; `limit`: the gradients of the whole search; `spent`: so far.
    - `arms`: what is known of every arm; `ends`: the steps to which segments ran, by arm.
    - `asked`: the ends of segments without an outcome.
    - `aims`: the learning rate that will be best at the end, in quarter decades, by optimizer and
      the step at which it was seen.
    - `promised`: an arm that may run to the end, whatever else is asked for.
    - `chain`: the steps of the longest chain of segments that needed each other's results.
    - `phase`: the part of the policy, as progress shows it.
    """

    steps: int
    limit: int
    spent: int = 0
    arms: dict[Arm, Outcome] = field(default_factory=dict)
    ends: dict[Arm, set[int]] = field(default_factory=dict)
    asked: dict[Arm, int] = field(default_factory=dict)
    aims: dict[tuple[int, int], float] = field(default_factory=dict)
    promised: Arm | None = None
    chain: int = 0
    phase: str = "bracket"

    def at(self, fraction: float) -> int:
        """Return the step at a fraction of a run."""
        return step_at(fraction, self.steps)

    def step(self, arm: Arm) -> int:
        return self.arms[arm].step if arm in self.arms else arm.begin

    def is_finite(self, arm: Arm) -> bool:
        return arm not in self.arms or self.arms[arm].is_finite

    @property
    def remaining(self) -> int:
        """The gradients that are not spent, asked for or promised."""
        asked = sum(end - self.step(arm) for arm, end in self.asked.items())
        return self.limit - self.spent - asked - self._left_of(self.promised)

    def affords(self, arm: Arm, end: int, reserve: int = 0) -> bool:
        """Return whether an arm can run to a step and leave `reserve` gradients."""
        own = self._left_of(arm) if arm == self.promised else 0
        return end - self.step(arm) + reserve <= self.remaining + own

    def _left_of(self, arm: Arm | None) -> int:
        if arm is None or not self.is_finite(arm):
            return 0
        return self.steps - self.asked.get(arm, self.step(arm))

    def ask(self, arm: Arm, end: int) -> Segment:
        """Ask for a segment: its gradients are reserved."""
        self.asked[arm] = end
        return Segment(arm, end)

    def tell(self, outcomes: Mapping[Segment, Outcome]) -> None:
        """Enter the outcomes of segments that were asked for together."""
        self.chain += max(x.step - self.step(segment.arm) for segment, x in outcomes.items())
        for (arm, end), outcome in outcomes.items():
            self.spent += outcome.step - self.step(arm)
            past = self.arms[arm].evaluations if arm in self.arms else ()
            self.arms[arm] = outcome._replace(evaluations=past + outcome.evaluations)
            self.ends.setdefault(arm, set()).add(end)
            del self.asked[arm]

    def progress_at(self, optimizer: int, step: int) -> dict[int, Progress]:
        """Return the progress of the constant learning rates that were to run to a step."""
        return {
            arm.quarter_decades: self._progress(arm, step)
            for arm, ends in self.ends.items()
            if step in ends and arm.decay is None and arm.optimizer == optimizer
        }

    def _progress(self, arm: Arm, step: int) -> Progress:
        found = next((x for x in self.arms[arm].evaluations if x.step == step), None)
        if found is None or not np.isfinite(found.averaged):
            return Progress(-np.inf, 0.0)
        return Progress(-found.averaged, float(np.nan_to_num(found.movement)))

    def averaged_loss(self, arm: Arm, step: int) -> float:
        """Return the change of the averaged loss of an arm at a step; inf if it is not known."""
        evaluations = self.arms[arm].evaluations if arm in self.arms else ()
        return next((x.averaged for x in evaluations if x.step == step), np.inf)

    def best_loss(self, arm: Arm) -> float:
        """Return the lowest change of the loss of an arm, of raw or averaged weights."""
        return min(self.lowest(arm), default=np.inf)

    def lowest(self, arm: Arm) -> list[float]:
        """Return the lower of the raw and the averaged loss at every late evaluation."""
        evaluations = self.arms[arm].evaluations if arm in self.arms else ()
        return [x.lowest for x in evaluations if not np.isnan(x.raw)]

    @property
    def progress(self) -> float:
        """The largest decrease of the validation loss so far, in which margins are given."""
        return max([0.0, *(-self.best_loss(arm) for arm in self.arms)])
