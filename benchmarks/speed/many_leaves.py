"""What do 1,000 small leaves cost, and what do one vector and `optax.flatten` save?

    python -m benchmarks.speed.many_leaves

One step of Adam on a million float32 numbers, donated, and its compilation: held as 1,000 leaves;
the same with `optax.flatten` around the optimizer; and as one vector, which the loss unravels
(`jax.flatten_util.ravel_pytree`).

The plain tree is "theirs". Every leaf of parameters, gradient and
moments is an argument that is passed on at each call, and `flatten` packs only the moments. No
wrapper of ours would do better: what costs is the tree that the loop holds.
"""

import optax

import lecture_optax as lo

from ..measured import Figures, show
from .adam_step import stepper
from .compile_time import compiler
from .timing import duel

LEAVES, SIZE, ROUNDS = 1_000, 1_000, 5
PLAIN = lo.adam(1e-3), LEAVES
OTHERS = {"optax.flatten": (optax.flatten(PLAIN[0]), LEAVES), "one vector": (PLAIN[0], 1)}


def figures() -> Figures:
    for name, one in OTHERS.items():
        shapes = [(tx, leaves, LEAVES * SIZE // leaves) for tx, leaves in (one, PLAIN)]
        yield f"a step, {name}", duel(*(stepper(*x, "float32") for x in shapes), ROUNDS)
        yield f"compilation, {name}", duel(*(compiler(*x) for x in shapes), 1)


if __name__ == "__main__":
    show(figures())
