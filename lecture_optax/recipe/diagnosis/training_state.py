"""Where does a run of one's own stand? What a person holds, as what the next step needs."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..._core.dtypes import dtype_of
from ...training._trees import check_params
from ...training.adapters import equinox as _equinox
from ...training.compiled.program import Program
from ...training.compiled.step import Carry
from ...training.loop.nonfinite import NonFiniteError
from ...training.loop.run import Run
from ...training.result import Result


def run_of(state: Any) -> Run | None:
    """The run of `lo.fit` that a state is, or has; None where it is of another loop.

    **Raises** `ValueError` for the result of a search, which no optimizer's state belongs to.
    """
    if isinstance(state, Result) and state.run is None:
        raise ValueError(
            "state is the result of a search, whose weights may be those of an earlier step: there "
            "is no run to go on with. Its report says what ten times the rate and a tenth did."
        )
    if isinstance(state, Result | NonFiniteError):
        return state.run
    return state if isinstance(state, Run) else None


def carry_of(program: Program, state: Any, fresh: Carry) -> Carry:
    """Copies of what is given, checked against the model and the optimizer.

    **Raises** `TypeError` for what is no state, and `ValueError` for one of another model or
    another optimizer.
    """
    run = run_of(state)
    given = run.carry if run else state
    if not isinstance(given, Carry):
        given = fresh._replace(**_parts(program.problem.kind, fresh, given))
    check_params(fresh.params, given.params)
    _check_alike(
        "the model's state",
        given.model_state,
        fresh.model_state,
        "give it with the parameters, as the model's init returns both, (params, opt_state) with "
        "{'params': ..., 'batch_stats': ...} for linen's BatchNorm",
    )
    carry = jax.tree.map(_strong_copy, given)
    expected = jax.eval_shape(program.compiled.start, carry.params, program.hyperparams)
    _check_alike(
        "the optimizer's state",
        carry.opt_state,
        expected,
        "give as tx the transformation that the run was made with, result.optimizer of lo.fit",
    )
    return carry


def _parts(kind: str, fresh: Carry, state: Any) -> dict[str, Any]:
    """The optimizer's state, and parameters and the model's state where they are given."""
    if hasattr(state, "opt_state"):  # Flax: a TrainState, an nnx.Optimizer
        model, opt_state = getattr(state, "params", None), state.opt_state
        if hasattr(state, "batch_stats"):
            model = {"params": model, "batch_stats": state.batch_stats}
    elif isinstance(state, tuple) and len(state) == 2:
        model, opt_state = state
    else:
        raise TypeError(
            "state must be what lo.fit returned or its NonFiniteError, a training.Carry, Flax's "
            "TrainState or nnx.Optimizer, or (params, opt_state) of a loop of one's own, got "
            f"{type(state).__name__}."
        )
    if kind == "nnx":
        from flax import nnx

        model, opt_state = nnx.as_pure((model, opt_state))
    own = {} if model is None else _model_parts(kind, fresh, model)
    return {"opt_state": opt_state, **own}


def _model_parts(kind: str, fresh: Carry, model: Any) -> dict[str, Any]:
    """Parameters, and the model's state beside them, as each kind of model holds both.

    An nnx model holds its state itself, where the problem has read it.
    """
    if kind == "nnx":
        return {"params": model}
    if kind == "equinox":
        parts = _equinox.split(model)
        return {"params": parts.params, "model_state": parts.model_state}
    if kind == "linen" and isinstance(model, Mapping) and "params" in model:
        state = {name: tree for name, tree in model.items() if name != "params"}
        return {"params": model["params"], "model_state": state}
    if jax.tree.leaves(fresh.model_state) and isinstance(model, tuple) and len(model) == 2:
        return {"params": model[0], "model_state": model[1]}
    return {"params": model, "model_state": {}}


def _check_alike(name: str, given: Any, expected: Any, way_out: str) -> None:
    """The same paths, and the same shapes at them."""
    have, want = (
        {jax.tree_util.keystr(path): np.shape(x) for path, x in leaves}
        for leaves in map(jax.tree_util.tree_leaves_with_path, (given, expected))
    )
    if jax.tree.structure(given) == jax.tree.structure(expected) and have == want:
        return
    strange = [path for path in {**have, **want} if have.get(path) != want.get(path)]
    found = [f"{path}: {_shape(have, path)} for {_shape(want, path)}" for path in strange[:3]]
    words = "; ".join(found) or f"{jax.tree.structure(given)} for {jax.tree.structure(expected)}"
    raise ValueError(f"{name} does not fit, got {words}: {way_out}.")


def _shape(shapes: Mapping[str, Any], path: str) -> str:
    return f"shape {shapes[path]}" if path in shapes else "nothing"


def _strong_copy(x: Any) -> jax.Array:
    """An array of its own: the loop donates those that it is given."""
    return jnp.array(x, dtype_of(x))
