"""An Equinox module as pure functions."""

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from .._cached import cached
from .model import modes


class Split(NamedTuple):
    """A module taken apart: what can be hashed, its trainable arrays, and everything else."""

    skeleton: Any
    params: Any
    model_state: Any


class Skeleton(NamedTuple):
    """What is left of a module without its arrays, as values that can be hashed."""

    structure: Any
    leaves: tuple[Any, ...]

    def module(self) -> Any:
        return self.structure.unflatten(self.leaves)


def is_equinox(model: Any) -> bool:
    """A module, or the pair (module, state) that `eqx.nn.make_with_state` returns."""
    import equinox as eqx

    if isinstance(model, tuple):
        return len(model) == 2 and is_equinox(model[0]) and isinstance(model[1], eqx.nn.State)
    return isinstance(model, eqx.Module)


def split(model: Any) -> Split:
    """The trainable arrays; `(other arrays, state)`; and a skeleton without either."""
    import equinox as eqx

    module, state = model if isinstance(model, tuple) else (model, None)
    params, rest = eqx.partition(module, eqx.is_inexact_array)
    arrays, fixed = eqx.partition(rest, eqx.is_array)
    leaves, structure = jax.tree.flatten(fixed, is_leaf=lambda x: x is None)
    return Split(Skeleton(structure, tuple(leaves)), params, (arrays, state))


@cached
def forward_of(
    skeleton: Skeleton, has_state: bool, apply: Callable[..., Any] | None
) -> Callable[..., Any]:
    import equinox as eqx

    call = apply or _vmapped(skeleton.module(), has_state)

    def forward(params, model_state, x, key, train):
        arrays, state = model_state
        module = eqx.combine(params, arrays, skeleton.module())
        module = eqx.nn.inference_mode(module, value=not train)
        if not has_state:
            return call(module, x, key=key, train=train), model_state
        prediction, state = call(module, x, state, key=key, train=train)
        return prediction, (arrays, state) if train else model_state

    return forward


def export_of(skeleton: Skeleton) -> Callable[..., Any]:
    """A new module, in the mode that the given one was in."""

    def export(params, model_state):
        import equinox as eqx

        return eqx.combine(params, model_state[0], skeleton.module())

    return export


def _vmapped(module: Any, has_state: bool) -> Callable[..., Any]:
    """The module over a batch: it takes one example, and what its `__call__` names beside that."""
    names = inspect.signature(type(module).__call__).parameters
    axis_name = _axis_name(module)

    def call(module, x, *state, key, train):
        rows = jnp.shape(jax.tree.leaves(x)[0])[0]
        keys = jax.random.split(key, rows)

        def one(x, key, *state):
            keywords = {"key": key} if "key" in names else {}
            return module(x, *state, **keywords, **modes(names, train))

        outputs = (0, None) if has_state else 0
        each = (0, 0, *(None for _ in state))
        return jax.vmap(one, in_axes=each, out_axes=outputs, axis_name=axis_name)(x, keys, *state)

    return call


def _axis_name(module: Any) -> Any:
    """The name over which the module's BatchNorm layers take their mean."""
    import equinox as eqx

    def is_norm(x):
        return isinstance(x, eqx.nn.BatchNorm)

    names = [x.axis_name for x in jax.tree.leaves(module, is_leaf=is_norm) if is_norm(x)]
    return names[0] if names else "batch"
