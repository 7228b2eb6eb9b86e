"""A Ray cluster for the tests marked `ray`. All that it writes is removed with it."""

import logging
import os
import secrets
import tempfile
import warnings
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]

PLACES = {"one": 1, "two": 2, "three": 3, "grow": 1}
"""Resources of the machine that the cluster begins with: `{"two": 1}` gives two workers."""


@pytest.fixture(scope="session")
def cluster():
    """A cluster of one machine, which this process has joined."""
    own = tempfile.TemporaryDirectory(prefix="ray-")  # a socket's path has 107 characters at most
    with own as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_AUTH_MODE", "token")
        patch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))  # else it is in the home directory
        patch.setenv("RAY_TMPDIR", folder)
        patch.setenv("RAY_worker_niceness", "0")  # else workers wait for all other processes
        patch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
        patch.setenv("JAX_COMPILATION_CACHE_DIR", f"{folder}/compiled")
        patch.setenv("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Ray's own, while it starts
            import ray

            started = begun()
            ray.init(started.address, log_to_driver=False, logging_level=logging.ERROR)
            yield started
            ray.shutdown()
            started.shutdown()


def begun(tries=3):
    """Return a new cluster. On a busy machine its start takes longer than Ray's 30 seconds."""
    from ray.cluster_utils import Cluster

    try:
        return Cluster(initialize_head=True, head_node_args=machine(resources=PLACES))
    except Exception:
        if tries == 1:
            raise
        return begun(tries - 1)


def machine(**more):
    """Return the arguments of a machine of the cluster."""
    return {"num_cpus": 1, "object_store_memory": 80 * 2**20, "include_dashboard": False, **more}
