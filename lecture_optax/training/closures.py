"""What is inside of a transformation that says nothing of itself? Its closures do.

Optax's own keep their numbers nowhere else: a constant rate is not in the state.
"""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax


class Part(NamedTuple):
    """A function of a transformation: where it is from, and what it was built with, by name."""

    name: str
    given: dict[str, Any]


def parts_of(function: Callable[..., Any], *, beyond_masks: bool = True) -> Iterator[Part]:
    """The functions that `function` is made of, in their order.

    `beyond_masks`: also those that are given a part of the parameters only, and those of which
    one at a time acts (`recipe.arms`).
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
