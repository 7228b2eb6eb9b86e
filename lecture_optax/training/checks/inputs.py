"""Checks of x by the program of a forward pass: images without channels, ids without an entry."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal

from ..._core.dtypes import dtype_of
from .._trees import shapes_of_rows
from ..problem import Problem
from .data import on_host

_ODD = 61
"""A number of examples that is no usual size of an image."""


def equations(jaxpr: Any) -> Iterator[Any]:
    """Yield every equation of a program, also of its loops, branches and calls."""
    for equation in jaxpr.eqns:
        yield equation
        for inner in jax.tree.leaves(list(equation.params.values())):
            if isinstance(inner, Jaxpr | ClosedJaxpr):
                yield from equations(getattr(inner, "jaxpr", inner))


def check_channel_axis(
    problem: Problem, params: Any, model_state: Any, program: ClosedJaxpr, rows: int
) -> None:
    """Refuse images without a channel axis, which Flax takes for one image made of the examples.

    A convolution of a batch of one, with the examples along an axis of the image, is the sign; it
    is traced again with another number of examples, to be sure.
    """
    if not _convolves_examples(program.jaxpr, rows):
        return
    x = shapes_of_rows(problem.train[0], _ODD)
    try:
        assert problem.functions.predict is not None  # it was traced
        again = jax.make_jaxpr(problem.functions.predict)(params, model_state, x)
    except (TypeError, ValueError):
        return
    if _convolves_examples(again.jaxpr, _ODD):
        shapes = " and ".join(f"{tuple(a.shape)}" for a in jax.tree.leaves(problem.train[0]))
        raise ValueError(
            f"x must have a channel axis for a convolution, got the shape {shapes}: the model "
            "takes the examples for an axis of one image. Pass x[..., None]."
        )


def _convolves_examples(jaxpr: Any, rows: int) -> bool:
    for equation in equations(jaxpr):
        if equation.primitive.name == "conv_general_dilated":
            shape = equation.invars[0].aval.shape
            batch, _, *space = equation.params["dimension_numbers"].lhs_spec
            if rows > 1 and shape[batch] == 1 and rows in [shape[axis] for axis in space]:
                return True
    return False


def check_ids(
    program: ClosedJaxpr, inputs: Sequence[Any], arrays: Mapping[str, Any], rows: int
) -> None:
    """Refuse ids beyond the table in which the model looks them up, also as a column of floats.

    The program is computed as far as it depends on nothing but the ids, for the examples with the
    largest and the smallest one, until they index a table.

    **Arguments**

    - `inputs`: the variables of `program` that hold x, in the order of `arrays`.
    - `arrays`: the arrays of x, by the names that the user has for them.
    """
    for variable, (name, array) in zip(inputs, arrays.items(), strict=True):
        ids = on_host(array) if _may_be_ids(program, array) else None
        if ids is None or not ids.size:
            continue
        with jax.debug_nans(False), jax.transfer_guard("allow"):
            found = outside(program.jaxpr, {variable: ids[_rows_of_ends(ids, rows)]})
        if found is not None:
            index, size = found
            rows_of = np.flatnonzero((ids == index).reshape(len(ids), -1).any(1))
            where = f" in row {rows_of[0]} ({len(rows_of)} such rows)" if len(rows_of) else ""
            raise ValueError(
                f"{name} must be ids from 0 to {size - 1}, as the model looks them up in a table "
                f"of {size}, got {index}{where}. Make the table larger (num_embeddings), or "
                "replace such ids by one that means unknown."
            )


def _may_be_ids(program: ClosedJaxpr, array: Any) -> bool:
    """Whether an array has whole numbers, or real ones that the program may cast to such."""
    if not jnp.issubdtype(dtype_of(array), jnp.floating):
        return jnp.issubdtype(dtype_of(array), jnp.integer)
    casts = (x for x in equations(program.jaxpr) if x.primitive.name == "convert_element_type")
    return any(
        jnp.issubdtype(x.params["new_dtype"], jnp.integer)
        and jnp.issubdtype(x.invars[0].aval.dtype, jnp.floating)
        for x in casts
    )


def _rows_of_ends(ids: np.ndarray, rows: int) -> np.ndarray:
    """Return rows with the largest and the smallest ids: of every column where they are few."""
    flat = ids.reshape(len(ids), -1)
    if 2 * flat.shape[1] <= rows:
        ends = np.concatenate([flat.argmax(0), flat.argmin(0)])
    else:
        ends = np.array([f(flat) // flat.shape[1] for f in (np.argmax, np.argmin)])
    return np.resize(ends, rows)


def outside(jaxpr: Any, known: dict[Any, Any]) -> tuple[int, int] | None:
    """Return the first known index outside of a table, and the size of that table, or None.

    `known` gains the values of all variables that follow from it.
    """
    for equation in jaxpr.eqns:
        given = [x.val if isinstance(x, Literal) else known.get(x) for x in equation.invars]
        if equation.primitive.name == "gather" and given[1] is not None:
            found = _index_outside(equation, np.asarray(given[1]))
            if found is not None:
                return found
        inner = called(equation)
        if inner is not None:
            own = dict(zip(inner.jaxpr.constvars, inner.consts, strict=True))
            own |= {v: x for v, x in zip(inner.jaxpr.invars, given, strict=True) if x is not None}
            found = outside(inner.jaxpr, own)
            if found is not None:
                return found
            found = [x.val if isinstance(x, Literal) else own.get(x) for x in inner.jaxpr.outvars]
            known.update(
                {v: x for v, x in zip(equation.outvars, found, strict=True) if x is not None}
            )
        elif _is_known(equation, given):
            found = equation.primitive.bind(*map(jnp.asarray, given), **equation.params)
            found = found if equation.primitive.multiple_results else [found]
            known.update(zip(equation.outvars, found, strict=True))
    return None


def _is_known(equation: Any, given: Sequence[Any]) -> bool:
    """Whether an equation can be computed: `iota`, as `jnp.arange`, needs no values."""
    is_alone = equation.primitive.name == "iota"
    return (bool(given) or is_alone) and not equation.effects and all(x is not None for x in given)


def called(equation: Any) -> ClosedJaxpr | None:
    """Return the program that an equation calls once, with the same arguments."""
    if equation.primitive.name in ("while", "scan", "cond"):
        return None
    for name in ("jaxpr", "call_jaxpr", "fun_jaxpr"):
        inner = equation.params.get(name)
        if isinstance(inner, Jaxpr) and not inner.constvars:
            inner = ClosedJaxpr(inner, ())
        if isinstance(inner, ClosedJaxpr) and len(inner.jaxpr.invars) == len(equation.invars):
            return inner
    return None


def _index_outside(equation: Any, index: np.ndarray) -> tuple[int, int] | None:
    """Return an index of a gather that is outside of its axis, and the axis' size, or None."""
    fill, mode = equation.params.get("fill_value"), f"{equation.params['mode']}"
    if "FILL" in mode and fill is not None and not np.isnan(fill):
        return None  # on purpose
    shape, sizes = equation.invars[0].aval.shape, equation.params["slice_sizes"]
    for i, axis in enumerate(equation.params["dimension_numbers"].start_index_map):
        values, last = index[..., i], shape[axis] - sizes[axis]
        if values.size and values.max() > last:
            return int(values.max()), int(shape[axis])
        if values.size and values.min() < 0:
            return int(values.min()) - int(shape[axis]), int(shape[axis])  # as it was before
    return None
