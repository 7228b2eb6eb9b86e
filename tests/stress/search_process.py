"""A search to be killed: `python -m tests.stress.search_process KIND STEPS FOLDER OUT [--eager]`.

When it computes its first gradients, it prints how many were spent before. Every chunk adds the
number of its steps to OUT.steps. At its end it writes its result to OUT.npz. `--eager` saves after
every chunk, so that a kill falls into a save.
"""

import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from lecture_optax.recipe import run
from lecture_optax.training import Problem
from lecture_optax.training.checkpoint import saver
from lecture_optax.training.loop.sources import ArraySource
from tests.stress.train_process import LinenNet, NnxNet, data


def plain_init(key):
    w, v = (0.1 * jax.random.normal(key, shape) for shape in ((64, 32), (32, 10)))
    return {"w": w, "v": v}


def plain_loss(params, batch):
    x, y = batch
    logits = jnp.tanh(x @ params["w"]) @ params["v"]
    return -jnp.take_along_axis(jax.nn.log_softmax(logits), y[:, None], 1)[:, 0]


def problem(kind):
    train, valid = data()
    if kind == "plain":
        return Problem.from_functions(init=plain_init, loss=plain_loss, train=train, valid=valid)
    if kind == "nnx":
        return Problem.from_nnx(NnxNet(nnx.Rngs(0)), train, loss="cross_entropy", valid=valid)
    return Problem.from_linen(LinenNet(), train, loss="cross_entropy", valid=valid)


def learned(result):
    """Return all that a search has found, as arrays."""
    leaves = jax.tree.leaves((result.params, result.model_state))
    curves = [
        (arm, curve.step, curve.evaluations, curve.means) for arm, curve in result.history.items()
    ]
    words = f"{result.code}\n{result.explanation!r}\n{result.cost}\n{result.explain()}\n{curves}"
    return [*map(np.asarray, leaves), np.frombuffer(words.encode(), np.uint8)]


def counting(path):
    """Count the steps that are really taken, chunk by chunk."""
    advance, begun = ArraySource.advance, []

    def counted(self, program, carry, steps):
        if not begun:
            begun.append(print(_spent(path), flush=True))
        first = int(carry.step)
        told = advance(self, program, carry, steps)
        with Path(path).open("a") as file:
            file.write(f"{int(told[0].step) - first}\n")
        return told

    return counted


def _spent(path):
    return sum(map(int, Path(path).read_text().split())) if Path(path).exists() else 0


def main(kind, steps, folder, out, *flags):
    if "--eager" in flags:
        saver.FIRST, saver.SHARE = 0.0, 1e9
    ArraySource.advance = counting(Path(out).with_suffix(".steps"))
    options = {"steps": int(steps), "batch_size": 64, "progress": False, "checkpoint": folder}
    result = run(problem(kind), budget=3.0, **options)
    np.savez(out, *learned(result))


if __name__ == "__main__":
    main(*sys.argv[1:])
