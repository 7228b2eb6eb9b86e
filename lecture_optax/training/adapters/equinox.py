"""An Equinox module as pure functions."""

import functools
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax

from .._cached import cached
from .._trees import check_same_tree, n_rows
from .model import (
    Forward,
    ModelAdapter,
    Split,
    Watched,
    call_parameters,
    flags_of,
    is_instance,
    mode_names,
    modes,
)


class Skeleton(NamedTuple):
    """A module without its arrays, as values that can be hashed."""

    structure: Any
    leaves: tuple[Any, ...]
    has_state: bool

    def module(self) -> Any:
        return self.structure.unflatten(self.leaves)

    def __reduce__(self) -> tuple[Callable, tuple]:  # a structure of modules cannot be pickled
        return _skeleton_of, (self.module(), self.has_state)


def _skeleton_of(module: Any, has_state: bool) -> Skeleton:
    """Return the skeleton of a module without arrays."""
    leaves, structure = jax.tree.flatten(module, is_leaf=lambda x: x is None)
    return Skeleton(structure, tuple(leaves), has_state)


def matches(model: Any) -> bool:
    """Whether a model is a module, or the pair (module, state) of `eqx.nn.make_with_state`."""
    module, *state = model if isinstance(model, tuple) and len(model) == 2 else (model,)
    is_state = all(is_instance(x, "equinox.nn", "State") for x in state)
    return is_state and is_instance(module, "equinox", "Module")


def split(model: Any, params: Any = None, apply: Callable[..., Any] | None = None) -> Split:
    """The trainable arrays; `(other arrays, state)`; and a skeleton without either."""
    import equinox as eqx

    module, state = model if isinstance(model, tuple) else (model, None)
    own, rest = eqx.partition(module, eqx.is_inexact_array)
    arrays, fixed = eqx.partition(rest, eqx.is_array)
    start = own
    if params is not None:
        if not matches(params):
            raise TypeError(f"params must be a module like the model, got {params!r}.")
        start = split(params).params
        check_same_tree(own, start)
    return Split(_skeleton_of(fixed, state is not None), start, (arrays, state))


@cached
def forward(skeleton: Skeleton, apply: Callable[..., Any] | None) -> Forward:
    return _forward_of(skeleton, apply, lambda module: module)


def _forward_of(
    skeleton: Skeleton, apply: Callable[..., Any] | None, watch: Callable[[Any], Any]
) -> Callable[..., Any]:
    import equinox as eqx

    own: Any = None if apply else _vmapped(skeleton.module(), skeleton.has_state)

    def forward(params, model_state, x, key, train, others=None):
        arrays, state = model_state
        module = eqx.combine(params, arrays, skeleton.module())
        module = watch(eqx.nn.inference_mode(module, value=not train))
        call = apply or functools.partial(own, others=others or {})
        if not skeleton.has_state:
            return call(module, x, key=key, train=train), model_state
        prediction, state = call(module, x, state, key=key, train=train)
        return prediction, (arrays, state) if train else model_state

    return forward


def watched(model: Any, skeleton: Skeleton, apply: Callable[..., Any] | None) -> Watched:
    """Dropout notes whether it returns its input; with BatchNorm, the whole state is statistics."""
    import equinox as eqx

    notes: list[bool] = []

    class Noted(eqx.nn.Dropout):
        def __call__(self, x, **keywords):
            found = super().__call__(x, **keywords)
            if not isinstance(self.p, int | float) or self.p:
                notes.append(found is not x)
            return found

    def noted(part):
        return Noted(part.p, part.inference) if type(part) is eqx.nn.Dropout else part

    def watch(module):
        return jax.tree.map(noted, module, is_leaf=lambda x: type(x) is eqx.nn.Dropout)

    module = skeleton.module()
    statistics = ("[1]",) if skeleton.has_state and _norms(module) else ()
    flags = {} if apply else flags_of(module)
    return Watched(_forward_of(skeleton, apply, watch), notes, statistics, flags)


def export(model: Any, skeleton: Skeleton) -> Callable[[Any, Any], Any]:
    """A new module, in the mode that the given one was in."""

    return partial(_combined, skeleton)


def _combined(skeleton: Skeleton, params: Any, model_state: Any) -> Any:
    import equinox as eqx

    return eqx.combine(params, model_state[0], skeleton.module())


def parts_of_state(model: Any, opt_state: Any, model_state: Any) -> dict[str, Any]:
    """A module, or (module, state), and the optimizer's state."""
    if model is None:
        return {"opt_state": opt_state}
    parts = split(model)
    return {"params": parts.params, "model_state": parts.model_state, "opt_state": opt_state}


def _vmapped(module: Any, has_state: bool) -> Callable[..., Any]:
    """The module mapped over a batch, with the other arguments that its `__call__` names."""
    named = call_parameters(module)
    switches, axis_name = mode_names(named), _axis_name(module)

    def call(module, x, *state, key, train, others):
        keys = jax.random.split(key, n_rows(x))

        def one(x, key, *state):
            keywords = {"key": key} if "key" in named else {}
            return module(x, *state, **keywords, **{**modes(switches, train), **others})

        outputs = (0, None) if has_state else 0
        each = (0, 0, *(None for _ in state))
        return jax.vmap(one, in_axes=each, out_axes=outputs, axis_name=axis_name)(x, keys, *state)

    return call


def _axis_name(module: Any) -> Any:
    """The name over which the module's BatchNorm layers take their mean."""
    names = [norm.axis_name for norm in _norms(module)]
    return names[0] if names else "batch"


def _norms(module: Any) -> list[Any]:
    import equinox as eqx

    def is_norm(x):
        return isinstance(x, eqx.nn.BatchNorm)

    return [x for x in jax.tree.leaves(module, is_leaf=is_norm) if is_norm(x)]


ADAPTER = ModelAdapter(
    "equinox",
    parts_of_state,
    matches,
    split,
    forward,
    export,
    watched,
    kind="an Equinox module, or the pair (module, state) of eqx.nn.make_with_state",
    own=("key", "state"),
    way_out="lambda module, x, key, train: jax.vmap(lambda x: module(x, ...))(x)",
)
