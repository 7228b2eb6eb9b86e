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
from types import SimpleNamespace
from typing import Any

from lecture_optax import fit, recipe
from lecture_optax.training.loop.evaluation import evaluate
from lecture_optax.training.problem import Problem

from ..problems import Case, Task
from ..problems.chosen import add_arguments, built, chosen
from .baselines import BASELINES, Baseline
from .scores import load, save
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


def baselines_of(problem: Problem, case: Case) -> Callable[[Baseline], Method]:
    """Return a function from a baseline to a method. All baselines share one compiled program."""
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


def methods_of(
    problem: Problem, case: Case, given: argparse.Namespace
) -> Iterator[tuple[str, Method]]:
    if given.picker is not None:
        yield from ((f"{given.label}, {x:g}", picker(given.picker, x)) for x in given.budgets)
        return
    of = baselines_of(problem, case)
    yield from ((f"{given.label}, {x:g}", ours(x, given.folds)) for x in given.budgets)
    yield "lo.fit without tx", default
    yield from ((name, of(baseline)) for name, baseline in BASELINES.items())


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
        for name, case, task in built(cases):
            _measure_all(name, case, task, given)
    if given.compare:
        print_comparison(*given.compare, cases, plain=given.plain)
    else:
        print_table(cases, plain=given.plain)


def _measure_all(name: str, case: Case, task: Task, given: argparse.Namespace) -> None:
    for method, call in methods_of(task.problem, case, given):
        table = load()
        known = [] if given.again else table.get(method, {}).get(name, [])
        if not any(word in method for word in given.only) or len(known) >= given.seeds:
            continue
        own = given.folds > 0 and method.startswith(given.label)
        more = [measure(call, task, case, s, own) for s in range(len(known), given.seeds)]
        table.setdefault(method, {})[name] = known + more
        save(table)
        print(f"{name:26} {method:30}", *more, flush=True)


if __name__ == "__main__":
    main()
