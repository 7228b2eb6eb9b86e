"""Fit the power of time with which the best constant learning rate decreases, `DRIFT`.

    python -m benchmarks.regret.drift --curves FOLDER [--group GROUP] [problem ...]

For every power, the aim (`recipe/search/aim.py`) is taken at 3, 5, 10 and 20 % of a run of Adam,
and compared with the learning rate that is best at the end: by how much more would the run at the
aim lose, in % of the best decrease? The least mean over all problems is the fit; it is repeated
without each problem. Curves are kept in a folder, as those of `leave_one_out`.
"""

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from lecture_optax.recipe import constants as c
from lecture_optax.recipe.population.arms import Arm
from lecture_optax.recipe.search.aim import Progress, scores_of, vertex

from ..problems import Case, Task
from ..problems.chosen import add_arguments, chosen
from ..problems.side_by_side import Question, answers
from .replay import Curves

FRACTIONS = (0.03, 0.05, 0.1, 0.2)
POWERS = np.arange(0.0, 0.61, 0.05).round(2)
RATES = range(c.USUAL - 2 * c.DECADE, c.USUAL + 2 * c.DECADE + 1, c.HALF)
CAP = 20.0
"""Larger losses, in %, count as this, so that no problem decides the mean."""


def main() -> None:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    parser.add_argument("--curves", type=Path, help="a folder that keeps the curves", required=True)
    given, found = parser.parse_args(), {}
    choose, prepare = partial(chosen, given), partial(_prepare, given.curves.absolute())
    questions = list(map(Question, choose()))
    for (name, _), each in answers(questions, choose, prepare, given.executor):
        found[name] = each
        print(f"{name:26}", *(f"{cost:5.1f}" for cost in each), flush=True)
    every = np.array([found[x.name] for x in questions if x.name in found])
    print(f"{'mean':26}", *(f"{cost:5.2f}" for cost in every.mean(0)))
    print(f"{'power':26}", *(f"{power:5.2f}" for power in POWERS))
    without = [float(POWERS[np.delete(every, i, 0).mean(0).argmin()]) for i in range(len(every))]
    print(f"fitted {POWERS[every.mean(0).argmin()]}; without one problem {sorted(set(without))}")


def _prepare(folder: Path, name: str, case: Case, task: Task) -> Callable[[None], np.ndarray]:
    def answer(key):
        curves = Curves(case, task, file=folder / f"{name}.npz")
        found = costs(curves)
        curves.save()
        return found

    return answer


def costs(curves: Curves) -> np.ndarray:
    """Return the loss of the run at the aim beyond that of the best run, for every power."""
    end = -np.array([progress_at(curves, 1.0)[q].decrease for q in RATES])
    lost = np.minimum(CAP, 100 * (end - end.min()) / -end.min())
    costs = np.zeros(len(POWERS))
    for fraction in FRACTIONS:
        now = vertex(scores_of(progress_at(curves, fraction), fraction, c.USUAL, 0.0))
        aims = now - c.DECADE * POWERS * np.log10(1 / fraction)
        costs += np.interp(aims, RATES, lost) / len(FRACTIONS)
    return costs


def progress_at(curves: Curves, fraction: float) -> dict[int, Progress]:
    at = int(np.abs(curves.marks - fraction * curves.steps).argmin())
    found = {q: float(curves.of(Arm(0, q)).averaged[at]) for q in RATES}
    return {q: Progress(-change, 0.0) for q, change in found.items()}


if __name__ == "__main__":
    main()
