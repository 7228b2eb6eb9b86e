"""Every schedule, as a user types it."""

from typing import NamedTuple

import numpy as np

from lecture_optax import schedules

from . import formulas


class Case(NamedTuple):
    """A call, and the steps at which something happens."""

    name: str
    arguments: tuple
    options: dict
    turns: tuple = ()

    def __repr__(self) -> str:
        words = [*map(str, self.arguments), *(f"{n}={x}" for n, x in self.options.items())]
        return f"{self.name}({', '.join(words)})"

    def build(self, **options) -> schedules.Schedule:
        """Our schedule."""
        return getattr(schedules, self.name)(*self.arguments, **self.options | options)

    def formula(self, steps) -> np.ndarray:
        """What the docstring says, at these steps."""
        rate = getattr(formulas, self.name)(*self.arguments, **self.options)
        return np.array([float(rate(int(k))) for k in steps])

    @property
    def steps(self) -> np.ndarray:
        """The first ones, those around every turn, and the far ones."""
        around = [k + d for k in self.turns for d in (-1, 0, 1)]
        return np.unique([*range(12), *around, 2**24 - 1, 2**24, 2**24 + 1, 2**31 - 1])


def case(name, *arguments, turns=(), **options):
    return Case(name, arguments, options, turns)


CASES = [
    case("constant", 0.1),
    case("constant", 0.1, warmup_steps=7, turns=(7,)),
    case("step", 0.1, [10, 25], turns=(10, 25)),
    case("step", 0.1, [3, 25], factor=0.3, warmup_steps=7, turns=(3, 7, 25)),
    case("step", 0.1, 10, factor=0.97, warmup_steps=7, turns=(7, 10, 20, 1000)),
    case("step", 0.1, 2**20, factor=0.3, turns=(2**20, 2**21)),
    case("exponential", 0.1, 0.9, turns=(100,)),
    case("exponential", 0.1, 0.9999999, end_value=0.001, turns=(10**7, 2 * 10**7)),
    case(
        "exponential",
        0.1,
        0.5,
        transition_steps=10,
        staircase=True,
        warmup_steps=7,
        turns=(7, 17, 27),
    ),
    case("exponential", 0.001, 1.3, transition_steps=10, end_value=2.0, turns=(100, 289)),
    case("inverse_time", 0.1),
    case("inverse_time", 0.3, 0.7, power=0.6, transition_steps=3, warmup_steps=7, turns=(7,)),
    case("inverse_time", 0.3, 0.7, transition_steps=5, staircase=True, turns=(5, 10)),
    case("polynomial", 0.1, 40, turns=(40,)),
    case("polynomial", 0.1, 40, end_value=0.02, power=0.7, warmup_steps=7, turns=(7, 40)),
    case("polynomial", 0.1, 2**30, turns=(2**30,)),
    case("linear", 0.1, 40, turns=(40,)),
    case("linear", 0.1, 40, end_value=0.03, warmup_steps=7, turns=(7, 40)),
    case("linear", 0.01, 40, end_value=0.3, turns=(40,)),
    case("linear", 0.1, 2**24 + 2, warmup_steps=2**24, turns=(2**24 + 1,)),
    case("cosine", 0.1, 40, turns=(40,)),
    case("cosine", 0.1, 40, end_value=0.03, warmup_steps=7, turns=(7, 40)),
    case("cosine", 0.1, 2**31 - 1, turns=(2**30,)),
    case("one_cycle", 0.1, 40, turns=(12, 40)),
    case("one_cycle", 0.1, 40, warmup_steps=5, init_value=0.01, end_value=0.02, turns=(5, 40)),
    case("warm_restarts", 0.1, 10, turns=(10, 20)),
    case("warm_restarts", 0.1, 10, period_factor=2, turns=(10, 30, 70, 10 * (2**20 - 1))),
    case(
        "warm_restarts",
        0.1,
        10,
        period_factor=1.5,
        peak_factor=0.7,
        end_value=0.01,
        cycles=3,
        warmup_steps=3,
        init_value=0.02,
        turns=(3, 10, 13, 25, 28, 47),
    ),
    case("cyclic", 0.01, 0.1, period=10, turns=(5, 10, 15)),
    case("cyclic", 0.0, 0.1, period=7, peak_factor=0.5, turns=(7, 14)),
    case("wsd", 0.1, 40, warmup_steps=7, turns=(7, 32, 40)),
    case(
        "wsd",
        0.1,
        40,
        warmup_steps=7,
        decay_steps=10,
        init_value=0.01,
        end_value=0.02,
        shape="cosine",
        turns=(30, 40),
    ),
    case("wsd", 0.1, decay_start=3, decay_steps=4, warmup_steps=6, turns=(3, 7)),
    case("wsd", 0.1, decay_start=2**24, decay_steps=2, turns=(2**24 + 2,)),
    case("momentum_nesterov"),
    case("momentum_constant", 9.0),
    case("silver", 4.0, turns=(2**20 - 1,)),
]
"""Zero-length phases and odd kinds of numbers have tests of their own."""

KINDS = list({case.name: case for case in sorted(CASES, key=lambda case: len(repr(case)))}.values())
"""One of each kind: the one with most to say."""
