"""Does the optimizer fit the parameters, and go downhill at one rate, as long as the run?"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.core import Tracer

from ..._core.block import refuse_leaves_without_gradient
from ..._core.current import current
from ..._core.describe import describe
from ..._learning_rate import LearningRateState
from ...schedules import Schedule


def start_optimizer(
    start: Callable[[Any, Any], Any], optimizer: Any, params: Any, hyperparams: Any
) -> Any:
    """The optimizer's first state; in words, where it does not fit the parameters."""
    refuse_leaves_without_gradient(params)
    try:
        state = start(params, hyperparams)
    except (KeyError, TypeError, ValueError) as error:
        built_with = (part.given for part in parts_of(optimizer.init))
        problem = next(filter(None, map(_misfit(params), built_with)), None)
        if problem is None:
            raise
        raise ValueError(problem) from error
    _refuse_two_rates([*_rates_in_a_row(state, ""), *optax_rates(optimizer.update)])
    _refuse_negative_rates(state)
    return state


def horizon_messages(optimizer: Any, steps: int) -> list[str]:
    """What to say of schedules that are made for another number of steps."""
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
            f"the run ends at step {steps}, its learning rate {schedule!r} at step {end}: it stops "
            f"before the end that was planned. Make the schedule for {steps} steps, or the run as "
            "long."
        )
    if not {"total_steps", "decay_start"} & schedule.arguments.keys():
        return None  # a warm-up is over, and the rate stays on purpose
    return (
        f"the learning rate {schedule!r} ends at step {end}, the run at step {steps}: the last "
        f"{steps - end} steps are made at its end value. Make the schedule for {steps} steps."
    )


def _refuse_two_rates(stages: list[str]) -> None:
    if len(stages) > 1:
        raise ValueError(
            f"a chain takes one learning rate, got {' and '.join(stages)}: their product would be "
            "the rate, and with two minus signs it climbs. Keep one of them; to weigh a part of "
            "the chain, use optax.scale."
        )


def _rates_in_a_row(node: Any, path: str) -> Iterator[str]:
    """The stages with a rate that one update passes, one after the other.

    Under `optax.masked` and `optax.partition` each has leaves of its own.
    """
    if isinstance(node, LearningRateState):
        yield f"{path}.learning_rate = {_number(node.learning_rate)}"
    elif "learning_rate" in getattr(node, "hyperparams", ()):  # of optax.inject_hyperparams
        rate = _number(node.hyperparams["learning_rate"])
        yield f"{path}.hyperparams['learning_rate'] = {rate}"
    elif type(node) is tuple:
        for i, member in enumerate(node):
            yield from _rates_in_a_row(member, f"{path}[{i}]")


def _refuse_negative_rates(state: Any) -> None:
    try:
        rates = current(state).learning_rates
    except ValueError:  # nothing in it counts
        return
    for path, rate in rates.items():
        if not isinstance(rate, Tracer) and float(np.asarray(rate)) < 0:
            raise ValueError(
                f"a learning rate must be >= 0, got {_number(rate)} at {path} of the optimizer's "
                "state: the step already goes downhill. To climb, negate the loss."
            )


def _number(rate: Any) -> str:
    return "<traced>" if isinstance(rate, Tracer) else str(np.asarray(rate))


def _misfit(params: Any) -> Callable[[dict[str, Any]], str | None]:
    """What is wrong with the labels of `optax.partition` or the mask of `optax.masked`."""

    def misfit(parts):
        if {"param_labels", "transforms"} <= parts.keys():
            labels, known = parts["param_labels"], list(parts["transforms"])
            labels = labels(params) if callable(labels) else labels
            strange = [f"{x!r} at {path}" for path, x in _by_path(labels).items() if x not in known]
            if strange:
                return (
                    f"optax.partition has no transformation for the label {', '.join(strange)}: "
                    f"there are {', '.join(map(repr, known))}. Add one, or change the label."
                )
            return _mismatch("the labels of optax.partition", labels, params)
        if {"mask", "inner"} <= parts.keys() and not callable(parts["mask"]):
            return _mismatch("the mask of optax.masked", parts["mask"], params)
        return None

    return misfit


