"""Baselines of the recipe. Each spends the budget of a trial, which keeps the best evaluation.

A run at a usual learning rate, the best of a few decades, a range test, optimizers that need no
learning rate, and searches: random, Optuna's TPE, Hyperband.
"""

import importlib.util
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from .trial import EVALUATIONS, Trial


class Baseline(NamedTuple):
    """A method, and its budget as a number of complete training runs."""

    budget: float
    spend: Callable[[Trial], object]


def adam(*rates: float, linear: bool = False) -> Baseline:
    return Baseline(len(rates), lambda trial: [trial.run("adam", rate, linear) for rate in rates])


def without_a_rate(optimizer: str, linear: bool = False) -> Baseline:
    return Baseline(1, lambda trial: trial.run(optimizer, 1.0, linear))


def found_by(suggestion: Callable[[np.ndarray, np.ndarray], float]) -> Baseline:
    """Adam at the learning rate that a range test suggests, with a linear decay to 0."""

    def spend(trial: Trial) -> None:
        rate = suggestion(*_smoothed(*trial.range_test()))
        trial.limit = trial.spent + trial.steps
        trial.run("adam", rate, True)

    return Baseline(2, spend)


def valley(rates: np.ndarray, losses: np.ndarray) -> float:
    """Return fastai's valley: inside the longest decreasing subsequence of the losses."""
    lengths = np.ones(len(losses), int)
    for i in range(len(losses)):
        lengths[i] = max([1, *(lengths[j] + 1 for j in range(i) if losses[i] < losses[j])])
    end = int(np.argmax(lengths))
    third = lengths[end] / 3
    return float(rates[max(0, end - lengths[end] + int(third) + int(third / 2))])


def steep(rates: np.ndarray, losses: np.ndarray) -> float:
    """Return fastai's steepest point of the loss over the logarithm of the learning rate."""
    slopes = np.diff(losses) / np.diff(np.log(rates))
    return float(rates[int(np.argmin(slopes))])


def random_search(runs: int) -> Baseline:
    """Random optimizers, schedules and learning rates, log-uniform between 1e-5 and 1."""

    def spend(trial: Trial) -> None:
        random = np.random.default_rng(trial.seed)
        for _ in range(runs):
            optimizer, linear = random.choice(["adam", "nesterov"]), bool(random.integers(2))
            trial.run(optimizer, 10 ** random.uniform(-5, 0), linear)

    return Baseline(runs, spend)


def optuna(budget: float, *, hyperband: bool = False) -> Baseline:
    """The same space, searched by Optuna's TPE; with Hyperband, trials are pruned."""

    def spend(trial: Trial) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        sampler = optuna.samplers.TPESampler(seed=trial.seed)
        pruner = optuna.pruners.NopPruner()
        if hyperband:
            pruner = optuna.pruners.HyperbandPruner(max_resource=EVALUATIONS)
        study = optuna.create_study(sampler=sampler, pruner=pruner)
        while trial.left > trial.steps // EVALUATIONS:
            _run_suggestion(trial, study)

    return Baseline(budget, spend)


def _run_suggestion(trial: Trial, study) -> None:
    import optuna

    asked = study.ask()
    optimizer = asked.suggest_categorical("optimizer", ["adam", "nesterov"])
    linear = asked.suggest_categorical("linear", [True, False])
    rate, best = asked.suggest_float("rate", 1e-5, 1.0, log=True), 1e30
    for i, loss in enumerate(trial.evaluations(optimizer, rate, linear), 1):
        best = min(best, loss)
        asked.report(best, i)
        if asked.should_prune():
            study.tell(asked, state=optuna.trial.TrialState.PRUNED)
            return
    study.tell(asked, best)


def _smoothed(rates: np.ndarray, losses: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Smooth the losses as fastai does: a corrected moving average, until four times its lowest,
    without the first tenth and the last five."""
    kept, mean, lowest = [], 0.0, np.inf
    for i, loss in enumerate(losses, 1):
        mean = 0.98 * mean + 0.02 * loss
        smooth = mean / (1 - 0.98**i)
        if not np.isfinite(smooth):
            break
        kept.append(smooth)
        lowest = min(lowest, smooth)
        if smooth > 4 * lowest:
            break
    first, last = len(losses) // 10, max(len(losses) // 10 + 2, len(kept) - 5)
    if len(kept) < first + 2:
        first, last = 0, len(kept)
    return rates[first:last], np.asarray(kept[first:last])


BASELINES = {
    "Adam 1e-3": adam(1e-3),
    "Adam 1e-3, to 0": adam(1e-3, linear=True),
    "Adam 1e-2": adam(1e-2),
    "Adam 1e-2, to 0": adam(1e-2, linear=True),
    "Adam, best of 1e-3 and 1e-2": adam(1e-3, 1e-2),
    "Adam, best of 1e-4 ... 1e-1": adam(1e-4, 1e-3, 1e-2, 1e-1),
    "range test, valley, Adam": found_by(valley),
    "range test, steepest, Adam": found_by(steep),
    "Prodigy": without_a_rate("prodigy"),
    "Prodigy, to 0": without_a_rate("prodigy", linear=True),
    "COCOB": without_a_rate("cocob"),
    "D-adaptation": without_a_rate("d-adaptation"),
    "schedule-free AdamW": without_a_rate("schedule-free"),
    "Mechanic": without_a_rate("mechanic"),
    "random search, 4": random_search(4),
    "random search, 8": random_search(8),
    "random search, 16": random_search(16),
    "random search, 32": random_search(32),
}

if importlib.util.find_spec("optuna"):
    BASELINES |= {
        "Optuna TPE, 8": optuna(8.0),
        "Optuna TPE, 16": optuna(16.0),
        "Optuna Hyperband, 4.5": optuna(4.5, hyperband=True),
        "Optuna Hyperband, 8": optuna(8.0, hyperband=True),
    }
