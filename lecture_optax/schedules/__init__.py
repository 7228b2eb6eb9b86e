"""Schedules: functions of the step count that are trees, with their numbers as leaves.

    k = 0, 1, ...:  τ(k)

One vocabulary: `init_value`, `peak_value`, `end_value`, `total_steps` (warm-up included),
`warmup_steps`. What comes after the first two arguments is passed by name. See `Schedule` for what
all of them can do.
"""

import optax as _optax

from .._core import exported as _exported, no_attribute as _no_attribute
from ._schedule import Schedule as Schedule
from .cyclic import cyclic as cyclic
from .decay import cosine as cosine, linear as linear, polynomial as polynomial
from .exponential import exponential as exponential
from .inverse_time import inverse_time as inverse_time
from .join import clip as clip, join as join, scale as scale
from .momentum import (
    momentum_constant as momentum_constant,
    momentum_fista as momentum_fista,
    momentum_nesterov as momentum_nesterov,
    silver as silver,
)
from .one_cycle import one_cycle as one_cycle
from .step import constant as constant, step as step
from .tabulate import plot as plot, tabulate as tabulate
from .warm_restarts import warm_restarts as warm_restarts
from .warmup import warmup as warmup
from .wsd import wsd as wsd


def __dir__() -> list[str]:
    return _exported(globals())


def __getattr__(name: str) -> object:
    raise _no_attribute(__name__, name, __dir__(), _optax.schedules)
