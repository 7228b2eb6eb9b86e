"""The grid of a sweep: every optimizer, schedule, learning rate and seed."""

import numbers
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..._core import validate
from ...training.checks.arguments import check_seed
from ..population.arms import OPTIMIZERS, OptimizerFactory

Decay = tuple[float, float] | None

SCHEDULES: Mapping[str, Decay] = {"constant": None, "linear": (0.0, 1.0), "late": (0.5, 1.0)}
"""Start and end of the linear decay to 0, in fractions of a run."""


Key = tuple[str, float, str, int]
"""Optimizer, learning rate, schedule and seed."""


@dataclass(frozen=True)
class Grid:
    """The four axes. Iteration gives the key of every run.

    `own` are the user's optimizers. Without them, the program holds all optimizers of the recipe,
    whichever of them the grid uses.
    """

    optimizers: tuple[str, ...]
    own: Mapping[str, OptimizerFactory] | None
    schedules: Mapping[str, Decay]
    rates: tuple[float, ...]
    seeds: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.optimizers) * len(self.schedules) * len(self.rates) * len(self.seeds)

    def __iter__(self) -> Iterator[Key]:
        for optimizer in self.optimizers:
            for schedule in self.schedules:
                for rate in self.rates:
                    for seed in self.seeds:
                        yield optimizer, rate, schedule, seed

    def hyperparams(self, key: Key, steps: int) -> dict[str, Any]:
        """Return the hyperparameters of a run; without a decay, it starts after the last step."""
        optimizer, rate, schedule, _ = key
        decay = self.schedules[schedule]
        start, end = (round(x * steps) for x in decay) if decay else (steps, steps + 1)
        return {
            "optimizer": list(self.own or OPTIMIZERS).index(optimizer),
            "learning_rate": rate,
            "decay_start": start,
            "decay_steps": max(1, end - start),
        }


def _is_decay(decay: Any) -> bool:
    if not isinstance(decay, tuple | list) or len(decay) != 2:
        return False
    known = all(isinstance(x, numbers.Real) and not isinstance(x, bool) for x in decay)
    return known and 0 <= decay[0] < decay[1]


def make_grid(
    optimizers: Sequence[str] | Mapping[str, OptimizerFactory],
    schedules: Sequence[str] | Mapping[str, Decay],
    rates: Iterable[float],
    seeds: Iterable[int],
) -> Grid:
    """Check the axes and build the grid."""
    decays = _named(SCHEDULES, "schedules", schedules)
    for name, decay in decays.items():
        if decay is not None and not _is_decay(decay):
            raise ValueError(
                "schedules must map names to (start, end) of the decay, in fractions of a run with "
                f"0 <= start < end, or to None, got {name!r}: {decay!r}. Try (0.5, 1.0)."
            )
    some_rates, some_seeds = _distinct(rates=rates), _distinct(seeds=seeds)
    for rate in some_rates:
        validate.positive(rates=rate)
    for seed in some_seeds:
        check_seed(seeds=seed)
    return Grid(
        tuple(_named(OPTIMIZERS, "optimizers", optimizers)),
        optimizers if isinstance(optimizers, Mapping) else None,
        decays,
        tuple(float(rate) for rate in some_rates),
        tuple(int(seed) for seed in some_seeds),
    )


def _named(known: Mapping[str, Any], name: str, given: Any) -> dict[str, Any]:
    """Look up what was given by name; keep a mapping as it is."""
    if not isinstance(given, Mapping):
        given = (given,) if isinstance(given, str) else _distinct(**{name: given})
        for word in given:
            validate.one_of(*known, **{name: word})
        given = {word: known[word] for word in given}
    if not given:
        raise ValueError(f"{name} must have at least one entry, got {given!r}.")
    return dict(given)


def _distinct(**given: Any) -> tuple[Any, ...]:
    """Return the values of an axis, each once."""
    ((name, values),) = given.items()
    if not isinstance(values, Iterable) or getattr(values, "ndim", 1) != 1:
        raise TypeError(f"{name} must be a list of values, got {values!r}: try [{values!r}].")
    try:
        found = tuple(dict.fromkeys(values))
    except TypeError:  # a value that has no hash
        raise TypeError(f"{name} must be a list of numbers or names, got {values!r}.") from None
    if not found:
        raise ValueError(f"{name} must have at least one value, got none.")
    return found
