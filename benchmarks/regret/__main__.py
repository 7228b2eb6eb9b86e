"""Measure the regret of the recipe and of other methods, and their cost.

    python -m benchmarks.regret [--group GROUP | --folder FOLDER] [--only WORD] [problem ...]
    python -m benchmarks.regret --table [--group GROUP] [--compare A B]

    regret = (loss - best) / (start - best), in %, at most 100

on the validation set, which selects, and on a test set, which does not. `best` is the lowest mean
over seeds of what any single run of a grid could return (`grid.py`). Searches and baselines can be
better, so a regret can be negative. Baselines (`baselines.py`) get the same average of the weights
and return their best evaluation too.

Losses are added to `data/losses.json` as they are measured, and are measured again only with
`--again`. `--group`, `--only` and `--budget` may be given several times. `--picker FOLDER --label
NAME` measures another search in place of the recipe: `picker.pick(problem, seed)`, which reads its
budget from the environment variable BUDGET. `--folder FOLDER` measures on the problems that are
defined there (`problems/folder.py`).

`--folds 2 --label "the recipe with folds" --budget 6` measures cross-validation: on test examples
only, as the returned models were trained on the validation examples.
"""

import argparse
import importlib.util
import os
import sys
from collections.abc import Callable, Iterator
from functools import partial
from types import SimpleNamespace
from typing import Any

from lecture_optax import fit, recipe
from lecture_optax.training.loop.evaluation import evaluate
from lecture_optax.training.problem import Problem

from ..problems import Case, Task
from ..problems.chosen import add_arguments, chosen
from ..problems.side_by_side import Question, answers
from .baselines import BASELINES, Baseline
from .scores import Records, load
from .table import print_comparison, print_table
from .trial import Trials

BUDGETS = (1.0, 1.5, 2.0, 3.0, 4.5, 8.0)

Picked = tuple[Any, Any, float]
"""Parameters, model state, and the cost in training runs."""

Method = Callable[[Problem, Case, int], Picked]


def ours(budget: float, folds: int = 0) -> Method:
    def method(problem, case, seed):
        options = {"steps": case.steps, "batch_size": case.batch_size, "progress": False}
        found = recipe.run(problem, seed=seed, budget=budget, folds=folds, **options)
        return found.params, found.model_state, found.cost

    return method


def default(problem: Problem, case: Case, seed: int) -> Picked:
    options = {"steps": case.steps, "batch_size": case.batch_size, "progress": False}
    found = fit(problem, seed=seed, **options)
    return found.params, found.model_state, found.cost


def baselines_of() -> Callable[[Baseline], Method]:
    """Return a function from a baseline to a method, for one problem.

    All baselines share one compiled program.
    """
    trials = []

    def of(baseline: Baseline) -> Method:
        def method(problem, case, seed):
            trials.extend([] if trials else [Trials(problem, case)])
            trial = trials[0].trial(seed, baseline.budget)
            baseline.spend(trial)
            return trial.best.params, trial.best.model_state, trial.cost

        return method

    return of


def picker(folder: str, budget: float) -> Method:
    """Return a search that is defined elsewhere; it takes problems of plain functions only."""
    sys.path.insert(0, folder)
    from picker import pick  # type: ignore[import-not-found]

    def method(problem, case, seed):
        os.environ["BUDGET"] = str(budget)
        plain = SimpleNamespace(
            init=lambda key: problem.functions.init(key, None)[0],
            loss=lambda params, batch: problem.loss(params, {}, batch, None)[0],
            train=problem.train,
            valid=problem.valid,
            batch_size=case.batch_size,
            steps=case.steps,
        )
        found = pick(plain, seed)
        return found["params"], {}, found["gradient_evals"] / case.steps

    return method


def methods_of(given: argparse.Namespace) -> Iterator[tuple[str, Method]]:
    """Yield the methods to measure. Those of one call share what they compile."""
    if given.picker is not None:
        every = ((f"{given.label}, {x:g}", picker(given.picker, x)) for x in given.budgets)
    else:
        of = baselines_of()
        recipes = ((f"{given.label}, {x:g}", ours(x, given.folds)) for x in given.budgets)
        others = ((name, of(baseline)) for name, baseline in BASELINES.items())
        every = (*recipes, ("lo.fit without tx", default), *others)
    yield from (x for x in every if any(word in x[0] for word in given.only))


def measure(
    method: Method, task: Task, case: Case, seed: int, trains_on_valid: bool = False
) -> list[Any]:
    """Return the validation loss, the test loss and the cost, or the error that was raised.

    A problem without a test set has None as its test loss, and a model that was trained on the
    validation examples has None as its validation loss.
    """
    problem, examples = task.problem, task.problem.functions.examples
    try:
        params, model_state, cost = method(problem, case, seed)
    except Exception as error:  # a failure is a result, which the table prints
        return [f"{type(error).__name__}: {error}"[:200]]

    def loss(rows):
        return None if rows is None else evaluate(examples, params, model_state, rows)["loss"]

    found = None if trains_on_valid else loss(problem.valid), loss(task.test), cost
    return [None if x is None else float(f"{x:.7g}") for x in found]


def main() -> None:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    parser.add_argument("--only", action="append", help="a word in the names of methods")
    parser.add_argument("--budget", dest="budgets", action="append", type=float)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--table", action="store_true")
    parser.add_argument("--compare", nargs=2, metavar="METHOD")
    parser.add_argument("--plain", action="store_true", help="score against last raw losses only")
    parser.add_argument("--picker")
    parser.add_argument("--label", default="the recipe")
    parser.add_argument("--folds", type=int, default=0, help="give them a --label of their own")
    given = parser.parse_args()
    given.only, given.budgets = given.only or [""], given.budgets or BUDGETS
    cases = chosen(given)
    if not given.table and not given.compare:
        if not importlib.util.find_spec("optuna"):
            print("Optuna is not installed, so its baselines are not measured: pip install optuna")
        measure_all(list(cases), given)
    if given.compare:
        print_comparison(*given.compare, cases, plain=given.plain)
    else:
        print_table(cases, plain=given.plain)


def measure_all(names: list[str], given: argparse.Namespace) -> None:
    """Measure what has no record, and add it to the records."""
    table, methods, questions = load(), [x for x, _ in methods_of(given)], []
    for name in names:
        known = {x: 0 if given.again else len(table.get(x, {}).get(name, [])) for x in methods}
        for seed in range(given.seeds):
            if missing := [method for method in methods if seed >= known[method]]:
                questions.append(Question(name, (seed, missing)))
    records, prepare = Records(), partial(_prepare, given)
    for question, found in answers(questions, partial(chosen, given), prepare, given.executor):
        for method, row in found.items():
            records.add(method, question.name, question.key[0], row)
            print(f"{question.name:26} {method:30} seed {question.key[0]}", *row, flush=True)


def _prepare(
    given: argparse.Namespace, name: str, case: Case, task: Task
) -> Callable[[tuple[int, list[str]]], dict[str, list[Any]]]:
    """Return a function from a seed and methods to what they measure."""
    methods = dict(methods_of(given))

    def answer(key):
        seed, names = key
        own = [x for x in names if given.folds > 0 and x.startswith(given.label)]
        return {x: measure(methods[x], task, case, seed, x in own) for x in names}

    return answer


if __name__ == "__main__":
    main()
