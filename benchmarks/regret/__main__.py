"""How far from the best of the grid is the recipe's model, for how many gradients?

    python -m benchmarks.regret [--only WORD ...] [--seeds 2] [problem ...]   measures
    python -m benchmarks.regret --table                                        prints

    regret = (loss - best) / (start - best), in %, at most 100

on the held-out rows, which the search sees, and on test rows, which it does not. `best` is the
lowest mean over seeds of a last raw loss on the same rows (`grid.py`): averages and early looks can
be better, and a regret negative. Peers (`peers.py`) are granted the same average and the same best
look. Losses go to `losses.json` as they are measured; what is there is not measured again, unless
`--again`. `--picker FOLDER` adds somebody else's `picker.pick(problem, seed)`, told the budget by
BUDGET.
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

from ..recipe.problems import CASES, Case, Task
from .baselines import PEERS, Peer
from .table import FILE, print_table
from .trial import Lanes

BUDGETS = (1.0, 1.3, 1.5, 2.0, 3.0, 4.5, 8.0)

Picked = tuple[Any, Any, float]
"""Parameters, model state, cost in runs."""

Way = Callable[[Problem, Case, int], Picked]


def ours(budget: float) -> Way:
    def way(problem, case, seed):
        options = {"steps": case.steps, "batch_size": case.batch_size}
        found = recipe.run(problem, seed=seed, budget=budget, **options)
        return found.params, found.model_state, found.cost

    return way


def peers_of(problem: Problem, case: Case) -> Callable[[Peer], Way]:
    """They share the lanes of a problem: one program."""
    lanes = []

    def of(peer: Peer) -> Way:
        def way(problem, case, seed):
            lanes.extend([] if lanes else [Lanes(problem, case)])
            lane = lanes[0].lane(seed, peer.budget)
            peer.spend(lane)
            return lane.best.params, lane.best.model_state, lane.cost

        return way

    return of


def picker(folder: str, budget: float) -> Way:
    """A function of another place, which brings its own search; plain problems only."""
    sys.path.insert(0, folder)
    from picker import pick  # type: ignore[import-not-found]

    def way(problem, case, seed):
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

    return way


def ways_of(problem: Problem, case: Case, folder: str | None) -> Iterator[tuple[str, Way]]:
    of = peers_of(problem, case)
    yield from ((f"the recipe, {budget:g}", ours(budget)) for budget in BUDGETS)
    yield from ((name, of(peer)) for name, peer in PEERS.items())
    if folder is not None:
        yield from ((f"the picker, {budget:g}", picker(folder, budget)) for budget in BUDGETS)


def measure(way: Way, task: Task, case: Case, seed: int) -> list[Any]:
    """The losses on held-out and on test rows, and the cost; or what it failed with."""
    problem, examples = task.problem, task.problem.functions.examples
    try:
        params, model_state, cost = way(problem, case, seed)
    except Exception as error:  # a failure is a result: it is kept, and printed
        return [f"{type(error).__name__}: {error}"[:200]]
    sets = (problem.valid, task.test)
    losses = [evaluate(examples, params, model_state, rows)["loss"] for rows in sets]
    return [float(f"{x:.7g}") for x in (*losses, cost)]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*", default=list(CASES))
    parser.add_argument("--only", nargs="+", default=[""], help="words in the names of ways")
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--table", action="store_true")
    parser.add_argument("--picker")
    arguments = parser.parse_args()
    if not importlib.util.find_spec("optuna"):
        print("Optuna is not installed: its rows are not measured. pip install optuna")
    for name in [] if arguments.table else arguments.names or CASES:
        _measure_all(name, arguments)
        jax.clear_caches()
    print_table()


def _measure_all(name: str, arguments: argparse.Namespace) -> None:
    case = CASES[name]
    task = case.build()
    for way, call in ways_of(task.problem, case, arguments.picker):
        table = json.loads(FILE.read_text()) if FILE.exists() else {}
        known = [] if arguments.again else table.get(way, {}).get(name, [])
        if not any(word in way for word in arguments.only) or len(known) >= arguments.seeds:
            continue
        more = [measure(call, task, case, s) for s in range(len(known), arguments.seeds)]
        table.setdefault(way, {})[name] = known + more
        _write(FILE, table)
        print(f"{name:26} {way:30}", *more, flush=True)


def _write(path: Path, table: dict[str, dict[str, Any]]) -> None:
    """A line for each way and problem, so that a change is seen."""
    blocks = [
        f"{json.dumps(way)}: {{\n"
        + ",\n".join(f" {json.dumps(name)}: {json.dumps(x)}" for name, x in sorted(rows.items()))
        + "\n}"
        for way, rows in table.items()
    ]
    part = path.with_suffix(".part")
    part.write_text("{\n" + ",\n".join(blocks) + "\n}\n")
    part.replace(path)


if __name__ == "__main__":
    main()
