"""The learning rate as a function of the step, seen through the updates."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .._core.describe import describe
from .._core.extras import PACKAGE
from .parts import WIDTH, vectorized
from .probe import Lanes, NotCheckedError, counters

FAR = 10**8
"""A step after every run."""

_STEPS = np.concatenate([[0], np.unique(np.geomspace(1, FAR, 63).astype(int))])


@dataclass(frozen=True, eq=False)
class Curve:
    """τ(k), up to a factor where it is seen through the updates.

    - `name`: the schedule as it was typed, or "" if that is not known.
    - `rates`: `steps -> the rates there`, an array for an array.
    - `every`: the gradients for an update: a schedule in `optax.MultiSteps` counts updates.
    """

    name: str
    rates: Callable[[np.ndarray], np.ndarray]
    every: int = 1

    @functools.cached_property
    def around(self) -> tuple[np.ndarray, np.ndarray]:
        """Steps from 0 to `FAR` with their rates."""
        return _STEPS, self.rates(_STEPS)

    @functools.cached_property
    def end(self) -> int | None:
        """The step from which on the rate is constant: 0 if it always is, None if never."""
        steps, rates = self.around
        moving = np.flatnonzero(rates != rates[-1])
        if not moving.size:
            return 0
        if moving[-1] >= len(steps) - 2:
            return None
        low, high = int(steps[moving[-1]]), int(steps[moving[-1] + 1])
        while high - low > 1:
            inner = np.unique(np.linspace(low, high, 34).astype(int)[1:-1])
            inner = inner[(low < inner) & (inner < high)]
            moving = np.flatnonzero(self.rates(inner) != rates[-1])
            bounds = np.concatenate([[low], inner, [high]])
            at = int(moving[-1]) + 1 if moving.size else 0
            low, high = int(bounds[at]), int(bounds[at + 1])
        return high


def curves_of(case: Any) -> list[Curve]:
    """Return the schedules of a `rule.Case`: one for each that differs from the others.

    Those of this library and of a usual chain are called. Any other is seen through the first
    update at a gradient of ones, from a state whose counters start at the step:
    `ScaleByScheduleState` of Optax, the count of `inject_hyperparams`, or any named tuple of a
    `count` and nothing else.
    """
    if case.usual:
        schedule = case.usual[-1].numbers.get("step_size_fn")
        return [Curve("", functools.partial(_called, schedule))] if schedule else []
    parts = describe(case.tx).walk()
    if any(part.name.startswith(f"<{PACKAGE}") for part in parts):
        return []  # an arm of a search, which sets its schedule itself
    if not any(part.name.startswith("<") for part in parts):
        rates = [p.arguments["learning_rate"] for p in parts if p.name == "scale_by_learning_rate"]
        return [Curve(_name(x), functools.partial(_called, x)) for x in rates if callable(x)]
    if not counters(case.state):
        return []
    return _seen(case)


def _name(schedule: Any) -> str:
    return repr(schedule) if hasattr(schedule, "horizon") else ""


def _called(schedule: Callable, steps: np.ndarray) -> np.ndarray:
    steps = np.atleast_1d(steps)
    wide = np.resize(steps, WIDTH * -(-len(steps) // WIDTH))
    try:
        found = schedule(wide) if hasattr(schedule, "horizon") else vectorized(schedule)(wide)
    except Exception as error:  # whatever a schedule of the user raises
        raise NotCheckedError(f"its schedule cannot be called: {error}") from error
    return np.abs(np.broadcast_to(np.asarray(found, float), wide.shape)[: len(steps)])


def _seen(case: Any) -> list[Curve]:
    at = case.respond(Lanes(count=_STEPS[:32], seen=1)).at
    every = int(at[at > 0].min(initial=np.iinfo(np.int32).max))
    if every > np.iinfo(np.int32).max - 1:
        return [Curve("", lambda steps: np.zeros(np.shape(steps)))]

    def rates(steps, leaf):
        return np.abs(case.respond(Lanes(count=steps, seen=1, most=every)).first[:, leaf])

    lanes = Lanes(count=_STEPS, seen=1, most=every)
    all_of_them = np.abs(case.respond(lanes).first)
    shapes = [_normalized(column) for column in all_of_them.T]
    trained = any(map(np.any, shapes))
    differ = [
        i
        for i, shape in enumerate(shapes)
        if np.any(shape) or not trained  # a leaf that stays where others move is frozen
        if not any(np.allclose(shape, other, equal_nan=True) for other in shapes[:i])
    ]
    return [Curve("", functools.partial(rates, leaf=i), every) for i in differ]


def _normalized(column: np.ndarray) -> np.ndarray:
    largest = np.nanmax(column, initial=0.0)
    return column / largest if largest else column
