"""A worker that counts, for tests of executors: what it finds does not depend on who runs it."""

import os
import signal
import time
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


class OddError(ValueError):
    """An exception that pickle cannot build again: its arguments are not its `args`."""

    def __init__(self, name, number):
        super().__init__(f"{name} was {number}")
        self.number = number


@dataclass
class Counter:
    """A run of steps on a state: a vector, a random key, and a number of weak type.

    - `folder`: where every job writes its process, name, and steps.
    """

    data: Any
    folder: str = ""

    def run(self, call, state, poll):
        name, steps, seconds = call
        if name == "fails":
            raise OddError(name, steps)
        if name == "dies":
            os.kill(os.getpid(), signal.SIGKILL)
        if state is None:
            state = {"x": jnp.zeros(3), "key": jax.random.key(0), "n": jnp.asarray(0)}
            if name == "large":  # for the memory of the driver, where Ray keeps small values
                state["more"] = jnp.zeros(10**5)
        if self.folder:
            with open(os.path.join(self.folder, str(os.getpid())), "a") as file:
                file.write(f"{name} begins\n")
        for _ in range(steps):
            time.sleep(seconds)
            poll()
            key, used = jax.random.split(state["key"])
            x = state["x"] * 0.9 + jax.random.normal(used, (3,)) + self.data.mean()
            state = {**state, "x": x, "key": key, "n": state["n"] + 1}
        return (name, int(state["n"])), {"end": state, "middle": {**state, "x": state["x"] / 2}}

    def placed_on(self, device):
        return Counter(jax.device_put(self.data, device), self.folder)


def counter(folder=""):
    return Counter(jnp.arange(1000.0), str(folder))


def numbers(tree):
    """Return the arrays of a state as NumPy's."""
    keys = jax.dtypes.prng_key
    plain = lambda x: jax.random.key_data(x) if jnp.issubdtype(x.dtype, keys) else x  # noqa: E731
    return [np.asarray(plain(x)) for x in jax.tree.leaves(tree)]
