"""What do 1,000 small leaves cost, and what do one vector and `optax.flatten` save?

    python -m benchmarks.speed.many_leaves

One step of Adam on a million float32 numbers, donated, and its compilation: held as 1,000 leaves;
the same with `optax.flatten` around the optimizer; and as one vector, which the loss unravels
(`jax.flatten_util.ravel_pytree`).

On two CPU cores, JAX 0.10: 10 ms a step and 5 s to compile; `flatten` 0.45x a step, but 9 s to
compile; one vector 0.08x a step, and 0.1 s to compile. Every leaf of parameters, gradient and
moments is an argument that is passed on at each call, and `flatten` packs only the moments. No
wrapper of ours would do better: what costs is the tree that the loop holds.
"""

import jax
import optax

import lecture_optax as lo

from .adam_step import stepper, tree_of
from .timing import duel, seconds

LEAVES, SIZE, ROUNDS = 1_000, 1_000, 5


def compile_seconds(tx: optax.GradientTransformation, leaves: int) -> float:
    """Trace, lower and compile one update."""
    params = tree_of(leaves, LEAVES * SIZE // leaves, "float32")
    state = tx.init(params)

    def step(params, state, gradient):
        update, state = tx.update(gradient, state, params)
        return optax.apply_updates(params, update), state

    return seconds(lambda: jax.jit(step).lower(params, state, params).compile())


def main() -> None:
    plain = stepper(lo.adam(1e-3), LEAVES, SIZE, "float32")
    print(f"1,000 leaves            compile {compile_seconds(lo.adam(1e-3), LEAVES):5.2f} s")
    for name, tx, leaves in [
        ("the same, flatten", optax.flatten(lo.adam(1e-3)), LEAVES),
        ("one vector", lo.adam(1e-3), 1),
    ]:
        compiled = compile_seconds(tx, leaves)
        other = stepper(tx, leaves, LEAVES * SIZE // leaves, "float32")
        mine, theirs, ratio = duel(other, plain, ROUNDS)
        print(
            f"{name:22}  compile {compiled:5.2f} s   step {mine * 1e3:5.2f} ms, "
            f"{ratio:.2f}x of the {theirs * 1e3:.2f} ms of 1,000 leaves"
        )


if __name__ == "__main__":
    main()
