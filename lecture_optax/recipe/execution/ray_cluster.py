"""A Ray cluster that this process joins or starts, and what its errors mean for the user.

Every call of Ray is made here or by `ray_pool.py`. Ray's own exceptions describe its parts; these
name the argument of `RayExecutor` and the way out.
"""

import os
import re
import signal
import socket
import threading
import time
import warnings
from dataclasses import dataclass
from typing import Any

from ..._core.extras import require, warn
from ...training.checkpoint.folder import first_line
from .executor import StateLost
from .ray_actor import Actor

PATIENCE_SECONDS = 300.0
"""How long a cluster may take to get a machine that fits, as one that grows on demand does."""


CONNECT_SECONDS = 10.0
"""How long a machine may take to answer."""


class Died(Exception):
    """An actor has died, or cannot be reached any more."""


@dataclass
class Cluster:
    """A cluster, within its context.

    - `resources`: what one actor needs. `environment`: Ray's `runtime_env`.
    """

    address: str | None
    resources: dict[str, float]
    environment: dict[str, Any]

    def __enter__(self) -> "Cluster":
        self.ray = require("ray", extra="ray", what="RayExecutor")
        self._errors = require("ray.exceptions", extra="ray", what="RayExecutor")
        self._has_joined = not self.ray.is_initialized()
        if self._has_joined:
            self._join()
        self._since, self._has_warned = time.monotonic(), False
        return self

    def __exit__(self, *error: Any) -> None:
        if self._has_joined:
            self.ray.shutdown()

    def _join(self) -> None:
        """Join the cluster, or start one.

        Ray installs a handler of SIGTERM, which would replace that of a search. JAX warns of the
        fork with which Ray starts its processes; they execute another program at once.
        """
        handler = signal.getsignal(signal.SIGTERM)
        try:
            _reach(self.address or os.environ.get("RAY_ADDRESS"))
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "os.fork", RuntimeWarning)
                self.ray.init(
                    self.address,
                    runtime_env=self.environment,
                    include_dashboard=False,
                    log_to_driver=False,
                    logging_level="ERROR",
                )
        except (OSError, self._errors.AuthenticationError) as error:
            raise ConnectionError(
                f"address={self.address!r}: no Ray cluster can be joined there "
                f"({first_line(error)}). Start one by `ray start --head`, or leave address out to "
                "compute on this machine."
            ) from error
        finally:
            if handler is not None and threading.current_thread() is threading.main_thread():
                signal.signal(signal.SIGTERM, handler)

    def actor_class(self) -> Any:
        """Return the class of the actors, with what each of them needs."""
        amounts = dict(self.resources)
        names = (("num_cpus", "CPU"), ("num_gpus", "GPU"), ("memory", "memory"))
        options = {name: amounts.pop(key) for name, key in names if key in amounts}
        environment = {} if self._has_joined else self.environment
        try:
            options = {"num_cpus": 0, "resources": amounts, **options}
            return self.ray.remote(runtime_env=environment or None, **options)(Actor)
        except ValueError as error:
            raise ValueError(
                f"runtime_env={environment!r} cannot be given to a cluster that this process has "
                f"joined before ({first_line(error)}): give it to your ray.init."
            ) from error

    def put(self, tree: Any) -> Any:
        """Store a tree of arrays; return what refers to it.

        **Raises** `MemoryError`.
        """
        try:
            return self.ray.put(tree)
        except (self._errors.ObjectStoreFullError, self._errors.OutOfDiskError) as error:
            raise self._no_room() from error

    def get(self, ref: Any) -> Any:
        """Return what an actor has returned.

        **Raises** `Died`, `StateLost`, `MemoryError`, `ModuleNotFoundError`.
        """
        errors = self._errors
        try:
            return self.ray.get(ref)
        except (errors.ObjectStoreFullError, errors.OutOfDiskError) as error:
            raise self._no_room() from error
        except errors.ObjectLostError as error:
            raise StateLost(str(error)) from error
        except errors.RuntimeEnvSetupError as error:
            raise ValueError(
                f"runtime_env={self.environment!r} cannot be set up on a machine of the cluster: "
                f"{error}"
            ) from error
        except errors.RayActorError as error:
            if module := re.search("No module named '([^']+)'", str(error)):
                raise not_importable(module[1]) from error
            raise Died(str(error)) from error
        except (errors.WorkerCrashedError, errors.OutOfMemoryError, errors.NodeDiedError) as error:
            raise Died(str(error)) from error

    def check_machines(self) -> None:
        """Check that a machine has what an actor needs. A cluster that grows may still get one.

        **Raises** `ValueError`.
        """
        machines = [node["Resources"] for node in self.ray.nodes() if node["Alive"]]
        need = self.resources.items()
        if any(all(has.get(name, 0) >= amount for name, amount in need) for has in machines):
            return
        have = [{name: has.get(name, 0) for name in self.resources} for has in machines]
        problem = f"resources_per_arm={self.resources}: no machine of the cluster has it ({have})."
        is_local = self._has_joined and self.address is None and "RAY_ADDRESS" not in os.environ
        if is_local or time.monotonic() > self._since + PATIENCE_SECONDS:
            raise ValueError(f"{problem} Ask for less, or add such a machine.")
        if not self._has_warned:
            self._has_warned = True
            warn(f"{problem} One may still come: the search waits {PATIENCE_SECONDS:.0f} seconds.")

    def _no_room(self) -> MemoryError:
        return MemoryError(
            "the object store of the Ray cluster is full, and so is the disk to which it moves "
            "objects. A search needs room for its data, and for two to four states of every arm: "
            "start Ray with more, by `ray start --object-store-memory=BYTES`, or free the disk."
        )


def _reach(address: str | None) -> None:
    """Connect to an address once, if there is one: Ray would try again for many minutes.

    **Raises** `OSError`; `ValueError` for a text that is no address.
    """
    if address in (None, "auto", "local"):
        return
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not (host and port.isdecimal()):
        raise ValueError(
            f'address must be "auto", "host:port" or "ray://host:port", got {address!r}.'
        )
    socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS).close()


def not_importable(module: str | None) -> ModuleNotFoundError:
    """Return the error for a worker that cannot import a module."""
    top = str(module).partition(".")[0]
    return ModuleNotFoundError(
        f"a worker of the Ray cluster cannot import {module!r}: install it on all machines, or send"
        f" it to them by RayExecutor(runtime_env={{'py_modules': [{top}]}}), after `import {top}`.",
        name=module,
    )
