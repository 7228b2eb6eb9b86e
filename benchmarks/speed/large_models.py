"""How fast does `lo.fit` train a large model, in how much memory, compared with loops by hand?

    python -m benchmarks.speed.large_models [--sizes 64] [--steps 150] [--rounds 3]

A network of 3 x 1500 units (4.6 million parameters), batches of digits:

- speed: whole runs without an evaluation, alternating in one process, compared with the faster of
  two loops by hand: a jitted step with donated state, and a scan over ten such steps.
- record: the norms of one step, which repeat its gradient and its update, in steps without them.
- memory: the largest resident set of a process that trains, and nothing else.
"""

import argparse
import resource
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

import lecture_optax as lo
from lecture_optax.training import Problem, Program

from ..measured import Figure, Figures, show
from .timing import compared, duel, seconds
from .training_loops import RATE, X, Y, loss_of

SCANNED, RECORDS = 10, 5
MODULE = "benchmarks.speed.large_models"


class Wide(nn.Module):
    @nn.compact
    def __call__(self, x):
        for _ in range(3):
            x = nn.relu(nn.Dense(1500)(x))
        return nn.Dense(10)(x)


MODEL, OURS, THEIRS = Wide(), lo.adam(RATE), optax.adam(RATE)


def step_by_hand() -> Callable:
    """Return the step: data on the device, nothing but the loss returned."""
    x, y = jnp.asarray(X), jnp.asarray(Y)

    def step(carry, rows):
        params, state = carry
        value, gradient = jax.value_and_grad(
            lambda params: loss_of(jnp.asarray(MODEL.apply({"params": params}, x[rows])), y[rows])
        )(params)
        updates, state = THEIRS.update(gradient, state, params)
        return (optax.apply_updates(params, updates), state), value

    return step


def by_hand(size: int, scanned: int) -> Callable[[int], None]:
    """Return a loop that calls the jitted step, or with `scanned` > 1 so many at once."""
    step = step_by_hand()
    one = jax.jit(step, donate_argnums=0)
    several = jax.jit(lambda carry, rows: jax.lax.scan(step, carry, rows), donate_argnums=0)

    def run(steps):
        params = MODEL.init(jax.random.key(0), X[:1])["params"]
        carry, random = (params, THEIRS.init(params)), np.random.default_rng(0)
        for _ in range(steps // scanned):
            rows = [random.choice(len(X), size, replace=False) for _ in range(scanned)]
            carry, _ = one(carry, rows[0]) if scanned == 1 else several(carry, np.stack(rows))
        jax.block_until_ready(carry)

    return run


def fit(size: int, steps: int, **more) -> None:
    given = {"tx": OURS, "steps": steps, "batch_size": size, "evaluations": 0, "progress": False}
    lo.fit(MODEL, (X, Y), loss="cross_entropy", **given, **more)


def speed(size: int, steps: int, rounds: int) -> Figures:
    loops = {"step by step": by_hand(size, 1), f"by {SCANNED} steps": by_hand(size, SCANNED)}
    ours = partial(fit, size, steps)
    for run in (ours, *(partial(loop, steps) for loop in loops.values())):
        run()
    for name, loop in loops.items():
        both = partial(seconds, ours), partial(seconds, loop, steps)
        yield f"a step, batch {size}, by hand {name}", duel(*both, rounds, per=steps)


def record(size: int, rounds: int) -> Figure:
    problem = Problem.from_linen(MODEL, (X, Y), loss="cross_entropy")
    program, data = Program.of(problem, OURS, batch_size=size), (jnp.asarray(X), jnp.asarray(Y))
    carry = program.init()

    def bare():
        nonlocal carry
        few = np.int32(RECORDS)
        carry = program.compiled.chunk(carry, data, None, {}, few, norms=False)[0]
        jax.block_until_ready(carry)

    def records():
        for _ in range(RECORDS):
            jax.block_until_ready(program.compiled.record(carry, data, None, {}))

    bare()
    records()
    return duel(partial(seconds, records), partial(seconds, bare), rounds, per=RECORDS)


TRAIN: dict[str, Callable[[], None]] = {
    "by hand": lambda: by_hand(64, 1)(30),
    "fit": lambda: fit(64, 30),
    "fit(backup=False)": lambda: fit(64, 30, backup=False),
}


def memory(rounds: int) -> Figures:
    peaks: dict[str, list[float]] = {kind: [] for kind in TRAIN}
    for _ in range(rounds):
        for kind, found in peaks.items():
            command = [sys.executable, "-m", MODULE, "--child", kind]
            found.append(float(subprocess.run(command, check=True, capture_output=True).stdout))
    theirs = peaks.pop("by hand")
    for kind, found in peaks.items():
        yield f"memory of {kind}, by hand", compared(found, theirs, unit="bytes")


def child(kind: str) -> None:
    """Train, and print the peak of memory in bytes."""
    TRAIN[kind]()
    print(1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def figures(sizes: Sequence[int] = (64,), steps: int = 150, rounds: int = 3) -> Figures:
    for size in sizes:
        yield from speed(size, steps, rounds)
        yield f"a full record, batch {size}, a step", record(size, rounds)
    yield from memory(rounds)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[64])
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--child", choices=TRAIN, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        child(given.child)
    else:
        show(figures(given.sizes, given.steps, given.rounds))
