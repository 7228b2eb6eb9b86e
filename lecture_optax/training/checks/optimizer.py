"""Checks of an optimizer: what it needs, its learning rates, its direction, its schedule."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax.contrib
from jax.core import Tracer
from jax.typing import ArrayLike

from ..._core.block import refuse_leaves_without_gradient
from ..._core.current import current, states_in
from ..._core.describe import describe
from ..._core.dtypes import cast_like, default_float, dtype_of, widen
from ..._core.extras import PACKAGE
from ..._core.validate import in_words
from ...schedules import Schedule
from .._cached import cached
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
    for name, rate in _learning_rates(state).items():
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
    if not any(map(_is_foreign, describe(optimizer).walk())):
        return
    params, state = carry.params, carry.opt_state
    try:
        updates, after = jax.eval_shape(_update_of(optimizer), gradient, state, params)
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


def small_state(optimizer: Any, params: Any) -> Any:
    """Return the first state of an optimizer on a small copy of the parameters."""
    small = [jnp.ones(shape, dtype) for shape, dtype in _small(params)]
    return optimizer.init(jax.tree.structure(params).unflatten(small))


def climb_message(optimizer: Any, params: Any, state: Any) -> str | None:
    """Return a warning about an optimizer that increases the loss.

    Steps are taken on a small copy of the tree, with all parameters and gradients 1: it goes uphill
    if the first update that is not 0 has <gradient, update> > 0, and their sum over further steps
    too, so that noise does not decide. Optimizers of this library with a learning rate always go
    downhill. There is no verdict if no update is finite.

    **Raises** `ValueError` if the state names several learning rates: two minus signs cancel.
    """
    if _goes_downhill(describe(optimizer).walk()) or not _climbs(optimizer, params):
        return None
    rates = [f"{name} = {_number(rate)}" for name, rate in _learning_rates(state).items()]
    if len(rates) > 1:
        raise ValueError(
            f"the optimizer applies several learning rates, got {' and '.join(rates)}: their "
            "product would be the step size, and two minus signs make it climb. Keep one of them; "
            "to weigh a part of the chain, use optax.scale."
        )
    return (
        "the optimizer goes uphill: its first step increases the loss. Is the learning rate "
        "missing, and the minus sign with it (chain lo.scale_by_learning_rate(1e-3) behind "
        "optax.scale_by_adam()), or negative? Are there two of them in one chain (two minus "
        "signs), or is optax.scale(rate) meant to be optax.scale_by_learning_rate(rate)? "
        f"{MASKED if states_in(state, optax.MaskedState) else ''}To climb on purpose, negate the "
        "loss."
    )


MASKED = (
    "optax.masked passes the gradients of all other parameters on as they are: to freeze those, "
    "take optax.multi_transform with optax.set_to_zero(). "
)


def _is_foreign(part: Any) -> bool:
    return part.name.startswith("<") and not part.name.startswith(f"<{PACKAGE}")


def _goes_downhill(parts: Any) -> bool:
    """Whether an optimizer is of this library and has a learning rate, with its minus sign."""
    rates = [part for part in parts if part.name == "scale_by_learning_rate"]
    is_whole = any(part.arguments["flip_sign"] for part in rates)
    return not any(map(_is_foreign, parts)) and (is_whole or any(map(_is_opaque, parts)))


def _is_opaque(part: Any) -> bool:
    return part.name.startswith(f"<{PACKAGE}")


def _update_of(optimizer: Any) -> Callable[..., Any]:
    """Return `update(gradient, state, params)` with all that a step of `step_of` gives it."""
    update = optax.with_extra_args_support(optimizer).update

    def value_fn(params):
        return sum(jnp.sum(x.real) for x in jax.tree.leaves(widen(params)))

    def step(gradient, state, params):
        given = {"value": value_fn(params), "grad": gradient, "value_fn": value_fn}
        return update(gradient, state, params, **given)

    return step


SEEN_STEPS, MOST_STEPS = 64, 512
"""Steps with an update that is not 0, and steps in all: `optax.MultiSteps` waits for batches."""


def _climbs(optimizer: Any, params: Any) -> bool:
    try:
        slope = float(_slope(optimizer)(jax.tree.structure(params), _small(params)))
    except Exception:  # whatever a transformation that needs more than a gradient says
        return False
    return slope > 0


def _small(params: Any) -> tuple[tuple[tuple[int, ...], Any], ...]:
    """Return the shapes, at most 2 along an axis, and the dtypes."""
    leaves = jax.tree.leaves(params)
    return tuple((tuple(min(n, 2) for n in np.shape(p)), dtype_of(p)) for p in leaves)


@cached
def _slope(optimizer: Any) -> Callable[..., Any]:
    """Return a compiled function of a tree's structure and its shapes: <gradient, update>.

    It is the lower one of the first that is not 0 and of their sum.
    """
    update = _update_of(optimizer)

    def slope(structure, small):
        ones = structure.unflatten([jnp.ones(shape, dtype) for shape, dtype in small])

        def goes_on(carry):
            k, seen, _, total, _ = carry
            return (k < MOST_STEPS) & (seen < SEEN_STEPS) & jnp.isfinite(total)

        def step(carry):
            k, seen, first, total, state = carry
            updates, after = update(ones, state, ones)
            slopes = jax.tree.map(lambda g, u: jnp.vdot(g, u).real, widen(ones), widen(updates))
            own = sum(jax.tree.leaves(slopes), jnp.zeros(()))
            first = jnp.where(seen == 0, own, first)
            return k + 1, seen + (own != 0), first, total + own, cast_like(after, state)

        none = jnp.zeros((), jnp.int32), jnp.zeros((), jnp.int32), jnp.zeros(()), jnp.zeros(())
        _, _, first, total, _ = jax.lax.while_loop(goes_on, step, (*none, optimizer.init(ones)))
        return jnp.minimum(first, total)

    return jax.jit(slope, static_argnums=(0, 1))


def horizon_messages(optimizer: Any, steps: int) -> list[str]:
    """Return a warning about schedules that are made for another number of steps."""
    stages = (d for d in describe(optimizer).walk() if d.name == "scale_by_learning_rate")
    rates = (stage.arguments["learning_rate"] for stage in stages)
    found = (_horizon_message(rate, steps) for rate in rates if isinstance(rate, Schedule))
    return [message for message in found if message]


def _horizon_message(schedule: Schedule, steps: int) -> str | None:
    end = schedule.horizon
    if not isinstance(end, int) or end == steps:
        return None
    if end > steps:
        return (
            f"the run ends at step {steps}, its learning rate {schedule!r} at step {end}: the "
            f"schedule is cut short. Make it for {steps} steps, or make the run as long."
        )
    if not {"total_steps", "decay_start"} & schedule.arguments.keys():
        return None  # after a warm-up the learning rate stays on purpose
    return (
        f"the learning rate {schedule!r} ends at step {end}, the run at step {steps}: the last "
        f"{steps - end} steps use its end value. Make the schedule for {steps} steps."
    )


def _learning_rates(state: Any) -> Mapping[str, ArrayLike]:
    try:
        return current(state).learning_rates
    except ValueError:  # nothing in it counts
        return {}


def _number(rate: Any) -> str:
    return "<traced>" if isinstance(rate, Tracer) else str(np.asarray(rate))
