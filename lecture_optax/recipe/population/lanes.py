"""Lanes: several arms, or runs of a sweep, vectorized in one program.

A step of a small model consists of dozens of small kernels, and an accelerator waits between them.
Lanes (`vmap`) share the kernels. On a CPU, where products of small matrices with a batch axis are
slow, this does not help: 16 lanes take as long as 15 single runs.

A lane takes the steps that it takes alone, up to rounding: products with a batch axis round
differently. So the number of lanes is a part of what determines a result.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any, cast

import jax
import numpy as np

from ...training._cached import cached
from ...training.compiled.memory import bytes_of, free_bytes
from ...training.compiled.program import Program
from ...training.compiled.step import Carry
from ...training.loop.advance import read
from ...training.loop.loop import next_length
from ...training.loop.sources import ArraySource
from .arms import Arm
from .member import Member
from .memory import SHARE
from .population import Population

LANES = (4, 16, 64, 256)
"""Numbers of lanes to measure, until one does not pay."""

PAYS = 0.8
"""More lanes must lower the time per run to .8, as each number of lanes is compiled."""

STEPS = 32
"""Steps of a measurement."""

COPIES = 4
"""Copies of a carry in memory: the carry, the next one, its gradient, and temporaries of a step."""


def advance_lanes(
    program: Program, source: ArraySource, carry: Carry, hyperparams: Any, steps: Sequence[int]
) -> tuple[Carry, jax.Array, jax.Array, jax.Array]:
    """Take so many steps in each lane, fewer in one that is not finite.

    - `carry`, `hyperparams`: those of all lanes (`stacked`). The carry is donated.

    **Returns** what `Compiled.chunk` returns, of all lanes.
    """
    chunk = _vectorized(program.compiled.chunk)
    numbers = np.asarray(steps, np.int32)
    return chunk(carry, source.data, source.sample_weight, hyperparams, numbers)


@cached
def _vectorized(chunk: Callable[..., Any]) -> Callable[..., Any]:
    return jax.jit(jax.vmap(chunk, (0, None, None, 0, 0)), donate_argnums=0)


def advance_arms(
    population: Population, arms: Sequence[tuple[Arm, Member, int]], lanes: int
) -> None:
    """Advance arms, each to its step at most, by one chunk in so many lanes.

    - `arms`: up to `lanes` arms, with their members and the steps to stop at. Lanes that are left
      over hold the last arm and take no step.
    """
    filled = [*arms, *[arms[-1]] * (lanes - len(arms))]
    left = [until - member.curve.step for _, member, until in arms]
    taken = [*(min(population.chunk, x) for x in left), *[0] * (lanes - len(arms))]
    began = time.perf_counter()
    carry, tables, _, ratios = advance_lanes(
        population.program,
        cast(ArraySource, population.source),  # one that streams has one lane
        stacked([member.carry for _, member, _ in filled]),
        stacked([population.hyperparams(arm) for arm, *_ in filled]),
        taken,
    )
    tables, steps = np.asarray(tables), np.asarray(carry.step)
    for i, (_, member, _) in enumerate(arms):
        begin, own = member.curve.step, jax.tree.map(lambda x, i=i: x[i], carry)
        population.record(member, read(own, begin, tables[i, : steps[i] - begin], ratios[i]))
    population.chunk = next_length(max(taken), population.chunk, time.perf_counter() - began)


def stacked(trees: Sequence[Any]) -> Any:
    """Return trees as one, with an axis of lanes before the others."""
    return jax.tree.map(lambda *x: jax.numpy.stack(x), *trees)


def best_lane_count(
    program: Program, source: ArraySource, start: Carry, hyperparams: Any, most: int
) -> int:
    """Measure which number of lanes, up to `most`, has the shortest time per run; 1 on a CPU.

    - `start`, `hyperparams`: of a run whose first steps stay finite.
    """
    if jax.default_backend() == "cpu" or most < LANES[0]:
        return 1
    free = SHARE * free_bytes(start.key.devices())
    best, least = 1, seconds(program, source, start, hyperparams, 1)
    for lanes in LANES:
        if lanes > most or COPIES * lanes * bytes_of(start) >= free:
            break
        each = seconds(program, source, start, hyperparams, lanes) / lanes
        if each > PAYS * least:
            break
        best, least = lanes, each
    return best


def seconds(
    program: Program, source: ArraySource, start: Carry, hyperparams: Any, lanes: int
) -> float:
    """Measure the time of some steps in so many lanes, without compiling."""
    carry, numbers = stacked([start] * lanes), stacked([hyperparams] * lanes)
    carry, *_ = jax.block_until_ready(advance_lanes(program, source, carry, numbers, [1] * lanes))
    began = time.perf_counter()
    jax.block_until_ready(advance_lanes(program, source, carry, numbers, [STEPS] * lanes))
    return time.perf_counter() - began
