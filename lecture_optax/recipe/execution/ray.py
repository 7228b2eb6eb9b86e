"""The executor that runs the segments of a search on a Ray cluster."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax

from .executor import Pool, Worker
from .ray_cluster import Cluster
from .ray_pool import Actors


@dataclass(frozen=True)
class RayExecutor:
    """Run the segments of a search, or the runs of a sweep, on the machines of a Ray cluster.

        lo.recipe.run(problem, executor=lo.recipe.RayExecutor("auto", {"GPU": 1}))

    A worker is a Ray actor. There are as many as the cluster has places for and the search has
    segments at a time; more start when the cluster grows. The result is the same to the bit for any
    number of workers, on processors of one kind. A segment whose worker dies runs again from the
    state at its start; what was trained in it before is lost, and not counted.
    `docs/explanation/distributed.md` shows it on one machine, SLURM and Kubernetes.

    **Arguments**

    - `address`: of the cluster: `"auto"` for the one that runs on this machine, `"host:6379"`, or
      `"ray://host:10001"`. None: the cluster that this process has joined by `ray.init`, or the one
      that runs on this machine, or else a local one, which is shut down after the search.
    - `resources_per_arm`: what one worker needs, by Ray's names: `{"GPU": 1}`, `{"CPU": 2}`. None:
      one device of the kind that this process computes on.
    - `runtime_env`: what workers need beyond what is installed on their machines, as in `ray.init`:
      `{"py_modules": [my_module]}`, `{"env_vars": {"NAME": "value"}}`.

    **Raises** `TypeError` or `ValueError` for arguments that are not like these. The search raises
    `ImportError` without Ray (the extra `ray`), or if a worker cannot import a module of yours;
    `ConnectionError` if no cluster is at `address`; `ValueError` if no machine has
    `resources_per_arm` within five minutes; `MemoryError` if the object store is full.
    """

    address: str | None = None
    resources_per_arm: Mapping[str, float] | None = None
    runtime_env: Mapping[str, Any] | None = None

    def __post_init__(self):
        if not isinstance(self.address, str | None):
            raise TypeError(
                'address must be None, "auto", "host:port" or "ray://host:port", got '
                f"{self.address!r}."
            )
        for name, example in (
            ("resources_per_arm", {"GPU": 1}),
            ("runtime_env", {"py_modules": ["path/to/my_module"]}),
        ):
            if not isinstance(getattr(self, name), Mapping | None):
                raise TypeError(
                    f"{name} must be None or a dict, as {example}, got {getattr(self, name)!r}."
                )
        for name, amount in (self.resources_per_arm or {}).items():
            if not isinstance(amount, int | float) or not 0 < amount < math.inf:
                raise ValueError(
                    "resources_per_arm must have positive numbers, as {'GPU': 1}, got "
                    f"{ {name: amount} }."
                )

    def start(self, worker: Worker, poll: Callable[[], None]) -> Pool:
        environment = dict(self.runtime_env or {})
        return Actors(Cluster(self.address, self.resources, environment), worker, poll)

    @property
    def resources(self) -> dict[str, float]:
        """What one worker needs."""
        if self.resources_per_arm is not None:
            return dict(self.resources_per_arm)
        return {"CPU" if jax.default_backend() == "cpu" else "GPU": 1}
