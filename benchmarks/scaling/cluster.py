"""A simulation of the workers of a search, event by event.

    round       dispatch    compile    move the state    swap    train and evaluate
    |-----------|-----------|----------|-----------------|-------|------------------|  next round
                            once per worker, if it is elsewhere, if another arm was on the device

The next round starts when all pieces of a round have ended. Which piece an idle worker takes is
decided by the function that executors use, `recipe/execution/executor.py:assign`.
"""

import bisect
import heapq
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from lecture_optax.recipe.execution.executor import Job, assign
from lecture_optax.recipe.population.memory import EXPECTED_COPIES, SHARE

from .searches import Piece, Search


class Cluster(NamedTuple):
    """What a search runs on. Times are in seconds, sizes in bytes, rates in bytes a second.

    - `workers`: what one arm takes each, a device or several; `per_node` of them share a node.
    - `step`: of training; `steps`: of a run; `state`: of an arm, with optimizer and averages.
    - `evaluation`: of raw and averaged weights, in runs. At .005, evaluations at every twentieth of
      a run take 10 % of the time, as the search plans them.
    - `within`, `network`: between the workers of a node, and out of a node.
    - `memory`: of a worker's device. Where the states of a search do not fit, they wait in the
      memory of the host; `host`: the rate between both.
    - `compile`: of a worker's first piece; `dispatch`: of a piece, one after the other.
    - `disk`: of saves, which the driver writes and which take at most 2 % of the time, but for the
      one at the end; 0 for a search without saves.
    """

    workers: int = 1
    step: float = 0.1
    state: float = 1e9
    steps: int = 10_000
    per_node: int = 8
    evaluation: float = 0.005
    within: float = 10e9
    network: float = 5e9
    memory: float = 80e9
    host: float = 25e9
    compile: float = 30.0
    dispatch: float = 0.01
    disk: float = 2e9

    def seconds(self, piece: Piece) -> float:
        """Return the time of a piece where nothing else takes time."""
        return (piece.length + piece.evaluations * self.evaluation) * self.steps * self.step

    @property
    def swap(self) -> float:
        """The time to exchange the arm on a device for one that waits."""
        fits = EXPECTED_COPIES * self.state <= SHARE * self.memory
        return 0.0 if fits else 2 * self.state / self.host

    @property
    def without_overhead(self) -> "Cluster":
        return self._replace(state=0.0, compile=0.0, dispatch=0.0, disk=0.0)


SAVE_SHARE = 0.02
"""The share of the time that saves take, as in a search."""


@dataclass
class Use:
    """What a search took: times in seconds, `moved` and `saved` in bytes.

    - `wall`: to the end of the search; `busy`: of all workers together, in training and evaluating.
    - `moved`: from worker to worker; `most_states`: that one worker has at the end.
    """

    wall: float = 0.0
    busy: float = 0.0
    moved: float = 0.0
    saved: float = 0.0
    most_states: float = 0.0


@dataclass
class Simulation:
    """The state of a cluster while a search runs.

    - `home`: the worker that has a state; `on_device`: the last state of a worker.
    - `links`: when a worker can send its next state; `driver`: when the driver is free.
    - `unsaved`: states that no save has; `save_due`: when the next save may begin.
    """

    cluster: Cluster
    use: Use = field(default_factory=Use)
    home: dict[Hashable, int] = field(default_factory=dict)
    on_device: dict[int, Hashable] = field(default_factory=dict)
    links: dict[int, float] = field(default_factory=dict)
    driver: float = 0.0
    unsaved: set[Hashable] = field(default_factory=set)
    save_due: float = 1.0

    def run(self, search: Search) -> Use:
        for pieces in search:
            self._round(pieces)
        self._save(self.use.wall)
        homes = list(self.home.values())
        self.use.wall = max(self.use.wall, self.driver)
        self.use.most_states = max(map(homes.count, set(homes)))
        return self.use

    def _round(self, pieces: Iterable[Piece]) -> None:
        waiting = {i: Job(x, x.needs, x.length) for i, x in enumerate(pieces)}
        idle, running, now = list(range(self.cluster.workers)), [], self.use.wall
        while waiting or running:
            taken = assign(waiting, idle, self.home.get) if waiting else {}
            for worker, index in taken.items():
                piece = waiting.pop(index).call
                idle.remove(worker)
                heapq.heappush(running, (self._start(worker, piece, now), worker, piece))
            now, worker, piece = heapq.heappop(running)
            bisect.insort(idle, worker)
            self._end(worker, piece, now)
        self.use.wall = now

    def _start(self, worker: int, piece: Piece, now: float) -> float:
        """Return when a piece ends."""
        cluster = self.cluster
        self.driver = begin = max(now, self.driver) + cluster.dispatch
        if worker not in self.on_device:
            begin += cluster.compile
        elif self.on_device[worker] != piece.needs:
            begin += cluster.swap
        if piece.needs is not None and self.home[piece.needs] != worker:
            begin = self._moved(self.home[piece.needs], worker, begin)
        self.on_device[worker] = piece.leaves[0]
        self.use.busy += cluster.seconds(piece)
        return begin + cluster.seconds(piece)

    def _moved(self, source: int, worker: int, now: float) -> float:
        """Return when a state has arrived. A worker sends one state after the other."""
        cluster = self.cluster
        is_near = source // cluster.per_node == worker // cluster.per_node
        took = cluster.state / (cluster.within if is_near else cluster.network)
        self.links[source] = end = max(now, self.links.get(source, 0.0)) + took
        self.use.moved += cluster.state
        return end

    def _end(self, worker: int, piece: Piece, now: float) -> None:
        self.home |= dict.fromkeys(piece.leaves, worker)
        self.unsaved |= set(piece.leaves)
        if now >= max(self.save_due, self.driver):
            self._save(now)

    def _save(self, now: float) -> None:
        """Save what has changed, while workers run. The driver starts no piece until then."""
        size = len(self.unsaved) * self.cluster.state
        if self.cluster.disk:
            took = size / self.cluster.disk
            self.driver = max(self.driver, now) + took
            self.use.saved += size
            self.save_due = self.driver + took / SAVE_SHARE
        self.unsaved.clear()


def simulate(search: Search, cluster: Cluster) -> Use:
    """Return what a search takes on a cluster."""
    return Simulation(cluster).run(search)


def best_time(rounds: Iterable[Sequence[float]], workers: int) -> float:
    """Return the time that jobs take without any overhead, round after round: the longest first,
    each on the worker that is free first."""
    total = 0.0
    for jobs in rounds:
        free = [0.0] * min(workers, len(jobs))
        for seconds in sorted(jobs, reverse=True):
            heapq.heapreplace(free, free[0] + seconds)
        total += max(free, default=0.0)
    return total
