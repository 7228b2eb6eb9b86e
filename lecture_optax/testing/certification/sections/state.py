"""How much memory the state takes, and in which dtypes."""

import math
from typing import Any

import jax
import jax.numpy as jnp

from ..candidate import Candidate
from ..section import Section

_SIDES = (512, 1024)
"""The trees are squares of so many rows, described by their shapes: no memory is taken."""


def _measure(candidate: Candidate) -> dict[str, Any]:
    if candidate.other_trees:
        return {**_of_given(candidate), "tree": "the given parameters"}
    matrices = [_planned(candidate, (side, side)) for side in _SIDES]
    vectors = [_planned(candidate, (side**2,)) for side in _SIDES]
    return {
        "tree": f"one float32 matrix of {_SIDES[1]} rows and columns",
        "bytes_of_a_parameter": _growing(*matrices) / _SIDES[1] ** 2,
        "bytes_of_a_parameter_of_a_vector": _growing(*vectors) / _SIDES[1] ** 2,
        "fixed_bytes": _bytes(matrices[1]) - _growing(*matrices),
        "fields": _fields(matrices[1], _SIDES[1] ** 2),
    }


def _growing(small: Any, large: Any) -> int:
    """Return the bytes of the arrays of `large` that grow with the parameters."""
    pairs = zip(jax.tree.leaves(small), jax.tree.leaves(large), strict=True)
    return sum(_size(y) for x, y in pairs if x.shape != y.shape)


def _of_given(candidate: Candidate) -> dict[str, Any]:
    number = sum(x.size for x in jax.tree.leaves(candidate.params))
    state = jax.eval_shape(candidate.tx.init, candidate.params)
    return {
        "bytes_of_a_parameter": _bytes(state) / number,
        "bytes_of_a_parameter_of_a_vector": None,
        "fixed_bytes": None,
        "fields": _fields(state, number),
    }


def _planned(candidate: Candidate, shape: tuple[int, ...]) -> Any:
    params = jax.ShapeDtypeStruct(shape, jnp.float32)
    return jax.eval_shape(candidate.tx.init, params)


def _bytes(state: Any) -> int:
    return sum(_size(x) for x in jax.tree.leaves(state))


def _size(x: Any) -> int:
    return math.prod(x.shape) * x.dtype.itemsize


def _fields(state: Any, number: int) -> list[dict[str, Any]]:
    return [
        {
            "name": jax.tree_util.keystr(path),
            "dtype": str(x.dtype),
            "bytes_of_a_parameter": _size(x) / number if math.prod(x.shape) > 1 else 0.0,
        }
        for path, x in jax.tree_util.tree_leaves_with_path(state)
    ]


def _lines(numbers: dict[str, Any]) -> list[str]:
    each, vector = numbers["bytes_of_a_parameter"], numbers["bytes_of_a_parameter_of_a_vector"]
    fixed = numbers["fixed_bytes"]
    words = "" if fixed is None else f", and {fixed} bytes besides"
    of_vectors = "" if vector in (None, each) else f", {vector:.4g} bytes in a vector"
    fields = [f"{x['name']} {x['dtype']}" for x in numbers["fields"]]
    narrow = [x["name"] for x in numbers["fields"] if x["dtype"] in ("float16", "bfloat16")]
    lost = f"Narrower than the float32 parameters: {', '.join(narrow)}."
    return [
        f"The state takes {each:.4g} bytes a float32 parameter{of_vectors}{words} "
        f"(measured on {numbers['tree']}).",
        f"It holds {', '.join(fields)}." if fields else "It holds nothing.",
        *([lost] if narrow else []),
    ]


STATE = Section("state", "The state", _measure, _lines)
