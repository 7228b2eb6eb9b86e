"""A trial: one seed of a problem, on which any optimizer can run from the same start.

Baselines get what our arms have: the same minibatches, an average of the weights, and the best of
20 evaluations.
"""

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from optax import contrib

from lecture_optax.optimizers import adam, sgd
from lecture_optax.recipe.population.arms import Arm, arm_optimizer
from lecture_optax.training._trees import as_data
from lecture_optax.training.compiled.program import Program, slow_in_a_loop, table_of
from lecture_optax.training.loop.advance import advance_until
from lecture_optax.training.loop.batch_statistics import recompute_batch_statistics
from lecture_optax.training.loop.evaluation import averaged_params, evaluate
from lecture_optax.training.loop.sources import ArraySource
from lecture_optax.training.problem import Problem

from ..problems import Case

EVALUATIONS = 20

TEST_STEPS, SLOWEST, FASTEST = 100, 1e-7, 10.0
"""fastai's range test: the learning rate increases by the same factor every step."""

OPTIMIZERS: Mapping[str, Callable[[Any], Any]] = {
    "adam": adam,
    "nesterov": lambda rate: sgd(rate, momentum=0.9, nesterov=True),
    "prodigy": contrib.prodigy,
    "cocob": contrib.cocob,
    "d-adaptation": contrib.dadapt_adamw,
    "schedule-free": lambda rate: contrib.schedule_free_adamw(2.5e-3),
    "mechanic": lambda rate: contrib.mechanize(optax.adam(rate)),
    "range test": lambda rate: adam(
        optax.exponential_decay(SLOWEST, TEST_STEPS, FASTEST / SLOWEST)
    ),
}
"""One compiled program has them all. Those that need no learning rate get 1, as is usual."""


class Best(NamedTuple):
    """The lowest evaluation so far, and its weights."""

    loss: float
    params: Any
    model_state: Any


class Trial:
    """The runs of a seed within a limit of gradients, and their best evaluation."""

    def __init__(self, program: Program, rows: ArraySource, seed: int, steps: int, budget: float):
        self.program, self.rows, self.seed, self.steps = program, rows, seed, steps
        self.limit, self.spent = int(budget * steps + 1e-6), 0
        start = program.init(seed)
        self.best = Best(np.inf, start.params, start.model_state)

    @property
    def cost(self) -> float:
        return self.spent / self.steps

    @property
    def left(self) -> int:
        return self.limit - self.spent

    def run(self, optimizer: str, rate: float = 1.0, linear: bool = False) -> float:
        """Train a complete run, as far as the budget goes, and return its lowest loss."""
        return min(self.evaluations(optimizer, rate, linear), default=np.inf)

    def evaluations(self, optimizer: str, rate: float, linear: bool = False) -> Iterator[float]:
        """Yield the validation loss at each evaluation, the lower of raw and averaged weights."""
        program = self._program_of(_arm(optimizer, rate, (0, self.steps) if linear else None))
        carry = program.init(self.seed)
        for mark in np.unique(
            np.maximum(1, self.steps * np.arange(1, EVALUATIONS + 1) // EVALUATIONS)
        ):
            done = int(np.asarray(carry.step))
            carry, _, failure, _ = advance_until(
                program, self.rows, carry, min(int(mark), done + self.left)
            )
            self.spent += int(np.asarray(carry.step)) - done
            if failure is not None or int(np.asarray(carry.step)) < mark:
                break
            yield self._evaluate(carry)

    def range_test(self) -> tuple[np.ndarray, np.ndarray]:
        """Return learning rates that increase from step to step, and the training losses."""
        program = self._program_of(_arm("range test", 1.0))
        steps = min(TEST_STEPS, self.left)
        carry, table, *_ = self.rows.advance(program, program.init(self.seed), steps)
        done = int(np.asarray(carry.step))
        self.spent += done
        rates = SLOWEST * (FASTEST / SLOWEST) ** (np.arange(done) / TEST_STEPS)
        return rates, table_of(np.asarray(table), done)["loss"]

    def _program_of(self, arm: Arm) -> Program:
        return dataclasses.replace(self.program, hyperparams=as_data(arm.hyperparams(self.steps)))

    def _evaluate(self, carry: Any) -> float:
        losses = []
        for params, model_state in self._candidates(carry):
            data = self.program.problem
            loss = evaluate(data.functions.examples, params, model_state, data.valid)["loss"]
            losses.append(loss if np.isfinite(loss) else np.inf)
            if losses[-1] < self.best.loss:
                self.best = Best(loss, *jax.tree.map(jnp.array, (params, model_state)))
        return min(losses)

    def _candidates(self, carry: Any) -> Iterator[tuple[Any, Any]]:
        """Yield the weights, their average, and the weights that schedule-free evaluates."""
        yield carry.params, carry.model_state
        others = [averaged_params(carry)]
        kind = contrib.ScheduleFreeState
        for state in jax.tree.leaves(carry.opt_state, is_leaf=lambda x: isinstance(x, kind)):
            if isinstance(state, kind) and int(np.asarray(state.b1 > 0)):
                others.append(contrib.schedule_free_eval_params(state, carry.params))
        for params in others:
            yield params, recompute_batch_statistics(self.program, carry, params, self.rows.data)


class Trials:
    """The trials of a problem, which share a compiled program."""

    def __init__(self, problem: Problem, case: Case):
        numbers = _arm("adam", 1.0).hyperparams(case.steps)
        options = {"batch_size": case.batch_size, "hyperparams": numbers}
        self.program, self.steps = (
            Program.of(problem, arm_optimizer(OPTIMIZERS), **options),
            case.steps,
        )
        data = jax.tree.map(jnp.asarray, problem.train)
        self.rows = ArraySource(
            data, None, slow_in_a_loop(self.program, self.program.init(0), data)
        )

    def trial(self, seed: int, budget: float) -> Trial:
        return Trial(self.program, self.rows, seed, self.steps, budget)


def _arm(optimizer: str, rate: float, decay: tuple[int, int] | None = None) -> Arm:
    """Return an arm at any learning rate: the quarter decades need not be whole."""
    return Arm(list(OPTIMIZERS).index(optimizer), 4 * np.log10(rate), decay)  # type: ignore[arg-type]
