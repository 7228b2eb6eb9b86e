"""One of two processes that train one model, as `test_processes.py` starts them.

    python -m tests.training.one_of_two NUMBER PORT FOLDER

writes FOLDER/NUMBER.json: what this process has found.
"""

import json
import signal
import sys
from pathlib import Path

import flax.linen as nn
import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh, NamedSharding, PartitionSpec

import lecture_optax as lo
from lecture_optax.training.compiled.sharding import on_host

STEPS = 60
X = np.random.default_rng(0).normal(size=(64, 4)).astype(np.float32)
Y = X @ np.array([[1.0], [2.0], [-1.0], [0.0]], np.float32)
TRAIN, VALID = (X[:48], Y[:48]), (X[48:], Y[48:])
MODEL = nn.Sequential([nn.Dense(8), nn.tanh, nn.Dense(1)])


def fit(data=TRAIN, **options):
    usual = {"loss": "mse", "tx": lo.adam(1e-2), "steps": STEPS, "evaluations": 3, "keep": "best"}
    size = {} if isinstance(data, list) else {"batch_size": 16}
    return lo.fit(MODEL, data, valid=VALID, **usual, **size, **options)


def learned(result):
    """The parameters, whole, and the losses."""
    params = np.concatenate([x.ravel() for x in jax.tree.leaves(on_host(result.params))])
    return [params.tolist(), *(result.history[x].tolist() for x in ("loss", "valid_loss"))]


def in_halves(mesh):
    """The initial parameters, with the columns of each array on the two devices."""

    def put(x):
        spec = [None] * (x.ndim - 1) + ["devices"] if x.shape[-1] % 2 == 0 else []
        own = NamedSharding(mesh, PartitionSpec(*spec))
        return jax.make_array_from_callback(x.shape, own, lambda index: x[index])

    params = jax.jit(MODEL.init)(jax.random.key(0), X)["params"]
    return jax.tree.map(lambda x: put(np.asarray(x)), params)


def error_of(**options):
    try:
        fit(**options)
    except (Exception, SystemExit) as error:
        return f"{type(error).__name__}: {error}"


def main(number, folder):
    mesh, found = Mesh(np.array(jax.devices()), ("devices",)), {}

    def at(step, act):
        """A hook of the second process alone."""
        return [lambda event: act() if number == 1 and event.step >= step else None]

    def fail():
        raise OSError("its disk is full")

    usual = {"mesh": mesh, "params": in_halves(mesh)}
    log = folder / "log.jsonl"
    whole = fit(**usual, log=log, checkpoint=folder / "whole", progress=True)
    found["whole"], found["log"] = learned(whole), len(log.read_text().splitlines())
    found["spec"] = list(whole.params["layers_0"]["kernel"].sharding.spec)
    found["evaluated"] = whole.evaluate(VALID)["loss"]
    found["report"] = whole.report(folder / f"page-{number}.html")
    saved = {**usual, "checkpoint": folder / "stopped", "progress": False}
    found["stopped"] = error_of(**saved, hooks=at(20, lambda: signal.raise_signal(signal.SIGTERM)))
    found["resumed"] = learned(fit(**saved))
    found["failed"] = error_of(mesh=mesh, hooks=at(20, fail), progress=False)
    found["other data"] = error_of(mesh=mesh, data=tuple(x + number for x in TRAIN))
    batches = [tuple(x[i : i + 16] for x in TRAIN) for i in (0, 16, 32)]
    found["streamed"] = learned(fit(batches, mesh=mesh, progress=False))
    found["alone"] = [learned(fit(data, progress=False)) for data in (TRAIN, batches)]
    (folder / f"{number}.json").write_text(json.dumps(found))


if __name__ == "__main__":
    own, port, path = sys.argv[1:]
    jax.config.update("jax_num_cpu_devices", 1)
    jax.distributed.initialize(f"localhost:{port}", 2, int(own))
    multihost_utils.sync_global_devices("start")  # Gloo waits half a minute for another process
    main(int(own), Path(path))
