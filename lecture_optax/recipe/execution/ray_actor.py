"""What runs in the process of a Ray actor: a worker, and the states that it has.

Ray calls the methods of an actor one after the other. A state that has ended is stored twice: here,
for the next segment of its arm, and as the value that `stored` returns. The driver owns that value,
so it outlives this process.
"""

import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..._core.extras import require
from ...training.compiled.settings import run_settings

Key = tuple[int, str]
"""A state: the number of the job that it is from, and its name."""

SETTINGS = (
    "jax_default_matmul_precision",
    "jax_default_prng_impl",
    "jax_enable_custom_prng",
    "jax_enable_x64",
    "jax_numpy_dtype_promotion",
    "jax_numpy_rank_promotion",
    "jax_threefry_partitionable",
)
"""The settings of JAX that decide what a program computes, or whether it is traced at all."""


@dataclass(frozen=True)
class Failure:
    """An exception that a worker has raised.

    One whose `__init__` has other arguments than its `args` is pickled in parts.
    """

    words: str
    trace: str
    pickled: bytes | None

    @staticmethod
    def of(error: Exception) -> "Failure":
        words = "".join(traceback.format_exception_only(error)).strip()
        trace = "".join(traceback.format_exception(error))
        for form in (error, (type(error), error.args, error.__dict__)):
            try:
                pickled = pickler().dumps(form)
                pickler().loads(pickled)
                return Failure(words, trace, pickled)
            except Exception:
                continue
        return Failure(words, trace, None)

    def error(self) -> Exception:
        """Return the exception, with the traceback of the worker as a note."""
        error = pickler().loads(self.pickled) if self.pickled else RuntimeError(self.words)
        if isinstance(error, tuple):
            kind, args, fields = error
            error = kind.__new__(kind, *args)
            error.__dict__.update(fields)
        error.add_note(f"In a worker of Ray:\n{self.trace}")
        return error


class Actor:
    """A worker, and the states that it has."""

    def __init__(self):
        self._states: dict[Key, Any] = {}

    def load(self, settings: Mapping[str, Any], pickled: np.ndarray) -> Failure | None:
        """Take over the settings of the driver and its worker."""
        try:
            for name, value in settings.items():
                jax.config.update(name, value)
            self._worker = pickler().loads(pickled.data)
        except Exception as error:
            return Failure.of(error)
        return None

    def run(
        self, number: int, call: Any, own: Key | None, given: Any, dropped: Sequence[Key]
    ) -> tuple[Any, list[str]] | Failure:
        """Run a job; return its report and the names of its states.

        - `own`: the state that it starts from, if that is here; it is used up. `given`: that state,
          if it is not here.
        - `dropped`: states that nothing starts from any more.
        """
        for key in dropped:
            self._states.pop(key, None)
        try:
            state = self._states.pop(own) if own else unpacked(given, jnp.array)
            with run_settings():
                report, states = self._worker.run(call, state, _never_stop)
        except Exception as error:
            return Failure.of(error)
        self._states |= {(number, name): state for name, state in states.items()}
        return report, list(states)

    def stored(self, number: int, names: Sequence[str]) -> list[Any]:
        """Return a mark that all is well, and states as the driver keeps them."""
        return [None, *(packed(self._states[number, name]) for name in names)]


def _never_stop() -> None:
    """An actor does not stop itself: the driver kills it."""


def packed(tree: Any) -> Any:
    """Return a tree with NumPy's arrays, which Ray stores without further copies.

    Random keys and numbers of weak type are pickled by JAX.
    """

    def leaf(x):
        is_plain = not jnp.issubdtype(x.dtype, jax.dtypes.prng_key)
        return np.asarray(x) if is_plain and not getattr(x, "weak_type", False) else x

    return jax.tree.map(leaf, tree)


def unpacked(tree: Any, array: Callable[[np.ndarray], Any]) -> Any:
    """Return the tree that was packed.

    - `array`: copies an array, to a device or on the host. Those of the store are read-only.
    """
    return jax.tree.map(lambda x: array(x) if isinstance(x, np.ndarray) else x, tree)


def pickler() -> ModuleType:
    """Return what Ray itself pickles with: classes and functions of a notebook too."""
    return require("ray.cloudpickle", extra="ray", what="RayExecutor")


def own_settings() -> dict[str, Any]:
    """Return the settings of this process that its workers need."""
    return {name: getattr(jax.config, name) for name in SETTINGS}
