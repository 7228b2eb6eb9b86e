"""Values that are wrong for most arguments. Each is made anew, as a generator is used up once."""

import math
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

import lecture_optax as lo


def broken(*args: Any, **kwargs: Any) -> Any:
    """Return what no argument is a function of."""
    return np.zeros((3, 5, 2))


WRONG: Mapping[str, Callable[[], Any]] = {
    "None": lambda: None,
    "True": lambda: True,
    "False": lambda: False,
    '"nonsense"': lambda: "nonsense",
    '""': lambda: "",
    'b"bytes"': lambda: b"bytes",
    "-1": lambda: -1,
    "0": lambda: 0,
    "1.5": lambda: 1.5,
    "2**63": lambda: 2**63,
    "-2**63": lambda: -(2**63),
    "1e300": lambda: 1e300,
    "nan": lambda: math.nan,
    "inf": lambda: math.inf,
    "-inf": lambda: -math.inf,
    "1j": lambda: 1j,
    "[]": list,
    "{}": dict,
    "()": tuple,
    "[None]": lambda: [None],
    '["nonsense"]': lambda: ["nonsense"],
    '{"a": None}': lambda: {"a": None},
    "{1: 2}": lambda: {1: 2},
    "{1, 2}": lambda: {1, 2},
    "object()": object,
    "object": lambda: object,
    "lambda: 0": lambda: lambda: 0,
    "lambda a, b, c, d, e: 0": lambda: lambda a, b, c, d, e: 0,
    "lambda *a, **k: None": lambda: lambda *a, **k: None,
    'lambda *a, **k: "text"': lambda: lambda *a, **k: "text",
    "broken": lambda: broken,
    "print": lambda: print,
    "math": lambda: math,
    "np.ones((2, 2, 2))": lambda: np.ones((2, 2, 2)),
    "np.ones(0)": lambda: np.ones(0),
    "np.ones(3)": lambda: np.ones(3),
    'np.array(["a"])': lambda: np.array(["a"]),
    "np.array([None, 1])": lambda: np.array([None, 1]),
    "np.full(3, np.nan)": lambda: np.full(3, np.nan),
    "np.float32(np.nan)": lambda: np.float32(np.nan),
    "np.arange(3)": lambda: np.arange(3),
    "jnp.ones((2, 2), complex)": lambda: jnp.ones((2, 2), complex),
    "(i for i in [])": lambda: (i for i in []),
    'Path("nowhere")': lambda: pathlib.Path("nowhere"),
    "range(3)": lambda: range(3),
    "np": lambda: np,
    "len": lambda: len,
    "np.ma.masked": lambda: np.ma.masked,
    "np.ma.array([1.0], mask=True)": lambda: np.ma.array([1.0], mask=True),
    "np.dtype(float)": lambda: np.dtype(float),
    "np.float16(0.9)": lambda: np.float16(0.9),
    "np.zeros(2, [('a', int)])": lambda: np.zeros(2, [("a", int)]),
    "10**400": lambda: 10**400,
    "[[1], [1, 2]]": lambda: [[1], [1, 2]],
    '{1: 2, "a": 3}': lambda: {1: 2, "a": 3},
    "jax.random.key(0)": lambda: jax.random.key(0),
    "jax.ShapeDtypeStruct((3,), float)": lambda: jax.ShapeDtypeStruct((3,), jnp.float32),
    "lambda *a, **k: math.nan": lambda: lambda *a, **k: math.nan,
    '"float32"': lambda: "float32",
    "lo.adam": lambda: lo.adam,
    "lo.adam(0.1)": lambda: lo.adam(0.1),
    "optax.identity()": optax.identity,
}
"""The code of a value, and a function that makes it."""
