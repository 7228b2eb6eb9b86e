"""How many runs of a sweep go side by side, and how? On an accelerator, as many as are faster.

A step of a small model is dozens of small kernels, between which an accelerator waits. Side by side
(`vmap`) runs share them. Nothing like it pays on a CPU, where a product of small matrices with a
batch axis is slow: 16 lanes take what 15 runs take alone, and one takes what five do. There, a
thread a core (`runs.py`).

A search has no lanes. Only in its rungs do arms not wait for each other: lanes that cost nothing
would make it 1.4 times as fast at a budget of 1.5, 1.1 to 1.2 times from 3 on. And products with a
batch axis round differently: `Result.code` would not give its bits.
"""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import numpy as np

from ..training._cached import cached
from ..training._trees import as_data
from ..training.compiled.program import CHUNK
from ..training.compiled.step import Carry
from .finished import Key
from .runs import Runs, row_of
from .table import Row
from .waiting import SHARE, bytes_of, free_bytes

TRIED = (4, 16, 64, 256)
"""Lanes that are measured, as long as they pay."""

PAYS = 0.8
"""More lanes must lower the time of a run to .8: every number of them is compiled."""

STEPS = 32
"""Steps that are timed."""

COPIES = 4
"""A carry, the next one, its gradient, and what a step needs in between."""


def fastest(runs: Runs, keys: Sequence[Key]) -> int:
    """The lanes with the least time a run, by a short measurement; 1 on a CPU."""
    start = next(iter(runs.starts.values()))
    if jax.default_backend() == "cpu" or len(keys) < TRIED[0]:
        return 1
    slow = min(keys, key=lambda key: key[1])  # a rate at which steps are finite
    best, least = 1, seconds_of(runs, [slow])
    for lanes in TRIED:
        room = COPIES * lanes * bytes_of(runs.first(slow)) < SHARE * free_bytes(start.key.devices())
        if lanes > len(keys) or not room:
            break
        each = seconds_of(runs, [slow] * lanes) / lanes
        if each > PAYS * least:
            break
        best, least = lanes, each
    return best


def seconds_of(runs: Runs, keys: Sequence[Key]) -> float:
    """Of some steps of these runs side by side, compiled before."""
    numbers, carry = _numbers(runs, keys), _stacked([runs.first(key) for key in keys])
    carry, *_ = jax.block_until_ready(_advance(runs, carry, numbers, 1))
    began = time.perf_counter()
    jax.block_until_ready(_advance(runs, carry, numbers, STEPS))
    return time.perf_counter() - began


def side_by_side(runs: Runs, keys: Sequence[Key], lanes: int) -> Iterator[Row]:
    """The row of every run, `lanes` at a time. The last lanes may run a run twice: one program."""
    for i in range(0, len(keys), lanes):
        group = keys[i : i + lanes]
        yield from rows_of(runs, [*group, *[group[-1]] * (lanes - len(group))])[: len(group)]


def rows_of(runs: Runs, keys: Sequence[Key]) -> list[Row]:
    """Train them together, look at each by itself. A lane stops at its first step not finite."""
    numbers, carry = _numbers(runs, keys), _stacked([runs.first(key) for key in keys])
    seen: list[list[Any]] = [[] for _ in keys]
    failed = np.full(len(keys), math.inf)
    done = 0
    for step in runs.looks:
        while done < step and np.isinf(failed).any():
            steps = min(CHUNK, step - done)
            carry, _, finite, _ = _advance(runs, carry, numbers, steps)
            now = np.where(np.asarray(finite), math.inf, np.asarray(carry.step))
            failed, done = np.minimum(failed, now), done + steps
        for i, lane in enumerate(_each(carry)):
            if np.isinf(failed[i]):
                seen[i].append((step, *runs.look(lane)))
    ends = [None if np.isinf(step) else int(step) for step in failed]
    return [row_of(*row) for row in zip(keys, seen, ends, strict=True)]


def _advance(runs: Runs, carry: Carry, numbers: Any, steps: int) -> Any:
    chunk = _wide(runs.program.compiled.chunk)
    return chunk(carry, runs.source.data, None, numbers, np.int32(steps))


@cached
def _wide(chunk: Callable[..., Any]) -> Callable[..., Any]:
    return jax.jit(jax.vmap(chunk, (0, None, None, 0, None)), donate_argnums=0)


def _numbers(runs: Runs, keys: Sequence[Key]) -> Any:
    return _stacked([as_data(runs.grid.numbers(key, runs.steps)) for key in keys])


def _stacked(trees: Sequence[Any]) -> Any:
    return jax.tree.map(lambda *x: jax.numpy.stack(x), *trees)


def _each(carry: Carry) -> Iterator[Carry]:
    """Lane by lane, from one copy out of the device."""
    host = jax.device_get(carry._replace(key=None))
    for i in range(len(host.step)):
        yield jax.tree.map(lambda x, i=i: x[i], host)._replace(key=carry.key[i])
