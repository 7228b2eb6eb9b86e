"""Does composing an optimizer from blocks cost time when it is compiled?

    python -m benchmarks.speed.compile_time

Tracing, lowering and XLA's compilation of one update, from nothing, for trees of 1 and 100
leaves.
"""

from collections.abc import Callable

import jax
import optax

import lecture_optax as lo

from ..measured import Figures, show
from .adam_step import tree_of
from .timing import Contestant, duel, seconds

METHODS: dict[str, Callable] = {
    "adam": lambda library: library.adam(1e-3),
    "adamw": lambda library: library.adamw(1e-3),
    "sgd + nesterov": lambda library: library.sgd(1e-3, momentum=0.9, nesterov=True),
    "rmsprop": lambda library: library.rmsprop(1e-3),
}
LEAVES = {1: 9, 100: 3}  # and how often; 500 take four minutes and tell the same


def compiler(tx: optax.GradientTransformation, leaves: int, size: int = 100) -> Contestant:
    """The seconds from Python to machine code."""
    params = tree_of(leaves, size, "float32")
    state = tx.init(params)

    def compile_step():
        def step(params, state, gradient):
            update, state = tx.update(gradient, state, params)
            return optax.apply_updates(params, update), state

        jax.jit(step, donate_argnums=(0, 1)).lower(params, state, params).compile()

    return lambda: seconds(compile_step)


def figures() -> Figures:
    for leaves, rounds in LEAVES.items():
        for method, build in METHODS.items():
            ours, theirs = (compiler(build(lib), leaves) for lib in (lo, optax))
            yield f"{method}, {leaves} leaves, Optax", duel(ours, theirs, rounds)


if __name__ == "__main__":
    show(figures())
