"""What would a person do instead? Each peer spends a lane's budget; the lane keeps the best look.

One run with a habitual rate, the best of a few decades, a rate found by a range test, optimizers
that need no rate, and searches: at random, by Optuna's TPE, by Hyperband.
"""

import importlib.util
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from .trial import EVALUATIONS, Lane


class Peer(NamedTuple):
    """How many runs' worth of gradients it may spend, and on what."""

    budget: float
    spend: Callable[[Lane], object]


def adam(*rates: float, linear: bool = False) -> Peer:
    return Peer(len(rates), lambda lane: [lane.run("adam", rate, linear) for rate in rates])


def without_a_rate(optimizer: str, linear: bool = False) -> Peer:
    return Peer(1, lambda lane: lane.run(optimizer, 1.0, linear))


def found_by(suggestion: Callable[[np.ndarray, np.ndarray], float]) -> Peer:
    """A range test, then Adam at the rate it suggests, falling along a line."""

    def spend(lane: Lane) -> None:
        rate = suggestion(*_smoothed(*lane.range_test()))
        lane.population.limit = lane.population.spent + lane.steps
        lane.run("adam", rate, True)

    return Peer(2, spend)


def valley(rates: np.ndarray, losses: np.ndarray) -> float:
    """fastai's: the middle of the second third of the longest fall, which need not be unbroken."""
    falls = np.ones(len(losses), int)
    for i in range(len(losses)):
        falls[i] = max([1, *(falls[j] + 1 for j in range(i) if losses[i] < losses[j])])
    end = int(np.argmax(falls))
    third = falls[end] / 3
    return float(rates[max(0, end - falls[end] + int(third) + int(third / 2))])


def steep(rates: np.ndarray, losses: np.ndarray) -> float:
    """fastai's: where the loss falls fastest over the logarithm of the rate."""
    slopes = np.diff(losses) / np.diff(np.log(rates))
    return float(rates[int(np.argmin(slopes))])


def random_search(runs: int) -> Peer:
    """Family, schedule and rate at random; the rate between 1e-5 and 1, evenly by decades."""

    def spend(lane: Lane) -> None:
        random = np.random.default_rng(lane.seed)
        for _ in range(runs):
            optimizer, linear = random.choice(["adam", "nesterov"]), bool(random.integers(2))
            lane.run(optimizer, 10 ** random.uniform(-5, 0), linear)

    return Peer(runs, spend)


def optuna(budget: float, *, hyperband: bool = False) -> Peer:
    """The same space, searched by Optuna's TPE; with Hyperband trials are stopped early."""

    def spend(lane: Lane) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        sampler = optuna.samplers.TPESampler(seed=lane.seed)
        pruner = optuna.pruners.NopPruner()
        if hyperband:
            pruner = optuna.pruners.HyperbandPruner(max_resource=EVALUATIONS)
        study = optuna.create_study(sampler=sampler, pruner=pruner)
        while lane.left > lane.steps // EVALUATIONS:
            _trial(lane, study)

    return Peer(budget, spend)


def _trial(lane: Lane, study) -> None:
    import optuna

    trial = study.ask()
    optimizer = trial.suggest_categorical("optimizer", ["adam", "nesterov"])
    linear = trial.suggest_categorical("linear", [True, False])
    rate, best = trial.suggest_float("rate", 1e-5, 1.0, log=True), 1e30
    for i, loss in enumerate(lane.evaluations(optimizer, rate, linear), 1):
        best = min(best, loss)
        trial.report(best, i)
        if trial.should_prune():
            study.tell(trial, state=optuna.trial.TrialState.PRUNED)
            return
    study.tell(trial, best)


def _smoothed(rates: np.ndarray, losses: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """As fastai keeps them: an unbiased moving average, until four times its lowest; without the
    first tenth and the last five."""
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


PEERS = {
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
    PEERS |= {
        "Optuna TPE, 8": optuna(8.0),
        "Optuna TPE, 16": optuna(16.0),
        "Optuna Hyperband, 4.5": optuna(4.5, hyperband=True),
        "Optuna Hyperband, 8": optuna(8.0, hyperband=True),
    }
