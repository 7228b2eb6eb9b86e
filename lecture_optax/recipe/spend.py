"""Step 4: what is left buys neighbours, a fall of the rate, the other family, in this order."""

from collections.abc import Callable

from . import again, constants as c, ways
from .spending import Spending

WAYS = (
    again.look_closer,
    ways.neighbour,
    ways.fall,
    ways.other_family,
    ways.quarter,
    ways.runner_up,
    again.to_the_end,
    again.second_chance,
    again.other_fall,
)


def spend(state: Spending) -> None:
    """The first thing that is possible, again and again, while gradients remain."""
    while state.race.left >= c.LEAST and any(_try(way, state) for way in WAYS):
        pass


def _try(way: Callable[[Spending], bool], state: Spending) -> bool:
    state.race.stage = way.__name__.replace("_", " ")
    return way(state)
