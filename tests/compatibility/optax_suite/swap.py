"""Load one of Optax's installed test modules with its optimizers exchanged for ours."""

import contextlib
import importlib.util
import os
import re
import types
import warnings
from collections.abc import Iterator, Sequence
from typing import Any
from unittest import mock

import optax
from absl.testing import parameterized
from optax._src import alias, base

import lecture_optax as lo
from lecture_optax._core.types import Scalar, Schedule

OURS = ("adagrad", "adam", "adamax", "adamw", "amsgrad", "nadam", "rmsprop", "sgd")

# Optax's table has one row for most methods: the flags that pick other blocks get one as well.
# The rates are ones at which Optax's own converge.
FLAGS = [
    {"opt_name": name, "opt_kwargs": kwargs}
    for name, kwargs in [
        ("adam", {"learning_rate": 1e-2, "nesterov": True}),
        ("adamw", {"learning_rate": 1e-2, "nesterov": True}),
        ("amsgrad", {"learning_rate": 1e-2, "bias_correction_nu": False}),
        ("rmsprop", {"learning_rate": 5e-3, "centered": True}),
        ("rmsprop", {"learning_rate": 5e-3, "momentum": 0.9, "nesterov": True}),
        ("rmsprop", {"learning_rate": 5e-3, "bias_correction": True, "eps_in_sqrt": False}),
        ("sgd", {"learning_rate": 3e-4, "momentum": 0.95, "nesterov": True}),
    ]
]


@contextlib.contextmanager
def ours_in_optax() -> Iterator[None]:
    """While it is entered, `optax.adam` is `lecture_optax.adam`, and so for all of `OURS`."""
    factories = {name: getattr(lo, name) for name in OURS}
    with (
        mock.patch.multiple(alias, **factories),
        mock.patch.multiple(optax, **factories),
        # Optax tells by the annotation whether a rate may be a schedule; ours also admits int.
        mock.patch.object(base, "ScalarOrSchedule", Scalar | Schedule),
    ):
        yield


def swapped(name: str, more: Sequence[dict] = ()) -> types.ModuleType:
    """Optax's test module `name`, a fresh copy, its tables cut down to our optimizers and `more`.

    Its text is changed in one place: `jax.__version__ < '0.7.2'` compares strings, so that JAX
    0.10 counts as older than 0.7 and the test is skipped. Here it compares numbers.
    """
    spec = importlib.util.find_spec(name)
    assert spec is not None and spec.origin is not None
    with open(spec.origin, encoding="utf-8") as file:
        source = re.sub(
            r"jax\.__version__ < '(\d+)\.(\d+)\.(\d+)'",
            r"jax.__version_info__ < (\1, \2, \3)",
            file.read(),
        )
    module = types.ModuleType(name)
    with (
        warnings.catch_warnings(action="ignore"),  # of Optax's other rows
        mock.patch.dict(os.environ),  # one module sets XLA_FLAGS; our devices are set already
        ours_in_optax(),
        _tables_filtered("product", more),
        _tables_filtered("named_parameters", more),
    ):
        exec(compile(source, spec.origin, "exec"), vars(module))
    return module


def _tables_filtered(decorator: str, more: Sequence[dict]) -> Any:
    original = getattr(parameterized, decorator)

    def filtered(*tables, **grid):
        return original(*(_rows(table, more) for table in tables), **grid)

    return mock.patch.object(parameterized, decorator, filtered)


def _rows(table: Any, more: Sequence[dict]) -> Any:
    """The rows of ours in a table, and `more`; a table without optimizers stays as it is."""
    rows = [row for row in table if _optimizer_of(row) in OURS]
    return [*rows, *more] if rows else table


def _optimizer_of(row: Any) -> str | None:
    match row:
        case {"opt_name": name} | (str(name), *_):
            return name
    return None
