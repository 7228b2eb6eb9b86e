"""Jobs side by side: a thread for every device, or for every core where runs are small."""

import copy
import os
import queue
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax

from ...training._trees import copied
from ...training.compiled.program import Program
from ...training.compiled.settings import current_settings, run_settings
from .executor import POLL_SECONDS, Done, Executor, InThisProcess, Job, Pool, Worker, assign


class Devices:
    """The executor `"devices"`: a thread and a copy of the worker for every local device."""

    def start(self, worker: Worker, poll: Callable[[], None]) -> Pool:
        devices = jax.local_devices()
        if len(devices) == 1 or not threads_have_settings():
            return InThisProcess().start(worker, poll)
        return Threads([worker.placed_on(device) for device in devices], poll, devices)


class Cores:
    """The executor of a sweep without another one: a thread for every core, on one device."""

    def start(self, worker: Worker, poll: Callable[[], None]) -> Pool:
        on_cpu = jax.default_backend() == "cpu"  # where a small model uses one core
        count = (on_cpu and os.cpu_count()) or 1
        if count == 1 or not threads_have_settings():
            return InThisProcess().start(worker, poll)
        return Threads([worker] * count, poll)


def threads_have_settings() -> bool:
    """Return whether a new thread has the settings of this one, which a context manager may set."""
    found: list[dict[str, Any]] = []
    within = run_settings()
    thread = threading.Thread(target=lambda: found.append(within(current_settings)()))
    thread.start()
    thread.join()
    return found == [current_settings()]


class OnDevice(NamedTuple):
    """A state on the device of a worker of this pool."""

    thread: int
    tree: Any


class Stopped(BaseException):
    """The search or the sweep has ended while a job runs."""


@dataclass
class Threads:
    """A pool of threads, one for each worker; equal workers share what they compile.

    - `devices`: that of every worker, if they differ. A state moves to the device of its worker.
    """

    workers: Sequence[Worker]
    poll: Callable[[], None]
    devices: Sequence[Any] | None = None

    def __post_init__(self):
        self._is_compiled = {id(worker): self.devices is not None for worker in self.workers}

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *error: Any) -> None:
        pass

    def run(self, jobs: Iterable[Job]) -> Iterator[Done]:
        waiting = dict(enumerate(jobs))
        self._is_stopped = threading.Event()
        self._ended: queue.Queue[tuple[int, int, Any]] = queue.Queue()
        self._threads: dict[int, threading.Thread] = {}
        try:
            self._start(waiting)
            while self._threads:
                yield from self._next(waiting)
                self.poll()
        finally:
            self._is_stopped.set()
            for thread in self._threads.values():
                thread.join()

    def _next(self, waiting: dict[int, Job]) -> Iterator[Done]:
        """Yield the next job that ends, if one ends soon."""
        try:
            number, index, found = self._ended.get(timeout=POLL_SECONDS)
        except queue.Empty:
            return
        self._threads.pop(number).join()
        if isinstance(found, BaseException):
            raise found
        self._is_compiled[id(self.workers[number])] = True
        self._start(waiting)
        report, states = found
        yield Done(index, report, {k: OnDevice(number, x) for k, x in states.items()})

    def get(self, state: Any) -> Any:
        if not isinstance(state, OnDevice):
            return state
        return state.tree if self.devices is None else jax.device_put(state.tree, self.devices[0])

    def _start(self, waiting: dict[int, Job]) -> None:
        """Give every idle worker a job; the first job of a worker compiles, so it runs alone."""
        idle = [i for i in range(len(self.workers)) if i not in self._threads]
        for number, index in assign(waiting, idle, _owner_of).items():
            if self._is_compiled[id(self.workers[number])] or not self._threads:
                arguments = number, index, waiting.pop(index)
                thread = threading.Thread(target=self._run, args=arguments, daemon=True)
                self._threads[number] = thread
                thread.start()

    def _run(self, number: int, index: int, job: Job) -> None:
        try:
            call = copy.deepcopy(job.call)
            with run_settings():
                found = self.workers[number].run(call, self._copy(number, job.state), self._obey)
        except BaseException as error:
            found = error
        self._ended.put((number, index, found))

    def _copy(self, number: int, state: Any) -> Any:
        """Return a state on the device of a worker: a job that fails leaves the state as it was."""
        tree = state.tree if isinstance(state, OnDevice) else state
        if self.devices is None or tree is None:
            return tree if tree is None else copied(tree)
        return jax.device_put(tree, self.devices[number], may_alias=False)

    def _obey(self) -> None:
        if self._is_stopped.is_set():
            raise Stopped


def _owner_of(state: Any) -> int | None:
    return state.thread if isinstance(state, OnDevice) else None


def check_devices(executor: Any, program: Program) -> None:
    """Refuse an executor beside arms that use several devices, and devices of other processes.

    **Raises** `ValueError`.
    """
    mesh = program.mesh
    if mesh is not None and executor is not None:
        raise ValueError(
            f"executor={executor!r} trains every arm or run on one device, and here each uses all "
            f"{mesh.size} devices of a mesh: leave out executor, or mesh and jax.set_mesh."
        )
    if not program.processes.is_alone:
        raise ValueError(
            "a search and a sweep take a mesh of one process, got devices of several: give each "
            "process a mesh of its own (jax.local_devices()), or train by lo.fit with tx, which "
            "takes the devices of several processes."
        )


def executor_of(executor: Any) -> Executor | None:
    """Return the executor that an argument names, or None where that is left out."""
    if executor == "devices":
        return Devices()
    if executor is None or isinstance(executor, Executor):
        return executor
    raise ValueError(
        f'executor must be None, "devices", or an executor as lo.recipe.RayExecutor(), got '
        f"{executor!r}."
    )
