"""How fast does `lo.fit` train, compared with handwritten loops?

    python -m benchmarks.speed.training_speed [--only digits|convolution|first-step]

- digits: the time of a step of an MLP with BatchNorm and dropout, batch 64, everything included,
  alternating with each loop in one process.
- convolution: a small CNN, with steps in the compiled loop and one by one.
- first-step: the time from the call to the first step, each in its own process, compared with
  `jax.jit` of a bare step.

`large_models.py` compares it with the fastest loop by hand, on a large network.
"""

import argparse
import subprocess
import sys
import time
from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

import lecture_optax as lo
from lecture_optax.training import Problem, Program
from lecture_optax.training.loop.sources import ArraySource

from ..measured import Figures, show
from .timing import compared, duel, seconds
from .training_loops import BATCH, DIGITS, RATE, THEIRS, LinenNet, X, Y, linen_step, ours

STEPS, ROUNDS, PROCESSES = 2000, 5, 3


def digits() -> Figures:
    """Every loop against ours."""
    mine = ours()
    mine(STEPS)
    for name, build in THEIRS.items():
        try:
            theirs = build()
        except ImportError as error:
            print(f"{name}: not installed ({error.name})")
            continue
        theirs(200)
        found = duel(partial(mine, STEPS), partial(theirs, STEPS), ROUNDS, per=STEPS)
        yield f"digits, {name}", found


def convolution() -> Figures:
    """Why `training/convolutions.py` is there."""

    class Cnn(nn.Module):
        width: int

        @nn.compact
        def __call__(self, x):
            x = nn.avg_pool(nn.relu(nn.Conv(self.width, (3, 3))(x)), (2, 2), (2, 2))
            return nn.Dense(10)(nn.relu(nn.Conv(2 * self.width, (3, 3))(x)).mean((1, 2)))

    data = (DIGITS.images[..., None].astype(np.float32) / 16, Y)
    for width in (8, 32):
        problem = Problem.from_linen(Cnn(width), data, loss="cross_entropy")
        program = Program.of(problem, lo.adam(RATE), batch_size=BATCH)

        def steps(source, program=program):
            carry = source.advance(program, program.init(), 1)[0]
            return seconds(lambda: jax.block_until_ready(source.advance(program, carry, 20))) / 20

        arrays = jax.tree.map(jnp.asarray, data)
        looped, alone = ArraySource(arrays), ArraySource(arrays, one_by_one=True)
        found = duel(partial(steps, alone), partial(steps, looped), 3)
        yield f"convolution, {width} and {2 * width} channels, the compiled loop", found


def first_step() -> Figures:
    """From the call to the first step."""
    took: dict[str, list[float]] = {"bare": [], "fit": []}
    for _ in range(PROCESSES):
        for kind, times in took.items():
            command = [sys.executable, "-m", "benchmarks.speed.training_speed", "--child", kind]
            times.append(float(subprocess.run(command, check=True, capture_output=True).stdout))
    yield "the first step, a bare jax.jit", compared(took["fit"], took["bare"], unit="s")


def child(kind: str) -> None:
    """The seconds to a first step, in a process that has imported everything."""
    start = time.perf_counter()
    if kind == "bare":
        jax.block_until_ready(
            jax.tree.leaves(linen_step()[1](linen_step()[0], X[:BATCH], Y[:BATCH]))
        )
    else:
        data = (X, Y)
        lo.fit(LinenNet(), data, loss="cross_entropy", tx=lo.adam(RATE), steps=1, batch_size=BATCH)
    print(time.perf_counter() - start)


PARTS = {"digits": digits, "convolution": convolution, "first-step": first_step}


def figures(only: str | None = None) -> Figures:
    for name, part in PARTS.items():
        if only in (None, name):
            yield from part()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=PARTS)
    parser.add_argument("--child", choices=["bare", "fit"], help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.child:
        child(chosen.child)
    else:
        show(figures(chosen.only))
