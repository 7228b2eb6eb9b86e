"""Jobs on the actors of a Ray cluster.

An actor keeps the states of its jobs, and a job goes to the actor that has its state. A copy of
every state is in Ray's object store and belongs to this process, so it survives the actor: if one
dies, its job runs again from that copy on another one.
"""

import weakref
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from .executor import POLL_SECONDS, Done, Job, Pool, StateLost, Worker, assign
from .ray_actor import Failure, Key, own_settings, packed, pickler, unpacked
from .ray_cluster import Cluster, Died, not_importable

MOST_DEATHS = 10
"""A job whose actor dies more often is at fault itself."""


@dataclass(eq=False)
class Member:
    """An actor.

    - `dropped`: states that it has and that nobody needs any more.
    """

    actor: Any
    dropped: list[Key] = field(default_factory=list)


class Stored:
    """A state: the copy that belongs to this process, and the actor that has it.

    The next job on that actor uses it up. Others start from the copy.
    """

    def __init__(self, key: Key, member: Member, ref: Any):
        self.key, self.ref = key, ref
        self.member: Member | None = member
        weakref.finalize(self, member.dropped.append, key).atexit = False


@dataclass(frozen=True)
class Flight:
    """A job that an actor runs or, once there are `states`, one whose states it stores."""

    member: Member
    index: int
    job: Job
    number: int
    report: Any = None
    states: dict[str, Stored] | None = None


class Actors:
    """A pool of Ray actors.

    - `ready`: the actors that have started.
    """

    def __init__(self, cluster: Cluster, worker: Worker, poll: Callable[[], None]):
        self._cluster, self._worker, self._poll = cluster, worker, poll
        self._starting: dict[Any, Member] = {}
        self.ready: list[Member] = []
        self._flights: dict[Any, Flight] = {}
        self._begun = self._deaths = 0

    def __enter__(self) -> Pool:
        self._cluster.__enter__()
        try:
            self._settings = own_settings()
            self._pickled = self._cluster.put(
                np.frombuffer(pickler().dumps(self._worker), np.uint8)
            )
            self._actor = self._cluster.actor_class()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *error: Any) -> None:
        for member in [*self._starting.values(), *self.ready]:
            self._cluster.ray.kill(member.actor)
        self._cluster.__exit__()

    def run(self, jobs: Iterable[Job]) -> Iterator[Done]:
        waiting = dict(enumerate(jobs))
        deaths = dict.fromkeys(waiting, 0)
        while waiting or self._flights:
            self._hire(len(waiting) + len(self._flights))
            self._begin(waiting)
            refs = [*self._flights, *self._starting]
            for ref in self._cluster.ray.wait(refs, timeout=POLL_SECONDS)[0]:
                if ref in self._starting:
                    self._greet(ref)
                    continue
                flight = self._flights.pop(ref)
                try:
                    done = self._advance(flight, ref)
                except Died as death:
                    deaths[flight.index] += 1
                    self._bury(flight.member, death, deaths[flight.index])
                    waiting[flight.index] = flight.job
                    continue
                self._begin(waiting)  # before the caller uses what has ended
                if done is not None:
                    yield done
            self._poll()

    def get(self, state: Any) -> Any:
        if not isinstance(state, Stored):
            return state
        return unpacked(self._cluster.get(state.ref), np.array)

    def _begin(self, waiting: dict[int, Job]) -> None:
        """Give every idle actor a job. One that stores states is idle: it does that first."""
        busy = [x.member for x in self._flights.values() if x.states is None]
        idle = [x for x in self.ready if x not in busy]
        for member, index in assign(waiting, idle, self._owner_of).items():
            job, self._begun = waiting.pop(index), self._begun + 1
            own, given = None, job.state
            if self._owner_of(given) is member:
                own, given, job.state.member = given.key, None, None
            elif isinstance(given, Stored):
                given = given.ref
            elif given is not None:
                given = self._cluster.put(packed(given))
            dropped, member.dropped[:] = list(member.dropped), []
            ref = member.actor.run.remote(self._begun, job.call, own, given, dropped)
            self._flights[ref] = Flight(member, index, job, self._begun)

    def _owner_of(self, state: Any) -> Member | None:
        return state.member if isinstance(state, Stored) and state.member in self.ready else None

    def _advance(self, flight: Flight, ref: Any) -> Done | None:
        """Return what has ended. A job has ended when its states are stored.

        **Raises** `Died`, and what the worker has raised.
        """
        try:
            found = self._cluster.get(ref)
        except StateLost:
            return Done(flight.index, None, {})
        if flight.states is not None:
            return Done(flight.index, flight.report, flight.states)
        if isinstance(found, Failure):
            raise found.error()
        report, names = found
        if not names:
            return Done(flight.index, report, {})
        store = flight.member.actor.stored.options(num_returns=1 + len(names))
        mark, *refs = store.remote(flight.number, names)
        states = {
            name: Stored((flight.number, name), flight.member, ref)
            for name, ref in zip(names, refs, strict=True)
        }
        self._flights[mark] = replace(flight, report=report, states=states)
        return None

    def _hire(self, jobs: int) -> None:
        """Ask for as many actors as there are jobs, but for few more than there is place for.

        Those without a place wait in Ray's queue: they replace actors that die, they start when a
        machine joins, and a cluster that grows on demand sees them.
        """
        most = min(jobs, 2 * len(self.ready) + 1)
        for _ in range(len(self._starting) + len(self.ready), most):
            actor = self._actor.remote()
            self._starting[actor.load.remote(self._settings, self._pickled)] = Member(actor)
        if not self.ready:
            self._cluster.check_machines()

    def _greet(self, ref: Any) -> None:
        """Take an actor that has started, or raise why it could not."""
        member = self._starting.pop(ref)
        try:
            failure = self._cluster.get(ref)
        except Died as death:
            self._deaths += 1
            self._bury(member, death, self._deaths)
            return
        if failure is not None:
            error = failure.error()
            if isinstance(error, ModuleNotFoundError):
                raise not_importable(error.name) from error
            raise error
        self._deaths = 0
        self.ready.append(member)

    def _bury(self, member: Member, death: Died, deaths: int) -> None:
        """Forget an actor that has died."""
        self._cluster.ray.kill(member.actor)  # if it lives and cannot be reached
        if member in self.ready:
            self.ready.remove(member)
        if deaths > MOST_DEATHS:
            raise RuntimeError(
                f"workers of the Ray cluster died {deaths} times at the same work, so no other one "
                "is started. Often they have no memory left: give each more, by "
                f"RayExecutor(resources_per_arm={{'CPU': 4}}). Ray says: {death}"
            ) from death
