"""Does composing an optimizer from blocks cost time against the fused ones of Optax and PyTorch?

    python -m benchmarks.speed.adam_step

One update of a tree of parameters, compiled, parameters and state donated. Each round starts on
fresh buffers: where they happen to lie changes a step that is bound by memory by a tenth. PyTorch's
own optimizers are measured in float32, if it is installed.
"""

import importlib.util
import os
from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp
import optax

import lecture_optax as lo

from ..measured import Figures, show
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


def torch_stepper(method: str, leaves: int, size: int) -> Contestant:
    """The same of an optimizer of PyTorch, which changes float32 parameters in place."""
    import torch  # optional: not in the lock

    torch.set_num_threads(os.cpu_count() or 1)
    build = {
        "adam": torch.optim.Adam,
        "adamw": torch.optim.AdamW,
        "sgd + nesterov": partial(torch.optim.SGD, momentum=0.9, nesterov=True),
    }[method]

    def contestant() -> float:
        params = [torch.full((size,), 0.5, requires_grad=True) for _ in range(leaves)]
        for leaf in params:
            leaf.grad = torch.full((size,), 0.5)
        optimizer = build(params, lr=1e-3)
        optimizer.step()
        return seconds(lambda: [optimizer.step() for _ in range(STEPS)]) / STEPS

    return contestant


def figures() -> Figures:
    for tree, shape in TREES.items():
        for method, build in METHODS.items():
            for dtype in ("float32", "bfloat16"):
                ours, theirs = (stepper(build(lib), *shape, dtype) for lib in (lo, optax))
                yield f"{method}, {tree}, {dtype}, Optax", duel(ours, theirs, ROUNDS)
            if importlib.util.find_spec("torch"):
                ours, theirs = stepper(build(lo), *shape, "float32"), torch_stepper(method, *shape)
                yield f"{method}, {tree}, float32, PyTorch", duel(ours, theirs, ROUNDS)


if __name__ == "__main__":
    show(figures())
