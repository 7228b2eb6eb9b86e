"""A Flax linen module as pure functions."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import jax

from .._cached import cached
from .model import modes


def is_linen(model: Any) -> bool:
    from flax import linen

    return isinstance(model, linen.Module)


def start_of(params: Any) -> tuple[Any, Any]:
    """Given parameters, alone or with their collections as `module.init` returns them."""
    if params is None or not (isinstance(params, Mapping) and "params" in params):
        return params, None
    return params["params"], _without_params(params)


@cached
def init_of(module: Any) -> Callable[..., Any]:
    names = inspect.signature(type(module).__call__).parameters

    @jax.jit  # bitwise the parameters of an eager `init`, in half the time
    def init(key, batch):
        variables = module.init(key, batch[0], **modes(names, train=False))
        return variables.get("params", {}), _without_params(variables)

    return init


@cached
def forward_of(module: Any, apply: Callable[..., Any] | None) -> Callable[..., Any]:
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


def export_of(module: Any) -> Callable[..., Any]:
    return lambda params, model_state: module.bind({"params": params, **model_state})


def _without_params(variables: Any) -> dict[str, Any]:
    return {name: tree for name, tree in variables.items() if name != "params"}
