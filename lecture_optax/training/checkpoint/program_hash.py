"""The hash of a function as JAX traces it: what it computes, whatever it is called.

Every value of the traced program has a hash: of an input its place, of a constant its numbers, of
the result of an operation that operation with the hashes of its operands. The hash of a function is
that of its results. So comments, names, the order of independent lines, results that are not used,
`jax.jit`, `jax.checkpoint`, devices and meshes do not matter.

Another version of JAX may trace the same function to other operations.
"""

import enum
import functools
import hashlib
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal, Primitive

from ..._core.dtypes import dtype_of
from .._trees import by_path, checksum, kind_of
from .restore import as_saved

CALLS = ("jit", "pjit", "closed_call", "core_call", "remat", "remat2", "checkpoint")
"""The operations that call a program and add nothing to it."""

IDENTITIES = (
    *("copy", "copy_p", "mesh_cast", "name", "optimization_barrier", "pcast", "pvary", "reshard"),
    "sharding_constraint",
)
"""The operations that return their operands, perhaps on other devices."""

WITHOUT_EFFECT = (
    *("name", "debug_info", "mesh", "ctx_mesh", "sharding", "out_sharding", "layout"),
    *("unroll", "linear", "_split_transpose", "indices_are_sorted", "inline", "keep_unused"),
)
"""The parameters of an operation that change none of its results."""


def hashes_of(function: Callable[..., Any], *arguments: Any) -> dict[str, str]:
    """Return the hash of every result of a function by its path. The function is only traced.

    **Arguments**

    - `arguments`: trees of arrays or of their shapes.
    """
    shapes = jax.tree.map(_shape_of, arguments)
    program, results = jax.make_jaxpr(function, return_shape=True)(*shapes)
    places = [_digest("input", i, _kind(x)) for i, x in enumerate(program.in_avals)]
    return dict(zip(by_path(results), _Hashes().of(program, places), strict=True))


def hash_of(function: Callable[..., Any], *arguments: Any) -> str:
    """Return the hash of a function: see `hashes_of`."""
    return _digest(*hashes_of(function, *arguments).items())


def hash_of_code(function: Any) -> str:
    """Return the hash of a function that JAX cannot trace: of its bytecode and of what it encloses.

    Names of the function and of its variables do not occur. What it calls occurs by name.
    """
    return _digest(*_code(function, ()))


def _code(value: Any, seen: tuple[Any, ...]) -> list[Any]:
    if any(value is x for x in seen):
        return ["again"]
    seen = (*seen, value)
    match value:
        case types.CodeType():
            inner = [word for x in value.co_consts for word in _code(x, seen)]
            return [value.co_code.hex(), *value.co_names, *inner]
        case types.FunctionType():
            cells = [x.cell_contents for x in value.__closure__ or ()]
            parts = [value.__code__, value.__defaults__, value.__kwdefaults__, *cells]
            words = [word for x in parts for word in _code(x, seen)]
            return ["None" if word == repr(value.__doc__) else word for word in words]
        case functools.partial():
            return _code((value.func, value.args, value.keywords), seen)
        case tuple() | list():
            return [word for x in value for word in _code(x, seen)]
        case dict():
            return _code(sorted(value.items(), key=str), seen)
        case np.ndarray() | jax.Array():
            return [_constant(value)]
        case None | int() | float() | complex() | str() | bytes() | np.generic():
            return [repr(value)]
    return [getattr(value, "__qualname__", type(value).__qualname__)]


class _Hashes:
    """The hashes of programs. A program that occurs several times is read once."""

    def __init__(self):
        self.known: dict[int, tuple[Any, str]] = {}

    def of(self, program: ClosedJaxpr, places: Sequence[str]) -> list[str]:
        """Return the hashes of a program's results from those of its inputs."""
        jaxpr, constants = program.jaxpr, map(_constant, program.consts)
        found: dict[Any, str] = dict(zip(jaxpr.constvars, constants, strict=True))
        found |= zip(jaxpr.invars, places, strict=True)

        def read(x):
            if isinstance(x, Literal):
                return _constant(x.val, x.aval.dtype)  # type: ignore[attr-defined]
            return found[x]

        for equation in jaxpr.eqns:
            operands = list(map(read, equation.invars))
            found |= zip(equation.outvars, self._results(equation, operands), strict=True)
        return list(map(read, jaxpr.outvars))

    def _results(self, equation: Any, operands: list[str]) -> list[str]:
        name, parameters = equation.primitive.name, equation.params
        if name in IDENTITIES:
            return operands[: len(equation.outvars)]
        if name in CALLS:
            return self.of(_closed(parameters.get("jaxpr", parameters.get("call_jaxpr"))), operands)
        own = {key: x for key, x in parameters.items() if key not in WITHOUT_EFFECT}
        if "callback" in own:  # a function on the host
            callback = own["callback"]
            own["callback"] = hash_of_code(getattr(callback, "callback_func", callback))
        whole = _digest(name, self._words(own), *operands)
        return [_digest(whole, i) for i in range(len(equation.outvars))]

    def _words(self, value: Any) -> str:
        """Return a parameter as text, the same in every process."""
        match value:
            case Jaxpr() | ClosedJaxpr():
                return self._whole(value)
            case Mapping():
                return self._words(sorted((str(key), self._words(x)) for key, x in value.items()))
            case set() | frozenset():
                return self._words(sorted(map(self._words, value)))
            case tuple() | list():
                return f"({','.join(map(self._words, value))})"
            case np.ndarray() | jax.Array():
                return _constant(value)
            case Primitive():
                return value.name
            case None | int() | float() | complex() | str() | enum.Enum() | np.generic():
                return str(value)
            case np.dtype():
                return value.name
        return type(value).__name__  # functions, devices, meshes and their layouts

    def _whole(self, program: Any) -> str:
        if id(program) not in self.known:
            closed = _closed(program)
            places = [_digest("input", i, _kind(x.aval)) for i, x in enumerate(closed.jaxpr.invars)]
            # the program is kept, so that no other one takes its id
            self.known[id(program)] = program, _digest(*self.of(closed, places))
        return self.known[id(program)][1]


def _closed(program: Any) -> ClosedJaxpr:
    return program if isinstance(program, ClosedJaxpr) else ClosedJaxpr(program, ())


def _constant(value: Any, dtype: Any = None) -> str:
    x = np.asarray(as_saved(value) if isinstance(value, jax.Array) else np.asarray(value, dtype))
    return _digest("constant", kind_of(x), checksum(x))


def _kind(aval: Any) -> str:
    return kind_of(aval) if hasattr(aval, "dtype") else str(aval)


def _shape_of(x: Any) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(np.shape(x), dtype_of(x))


def _digest(*words: Any) -> str:
    return hashlib.sha256("|".join(map(str, words)).encode()).hexdigest()[:16]
