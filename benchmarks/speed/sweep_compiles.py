"""How often is a step compiled in a sweep over learning rates, momenta and horizons?

    python -m benchmarks.speed.sweep_compiles

100 learning rates x 10 momenta x 3 horizons, each a run of 20 steps of SGD + Nesterov on a half
cosine. Here every number is data, so there is one compilation. In Optax the learning rate and the
momentum can be data inside one compiled function; its cosine checks in Python whether the horizon
is positive, so each horizon is a constant and costs a compilation.
"""

import itertools
from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax

import lecture_optax as lo

from ..measured import Figures, show
from .timing import compared, duel, seconds

RATES = np.geomspace(1e-4, 1e-1, 100)
MOMENTA = np.linspace(0.0, 0.9, 10)
HORIZONS = (10, 20, 40)
ROUNDS = 3


class Sweep:
    """A compiled run of one trial that counts how often it was traced."""

    def __init__(self, build: Callable, static: tuple[int, ...] = ()):
        self.traces, self.build = 0, build
        self.run = jax.jit(self._trial, static_argnums=static)

    def _trial(self, rate, momentum, horizon):
        self.traces += 1
        tx, params = self.build(rate, momentum, horizon), jnp.array([3.0, -4.0])

        def step(carry, _):
            params, state = carry
            update, state = tx.update(2 * params, state, params)
            return (optax.apply_updates(params, update), state), None

        (params, _), _ = jax.lax.scan(step, (params, tx.init(params)), length=20)
        return params

    def __call__(self) -> int:
        """Run every trial; return the number of compilations."""
        for trial in itertools.product(RATES, MOMENTA, HORIZONS):
            jax.block_until_ready(self.run(*trial))
        return self.traces


def ours(rate, momentum, horizon):
    return lo.sgd(lo.schedules.cosine(rate, horizon), momentum=momentum, nesterov=True)


def theirs(rate, momentum, horizon):
    return optax.sgd(optax.cosine_decay_schedule(rate, horizon), momentum=momentum, nesterov=True)


def figures() -> Figures:
    sweeps = partial(Sweep, ours), partial(Sweep, theirs, static=(2,))
    yield "compilations, Optax", compared(*([x()()] for x in sweeps), unit="compilations")
    timed = [lambda new=new: seconds(new()) for new in sweeps]
    yield "3,000 runs with compilation, Optax", duel(*timed, ROUNDS)


if __name__ == "__main__":
    show(figures())
