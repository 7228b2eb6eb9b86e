"""What executors add to work that needs no processor: every step waits.

    python -m benchmarks.scaling.waiting [--executor devices] [--workers 3] [--milliseconds 5]
        [--steps 300]

A search of budget 4.5 and a sweep of 12 runs, in this process and on several workers: as many
devices, which the CPU plays, or actors of a local Ray cluster (`--executor ray`). Neither
compilation nor the start of workers is measured. *Possible* is the time that the rounds of the
search allow without any overhead: its segments, as long as they took in this process, the longest
first, each on the worker that is free first.
"""

import argparse
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import lecture_optax as lo
from lecture_optax.recipe import RayExecutor
from lecture_optax.recipe.execution.executor import Done, InThisProcess, Job, OneByOne, Worker
from lecture_optax.recipe.population.worker import Call
from lecture_optax.training import Problem

from .cluster import best_time

RATES = np.logspace(-3, -1, 6)


def waiting_problem(seconds: float) -> Problem:
    """Return a regression whose every step waits in a thread of the host."""

    def wait(x: np.ndarray) -> np.ndarray:
        time.sleep(seconds)
        return np.zeros((), np.float32)

    def loss(params: Any, batch: Any, train: bool) -> jax.Array:
        losses = (batch["x"] @ params - batch["y"]) ** 2
        if not train:
            return losses
        return losses + jax.pure_callback(wait, losses[0], batch["y"][0])

    random = np.random.default_rng(0)
    x = random.normal(size=(96, 4)).astype(np.float32)
    y = (x @ np.array([1, -2, 0.5, 3], np.float32) + 0.1 * random.normal(size=96)).astype(
        np.float32
    )
    rows = [{"x": x[part], "y": y[part]} for part in (slice(64), slice(64, 96))]
    return Problem.from_functions(
        init=lambda key: jnp.zeros(4), loss=loss, train=rows[0], valid=rows[1]
    )


@dataclass
class Timed:
    """The executor of this process, which notes the seconds of every job, round by round."""

    rounds: list[list[float]] = field(default_factory=list)

    def start(self, worker: Worker, poll: Callable[[], None]) -> OneByOne:
        return TimedPool(worker, poll, rounds=self.rounds)


@dataclass
class TimedPool(OneByOne):
    """Its pool."""

    rounds: list[list[float]] = field(default_factory=list)

    def run(self, jobs: Iterable[Job]) -> Iterator[Done]:
        self.rounds.append([])
        began = time.perf_counter()
        for done in super().run(jobs):
            self.rounds[-1].append(time.perf_counter() - began)
            yield done
            began = time.perf_counter()


@dataclass
class Warm:
    """Ray, without the time in which its actors start and compile.

    - `steps`: of a complete run. `seconds`: what the last search or sweep took.
    """

    workers: int
    steps: int
    seconds: float = 0.0

    def start(self, worker: Worker, poll: Callable[[], None]) -> "WarmPool":
        return WarmPool(RayExecutor(resources_per_arm={"CPU": 1}).start(worker, poll), self)


@dataclass
class WarmPool:
    """Its pool, whose actors all train and evaluate a complete run before the clock starts."""

    pool: Any
    executor: Warm
    began: float = 0.0

    def __enter__(self) -> "WarmPool":
        self.pool.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self.executor.seconds = time.perf_counter() - self.began
        self.pool.__exit__(*error)

    def run(self, jobs: Iterable[Job]) -> Iterator[Done]:
        jobs = [*jobs]
        first = jobs[0]
        if isinstance(first.call, Call):
            first = first._replace(call=first.call._replace(end=self.executor.steps))
        while not self.began:
            all_are_there = len(self.pool.ready) == self.executor.workers
            for _ in self.pool.run([first] * self.executor.workers):
                pass
            self.began = time.perf_counter() if all_are_there else 0.0
        yield from self.pool.run(jobs)

    def get(self, state: Any) -> Any:
        return self.pool.get(state)


def timed(work: Callable[..., Any], executor: Any, **options: Any) -> float:
    began = time.perf_counter()
    work(executor=executor, progress=False, batch_size=16, **options)
    return executor.seconds if isinstance(executor, Warm) else time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, prog="python -m benchmarks.scaling.waiting"
    )
    parser.add_argument("--executor", choices=["devices", "ray"], default="devices")
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--milliseconds", type=float, default=5.0)
    parser.add_argument("--steps", type=int, default=300)
    given = parser.parse_args()
    jax.config.update("jax_num_cpu_devices", given.workers)
    several_workers: Any = "devices"
    if given.executor == "ray":
        import ray

        ray.init(num_cpus=given.workers, include_dashboard=False, log_to_driver=False)
        several_workers = Warm(given.workers, given.steps)
    problem = waiting_problem(given.milliseconds / 1000)

    def search(**options: Any) -> Any:
        return lo.recipe.run(problem, **{"budget": 4.5, **options})

    def sweep(**options: Any) -> Any:
        return lo.recipe.sweep(problem, rates=RATES, schedules=["constant"], **options)

    print(
        f"{given.workers} workers; steps of {given.milliseconds:g} ms; runs of {given.steps} steps"
    )
    print("| work | in this process, s | possible, s | on workers, s | possible / taken | sooner |")
    print("|---|---|---|---|---|---|")
    for name, work in {"search": search, "sweep": sweep}.items():
        alone = Timed()
        for executor in (InThisProcess(), "devices"):  # compile
            timed(work, executor, steps=20)
        one = timed(work, alone, steps=given.steps)
        several = timed(work, several_workers, steps=given.steps)
        best = best_time(alone.rounds, given.workers)
        print(
            f"| {name} | {one:.1f} | {best:.1f} | {several:.1f} | {best / several:.2f} "
            f"| {one / several:.2f} |"
        )


if __name__ == "__main__":
    main()
