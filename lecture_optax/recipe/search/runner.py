"""Running a search: the segments that the policy asks for, wherever they are computed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from ...training.loop.sources import ArraySource
from ..execution.executor import InThisProcess, Job, Pool, StateLost
from ..population.arms import Arm
from ..population.curve import Curve
from ..population.held_out import HeldOut
from ..population.lanes import best_lane_count
from ..population.member import Candidate, Member
from ..population.memory import MemoryNeeds, to_device
from ..population.population import Population, Weights
from ..population.worker import Call, SearchWorker, weights_of
from .folds import FoldPlan
from .journal import Journal, Outcome, Segment, outcome_of
from .policy import next_segments, rounds_of

MOST_LANES = 4
"""Few rounds have more segments."""


@dataclass
class Runner:
    """The arms of a search, and what was measured.

    - `worker`: that of this process.
    - `budget`: in runs; `limit`: in gradients; `gains`: an entry for every optimizer
      (`arms.gain_of`).
    - `folds`: how the last arms are cross-validated, or None.
    - `lanes`: how many arms run as one program; None before that is decided.
    - `memory`: what the search needs, estimated before it starts.
    - `outcomes`: of the segments that have ended, in this order.
    - `poll`: called often: to save, to show, to stop.
    - `pool`: what runs the segments.
    """

    worker: SearchWorker
    budget: float
    limit: int
    gains: Sequence[float | None]
    folds: FoldPlan | None = None
    lanes: int | None = None
    memory: MemoryNeeds | None = None
    members: dict[Arm, Member] = field(default_factory=dict)
    outcomes: dict[Segment, Outcome] = field(default_factory=dict)
    poll: Callable[[], None] = field(default=lambda: None, repr=False)
    journal: Journal = field(init=False)
    pool: Pool = field(init=False)

    def __post_init__(self):
        self.journal = Journal(self.population.steps, self.limit)
        self.pool = InThisProcess().start(self.worker, lambda: self.poll())

    @property
    def population(self) -> Population:
        return self.worker.population

    @property
    def held_out(self) -> HeldOut:
        return self.worker.held_out

    @property
    def spent(self) -> int:
        """The gradients of all arms together."""
        return sum(member.curve.taken - arm.begin for arm, member in self.members.items())

    @property
    def rows_evaluated(self) -> int:
        """The examples that were evaluated so far."""
        own = (member.curve.rows_evaluated for member in self.members.values())
        return self.held_out.rows_evaluated + sum(own)

    @property
    def candidates(self) -> list[Candidate]:
        """The best evaluated weights of every arm that are kept, raw and averaged."""
        return [x for member in self.members.values() for x in member.best.values()]

    def run(self) -> None:
        """Run what the policy asks for and what has no outcome yet, until it asks for nothing."""
        self.journal = Journal(self.population.steps, self.limit)
        try:
            for segments in rounds_of(self.journal, self.gains, self.folds):
                self._run([segment for segment in segments if segment not in self.outcomes])
                self.journal.tell({segment: self.outcomes[segment] for segment in segments})
        finally:
            begun = {arm: x for arm, x in self.members.items() if x.curve.taken > arm.begin}
            self.members = begun

    def decide_lanes(self, alone: bool) -> None:
        """Decide how many arms run as one program, if that was neither given nor saved.

        - `alone`: whether an executor runs the arms, each alone.

        **Raises** `ValueError` where several arms cannot run as one program.
        """
        population = self.population
        reasons = {
            "an executor runs every arm alone": alone,
            "the arms wait in the memory of the host": population.offload,
            "the data stream": population.stream is not None,
            "an arm uses all devices of a mesh": population.program.mesh is not None,
        }
        why = next((words for words, holds in reasons.items() if holds), None)
        if why is None and self.lanes is None:
            slow = population.hyperparams(Arm(0, -16))  # its steps stay finite
            source = cast(ArraySource, population.source)
            given = population.program, source, population.start, slow
            self.lanes = best_lane_count(*given, most=MOST_LANES)
        if why is not None and (self.lanes or 1) > 1:
            raise ValueError(
                f"lanes must be 1 here, as {why}, got {self.lanes}. A search that was saved with "
                "lanes resumes with as many."
            )
        self.lanes = self.lanes or 1

    def resume(self, outcomes: dict[Segment, Outcome]) -> None:
        """Resume after these outcomes.

        **Raises** `ValueError` where the policy has not asked for them.
        """
        self.outcomes, steps = outcomes, self.population.steps
        self.journal, _ = next_segments(outcomes, steps, self.limit, self.gains, self.folds)
        for arm, end in outcomes:
            if end not in self.journal.ends.get(arm, ()) and self.journal.asked.get(arm) != end:
                raise ValueError(f"this one never runs {arm.name!r} to step {end}")

    def _run(self, segments: list[Segment]) -> None:
        """Run segments; those whose state is lost once more, from a state that is made again."""
        while segments:
            lost = []
            for done in self.pool.run(map(self._job, segments)):
                segment = segments[done.index]
                if done.report is None:
                    lost.append(segment)
                else:
                    self._enter(segment, done.report, done.states)
            for arm, _ in lost:
                member = self.members[arm]
                member.carry = self._again(arm, member.curve.step)
            segments = lost

    def _job(self, segment: Segment) -> Job:
        arm, end = segment
        parent = self.members.get(arm._replace(decay=None))
        member = self.members.get(arm) or Member(
            Curve(step=arm.begin, norm_steps=arm.begin),
            places={} if parent is None else dict(parent.places),
        )
        self.members[arm] = member
        state = member.carry
        if state is None and arm.decay and parent is not None:
            state = parent.branches[arm.begin]
        is_best_of_all = not self.held_out.plan.recheck
        best = {x.is_average: x._replace(weights=None) for x in self.candidates}
        call = Call(arm, end, member, best if is_best_of_all else {})
        return Job(call, state, end - member.curve.step)

    def _enter(self, segment: Segment, found: Member, states: dict[str, Any]) -> None:
        """Enter a segment that has ended."""
        arm, end = segment
        self.members[arm].take(found, states)
        self.outcomes[segment] = outcome_of(found.curve, self.journal.step(arm), end)
        if not self.held_out.plan.recheck:  # evaluations use all examples: one is the best of all
            for kind in (False, True):
                kin = [x for x in self.candidates if x.is_average == kind]
                for x in sorted(kin, key=lambda x: x.order)[1:]:
                    del self.members[x.arm].best[kind]

    def carry_of(self, arm: Arm) -> Any:
        """Return the carry of an arm on the device of this process."""
        member = self.members[arm]
        return self._get(member.carry, arm, member.curve.step)

    def branch_of(self, arm: Arm, step: int) -> Any:
        """Return the carry of an arm at a step at which a decay may begin."""
        return self._get(self.members[arm].branches[step], arm, step)

    def weights_of(self, x: Candidate) -> Weights:
        """Return the weights of a candidate."""
        start = self.population.start
        try:
            return to_device(self.pool.get(x.weights), (start.params, start.model_state))
        except StateLost:
            return weights_of(self.population.awake(self._again(x.arm, x.step)), x.is_average)

    def _get(self, state: Any, arm: Arm, step: int) -> Any:
        try:
            found = self.pool.get(state)
        except StateLost:
            found = self._again(arm, step)
        return self.population.awake(found)

    def _again(self, arm: Arm, step: int) -> Any:
        return self.population.retrace(arm, step, self.poll).carry
