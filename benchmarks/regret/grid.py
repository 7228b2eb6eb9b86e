"""Find the lowest losses of any single run: every optimizer, learning rate and schedule, 3 seeds.

    python -m benchmarks.regret.grid [problem ...]

Adam and SGD + Nesterov, at constant learning rates and with a linear decay to 0. Learning rates are
half decades from 1e-5 to 10, further while the best is near an end, and quarter decades beside it:
about 170 complete runs a problem. `data/grid.json` keeps the lowest mean over seeds of the last raw
loss, on the validation set (and which run that was) and on the test set, each by the run that is
best there; and the losses of the start.
"""

import itertools
import json
import sys
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from lecture_optax.recipe.population.arms import Arm, arm_optimizer
from lecture_optax.recipe.population.population import Population
from lecture_optax.training.compiled.program import Program, slow_in_a_loop
from lecture_optax.training.loop.evaluation import evaluate
from lecture_optax.training.loop.sources import ArraySource

from ..problems import CASES, Case

TABLE = Path(__file__).parent / "data" / "grid.json"
SEEDS, QUARTERS, LAST = 3, (-20, 4), (-48, 24)


class Losses(NamedTuple):
    """The validation loss and the test loss."""

    valid: float
    test: float


class Grid:
    """The runs of a problem, each trained once."""

    def __init__(self, case: Case):
        (self.problem, self.test), self.steps = case.build(), case.steps
        numbers = Arm(0, 0).hyperparams(case.steps)
        program = Program.of(
            self.problem, arm_optimizer(), batch_size=case.batch_size, hyperparams=numbers
        )
        data, starts = jax.tree.map(jnp.asarray, self.problem.train), range(SEEDS)
        rows = ArraySource(data, None, slow_in_a_loop(program, program.init(0), data))
        self.seeds = [
            Population(program, rows, program.init(seed), case.steps, limit=2**40)
            for seed in starts
        ]
        self.runs: dict[Arm, Losses] = {}

    def start(self) -> Losses:
        return _mean([self._losses(seed.start) for seed in self.seeds])

    def mean(self, arm: Arm) -> Losses:
        if arm not in self.runs:
            self.runs[arm] = _mean([self._run(seed, arm) for seed in self.seeds])
        return self.runs[arm]

    def best(self) -> tuple[Arm, Losses]:
        """Return the arm with the lowest validation loss, and the lowest losses of all arms."""
        for optimizer, decay in itertools.product((0, 1), (None, (0, self.steps))):
            self._line(Arm(optimizer, 0, decay))
        valid = min(self.runs, key=lambda arm: self.runs[arm].valid)
        return valid, Losses(*(min(losses) for losses in zip(*self.runs.values(), strict=True)))

    def _line(self, arm: Arm) -> None:
        """Run half decades until the lowest loss lies inside, and quarter decades beside it."""
        low, high = QUARTERS
        while True:
            line = [arm._replace(quarter_decades=quarter) for quarter in range(low, high + 1, 2)]
            lowest = min(line, key=lambda arm: self.mean(arm).valid)
            if lowest.quarter_decades <= low + 2 and low > LAST[0]:
                low -= 4
            elif lowest.quarter_decades >= high - 2 and high < LAST[1]:
                high += 4
            else:
                break
        for beside in (lowest.shifted(-1), lowest.shifted(1)):
            self.mean(beside)

    def _run(self, seed: Population, arm: Arm) -> Losses:
        finite = seed.advance(arm, self.steps)
        carry = seed.members.pop(arm).carry
        seed.saved.clear()
        return self._losses(carry) if finite else Losses(np.inf, np.inf)

    def _losses(self, carry) -> Losses:
        examples = self.problem.functions.examples
        sets = (self.problem.valid, self.test)
        found = [evaluate(examples, carry.params, carry.model_state, rows) for rows in sets]
        return Losses(*(x["loss"] if np.isfinite(x["loss"]) else np.inf for x in found))


def _mean(losses: list[Losses]) -> Losses:
    return Losses(*np.mean(losses, 0).tolist())


def main(names: list[str]) -> None:
    for name in names or list(CASES):
        grid = Grid(CASES[name])
        arm, best = grid.best()
        optimizer = "nesterov" if arm.optimizer else "adam"
        row = {
            "start": _rounded(grid.start()),
            "best": _rounded(best),
            "by": f"{optimizer}, {arm.rate:.2g}, {'linear' if arm.decay else 'constant'}",
            "runs": len(grid.runs) * SEEDS,
        }
        print(name, row, flush=True)
        table = json.loads(TABLE.read_text()) if TABLE.exists() else {}
        lines = [
            f"{json.dumps(key)}: {json.dumps(x)}"
            for key, x in sorted((table | {name: row}).items())
        ]
        TABLE.write_text("{\n" + ",\n".join(lines) + "\n}\n")
        jax.clear_caches()


def _rounded(losses: Losses) -> dict[str, float]:
    return {rows: float(f"{loss:.8g}") for rows, loss in losses._asdict().items()}


if __name__ == "__main__":
    main(sys.argv[1:])
