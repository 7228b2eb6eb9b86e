"""How far from the best of the grid is the recipe's model, for how many gradients?

    python -m benchmarks.recipe.regret [--seeds 2] [--peers] [problem ...]

    regret = (held-out loss - best) / (start - best), in %, at most 100

`best` is the lowest mean over seeds of a last raw loss (`grid.py`): an average of the weights or an
early look can be better, and a regret negative. Peers are granted the same average and the same
best look: Adam at 1e-3 and 1e-2 for one run, and the best of 1e-4 ... 1e-1 for four. `--picker
FOLDER` adds somebody else's `picker.pick(problem, seed)`, told the budget by BUDGET.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import jax
import numpy as np

from lecture_optax import recipe
from lecture_optax.recipe.population import Arm
from lecture_optax.training import fit
from lecture_optax.training.looks import evaluate
from lecture_optax.training.problem import Problem

from .grid import TABLE
from .problems import CASES, Case

BUDGETS = (1.0, 1.5, 3.0, 4.5)


def ours(problem: Problem, case: Case, seed: int, budget: float):
    options = {"steps": case.steps, "batch_size": case.batch_size}
    return recipe.run(problem, seed=seed, budget=budget, **options).params


def adam(*quarters: int) -> Callable:
    """The best look, raw or averaged, of Adam at so many constant rates: as many runs."""

    def peer(problem, case, seed, budget):
        return min((_look(problem, case, seed, q) for q in quarters), key=lambda x: x[0])[1]

    return peer


def picker(folder: str) -> Callable:
    """A function of another place, which brings its own search."""
    sys.path.insert(0, folder)
    from picker import pick  # type: ignore[import-not-found]

    def peer(problem, case, seed, budget):
        os.environ["BUDGET"] = str(budget)
        plain = SimpleNamespace(
            init=lambda key: problem.functions.init(key, None)[0],
            loss=lambda params, batch: problem.loss(params, {}, batch, None)[0],
            train=problem.train,
            valid=problem.valid,
            batch_size=case.batch_size,
            steps=case.steps,
        )
        return pick(plain, seed)["params"]

    return peer


def regrets(
    peer: Callable, budget: float, names: list[str], seeds: int
) -> Iterator[tuple[float, str]]:
    table = json.loads(TABLE.read_text())
    for name in names:
        case, known = CASES[name], table[name]
        problem = case.build()
        for seed in range(seeds):
            params = peer(problem, case, seed, budget)
            loss = evaluate(problem.functions.examples, params, {}, problem.valid)["loss"]
            regret = 100 * (loss - known["best"]) / (known["start"] - known["best"])
            yield min(100.0, regret) if np.isfinite(regret) else 100.0, f"{name}, seed {seed}"


def _look(problem: Problem, case: Case, seed: int, quarter: int) -> tuple[float, object]:
    try:
        found = fit(
            problem,
            tx=recipe.arm,
            hyperparams=Arm(0, quarter).hyperparams(case.steps),
            steps=case.steps,
            batch_size=case.batch_size,
            seed=seed,
            progress=False,
        )
    except FloatingPointError as error:
        best = error.run.best  # type: ignore[attr-defined]
        return (
            (best.loss, best.params)
            if best
            else (np.inf, problem.functions.init(jax.random.key(seed), None)[0])
        )
    loss = evaluate(problem.functions.examples, found.params, {}, problem.valid)["loss"]
    return loss, found.params


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*", default=list(CASES))
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--peers", action="store_true")
    parser.add_argument("--picker")
    arguments = parser.parse_args()
    rows = [("recipe", budget, ours) for budget in BUDGETS]
    if arguments.peers:
        rows += [("adam 1e-3", 1.0, adam(-12)), ("adam 1e-2", 1.0, adam(-8))]
        rows += [("adam 1e-4 ... 1e-1", 4.0, adam(-16, -12, -8, -4))]
    if arguments.picker:
        rows += [("picker", budget, picker(arguments.picker)) for budget in BUDGETS]
    print(f"{'':20} runs   median     p90     max")  # and where the largest three are
    for name, budget, peer in rows:
        found = list(regrets(peer, budget, arguments.names or list(CASES), arguments.seeds))
        numbers = [regret for regret, _ in found]
        figures = (np.median(numbers), np.percentile(numbers, 90), max(numbers))
        worst = "; ".join(f"{where} {regret:.1f}" for regret, where in sorted(found)[:-4:-1])
        print(f"{name:20} {budget:4} " + "".join(f"{x:8.2f}" for x in figures), worst, flush=True)


if __name__ == "__main__":
    main()
