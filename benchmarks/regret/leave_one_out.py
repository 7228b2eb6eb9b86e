"""Tune every constant of the search on all problems but one, and measure the regret on that one.

    python -m benchmarks.regret.leave_one_out [problem ...]      measures what is missing, prints
    python -m benchmarks.regret.leave_one_out --table            prints

Every constant is tried at a smaller and a larger value, with all others unchanged. For each problem
the value with the lowest mean regret on the other problems is used. The table shows by how much
that changes the regret, in points, in the mean over problems and at worst, and the mean regret of
every value. Regrets are of the validation loss, for one seed and budgets 1.5 and 3, and capped at
20 %, so that no problem decides the mean. (`ETA` belongs to the compiled
program; `FORWARD` is a count.)
"""

import argparse
import json
from pathlib import Path
from typing import Any

import jax
import numpy as np

from lecture_optax import recipe
from lecture_optax.recipe import constants
from lecture_optax.training.loop.evaluation import evaluate

from ..problems import CASES
from .grid import TABLE

FILE = Path(__file__).parent / "data" / "constants.json"
BUDGETS, CAP = (1.5, 3.0), 20.0

OTHERS: dict[str, tuple[Any, ...]] = {
    "STARTS": ((-12,), (-16, -12, -8)),
    "FIRST": (0.005, 0.02),
    "FIRST_STEPS": (3, 12),
    "RUNGS": (((0.03, 4), (0.1, 2), (0.3, 1)), ((0.03, 8), (0.1, 5), (0.3, 3))),
    "NESTEROV_RUNGS": (((0.03, 2), (0.1, 1)), ((0.03, 5), (0.1, 3))),
    "EVALUATION_SHARE": (0.05, 0.15),
    "EARLY": (0.04, 0.15),
    "EARLY_ROWS": ((16, 64), (64, 256)),
    "STILL": (0.001, 0.004),
    "MOVED": (0.005, 0.02),
    "BETTER": (0.05, 0.2),
    "WORSE": (0.2, 0.6),
    "SLOPE": (0.0, 1.0),
    "SLOPE_FROM": (0.02, 0.2),
    "GAINED": (0.05, 0.2),
    "EQUAL": (0.01, 0.04),
    "SMALLER": (0.0, 0.04),
    "OVERFITS": (0.01, 0.04),
    "PRUNE": (
        ((0.1, 0.05), (0.3, 0.01), (0.5, 0.005)),
        ((0.1, 0.2), (0.3, 0.04), (0.5, 0.02)),
    ),
    "INCUMBENT_EVALUATIONS": ((0.5, 1.0), (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.75, 0.9, 1.0)),
    "SHORT": (1.4, 4.0),
    "DECAY_SPAN": (
        {"truncated": (0.52, 0.7), "short": (0.6, 1.0)},
        {"truncated": (0.52, 0.7), "short": (0.9, 1.0)},
    ),
    "NESTEROV_FROM": (0.5, 2.0),
    "CLOSER_UNTIL": (0.0, 0.7),
    "LEAST": (0.04, 0.16),
    "FEW_ROWS": (50, 500),
}

Measured = dict[str, dict[str, list[float]]]
"""The regrets of each "NAME = value" and problem, one a budget."""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("names", nargs="*")
    parser.add_argument("--table", action="store_true")
    given = parser.parse_args()
    for name in [] if given.table else given.names or CASES:
        measure(name)
        jax.clear_caches()
    print_table(_kept())


def measure(name: str) -> None:
    """Measure all values on one problem, which is compiled once."""
    case, kept = CASES[name], _kept()
    task = case.build()
    best, start = (json.loads(TABLE.read_text())[name][key]["valid"] for key in ("best", "start"))

    def regret(budget: float) -> float:
        options = {"steps": case.steps, "batch_size": case.batch_size, "progress": False}
        found = recipe.run(task.problem, seed=0, budget=budget, **options)
        examples = task.problem.functions.examples
        loss = evaluate(examples, found.params, found.model_state, task.problem.valid)["loss"]
        return round(min(CAP, 100 * (loss - best) / (start - best)), 3)

    for constant, value in [("", None), *((n, x) for n, xs in OTHERS.items() for x in xs)]:
        row = kept.setdefault(f"{constant} = {value}" if constant else "as it is", {})
        if name in row:
            continue
        own = getattr(constants, constant, None)
        setattr(constants, constant or "UNUSED", value)
        try:
            row[name] = [regret(budget) for budget in BUDGETS]
        finally:
            setattr(constants, constant or "UNUSED", own)
    FILE.write_text(json.dumps(kept, indent=0).replace(",\n", ", ").replace("}, ", "},\n") + "\n")
    print(name, kept["as it is"][name], flush=True)


def print_table(kept: Measured) -> None:
    names = sorted(kept["as it is"])
    now = _mean(kept["as it is"], names)
    print(f"As it is: mean regret {now.mean():.2f} % over {len(names)} problems")
    print(f"{'constant':21} {'tuned on the others: mean, at worst':38} mean regret of its values")
    for constant in OTHERS:
        tried = {key: row for key, row in kept.items() if key.startswith(f"{constant} = ")}
        every = np.stack([now, *(_mean(row, names) for row in tried.values())])
        others = (every.sum(1, keepdims=True) - every) / (len(names) - 1)
        change = every[others.argmin(0), np.arange(len(names))] - now
        words = f"{change.mean():+.2f}, {change.max():+.1f} ({names[int(change.argmax())]})"
        values = "; ".join(
            f"{key.split(' = ')[1]}: {x.mean():.2f}"
            for key, x in zip(tried, every[1:], strict=True)
        )
        print(f"{constant:21} {words:38} {values}")


def _mean(row: dict[str, list[float]], names: list[str]) -> np.ndarray:
    return np.array([np.mean(row[name]) for name in names])


def _kept() -> Measured:
    return json.loads(FILE.read_text()) if FILE.exists() else {}


if __name__ == "__main__":
    main()
