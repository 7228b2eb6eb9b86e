"""Find the lowest losses of any single run: every optimizer, learning rate and schedule, 3 seeds.

    python -m benchmarks.regret.grid [--group GROUP | --folder FOLDER] [problem ...]

Adam and SGD + Nesterov, at constant learning rates and with a linear decay to 0. Learning rates are
half decades from 1e-5 to 10, further while the best is near an end, and quarter decades beside it.
Each run can return its last weights, the average of its weights, or those of the best of 20
evaluations, where both kinds are evaluated on the validation set. About 200 complete runs a
problem, vectorized over learning rates.

`data/grid.json` has of every problem, on the validation set and on the test set: the losses of the
start; `last`, the lowest mean over seeds of the last raw loss; `best`, the lowest mean of whatever
a run can return, and `by`, which run that was. The two sets have their own best runs, but a test
set never selects an evaluation. The problems of `regret_set` came with a finer grid (eighth
decades, cosine decays, 10 evaluations), of which `data/given_grid.json` has the lowest losses: the
lower of both counts.
"""

import argparse
import functools
import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from lecture_optax._average import averaged
from lecture_optax.recipe.population.arms import Arm, arm_optimizer
from lecture_optax.training.compiled.program import Program
from lecture_optax.training.loop.batch_statistics import recompute_batch_statistics

from ..problems import Case, Task
from ..problems.chosen import add_arguments, chosen
from ..problems.side_by_side import Question, answers

TABLE = Path(__file__).parent / "data" / "grid.json"
GIVEN = TABLE.with_name("given_grid.json")
SEEDS, QUARTERS, LAST = 3, (-20, 4), (-48, 24)
EVALUATIONS, LANES = 20, 10
RETURNED = ("last", "averaged", "best evaluation")
SETS = ("valid", "test")


class Grid:
    """The runs of a problem, each trained once.

    `runs`: the losses of an arm, with the axes seed, what is returned, and set.
    """

    def __init__(self, case: Case, task: Task):
        self.task, self.steps = task, case.steps
        problem, numbers = task.problem, Arm(0, 0).hyperparams(case.steps)
        options = {"batch_size": case.batch_size, "hyperparams": numbers}
        program = Program.of(problem, arm_optimizer(), **options)
        self.starts = [program.init(seed)._replace(opt_state=None) for seed in range(SEEDS)]
        self.sets = tuple(jax.tree.map(jnp.asarray, x) for x in (problem.valid, task.test))
        self.train = jax.tree.map(jnp.asarray, problem.train)
        self.run = _vectorized(program, self.steps)
        self.runs: dict[Arm, np.ndarray] = {}

    def row(self) -> dict[str, Any]:
        """Return the row of the table, after all runs."""
        for optimizer, decay in itertools.product((0, 1), (None, (0, self.steps))):
            self._line(Arm(optimizer, 0, decay))
        arms = list(self.runs)
        means = np.stack([self.runs[arm].mean(0) for arm in arms])
        starts = np.array([self._start(start) for start in self.starts])
        row: dict[str, Any] = {
            "start": {**_by_set(starts.mean(0)), "seeds": [_rounded(x) for x in starts[:, 0]]},
            "last": _by_set(means[:, 0].min(0)),
            "best": _by_set(means.min((0, 1))),
            "by": {},
            "runs": len(arms) * SEEDS,
        }
        for i, name in enumerate(SETS[: 1 if self.task.test is None else 2]):
            arm, returned = np.unravel_index(means[..., i].argmin(), means.shape[:2])
            row["by"][name] = f"{_words(arms[arm])}, {RETURNED[returned]}"
        return row

    def _line(self, arm: Arm) -> None:
        """Run half decades until the lowest losses lie inside, and quarter decades beside them."""
        low, high = QUARTERS
        while True:
            line = [arm._replace(quarter_decades=quarter) for quarter in range(low, high + 1, 2)]
            self._measure(line)
            lowest = [self._lowest(line, returned) for returned in range(len(RETURNED))]
            at = [x.quarter_decades for x in lowest]
            if min(at) <= low + 2 and low > LAST[0]:
                low -= 4
            elif max(at) >= high - 2 and high < LAST[1]:
                high += 4
            else:
                break
        self._measure([x.shifted(one) for x in lowest for one in (-1, 1)])

    def _lowest(self, line: list[Arm], returned: int) -> Arm:
        return min(line, key=lambda arm: self.runs[arm][:, returned, 0].mean())

    def _measure(self, arms: list[Arm]) -> None:
        """Train the arms that have not run yet, some at a time; the last group repeats one."""
        missing = [arm for arm in dict.fromkeys(arms) if arm not in self.runs]
        for i in range(0, len(missing), LANES):
            group = missing[i : i + LANES]
            lanes = [*group, *[group[-1]] * (LANES - len(group))]
            every = [arm.hyperparams(self.steps) for arm in lanes]
            numbers = {name: np.stack([x[name] for x in every]) for name in every[0]}
            numbers |= {"optimizer": np.int32(lanes[0].optimizer)}
            numbers |= {"learning_rate": np.float32(numbers["learning_rate"])}
            found = [self.run(start, self.train, self.sets, numbers) for start in self.starts]
            losses = np.asarray(found, np.float64)
            losses[np.isnan(losses)] = np.inf
            self.runs |= {arm: losses[:, lane] for lane, arm in enumerate(group)}

    def _start(self, start: Any) -> list[float]:
        loss = _losses(self.task.problem.functions.examples)
        return [float(loss(start.params, start.model_state, rows)) for rows in self.sets]


