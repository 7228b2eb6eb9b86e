"""Checks of an optimizer: its learning rates, its direction, and the length of its schedule."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.core import Tracer
from jax.typing import ArrayLike

from ..._core.block import refuse_leaves_without_gradient
from ..._core.current import current
from ..._core.describe import describe
from ..._core.dtypes import default_float, dtype_of
from ..._core.extras import PACKAGE
from ...schedules import Schedule
from .._cached import cached
from .._trees import MOST, by_path


def start_optimizer(start: Callable[[Any, Any], Any], params: Any, hyperparams: Any) -> Any:
    """Return the first state of an optimizer, and refuse negative learning rates."""
    refuse_leaves_without_gradient(params)
    with _complex_parameters_of(params):
        state = start(params, hyperparams)
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


def climb_message(optimizer: Any, params: Any, state: Any) -> str | None:
    """Return a warning about an optimizer whose first step would increase the loss.

    One step is taken, on a small copy of the tree, with all parameters and gradients 1: it goes
    uphill if <gradient, update> > 0. Optimizers of this library always go downhill. There is no
    verdict if the update is 0 or not finite (a warm-up, `optax.MultiSteps`), or if the
    transformation needs more than a gradient (a line search).

    **Raises** `ValueError` if the state names several learning rates: two minus signs cancel.
    """
    if not any(map(_is_foreign, describe(optimizer).walk())) or not _climbs(optimizer, params):
        return None
    rates = [f"{name} = {_number(rate)}" for name, rate in _learning_rates(state).items()]
    if len(rates) > 1:
        raise ValueError(
            f"the optimizer applies several learning rates, got {' and '.join(rates)}: their "
            "product would be the step size, and two minus signs make it climb. Keep one of them; "
            "to weigh a part of the chain, use optax.scale."
        )
    return (
        "the optimizer goes uphill: its first step increases the loss. Is a learning rate "
        "negative, are there two of them in one chain (two minus signs), or is optax.scale(rate) "
        "meant to be optax.scale_by_learning_rate(rate)? To climb on purpose, negate the loss."
    )


def _is_foreign(part: Any) -> bool:
    return part.name.startswith("<") and not part.name.startswith(f"<{PACKAGE}")


def _climbs(optimizer: Any, params: Any) -> bool:
    small = [(tuple(min(n, 2) for n in np.shape(p)), dtype_of(p)) for p in jax.tree.leaves(params)]
    try:
        slope = float(_slope(optimizer)(jax.tree.structure(params), tuple(small)))
    except Exception:  # whatever a transformation that needs more than a gradient says
        return False
    return np.isfinite(slope) and slope > 0


@cached
def _slope(optimizer: Any) -> Callable[..., Any]:
    """Return a compiled function of a tree's structure and its shapes: <gradient, update>."""
    update = optax.with_extra_args_support(optimizer).update

    def slope(structure, small):
        ones = structure.unflatten([jnp.ones(shape, dtype) for shape, dtype in small])
        updates, _ = update(ones, optimizer.init(ones), ones)
        return sum(jax.tree.leaves(jax.tree.map(lambda g, u: jnp.vdot(g, u).real, ones, updates)))

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
