"""Measure the regret of the recipe and of other methods, and their cost.

    python -m benchmarks.regret [--only WORD ...] [--seeds 2] [problem ...]   measures
    python -m benchmarks.regret --table                                        prints

    regret = (loss - best) / (start - best), in %, at most 100

on the validation set, which selects, and on a test set, which does not. `best` is the lowest mean
over seeds of a last raw loss on the same examples (`grid.py`). Averages and early evaluations can
be better, so a regret can be negative. Baselines (`baselines.py`) get the same average of the
weights and return their best evaluation too. Losses are added to `data/losses.json` as they are
measured, and are measured again only with `--again`. `--picker FOLDER` adds another search,
`picker.pick(problem, seed)`, which reads its budget from the environment variable BUDGET.
"""

import argparse
import importlib.util
import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jax

from lecture_optax import recipe
from lecture_optax.training.loop.evaluation import evaluate
from lecture_optax.training.problem import Problem

from ..problems import CASES, Case, Task
from .baselines import BASELINES, Baseline
from .table import FILE, print_table
from .trial import Trials

BUDGETS = (1.0, 1.3, 1.5, 2.0, 3.0, 4.5, 8.0)

Picked = tuple[Any, Any, float]
"""Parameters, model state, and the cost in training runs."""

Method = Callable[[Problem, Case, int], Picked]


def ours(budget: float) -> Method:
    def method(problem, case, seed):
        options = {"steps": case.steps, "batch_size": case.batch_size}
        found = recipe.run(problem, seed=seed, budget=budget, **options)
        return found.params, found.model_state, found.cost

    return method


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


def methods_of(problem: Problem, case: Case, folder: str | None) -> Iterator[tuple[str, Method]]:
    of = baselines_of(problem, case)
    yield from ((f"the recipe, {budget:g}", ours(budget)) for budget in BUDGETS)
    yield from ((name, of(baseline)) for name, baseline in BASELINES.items())
    if folder is not None:
        yield from ((f"the picker, {budget:g}", picker(folder, budget)) for budget in BUDGETS)


def measure(method: Method, task: Task, case: Case, seed: int) -> list[Any]:
    """Return the validation loss, the test loss and the cost, or the error that was raised."""
    problem, examples = task.problem, task.problem.functions.examples
    try:
        params, model_state, cost = method(problem, case, seed)
    except Exception as error:  # a failure is a result, which the table prints
        return [f"{type(error).__name__}: {error}"[:200]]
    sets = (problem.valid, task.test)
    losses = [evaluate(examples, params, model_state, rows)["loss"] for rows in sets]
    return [float(f"{x:.7g}") for x in (*losses, cost)]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*", default=list(CASES))
    parser.add_argument("--only", nargs="+", default=[""], help="words in the names of methods")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--table", action="store_true")
    parser.add_argument("--picker")
    arguments = parser.parse_args()
    if not importlib.util.find_spec("optuna"):
        print("Optuna is not installed, so its baselines are not measured: pip install optuna")
    for name in [] if arguments.table else arguments.names or CASES:
        _measure_all(name, arguments)
        jax.clear_caches()
    print_table()


def _measure_all(name: str, arguments: argparse.Namespace) -> None:
    case = CASES[name]
    task = case.build()
    for method, call in methods_of(task.problem, case, arguments.picker):
        table = json.loads(FILE.read_text()) if FILE.exists() else {}
        known = [] if arguments.again else table.get(method, {}).get(name, [])
        if not any(word in method for word in arguments.only) or len(known) >= arguments.seeds:
            continue
        more = [measure(call, task, case, s) for s in range(len(known), arguments.seeds)]
        table.setdefault(method, {})[name] = known + more
        _write(FILE, table)
        print(f"{name:26} {method:30}", *more, flush=True)


def _write(path: Path, table: dict[str, dict[str, Any]]) -> None:
    """Write a line for each method and problem, so that a diff shows what changed."""
    blocks = [
        f"{json.dumps(method)}: {{\n"
        + ",\n".join(f" {json.dumps(name)}: {json.dumps(x)}" for name, x in sorted(rows.items()))
        + "\n}"
        for method, rows in table.items()
    ]
    part = path.with_suffix(".part")
    part.write_text("{\n" + ",\n".join(blocks) + "\n}\n")
    part.replace(path)


if __name__ == "__main__":
    main()
