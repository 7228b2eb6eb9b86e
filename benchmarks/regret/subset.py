"""How good is a search for its cost? A quick answer, on seven small problems.

    python -m benchmarks.regret.subset

`lo.fit` without an optimizer and searches are measured anew, with two seeds; the other methods have
their stored losses (`data/losses.json`). The ratio is the mean regret on the validation set,
compared with that of Adam at 1e-2, and its range is that of the seeds. The whole table has its own
command, `python -m benchmarks.regret --table`.
"""

import numpy as np

from ..measured import Figure, Figures, show
from ..problems import CASES
from ..speed.timing import compared
from .__main__ import default, measure, ours
from .scores import Rows, load, regrets
from .table import figure_of

PROBLEMS = [
    "logistic_raw",
    "wine_network",
    "poisson",
    "iris_twelve",
    "hinge",
    "short_network",
    "residual_network",
]
SEEDS, PLAIN = 2, "Adam 1e-2"
METHODS = {
    "lo.fit without tx": default,
    "the recipe, 1": ours(1.0),
    "the recipe, 3": ours(3.0),
}
STORED = ("Adam 1e-3", PLAIN, "Adam, best of 1e-4 ... 1e-1", "Optuna TPE, 8", "random search, 32")


def figures() -> Figures:
    stored = load()
    for method in STORED:
        yield f"{method} (stored)", _figure(stored[method], stored[PLAIN])
    found: dict[str, Rows] = {method: {} for method in METHODS}
    for name in PROBLEMS:
        case = CASES[name]
        task = case.build()
        for method, run in METHODS.items():
            found[method][name] = [measure(run, task, case, seed) for seed in range(SEEDS)]
    for method, rows in found.items():
        yield method, _figure(rows, stored[PLAIN])


def _figure(rows: Rows, plain: Rows) -> Figure:
    means = [
        np.mean(list(regrets(x, PROBLEMS, "valid").values()), axis=0).tolist()
        for x in (rows, plain)
    ]
    ratio = compared(*means, unit="%")
    return {**figure_of(rows, PROBLEMS), **{key: ratio[key] for key in ("ratio", "low", "high")}}


if __name__ == "__main__":
    show(figures())
