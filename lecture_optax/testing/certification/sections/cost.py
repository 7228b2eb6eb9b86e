"""What a step costs, and what its compilation costs, against gradient descent."""

from statistics import median
from time import perf_counter
from typing import Any

import jax
import jax.numpy as jnp
import optax

from ..candidate import Candidate
from ..section import Section

_TREES = [{"w": (1000, 1000), "b": (1000,)}, {"w": (100, 100), "b": (100,)}, {"w": (8, 8)}]
"""The trees to try: a matrix D has the square of their entries."""

_LARGEST_STATE = 64
"""In parameters: a tree whose state is larger is not tried."""

_ROUNDS, _SECONDS = 15, 4.0


def _measure(candidate: Candidate) -> dict[str, Any]:
    params = _tree_for(candidate)
    ours, theirs = candidate.step, optax.sgd(1e-3)
    steps = {"candidate": (candidate.tx, ours), "sgd": (theirs, theirs.update)}
    made = {name: _Program(tx, step, params) for name, (tx, step) in steps.items()}
    for program in (*made.values(), *made.values()):
        program.compile()
    began, rounds = perf_counter(), 0
    while rounds < _ROUNDS and (rounds < 3 or perf_counter() - began < _SECONDS):
        for program in made.values():
            program.step()
        rounds += 1
    times = {name: median(program.times) for name, program in made.items()}
    compiling = {name: min(program.compiling) for name, program in made.items()}
    size = sum(x.size for x in jax.tree.leaves(params))
    return {
        "parameters": size,
        "step_seconds": times,
        "step_ratio": times["candidate"] / times["sgd"],
        "compile_seconds": compiling,
        "compile_ratio": compiling["candidate"] / compiling["sgd"],
        "bytes_per_parameter": {name: program.bytes(size) for name, program in made.items()},
    }


def _tree_for(candidate: Candidate) -> Any:
    """Return the largest tree whose state is not much larger than it is."""
    for shapes in _TREES:
        params = {name: jnp.full(shape, 0.5) for name, shape in shapes.items()}
        size = sum(x.size for x in jax.tree.leaves(params))
        leaves = jax.tree.leaves(jax.eval_shape(candidate.tx.init, params))
        if sum(x.size for x in leaves) <= _LARGEST_STATE * size:
            return params
    raise ValueError(f"a state has more than {_LARGEST_STATE} numbers a parameter.")


class _Program:
    """A compiled step that replaces its parameters and its state, and the times it took."""

    def __init__(self, tx: Any, step: Any, params: Any) -> None:
        self.step_fn, self.times, self.compiling = step, [], []
        self.gradient = jax.tree.map(lambda x: 0.1 * x, params)
        self.carry = jax.tree.map(jnp.copy, (tx.init(params), params))

    def compile(self) -> None:
        def step(gradient, state, params):  # a new function, so that nothing is cached
            update, state = self.step_fn(gradient, state, params)
            return state, optax.apply_updates(params, update)

        began = perf_counter()
        self.program = (
            jax.jit(step, donate_argnums=(1, 2)).lower(self.gradient, *self.carry).compile()
        )
        self.compiling.append(perf_counter() - began)

    def step(self) -> None:
        began = perf_counter()
        self.carry = jax.block_until_ready(self.program(self.gradient, *self.carry))
        self.times.append(perf_counter() - began)

    def bytes(self, size: int) -> float | None:
        """Return the bytes that a step reads and writes per parameter, as XLA counts them."""
        counted = (self.program.cost_analysis() or {}).get("bytes accessed")
        return None if counted is None else counted / size


def _lines(numbers: dict[str, Any]) -> list[str]:
    step, compiling = numbers["step_seconds"], numbers["compile_seconds"]
    lines = [
        f"On {numbers['parameters']:,} float32 parameters a step takes "
        f"{1e3 * step['candidate']:.3g} ms, {numbers['step_ratio']:.2g} times that of optax.sgd, "
        f"and its compilation {compiling['candidate']:.2g} s, {numbers['compile_ratio']:.2g} "
        "times. Both are measurements of this machine."
    ]
    counted = numbers["bytes_per_parameter"]
    if counted["candidate"] is not None:
        lines.append(
            f"A step reads and writes {counted['candidate']:.3g} bytes per parameter, "
            f"optax.sgd {counted['sgd']:.3g} (XLA's count)."
        )
    return lines


COST = Section(
    "cost",
    "Cost, against gradient descent",
    _measure,
    _lines,
    timed=("step_seconds", "step_ratio", "compile_seconds", "compile_ratio", "bytes_per_parameter"),
)
