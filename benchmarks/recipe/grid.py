"""What is the best that any single run reaches? Every rate, family and schedule, three seeds.

    python -m benchmarks.recipe.grid [problem ...]

Adam and SGD + Nesterov, constant and falling along a line to 0, rates by half decades from 1e-8
to 1e3, quarters beside the best: about 250 complete runs a problem. `grid.json` keeps the lowest
mean over seeds of the last raw held-out loss, which run that was, and the loss of the start.
"""

import itertools
import json
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from lecture_optax.recipe.optimizer import arm
from lecture_optax.recipe.population import Arm, Population
from lecture_optax.training.looks import evaluate
from lecture_optax.training.loop import Rows
from lecture_optax.training.program import Program

from .problems import CASES, Case

TABLE = Path(__file__).with_name("grid.json")
SEEDS, QUARTERS = 3, range(-32, 13, 2)


class Grid:
    """The runs of a problem, each made once."""

    def __init__(self, case: Case):
        self.problem, self.steps = case.build(), case.steps
        numbers = Arm(0, 0).hyperparams(case.steps)
        program = Program.of(self.problem, arm, batch_size=case.batch_size, hyperparams=numbers)
        rows = Rows(jax.tree.map(jnp.asarray, self.problem.train))
        self.seeds = [
            Population(program, rows, program.init(seed), case.steps, limit=2**40)
            for seed in range(SEEDS)
        ]
        self.runs: dict[Arm, list[float]] = {}

    def start(self) -> float:
        return float(np.mean([self._loss(seed.start.params) for seed in self.seeds]))

    def mean(self, arm: Arm) -> float:
        if arm not in self.runs:
            self.runs[arm] = [self._run(seed, arm) for seed in self.seeds]
        return float(np.mean(self.runs[arm]))

    def best(self) -> Arm:
        for family, fall in itertools.product((0, 1), (None, (0, self.steps))):
            line = [Arm(family, quarter, fall) for quarter in QUARTERS]
            lowest = min(line, key=self.mean)
            for beside in (lowest.faster(-1), lowest.faster(1)):
                self.mean(beside)
        return min(self.runs, key=self.mean)

    def _run(self, seed: Population, arm: Arm) -> float:
        finite = seed.advance(arm, self.steps)
        loss = self._loss(seed.members.pop(arm).carry.params) if finite else np.inf
        return loss if np.isfinite(loss) else np.inf

    def _loss(self, params) -> float:
        return evaluate(self.problem.functions.examples, params, {}, self.problem.valid)["loss"]


def main(names: list[str]) -> None:
    table = json.loads(TABLE.read_text()) if TABLE.exists() else {}
    for name in names or list(CASES):
        grid = Grid(CASES[name])
        best = grid.best()
        family = "nesterov" if best.family else "adam"
        table[name] = {
            "start": round(grid.start(), 7),
            "best": round(grid.mean(best), 7),
            "by": f"{family}, {best.rate:.2g}, {'linear' if best.fall else 'constant'}",
            "runs": len(grid.runs) * SEEDS,
        }
        print(name, table[name], flush=True)
        TABLE.write_text(json.dumps(dict(sorted(table.items())), indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
