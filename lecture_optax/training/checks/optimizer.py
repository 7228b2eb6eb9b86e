"""Checks of an optimizer: what it needs, its learning rates, and what `lo.lint` finds."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax.contrib
from jax.core import Tracer

from ..._core.block import refuse_leaves_without_gradient
from ..._core.current import states_in
from ..._core.describe import describe
from ..._core.dtypes import default_float
from ..._core.validate import in_words
from ...linting.lint import lint
from ...linting.probe import update_of
from ...linting.rules.rates import is_foreign, learning_rates
from .._trees import MOST, by_path, kind_of

NEED_MORE: Mapping[type, str] = {
    optax.contrib.SAMState: (
        "optax.contrib.sam needs a second gradient, at parameters that it moves uphill, and a step "
        "here has one gradient. Call it with grad_fn= in your own loop, on problem.loss"
    ),
    optax.LookaheadState: (
        "optax.lookahead needs a pair of fast and slow parameters (optax.LookaheadParams), and a "
        "model has one set. For averaged weights, pass lo.average_iterates() at the end of tx"
    ),
    optax.contrib.HutchinsonState: (
        "optax.contrib.sophia and hutchinson_estimator_diag_hessian need the loss as obj_fn=, and "
        "a step here passes value_fn=. Call them in your own loop, on problem.loss"
    ),
    optax.contrib.DifferentiallyPrivateAggregateState: (
        "optax.contrib.differentially_private_aggregate and dpsgd need the gradient of every "
        "example, and a step here has that of their mean. Call them in your own loop, with "
        "jax.vmap of the gradient"
    ),
}
"""Why a transformation cannot take the steps of `step_of`, by the type of its state."""

STOPPED_FIRST: Mapping[type, str] = {
    optax.ApplyIfFiniteState: "optax.apply_if_finite",
    optax.ZeroNansState: "optax.zero_nans",
}
"""Transformations that act on values that are not finite, by the types of their states."""


def start_optimizer(start: Callable[[Any, Any], Any], params: Any, hyperparams: Any) -> Any:
    """Return the first state of an optimizer.

    **Raises** `TypeError` for one that needs more than a gradient, and `ValueError` for a negative
    learning rate.
    """
    refuse_leaves_without_gradient(params)
    with _complex_parameters_of(params):
        state = start(params, hyperparams)
    for kind, reason in NEED_MORE.items():
        if states_in(state, kind):
            raise TypeError(f"tx (or one of optimizers) cannot train here: {reason}.")
    for name, rate in learning_rates(state).items():
        if not isinstance(rate, Tracer) and float(np.asarray(rate)) < 0:
            raise ValueError(
                f"a learning rate must be >= 0, got {_number(rate)} as {name} in the optimizer's "
                "state: the step already goes downhill. To climb, negate the loss."
            )
    return state


def check_complex_parameters(optimizer: Any, params: Any, state: Any) -> None:
    """Refuse an optimizer that cannot update complex parameters; the update is traced only."""
    update = optax.with_extra_args_support(optimizer).update

    def traced(params, state):
        zero = jnp.zeros((), default_float())
        return update(params, state, params, value=zero, grad=params, value_fn=lambda p: zero)

    if _complex_leaves(params):
        with _complex_parameters_of(params):
            jax.eval_shape(traced, params, state)


def _complex_leaves(params: Any) -> list[str]:
    return [path for path, x in by_path(params).items() if jnp.iscomplexobj(x)]


@contextmanager
def _complex_parameters_of(params: Any) -> Iterator[None]:
    """Turn an error of an optimizer into one about complex parameters, where there are some."""
    found = _complex_leaves(params)
    try:
        yield
    except (TypeError, ValueError) as error:
        if not found:
            raise
        where = ", ".join(path or "the parameters" for path in found[:MOST])
        raise ValueError(
            f"tx does not take complex parameters, got {where}: {' '.join(str(error).split())} "
            "Use optax.contrib.split_real_and_imaginary(tx), for which real and imaginary part are "
            "two numbers, or another optimizer, such as lo.adam."
        ) from error


def check_search(state: Any) -> None:
    """Refuse an optimizer with weights of its own for evaluations: arms are averaged by the search.

    **Raises** `TypeError`.
    """
    if states_in(state, optax.contrib.ScheduleFreeState):
        raise TypeError(
            "optimizers must be evaluated at their iterates or an average of them, got one of "
            "optax.contrib.schedule_free, which averages by itself: a search and a sweep average "
            "the weights of all arms. Train with it by lo.fit(..., tx=optax.contrib."
            "schedule_free_adamw(1e-3))."
        )


def check_update(
    name: str, optimizer: Any, gradient: Any, carry: Any, *, loops: bool = True
) -> None:
    """Refuse an optimizer that cannot take a step, or whose state changes its kind in a step.

    The step is traced, not computed. The transformations of this library keep these promises.

    **Arguments**

    - `name`: what the user calls it: `tx`.
    - `gradient`: a tree with the shapes and dtypes of the gradient.
    - `carry`: the first carry, whose optimizer state may be shapes.
    - `loops`: whether steps are compiled as a loop, which carries one kind of state.

    **Raises** `TypeError` that names it.
    """
    if not any(map(is_foreign, describe(optimizer).walk())):
        return
    params, state = carry.params, carry.opt_state
    try:
        updates, after = jax.eval_shape(update_of(optimizer), gradient, state, params)
    except Exception as error:  # whatever a transformation of another library raises
        line = (str(error) or type(error).__name__).splitlines()[0]
        raise TypeError(f"{name} cannot take a step with these parameters: {line}") from error
    shapes = [{path: x.shape for path, x in by_path(tree).items()} for tree in (params, updates)]
    _refuse_another_kind(name, "an update like the parameters", *shapes)
    if loops:
        kinds = [{path: kind_of(x) for path, x in by_path(x).items()} for x in (state, after)]
        _refuse_another_kind(name, "a state like the one before the step", *kinds)


def _refuse_another_kind(name: str, what: str, want: Mapping, have: Mapping) -> None:
    for path in {**want, **have}:
        one, other = want.get(path, "nothing"), have.get(path, "nothing")
        if one != other:
            raise TypeError(
                f"{name} must return {what}, got {other} for {path or 'it'}, which was {one}. "
                "lo.chain(...) around it keeps dtypes."
            )


def ended_first_message(state: Any) -> str | None:
    """Return a warning about transformations that would act on values that are not finite."""
    names = [name for kind, name in STOPPED_FIRST.items() if states_in(state, kind)]
    multi = states_in(state, optax.MultiStepsState)
    if any("num_not_finite" in x.skip_state for x in multi if isinstance(x.skip_state, dict)):
        names.append("optax.skip_not_finite")
    if not names:
        return None
    return (
        f"{in_words(names)} has no effect here: a run ends at the first loss or gradient that is "
        "not finite, before the optimizer can skip it, and says what caused it. Leave it out, or "
        "mask such examples in the loss."
    )


def lint_messages(optimizer: Any, params: Any, steps: int | None = None) -> list[str]:
    """Return what `lo.lint` finds in an optimizer, with the identifiers of the rules."""
    return [f"{found.name}: {found}" for found in lint(optimizer, params, steps=steps)]


def _number(rate: Any) -> str:
    return "<traced>" if isinstance(rate, Tracer) else str(np.asarray(rate))
