"""Replays of the search on curves: what it would have selected, without training again.

The policy of the search is a pure function of what was measured. So an arm is trained once,
evaluated at `MARKS` on all validation examples, and answers whatever a policy asks of it. A replay
takes milliseconds. It differs from a search where that evaluates a part of the examples.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from lecture_optax._average import averaged
from lecture_optax.recipe.population.arms import OPTIMIZERS, Arm, arm_optimizer, gain_of
from lecture_optax.recipe.population.curve import Evaluation
from lecture_optax.recipe.search.journal import Journal, Outcome, Segment
from lecture_optax.recipe.search.policy import search
from lecture_optax.training.compiled.program import Program
from lecture_optax.training.loop.evaluation import evaluate

from ..problems import Case, Task

MARKS = (1, 2, 3, *range(5, 101, 5))
"""The evaluations of an arm, in hundredths of a run. A segment that ends between two has the values
of the nearer one."""


class CurveOfArm(NamedTuple):
    """An arm at each mark: changes of the validation loss since the start, raw and averaged, the
    mean absolute change over examples, and the means of |g| and |Δθ| over all steps so far."""

    raw: np.ndarray
    averaged: np.ndarray
    movement: np.ndarray
    gradient: np.ndarray
    update: np.ndarray


class Recorded:
    """The curves of one seed of a problem, as they were trained, and what segments measured."""

    def __init__(self, steps: int, curves: dict[Arm, CurveOfArm]):
        self.steps, self.curves = steps, curves
        self.marks = np.unique([max(1, round(steps * mark / 100)) for mark in MARKS])

    def of(self, arm: Arm) -> CurveOfArm:
        return self.curves[arm]

    def outcome(self, segment: Segment, start: int) -> Outcome:
        """Return what a segment of an arm from step `start` measures."""
        end, curve = segment.end, self.of(segment.arm)
        steps = sorted(step for step in {*self.marks.tolist(), end} if start < step <= end)
        found = tuple(self._evaluation(curve, step) for step in steps)
        is_finite = bool(np.isfinite(found[-1].averaged))
        at = self._index(end)
        norms = float(curve.gradient[at]), float(curve.update[at])
        return Outcome(end, is_finite, found, *norms)

    def _evaluation(self, curve: CurveOfArm, step: int) -> Evaluation:
        at = self._index(step)
        losses = float(curve.raw[at]), float(curve.averaged[at])
        return Evaluation(step, *losses, float(curve.movement[at]))

    def _index(self, step: int) -> int:
        return int(np.abs(self.marks - step).argmin())


class Curves(Recorded):
    """Curves that are trained when they are first asked for.

    `file`: keeps them from one process to the next, for another policy.
    """

    def __init__(self, case: Case, task: Task, seed: int = 0, file: Path | None = None):
        super().__init__(case.steps, _read(file) if file and file.exists() else {})
        problem, self.file = task.problem, file
        numbers = Arm(0, 0).hyperparams(self.steps)
        options = {"batch_size": case.batch_size, "hyperparams": numbers}
        program = Program.of(problem, arm_optimizer(), **options)
        self.start = program.init(seed)._replace(opt_state=None)
        self.start_loss = evaluate(
            problem.functions.examples, self.start.params, self.start.model_state, problem.valid
        )["loss"]
        self.data = jax.tree.map(jnp.asarray, (problem.train, problem.valid))
        self.train = _training(program, self.marks)

    def of(self, arm: Arm) -> CurveOfArm:
        if arm not in self.curves:
            found = self.train(self.start, *self.data, arm.hyperparams(self.steps))
            every = [np.asarray(x, np.float64) for x in found]
            self.curves[arm] = CurveOfArm(*(np.where(np.isfinite(x), x, np.inf) for x in every))
        return self.curves[arm]

    def save(self) -> None:
        """Write the curves to the file, if there is one."""
        if self.file:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            np.savez(self.file, **{x.name: np.stack(curve) for x, curve in self.curves.items()})


def _read(file: Path) -> dict[Arm, CurveOfArm]:
    with np.load(file) as found:
        return {Arm.named(name): CurveOfArm(*found[name]) for name in found}


GAINS = [gain_of(optimizer) for optimizer in OPTIMIZERS.values()]


def replay(curves: Curves, budget: float) -> float:
    """Return the validation loss of the weights that a search selects."""
    *_, (journal, _) = rounds(curves, budget)
    return curves.start_loss + min([0.0, *map(journal.best_loss, journal.arms)])


def rounds(
    curves: Recorded, budget: float, gains: Sequence[float | None] = GAINS
) -> Iterator[tuple[Journal, list[Segment]]]:
    """Yield the journal before each round of a search, and the segments of the round.

    At the end the journal has all outcomes.
    """
    journal = Journal(curves.steps, int(budget * curves.steps + 1e-6))
    for segments in search(journal, gains):
        yield journal, segments
        journal.tell({x: curves.outcome(x, journal.step(x.arm)) for x in segments})


def _training(program: Program, marks: np.ndarray) -> Callable[..., Any]:
    """Return a function that trains an arm and returns what a `CurveOfArm` has."""
    own, examples = program.compiled, program.problem.functions.examples

    def each_loss(params, state, rows):
        def one(row):
            alone = jax.tree.map(lambda x: x[None], row)
            return jnp.mean(examples(params, state, alone)["loss"])

        return jax.vmap(one)(rows)

    def train(start, rows, valid, numbers):
        first = each_loss(start.params, start.model_state, valid)

        def step(_, state):
            carry, sums = state
            carry, record = own.step(carry, own.take(rows, carry.key, carry.step), None, numbers)
            return carry, sums + jnp.stack([record.grad_norm, record.update_norm])

        def to_mark(state, mark):
            carry, sums = jax.lax.fori_loop(state[0].step, mark, step, state)
            average = averaged(carry.opt_state, carry.params)
            raw, smooth = (each_loss(x, carry.model_state, valid) for x in (carry.params, average))
            change = smooth - first
            norms = sums / mark.astype(sums.dtype)
            found = jnp.mean(raw - first), jnp.mean(change), jnp.mean(jnp.abs(change)), *norms
            return (carry, sums), found

        carry = start._replace(opt_state=own.build(**numbers).init(start.params))
        return jax.lax.scan(to_mark, (carry, jnp.zeros(2)), marks)[1]

    return jax.jit(train)
