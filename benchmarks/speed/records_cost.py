"""What do the records of every step, a progress bar and a log cost?

    python -m benchmarks.speed.records_cost

Batches of 64 digits, alternating in one process:

- records: the compiled loop, and the same loop without the table of records (XLA removes what is
  not read), for networks of three widths.
- shown: `lo.fit` with a progress bar and a log file of lines, and without either.
"""

import io
import os
import tempfile
from contextlib import redirect_stderr
from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

import lecture_optax as lo
from lecture_optax.training import Problem, Program

from ..measured import Figure, Figures, show
from .timing import Contestant, duel, seconds
from .training_loops import BATCH, RATE, LinenNet, X, Y

STEPS = {64: 1024, 512: 128, 1500: 16}
"""The width of a network, and how many steps of it are timed at once."""

SHOWN, ROUNDS = 4096, 5


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def loops(program: Program, data: tuple, steps: int) -> tuple[Contestant, Contestant]:
    """Return two contestants: so many steps with records, and without."""

    @partial(jax.jit, donate_argnums=0)
    def bare(carry, steps):
        def body(state):
            i, carry = state
            batch = program.compiled.take(data, carry.key, carry.step)
            return i + 1, program.step(carry, batch)[0]

        return jax.lax.while_loop(lambda state: state[0] < steps, body, (0, carry))[1]

    def recorded(carry):
        carry, table, *_ = program.compiled.chunk(carry, data, None, {}, np.int32(steps))
        return carry, np.asarray(table)

    def unrecorded(carry):
        return bare(carry, np.int32(steps))

    def contestant(loop) -> Contestant:
        return lambda: seconds(lambda carry: jax.block_until_ready(loop(carry)), program.init())

    return contestant(recorded), contestant(unrecorded)


def records(width: int, steps: int) -> Figure:
    problem = Problem.from_linen(LinenNet(width), (X, Y), loss="cross_entropy")
    program = Program.of(problem, lo.adam(RATE), batch_size=BATCH)
    recorded, unrecorded = loops(program, (jnp.asarray(X), jnp.asarray(Y)), steps)
    recorded(), unrecorded()
    return duel(recorded, unrecorded, ROUNDS, per=steps)


def shown() -> Figure:
    options = {"loss": "cross_entropy", "steps": SHOWN, "batch_size": BATCH, "tx": lo.adam(RATE)}
    model, path = LinenNet(), Path(tempfile.mkdtemp()) / "run.jsonl"
    os.environ["TERM"] = "xterm-256color"

    def fit(**more):
        with redirect_stderr(Terminal()):
            lo.fit(model, (X, Y), **options, **more)

    seen = partial(seconds, partial(fit, progress=True, log=path))
    unseen = partial(seconds, partial(fit, progress=False))
    seen(), unseen()
    return duel(seen, unseen, ROUNDS, per=SHOWN)


def figures() -> Figures:
    """Yield the time of a step with each of them, compared with a step without."""
    for width, steps in STEPS.items():
        yield f"records, {width} units", records(width, steps)
    yield "progress bar and log, 64 units", shown()


if __name__ == "__main__":
    show(figures())
