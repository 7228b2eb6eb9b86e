"""How far are the steps of Adam from those of its formula?

    python -m benchmarks.precision

Errors are relative to the largest entry of a step. The first two are of `examples/versus_optax.py`.
"""

import jax
import jax.numpy as jnp
import numpy as np
import optax

import lecture_optax as lo
from examples.versus_optax import first_step, stalled_step

from .measured import Figures, show
from .speed.timing import compared

STEPS, ENTRIES = 1000, 100


def worst_step(library) -> float:
    """Return the largest error of a step in float32, compared with the formula in float64."""
    tx = library.adam(1.0)
    gradients = np.random.default_rng(0).normal(size=(STEPS, ENTRIES)).astype(np.float32)

    def body(state, g):
        update, state = tx.update(g, state)
        return state, update

    _, found = jax.lax.scan(body, tx.init(jnp.zeros(ENTRIES)), gradients)
    m, c, worst = np.zeros(ENTRIES), np.zeros(ENTRIES), 0.0
    for k in range(1, STEPS + 1):
        g, update = gradients[k - 1].astype(np.float64), np.asarray(found[k - 1])
        m, c = 0.9 * m + 0.1 * g, 0.999 * c + 0.001 * g**2
        exact = -(m / (1 - 0.9**k)) / (np.sqrt(c / (1 - 0.999**k)) + 1e-8)
        worst = max(worst, np.abs(update - exact).max() / np.abs(exact).max())
    return float(worst)


ERRORS = {
    "the first step, float32": lambda library: abs(first_step(library) - 1),
    f"the worst of {STEPS:,} steps, float32": worst_step,
    "the step after 2,000 equal gradients, bfloat16": lambda library: abs(
        stalled_step(library) - 1
    ),
}


def figures() -> Figures:
    for name, error in ERRORS.items():
        yield f"{name}, Optax", compared([error(lo)], [error(optax)], unit="error")


if __name__ == "__main__":
    show(figures())