def _mismatch(what: str, given: Any, params: Any) -> str | None:
    """A tree that is neither the tree of the parameters nor a beginning of it."""
    try:
        jax.tree.map(lambda *_: None, given, params)
        return None
    except ValueError:
        starts, paths = _by_path(given), _by_path(params)
    missing = [path for path in paths if not any(path.startswith(start) for start in starts)]
    extra = [start for start in starts if not any(path.startswith(start) for path in paths)]
    wrong = [f"nothing for {', '.join(missing)}"] if missing else []
    wrong += [f"something for {', '.join(extra)}, which is no parameter"] if extra else []
    wrong = wrong or [f"a {type(given).__name__} where they have a {type(params).__name__}"]
    return (
        f"{what} must be a tree like the parameters, or the beginning of one; it has "
        f"{' and '.join(wrong)}. A function of the parameters, such as lambda params: "
        "jax.tree.map(lambda p: p.ndim > 1, params), always fits."
    )


def _by_path(tree: Any) -> dict[str, Any]:
    return {jax.tree_util.keystr(p): x for p, x in jax.tree_util.tree_leaves_with_path(tree)}


class Part(NamedTuple):
    """A function of a transformation: where it is from, and what it was built with, by name."""

    name: str
    given: dict[str, Any]


def parts_of(function: Callable[..., Any], *, beyond_masks: bool = True) -> Iterator[Part]:
    """The functions that `function` is made of, in their order.

    `beyond_masks`: also those that are given a part of the parameters only, and those of which
    one at a time acts (`recipe.arm_optimizer`).
    """
    todo, seen = [function], set()
    while todo:
        function = todo.pop()
        if id(function) in seen or not hasattr(function, "__closure__"):
            continue
        seen.add(id(function))
        given = _given(function)
        yield Part(f"{function.__module__}.{function.__qualname__}", given)
        if beyond_masks or not {"mask", "mask_fn", "param_labels", "which"} & given.keys():
            inner = jax.tree.leaves(list(given.values()), is_leaf=callable)
            todo += [x for x in reversed(inner) if callable(x)]


def _given(function: Callable[..., Any]) -> dict[str, Any]:
    """The names that were bound: `optax.exponential_decay` without an end leaves one out."""
    given = {}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            given[name] = cell.cell_contents
        except ValueError:
            continue
    return given


def optax_rates(update: Callable[..., Any]) -> list[str]:
    """The stages of `optax.scale_by_learning_rate` that act on all parameters, as it was built.

    `optax.scale(-1)` in front of an optimizer, which makes it climb, is none.
    """
    found = []
    for name, given in parts_of(update, beyond_masks=False):
        if not name.startswith("optax."):
            continue
        size = given.get("step_size")
        if isinstance(size, int | float) and size < 0 and size != -1:
            found.append(f"optax.scale_by_learning_rate({-size})")
        elif given.get("m") == -1 and callable(given.get("learning_rate")):
            found.append("optax.scale_by_learning_rate(<a schedule>)")
    return found


def uphill_message(update: Callable[..., Any]) -> str | None:
    """What to say where every factor is Optax's, and none has the minus sign that leads downhill.

    A negative rate looks so, and `optax.scale(rate)` in the place of `optax.scale(-rate)`.
    """
    parts = list(parts_of(update))
    is_known = all(part.name.startswith("optax.") for part in parts)
    if not is_known or any(part.name.startswith("optax.contrib") for part in parts):
        return None
    sizes = [part.given["step_size"] for part in parts if "step_size" in part.given]
    moving = any("step_size_fn" in part.given for part in parts)
    if moving or not sizes or any(not isinstance(x, int | float) or x <= 0 for x in sizes):
        return None
    return (
        f"the optimizer goes uphill: it multiplies by {' and '.join(map(str, sizes))}, and nothing "
        "in it has a minus sign. Was a learning rate negative, or optax.scale(rate) meant to be "
        "optax.scale_by_learning_rate(rate)? To climb on purpose, negate the loss."
    )
