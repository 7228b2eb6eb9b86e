"""A Flax linen module as pure functions."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import jax

from .._cached import cached
from .model import Forward, ModelAdapter, Split, is_instance, modes, state_parts


def matches(model: Any) -> bool:
    """Whether a model is a linen module."""
    return is_instance(model, "flax.linen", "Module")


def split(module: Any, params: Any) -> Split:
    """Given parameters, alone or with their collections as `module.init` returns them."""
    if not _are_variables(params):
        return Split(module, params, None, _init(module))
    return Split(module, params["params"], _without_params(params), _init(module))


@cached
def forward(module: Any, apply: Callable[..., Any] | None) -> Forward:
    names = inspect.signature(type(module).__call__).parameters

    def own_apply(variables, x, *, train, rngs, mutable):
        return module.apply(variables, x, **modes(names, train), rngs=rngs, mutable=mutable)

    call = apply or own_apply

    def forward(params, model_state, x, key, train):
        variables = {"params": params, **model_state}
        if not train:
            return call(variables, x, train=False, rngs=None, mutable=False), model_state
        # every stream without a name of its own falls back to "params"
        rngs = {"dropout": key, "params": jax.random.fold_in(key, 0)}
        prediction, changed = call(variables, x, train=True, rngs=rngs, mutable=list(model_state))
        return prediction, {**model_state, **changed}

    return forward


def export(module: Any, skeleton: Any) -> Callable[[Any, Any], Any]:
    """The module bound to its variables."""
    return lambda params, model_state: module.bind({"params": params, **model_state})


def parts_of_state(model: Any, opt_state: Any, model_state: Any) -> dict[str, Any]:
    """Parameters, alone or with their collections."""
    if _are_variables(model):
        model, model_state = model["params"], _without_params(model)
        return {"params": model, "model_state": model_state, "opt_state": opt_state}
    return state_parts(model, opt_state, model_state)


@cached
def _init(module: Any) -> Callable[..., Any]:
    names = inspect.signature(type(module).__call__).parameters

    @jax.jit  # bitwise the parameters of an eager `init`, in half the time
    def init(key, batch):
        variables = module.init(key, batch[0], **modes(names, train=False))
        return variables.get("params", {}), _without_params(variables)

    return init


def _are_variables(tree: Any) -> bool:
    return isinstance(tree, Mapping) and "params" in tree


def _without_params(variables: Any) -> dict[str, Any]:
    return {name: tree for name, tree in variables.items() if name != "params"}


ADAPTER = ModelAdapter("linen", parts_of_state, matches, split, forward, export)
