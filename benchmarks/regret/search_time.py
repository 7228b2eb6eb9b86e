"""Measure the time of a search, the part of it that trains, and the time of a sweep.

    python -m benchmarks.regret.search_time [--problem mlp_digits] [--steps 600] [--budget 3]
        [--runs 400]

A new process searches with imports and compilation, then several times without. Of the latter, the
training steps are timed apart; the rest is evaluations, averages, copies and decisions. It counts
the programs that XLA compiled and the times that the loss was traced. Then it runs a sweep, after
one that compiled, and says how long 10,000 runs would take.
"""

import argparse
import dataclasses
import math
import subprocess
import sys
import time

import numpy as np

SEEDS = 5


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--problem", default="mlp_digits")
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--budget", type=float, default=3.0)
    parser.add_argument("--runs", type=int, default=400)
    parser.add_argument("--within", action="store_true", help="in this process")
    given = parser.parse_args()
    if given.within:
        search(given)
        sweep(given)
        return
    began = time.perf_counter()
    words = [sys.executable, "-m", "benchmarks.regret.search_time", "--within", *sys.argv[1:]]
    subprocess.run(words, check=True)
    print(f"total, with imports: {time.perf_counter() - began:.1f} s")


def search(given: argparse.Namespace) -> None:
    began = time.perf_counter()
    import jax

    from lecture_optax import recipe
    from lecture_optax.training import problems
    from lecture_optax.training.loop.sources import ArraySource

    compiled, own, traces = [], [], []
    jax.monitoring.register_event_duration_secs_listener(
        lambda event, *_, **__: compiled.append(event) if "backend_compile" in event else None
    )
    advance = ArraySource.advance

    def timed(self, program, carry, steps):
        start = time.perf_counter()
        found = jax.block_until_ready(advance(self, program, carry, steps))
        own.append(time.perf_counter() - start)
        return found

    ArraySource.advance = timed  # type: ignore[method-assign]
    problem = getattr(problems, given.problem)()
    loss = problem.functions.loss

    def counted(*args):
        traces.append(1)
        return loss(*args)

    functions = problem.functions._replace(loss=counted)
    problem = dataclasses.replace(problem, functions=functions)
    options = {"steps": given.steps, "budget": given.budget, "progress": False}
    start = time.perf_counter()
    recipe.run(problem, seed=0, **options)
    end = time.perf_counter()
    print(f"imports {start - began:.2f} s, first search {end - start:.2f} s: ", end="")
    print(f"{len(compiled)} compiles, {len(traces)} traces of the loss")
    for seed in range(1, SEEDS + 1):
        own.clear()
        start = time.perf_counter()
        recipe.run(problem, seed=seed, **options)
        whole, steps = time.perf_counter() - start, sum(own)
        print(f"seed {seed}: {whole:.3f} s, of which steps {steps:.3f}: ", end="")
        print(f"{whole / steps - 1:.0%} overhead")
    ArraySource.advance = advance  # type: ignore[method-assign]


def sweep(given: argparse.Namespace) -> None:
    from lecture_optax import recipe
    from lecture_optax.training import problems

    problem = getattr(problems, given.problem)()
    seeds = range(math.ceil(given.runs / 40))
    options = {"steps": given.steps, "rates": np.logspace(-4, 0.5, 10), "progress": False}
    recipe.sweep(problem, seeds=[10**6], **options)
    began, cpu = time.perf_counter(), time.process_time()
    rows = recipe.sweep(problem, seeds=seeds, **options).rows
    taken, cpu = time.perf_counter() - began, time.process_time() - cpu
    each = taken / len(rows)
    print(f"sweep: {len(rows)} runs of {given.steps} steps in {taken:.1f} s, ", end="")
    print(f"{cpu:.1f} s of processor time, {1e3 * each:.1f} ms each: 10,000 in {1e4 * each:.0f} s")


if __name__ == "__main__":
    main()
