"""A Flax linen module as pure functions."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import jax

from .._cached import cached
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
    needs_more,
    state_parts,
)


def matches(model: Any) -> bool:
    """Whether a model is a linen module."""
    return is_instance(model, "flax.linen", "Module")


def split(module: Any, params: Any, apply: Callable[..., Any] | None = None) -> Split:
    """Given parameters, alone or with their collections as `module.init` returns them.

    A module that is bound to variables starts from them; given parameters replace its own.
    """
    module, own = _unbound(module)
    init = _init(module, apply)
    given = params if _are_variables(params) else {"params": params}
    if own is None:
        state = _without_params(given) if _are_variables(params) else None
        return Split(module, given["params"], state, init)
    variables = own if params is None else {**own, **given}
    return Split(module, variables.get("params", {}), _without_params(variables), init)


@cached
def forward(module: Any, apply: Callable[..., Any] | None) -> Forward:
    return _forward_by(apply or _own_apply(module, {}))


def _forward_by(call: Callable[..., Any]) -> Forward:
    def forward(params, model_state, x, key, train):
        variables = {"params": params, **model_state}
        # every stream without a name of its own falls back to "params"
        rngs = {"dropout": key, "params": jax.random.fold_in(key, 0)}
        if not train:
            return call(variables, x, train=False, rngs=rngs, mutable=False), model_state
        prediction, changed = call(variables, x, train=True, rngs=rngs, mutable=list(model_state))
        return prediction, {**model_state, **changed}

    return forward


def _own_apply(module: Any, others: dict[str, Any]) -> Callable[..., Any]:
    names = mode_names(call_parameters(module))

    def apply(variables, x, *, train, rngs, mutable):
        keywords = {**modes(names, train), **others}
        return module.apply(variables, x, **keywords, rngs=rngs, mutable=mutable)

    return apply


def watched(model: Any, module: Any, apply: Callable[..., Any] | None) -> Watched:
    """Dropout notes whether it returns its input; statistics are those in `batch_stats`."""
    import flax.linen as nn

    notes: list[bool] = []

    def note(call, args, keywords, context):
        found = call(*args, **keywords)
        is_dropout = isinstance(context.module, nn.Dropout) and context.method_name == "__call__"
        if is_dropout and context.module.rate and args:
            notes.append(found is not args[0])
        return found

    def watched_forward(params, model_state, x, key, train, others=None):
        call = apply or _own_apply(module, others or {})
        with nn.intercept_methods(note):
            return _forward_by(call)(params, model_state, x, key, train)

    return Watched(watched_forward, notes, ("['batch_stats']",), {} if apply else flags_of(module))


def export(module: Any, skeleton: Any) -> Callable[[Any, Any], Any]:
    """The module bound to its variables."""
    return partial(_bound, skeleton)


def _bound(module: Any, params: Any, model_state: Any) -> Any:
    return module.bind({"params": params, **model_state})


def parts_of_state(model: Any, opt_state: Any, model_state: Any) -> dict[str, Any]:
    """Parameters, alone or with their collections."""
    if _are_variables(model):
        model, model_state = model["params"], _without_params(model)
        return {"params": model, "model_state": model_state, "opt_state": opt_state}
    return state_parts(model, opt_state, model_state)


@cached
def _init(module: Any, apply: Callable[..., Any] | None) -> Callable[..., Any]:
    names = mode_names(call_parameters(module))
    by_apply = apply if apply is not None and needs_more(module, ()) else None

    @jax.jit  # bitwise the parameters of an eager `init`, in half the time
    def compiled(key, batch):
        if by_apply is not None:
            rngs = {"params": key}
            _, variables = by_apply({}, batch[0], train=False, rngs=rngs, mutable=True)
        else:
            variables = module.init(key, batch[0], **modes(names, train=False))
        return variables.get("params", {}), _without_params(variables)

    def init(key, batch):
        return compiled(key, batch)

    return init


def _unbound(module: Any) -> tuple[Any, Any]:
    """Return a module without variables, and the variables that it was bound to, or None."""
    return (module, None) if module.scope is None else module.unbind()


def _are_variables(tree: Any) -> bool:
    return isinstance(tree, Mapping) and "params" in tree


def _without_params(variables: Any) -> dict[str, Any]:
    return {name: tree for name, tree in variables.items() if name != "params"}


ADAPTER = ModelAdapter(
    "linen",
    parts_of_state,
    matches,
    split,
    forward,
    export,
    watched,
    kind="a Flax linen module",
    own=(),
    way_out="lambda variables, x, train, rngs, mutable: "
    "model.apply(variables, x, ..., rngs=rngs, mutable=mutable)",
)
