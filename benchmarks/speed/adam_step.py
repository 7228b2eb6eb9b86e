"""Does composing an optimizer from blocks cost time against Optax's fused one?

    python -m benchmarks.speed.adam_step

One update of a tree of parameters, compiled, parameters and state donated. Each round starts on
fresh buffers: where they happen to lie changes a step that is bound by memory by a tenth.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax

import lecture_optax as lo

from .timing import Contestant, duel, seconds

METHODS: dict[str, Callable] = {
    "adam": lambda library: library.adam(1e-3),
    "adamw": lambda library: library.adamw(1e-3),
    "sgd + nesterov": lambda library: library.sgd(1e-3, momentum=0.9, nesterov=True),
}
TREES = {"1 x 8M": (1, 8_000_000), "100 x 10k": (100, 10_000), "500 x 1k": (500, 1_000)}
STEPS, ROUNDS = 4, 9


def tree_of(leaves: int, size: int, dtype: str) -> dict[str, jax.Array]:
    """`leaves` fresh vectors of `size` entries."""
    return {f"leaf {i}": jnp.full(size, 0.5, dtype) for i in range(leaves)}


def stepper(tx: optax.GradientTransformation, leaves: int, size: int, dtype: str) -> Contestant:
    """The seconds of one step: the mean of `STEPS` in a row, after one that is not counted."""

    @jax.jit(donate_argnums=(0, 1))
    def step(params, state, gradient):
        update, state = tx.update(gradient, state, params)
        return optax.apply_updates(params, update), state

    gradient = tree_of(leaves, size, dtype)

    def steps(params, state):
        for _ in range(STEPS):
            params, state = step(params, state, gradient)
        jax.block_until_ready((params, state))

    def contestant() -> float:
        params = tree_of(leaves, size, dtype)
        carry = jax.block_until_ready(step(params, tx.init(params), gradient))
        return seconds(steps, *carry) / STEPS

    return contestant


def main() -> None:
    print("one step              method            ours    Optax's  ratio")
    for tree, shape in TREES.items():
        for dtype in ("float32", "bfloat16"):
            for method, build in METHODS.items():
                ours, theirs = (stepper(build(lib), *shape, dtype) for lib in (lo, optax))
                mine, other, ratio = duel(ours, theirs, ROUNDS)
                row = f"{tree:10} {dtype:9}  {method:14} {mine * 1e3:7.2f} {other * 1e3:7.2f} ms"
                print(f"{row}  {ratio:5.2f}x", flush=True)


if __name__ == "__main__":
    main()
