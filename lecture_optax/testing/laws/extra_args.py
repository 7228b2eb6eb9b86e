"""Law 7. Extra arguments are accepted, and passed on."""

from typing import Any

import jax
import jax.numpy as jnp
import optax

from .._law import expect, law, same_values
from .._samples import one
from .._subject import Subject


@law(7)
def extra_arguments_are_accepted(subject: Subject) -> None:
    """You may pass any extra argument; one that is not used changes nothing."""
    params, gradients = one(subject)
    tx = subject.make(**{**subject.arguments, **subject.values})
    takes_them = isinstance(tx, optax.GradientTransformationExtraArgs)
    expect(takes_them, "its update takes no extra arguments (**extra_args)")
    state = tx.init(params)
    extra: dict[str, Any] = {"value": jnp.float32(1.0), "grad": gradients[0], "anything": "else"}
    if subject.extra_args is None:
        extra["value_fn"] = jnp.sum
    else:  # those it needs are used
        extra = {n: x for n, x in extra.items() if n not in subject.extra_args(params)}
    expected = subject.update(tx, gradients[0], state, params)
    actual = subject.update(tx, gradients[0], state, params, **extra)
    same_values(actual, expected, "a step with extra arguments")


@law(7)
def extra_arguments_are_passed_on(subject: Subject) -> None:
    """A wrapper passes the gradient, the parameters and every extra argument to its member."""
    if subject.around is None:
        return
    seen: list[tuple[Any, Any]] = []

    def update_fn(updates, state, params=None, **extra_args):
        seen.append((params, extra_args))
        return updates, state

    member = optax.GradientTransformationExtraArgs(lambda params: optax.EmptyState(), update_fn)
    tx = optax.with_extra_args_support(subject.around(member))
    params, gradients = one(subject)
    jax.eval_shape(lambda: tx.update(gradients[0], tx.init(params), params, value=1, anything=2))
    expect(seen, "the member was not called")
    for given, extra in seen:
        expect(given is not None, "the member was not given the parameters")
        expect(extra == {"value": 1, "anything": 2}, f"the member was given {extra}")