def _vectorized(program: Program, steps: int) -> Callable[..., Any]:
    """Return the losses of runs by what they return and on which set; one lane a learning rate."""
    problem, own = program.problem, program.compiled
    loss = _losses(problem.functions.examples)
    marks = np.unique(np.maximum(1, steps * np.arange(1, EVALUATIONS + 1) // EVALUATIONS))

    def run(start, train, sets, numbers):
        def step(_, carry):
            return own.step(carry, own.take(train, carry.key, carry.step), None, numbers)[0]

        def weights(carry):
            average = averaged(carry.opt_state, carry.params)
            state = recompute_batch_statistics(program, carry, average, train)
            return (carry.params, carry.model_state), (average, state)

        def to_mark(both, mark):
            carry, best = both
            carry = jax.lax.fori_loop(carry.step, mark, step, carry)
            for each in weights(carry):
                found = loss(*each, sets[0])
                is_best = found < best[0]
                better = jax.tree.map(functools.partial(jnp.where, is_best), (found, each), best)
                best = better
            return (carry, best), None

        carry = start._replace(opt_state=own.build(**numbers).init(start.params))
        best = jnp.float32(jnp.inf), (start.params, start.model_state)
        (carry, (_, best)), _ = jax.lax.scan(to_mark, (carry, best), marks)
        return jnp.stack(
            [jnp.stack([loss(*each, rows) for rows in sets]) for each in (*weights(carry), best)]
        )

    lanes = {"optimizer": None, "learning_rate": 0, "decay_start": 0, "decay_steps": 0}
    return jax.jit(jax.vmap(run, (None, None, None, lanes)))


def _losses(examples: Callable[..., Any]) -> Callable[..., Any]:
    """Return the mean loss of a set, NaN where there is no set."""

    def loss(params, model_state, rows):
        if rows is None:
            return jnp.float32(jnp.nan)
        return jnp.mean(examples(params, model_state, rows)["loss"])

    return jax.jit(loss)


def _by_set(losses: np.ndarray) -> dict[str, float | None]:
    return {name: _rounded(x) for name, x in zip(SETS, losses, strict=True)}


def _rounded(loss: float) -> float | None:
    return float(f"{loss:.8g}") if np.isfinite(loss) else None


def _words(arm: Arm) -> str:
    optimizer = "nesterov" if arm.optimizer else "adam"
    return f"{optimizer}, {arm.rate:.2g}, {'linear' if arm.decay else 'constant'}"


def with_given(name: str, row: dict[str, Any]) -> dict[str, Any]:
    """Return a row with the lower of its losses and those of the grid that a problem came with."""
    given = json.loads(GIVEN.read_text()).get(name, {})
    for key, split in itertools.product(given, SETS):
        if given[key][split]["loss"] < row[key][split]:
            row[key][split] = given[key][split]["loss"]
            if key == "best":
                row["by"][split] = given[key][split]["by"]
    return row


def prepare(name: str, case: Case, task: Task) -> Callable[[None], dict[str, Any]]:
    return lambda key: with_given(name, Grid(case, task).row())


def main() -> None:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    given = parser.parse_args()
    choose = functools.partial(chosen, given)
    for (name, _), row in answers(list(map(Question, choose())), choose, prepare, given.executor):
        print(name, row, flush=True)
        table = json.loads(TABLE.read_text()) if TABLE.exists() else {}
        lines = [
            f"{json.dumps(key)}: {json.dumps(x)}"
            for key, x in sorted((table | {name: row}).items())
        ]
        TABLE.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
