"""Tune every constant of the policy on all problems but one, and measure the regret on that one.

    python -m benchmarks.regret.leave_one_out [--curves FOLDER] [--group GROUP] [problem ...]
    python -m benchmarks.regret.leave_one_out --table

Every constant is tried at smaller and larger values, with all others unchanged. For each problem
the value with the lowest mean regret on the other problems is used. The table shows by how much
that changes the regret, in points, in the mean over problems and at worst, and the mean regret of
every value. Searches are replayed (`replay.py`) on one seed of every problem, at budgets 1, 1.5, 3
and 4.5, and regrets are of the validation loss and capped at 20 %, so that no problem decides the
mean. Curves are kept in a folder, `--curves`: after a change of the policy, delete
`data/constants.json`, and a replay trains only the arms that are new.
"""

import argparse
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from lecture_optax.recipe import constants

from ..measured import save
from ..problems import Case, Task
from ..problems.chosen import add_arguments, chosen
from ..problems.side_by_side import Question, answers
from .grid import TABLE
from .replay import Curves, replay
from .table import MEASURED

FILE = Path(__file__).parent / "data" / "constants.json"
BUDGETS, CAP = (1.0, 1.5, 3.0, 4.5), 20.0

OTHERS: dict[str, tuple[Any, ...]] = {
    "USUAL": (-10, -6),
    "FIRST": (0.005, 0.02),
    "FIRST_STEPS": (3, 12),
    "LEVELS": ((0.05,), (0.03, 0.1), (0.05, 0.1, 0.2)),
    "EXPLORING": (0.25, 0.6),
    "DRIFT": (0.0, 0.125, 0.375),
    "PULL": (0.0, 0.1, 0.4),
    "FAR": (1.0, 4.0),
    "NEW": (0.0, 0.05),
    "MARK": (0.1, 0.25),
    "MARGIN": (0.01, 0.04),
    "DECAYS": ((0.5,), (0.8,)),
    "SECOND_FROM": (1.5, 4.5),
    "LONGEST_CHAIN": (1.3, 2.0),
}
"""Other values of every constant that a replay depends on."""

NOT_FITTED = {
    "units and bounds": ("DECADE", "HALF", "QUARTER", "REACH"),
    "of the compiled program": ("ETA",),
    "of cross-validation, which a replay has not": (
        "FOLD_ARMS",
        "FOLD_SEARCH",
        "MOST_FOLDS",
        "FOLD_MARKS",
    ),
    "of evaluations, which a replay has of all examples": (
        "EVALUATIONS",
        "EVALUATION_SHARE",
        "FORWARD",
        "EARLY",
        "EARLY_ROWS",
        "EARLY_EVALUATIONS",
        "RECHECKS",
        "FEW_ROWS",
        "HOLDOUT_SHARE",
    ),
}
"""The constants that are not tried, with the reason."""

TRIED: dict[str, tuple[str, Any]] = {
    "as it is": ("UNUSED", None),
    **{f"{name} = {x}": (name, x) for name, values in OTHERS.items() for x in values},
}
"""The name and the value of a constant that is tried, by their words in the file."""

Measured = dict[str, dict[str, list[float]]]
"""The regrets of each "NAME = value" and problem, one a budget."""

_one_value_at_a_time = threading.Lock()


def main() -> None:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    parser.add_argument("--table", action="store_true", help="print what is measured")
    parser.add_argument("--curves", type=Path, help="a folder that keeps the curves")
    given, kept = parser.parse_args(), _kept()
    folder = given.curves and given.curves.absolute()
    choose, prepare = partial(chosen, given), partial(_prepare, folder)
    missing = {n: [x for x in TRIED if n not in kept.get(x, {})] for n in choose()}
    questions = [Question(*x) for x in missing.items() if x[1] and not given.table]
    for (name, _), found in answers(questions, choose, prepare, given.executor):
        for words, row in found.items():
            kept.setdefault(words, {})[name] = row
        text = json.dumps(kept, indent=0).replace(",\n", ", ").replace("}, ", "},\n")
        FILE.write_text(text + "\n")
        print(name, kept["as it is"][name], flush=True)
    print_table(kept)


def _prepare(
    folder: Path | None, name: str, case: Case, task: Task
) -> Callable[[list[str]], dict[str, list[float]]]:
    """Return a function from what to try to the regrets at every budget."""
    row = json.loads(TABLE.read_text())[name]
    best, start = row["best"]["valid"], row["start"]["valid"]

    def regret(curves: Curves, budget: float) -> float:
        loss = replay(curves, budget)
        return round(min(CAP, float(100 * (loss - best) / (start - best))), 3)

    def answer(tried):
        curves, found = Curves(case, task, file=folder and folder / f"{name}.npz"), {}
        for words in tried:
            with _tried(*TRIED[words]):
                found[words] = [regret(curves, budget) for budget in BUDGETS]
        curves.save()
        return found

    return answer


@contextmanager
def _tried(constant: str, value: Any) -> Iterator[None]:
    """Give a constant of this process another value. Threads try one after the other."""
    with _one_value_at_a_time:
        before = getattr(constants, constant, None)
        setattr(constants, constant, value)
        try:
            yield
        finally:
            setattr(constants, constant, before)


def print_table(kept: Measured) -> None:
    names = sorted(kept["as it is"])
    now = _mean(kept["as it is"], names)
    print(f"As it is: mean regret {now.mean():.2f} % over {len(names)} problems")
    print(f"{'constant':21} {'tuned on the others: mean, at worst':38} mean regret of its values")
    found: dict[str, dict[str, float]] = {}
    for constant in OTHERS:
        tried = {key: row for key, row in kept.items() if key.startswith(f"{constant} = ")}
        every = np.stack([now, *(_mean(row, names) for row in tried.values())])
        others = (every.sum(1, keepdims=True) - every) / (len(names) - 1)
        change = every[others.argmin(0), np.arange(len(names))] - now
        found[constant] = {"mean, points": change.mean(), "worst, points": change.max()}
        words = f"{change.mean():+.2f}, {change.max():+.1f} ({names[int(change.argmax())]})"
        values = "; ".join(
            f"{key.split(' = ')[1]}: {x.mean():.2f}"
            for key, x in zip(tried, every[1:], strict=True)
        )
        print(f"{constant:21} {words:38} {values}")
    means = [x["mean, points"] for x in found.values()]
    found["all"] = {
        "lowest, points": min(means),
        "highest, points": max(means),
        "problems": len(names),
    }
    command = "python -m benchmarks.regret.leave_one_out --table"
    save("leave_one_out", command, found, **(MEASURED | {"date": "2026-11-30"}))


def _mean(row: dict[str, list[float]], names: list[str]) -> np.ndarray:
    return np.array([np.mean(row[name]) for name in names])


def _kept() -> Measured:
    return json.loads(FILE.read_text()) if FILE.exists() else {}


if __name__ == "__main__":
    main()
