"""Conversion of a training state to a `Carry`: of `lo.fit`, Flax, Equinox or your own loop."""

from typing import Any

import jax

from ...training._trees import check_same_tree, strong_copies
from ...training.adapters.model import Adapter
from ...training.compiled.program import Program
from ...training.compiled.sharding import place
from ...training.compiled.step import Carry
from ...training.loop.nonfinite import NonFiniteError
from ...training.loop.run import Run
from ...training.result import Result


def run_of(state: Any) -> Run | None:
    """Return the run of `lo.fit` that a state is or has, or None if it comes from another loop.

    **Raises** `ValueError` for the result of a search, which has no optimizer state.
    """
    if isinstance(state, Result) and state.run is None:
        raise ValueError(
            "state must have an optimizer state, got the result of a search, which has none: its "
            "report says what 10 and 0.1 times the learning rate did."
        )
    if isinstance(state, Result | NonFiniteError):
        return state.run
    return state if isinstance(state, Run) else None


def as_carry(program: Program, state: Any, fresh: Carry) -> Carry:
    """Copy a training state and check it against the model and the optimizer.

    **Raises** `TypeError` for an object that is not a training state, `ValueError` for the state of
    another model or another optimizer.
    """
    run = run_of(state)
    given = run.carry if run else state
    if not isinstance(given, Carry):
        adapter = program.problem.adapter
        given = fresh._replace(**_parts(adapter, fresh.model_state, given))
    check_same_tree(fresh.params, given.params)
    check_same_tree(
        fresh.model_state,
        given.model_state,
        "the model's state must be that of the problem's model",
        "Pass it with the parameters, as the model's init returns both: (params, opt_state) with "
        "{'params': ..., 'batch_stats': ...} for linen's BatchNorm.",
        structure=True,
    )
    carry = place(strong_copies(given), program.home)
    check_same_tree(
        jax.eval_shape(program.compiled.start, carry.params, program.hyperparams),
        carry.opt_state,
        "the optimizer's state must be that of tx",
        "Pass as tx the transformation that the run was made with: result.optimizer of lo.fit.",
        structure=True,
    )
    return carry


def _parts(adapter: Adapter, model_state: Any, state: Any) -> dict[str, Any]:
    """Return the optimizer's state, and the parameters and the model's state if they are given."""
    if hasattr(state, "opt_state"):  # Flax: a TrainState, an nnx.Optimizer
        model, opt_state = getattr(state, "params", None), state.opt_state
        if hasattr(state, "batch_stats"):
            model = {"params": model, "batch_stats": state.batch_stats}
    elif isinstance(state, tuple) and len(state) == 2:
        model, opt_state = state
    else:
        raise TypeError(
            "state must be what lo.fit returned or its NonFiniteError, a training.Carry, Flax's "
            "TrainState or nnx.Optimizer, or (params, opt_state) of your own loop, got "
            f"{type(state).__name__}."
        )
    return adapter.state_parts(model, opt_state, model_state)
