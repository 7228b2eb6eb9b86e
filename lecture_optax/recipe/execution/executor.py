"""Executors: jobs that do not depend on each other, run by workers.

A search asks for segments (`search/policy.py`), a sweep for runs; both are jobs. An executor makes
a pool of workers, and a pool runs jobs:

    with executor.start(worker, poll) as pool:
        for done in pool.run(jobs):     # in the order in which they end
            ...

Results do not depend on which worker runs a job, or on the order in which jobs end.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple, Protocol, runtime_checkable

POLL_SECONDS = 0.25
"""The longest time between two calls of `poll`."""


class Job(NamedTuple):
    """One call of a worker.

    - `call`: what it is asked for; it can be pickled.
    - `state`: what it starts from: None, a tree of arrays, or what a pool has returned as a state.
    - `cost`: jobs that cost more start sooner.
    """

    call: Any
    state: Any = None
    cost: float = 1.0


class Done(NamedTuple):
    """A job that has ended.

    - `index`: its place among the jobs; `report`: what it found, None where the state that it was
      to start from is lost.
    - `states`: trees of arrays by name, or what stands for them until `Pool.get`.
    """

    index: int
    report: Any
    states: dict[str, Any]


class StateLost(Exception):
    """A state was lost with the process or the machine that had it."""


@runtime_checkable
class Worker(Protocol):
    """What runs jobs. It is the same on every device and in every process."""

    def run(self, call: Any, state: Any, poll: Callable[[], None], /) -> tuple[Any, dict[str, Any]]:
        """Return a report, which is small, and states by name.

        `poll` is called between chunks of steps; what it raises ends the job.
        """
        ...

    def placed_on(self, device: Any) -> "Worker":
        """Return this worker with all its arrays on a device."""
        ...


@runtime_checkable
class Pool(Protocol):
    """Workers, from the entry of the context to its exit."""

    def __enter__(self) -> "Pool": ...

    def __exit__(self, *error: Any) -> None: ...

    def run(self, jobs: Iterable[Job]) -> Iterator[Done]:
        """Run jobs on copies of their calls and states; yield each when it ends."""
        ...

    def get(self, state: Any) -> Any:
        """Return the arrays of a state, on the device of this process or on its host.

        **Raises** `StateLost`.
        """
        ...


@runtime_checkable
class Executor(Protocol):
    """What makes a pool of a worker: copies of it on devices, in processes, on machines."""

    def start(self, worker: Worker, poll: Callable[[], None]) -> Pool:
        """Return a pool. It calls `poll` in this thread about four times a second, which may raise.

        `worker` is that of this process.
        """
        ...


@dataclass(frozen=True)
class InThisProcess:
    """The executor that runs jobs one after the other, with the worker of this process.

    Jobs run on their calls and states themselves, so `poll` sees how far they are.

    - `lanes`: how many jobs run together, for a worker that can do so.
    """

    lanes: int = 1

    def start(self, worker: Worker, poll: Callable[[], None]) -> Pool:
        return OneByOne(worker, poll, self.lanes)


@dataclass
class OneByOne:
    """The pool of one worker, that of this process."""

    worker: Any
    poll: Callable[[], None]
    lanes: int = 1

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *error: Any) -> None:
        pass

    def run(self, jobs: Iterable[Job]) -> Iterator[Done]:
        count, rest = 0, iter(jobs)
        while group := list(islice(rest, self.lanes)):
            calls, states, _ = zip(*group, strict=True)
            if self.lanes == 1:
                found = [self.worker.run(calls[0], states[0], self.poll)]
            else:
                found = self.worker.run_together(calls, states, self.lanes, self.poll)
            for each in found:
                yield Done(count, *each)
                count += 1
            self.poll()

    def get(self, state: Any) -> Any:
        return state


def assign(
    waiting: Mapping[int, Job], idle: Iterable[Any], owner_of: Callable[[Any], Any]
) -> dict[Any, int]:
    """Return the job that each idle worker takes next, by its index.

    A worker takes a job whose state it has. If there is none, it takes one whose state nobody has,
    or else another worker's. Of several it takes the one with the largest cost.

    - `waiting`: jobs by index; `owner_of`: the worker that has a state, or None.
    """
    taken: dict[Any, int] = {}
    order = sorted(waiting, key=lambda i: (-waiting[i].cost, i))
    owners = {i: owner_of(waiting[i].state) for i in order}
    for worker in idle:
        own = [i for i in order if owners[i] == worker]
        if own:
            taken[worker] = own[0]
    rest = [i for i in order if i not in taken.values()]
    rest.sort(key=lambda i: owners[i] is not None)  # it is stable: the largest cost stays first
    return {**taken, **dict(zip((x for x in idle if x not in taken), rest, strict=False))}
