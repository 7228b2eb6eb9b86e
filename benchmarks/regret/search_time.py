"""What do a search and a sweep take beside the steps that they train?

    python -m benchmarks.regret.search_time [--problem mlp_digits] [--steps 600] [--budget 3]
        [--runs 400]

A first search with compilation, then several without. Of the latter, the training steps are timed
apart; the rest is evaluations, averages, copies and decisions. Counted are the programs that XLA
compiled and the times that the loss was traced. A sweep runs after one that compiled.
"""

import argparse
import dataclasses
import math
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

import jax
import numpy as np

from lecture_optax import recipe
from lecture_optax.training import Problem, problems
from lecture_optax.training.loop.sources import ArraySource

from ..measured import Figure, Figures, show
from ..speed.timing import seconds

SEEDS = 5


def figures(
    problem: str = "mlp_digits", steps: int = 600, budget: float = 3.0, runs: int = 400
) -> Figures:
    own = getattr(problems, problem)()
    yield from searches(own, steps, budget)
    yield f"a sweep of {runs} runs", sweep(own, steps, runs)


def searches(problem: Problem, steps: int, budget: float) -> Figures:
    compiled, traces = [], []
    jax.monitoring.register_event_duration_secs_listener(
        lambda event, *_, **__: compiled.append(event) if "backend_compile" in event else None
    )
    loss = problem.functions.loss

    def counted(*args):
        traces.append(1)
        return loss(*args)

    functions = problem.functions._replace(loss=counted)
    problem = dataclasses.replace(problem, functions=functions)
    options = {"steps": steps, "budget": budget, "progress": False}

    def search(seed: int) -> None:
        recipe.run(problem, seed=seed, **options)

    first = {"time, s": seconds(search, 0), "compilations": len(compiled), "traces": len(traces)}
    yield "the first search", first
    whole, within = [], []
    for seed in range(1, SEEDS + 1):
        with timed_steps() as took:
            whole.append(seconds(search, seed))
        within.append(sum(took))
    beside = [1 - b / a for a, b in zip(whole, within, strict=True)]
    yield (
        "the next searches",
        {"time, s": statistics.median(whole), "beside its steps, share": statistics.median(beside)},
    )


@contextmanager
def timed_steps() -> Iterator[list[float]]:
    """Note the seconds of every call that trains."""
    took, advance = [], ArraySource.advance

    def timed(*args):
        start = time.perf_counter()
        found = jax.block_until_ready(advance(*args))
        took.append(time.perf_counter() - start)
        return found

    with mock.patch.object(ArraySource, "advance", timed):
        yield took


def sweep(problem: Problem, steps: int, runs: int) -> Figure:
    options = {"steps": steps, "rates": np.logspace(-4, 0.5, 10), "progress": False}
    recipe.sweep(problem, seeds=[10**6], **options)
    began, cpu = time.perf_counter(), time.process_time()
    rows = recipe.sweep(problem, seeds=range(math.ceil(runs / 40)), **options).rows
    taken, cpu = time.perf_counter() - began, time.process_time() - cpu
    return {"time, s": taken, "processor time, s": cpu, "time of a run, s": taken / len(rows)}


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--problem", default="mlp_digits")
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--budget", type=float, default=3.0)
    parser.add_argument("--runs", type=int, default=400)
    show(figures(**vars(parser.parse_args())))
