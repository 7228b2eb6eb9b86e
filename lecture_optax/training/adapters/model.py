"""The protocol of an adapter, and the pure functions made of a forward pass."""

import inspect
import re
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ..._core import validate
from ..._core.dtypes import as_array, dtype_of, widen
from ..._core.validate import in_words
from ..._energy import energy
from .._cached import cached
from .._trees import by_path

Forward = Callable[..., Any]
"""`(params, model_state, x, key, train) -> (prediction, model_state)`, pure."""


class Split(NamedTuple):
    """A model taken apart.

    - `skeleton`: the model without its arrays; it has a hash where the model's fields have one.
    - `params`, `model_state`: where training starts; a part that is None is left to `init`.
    - `init`: `(key, batch) -> (params, model_state)`, where the model brings no arrays.
    """

    skeleton: Any
    params: Any
    model_state: Any
    init: Callable[..., Any] | None = None


class Watched(NamedTuple):
    """A forward pass that notes what its layers do, for the checks before a run.

    - `forward`: a `Forward` with a sixth argument, keywords for the model beside the mode, or None
      for `apply`. Tracing it notes, for every dropout layer with a rate above 0, whether it acts.
    - `notes`: those notes; cleared by the one who traces.
    - `statistics`: the prefixes of the paths of batch statistics in the model state.
    - `flags`: keywords of the model's `__call__` that are True or False by default, and not set.
    """

    forward: Callable[..., Any]
    notes: list[bool]
    statistics: tuple[str, ...]
    flags: Mapping[str, bool]


@dataclass(frozen=True)
class Adapter:
    """The pure functions of one kind of model. The user has imported the library of that model.

    - `name`: as in `Problem.from_linen`.
    - `state_parts`: `(model, opt_state, model_state) -> {"params": ..., "opt_state": ...}`, fields
      of a `Carry`, from what a training loop of this kind holds; `model` may be None.
    """

    name: str
    state_parts: Callable[..., dict[str, Any]]


@dataclass(frozen=True)
class ModelAdapter(Adapter):
    """The adapter for the models of one library.

    - `matches`: `model -> bool`.
    - `split`: `(model, params, apply) -> Split`; `params` replace the model's own unless they are
      None.
    - `forward`: `(skeleton, apply) -> Forward`; the same function for the same arguments.
    - `export`: `(model, skeleton) -> ((params, model_state) -> model)`.
    - `watched`: `(model, skeleton, apply) -> Watched`.
    - `kind`: what a model is called; `own`: the arguments of `__call__` that are passed, beside x
      and the mode; `way_out`: how `apply` calls such a model.
    """

    matches: Callable[[Any], bool]
    split: Callable[[Any, Any, Any], Split]
    forward: Callable[[Any, Callable[..., Any] | None], Forward]
    export: Callable[[Any, Any], Callable[[Any, Any], Any]]
    watched: Callable[[Any, Any, Any], Watched]
    kind: str
    own: tuple[str, ...]
    way_out: str


def is_instance(model: Any, module: str, name: str) -> bool:
    """Whether a model is of a class of a library, without an import of the library."""
    return isinstance(model, getattr(sys.modules.get(module), name, ()))


def state_parts(model: Any, opt_state: Any, model_state: Any) -> dict[str, Any]:
    """Return what a loop holds: parameters, or (parameters, model state) where there is a state."""
    if model is None:
        return {"opt_state": opt_state}
    is_pair = jax.tree.leaves(model_state) and isinstance(model, tuple) and len(model) == 2
    params, own_state = model if is_pair else (model, {})
    return {"params": params, "model_state": own_state, "opt_state": opt_state}


class Functions(NamedTuple):
    """The pure functions that a problem is made of.

    - `init`: `(key, batch) -> (params, model_state)`.
    - `loss`: `(params, model_state, batch, key, sample_weight=None) -> (loss, model_state)`, the
      mean over the examples present, in train mode.
    - `examples`: `(params, model_state, batch) -> {"loss": ..., metric: ...}`, one number per
      example, or a mean over them where the problem has no other; in evaluation mode.
    - `predict`: `(params, model_state, x) -> prediction`, in evaluation mode, or None.
    """

    init: Callable[..., Any] | None
    loss: Callable[..., Any]
    examples: Callable[..., Any]
    predict: Callable[..., Any] | None


@cached
def functions_of(
    init: Callable[..., Any] | None, forward: Forward, loss: Any, metrics: Any
) -> Functions:
    """Return the functions of a model, for batches of (x, y).

    The loss and the metrics take predictions in at least float32.
    """

    def mean_loss(params, model_state, batch, key, sample_weight=None):
        def per_example(params, batch):
            x, y = batch
            prediction, new_state = forward(params, model_state, x, key, True)
            states.append(like_before(new_state, model_state))
            return loss(widen(prediction), y)

        states: list[Any] = []
        value = energy(per_example)(params, batch, weights=sample_weight)
        return value, states[0]

    def examples(params, model_state, batch):
        x, y = batch
        prediction = widen(forward(params, model_state, x, jax.random.key(0), False)[0])
        return {"loss": loss(prediction, y), **{name: f(prediction, y) for name, f in metrics}}

    def predict(params, model_state, x):
        return forward(params, model_state, x, jax.random.key(0), False)[0]

    return Functions(init, mean_loss, examples, predict)


_TRAINS = re.compile(r"((is|in)_?)?(train|training)(_?(mode|time|phase|flag))?")
_EVALUATES = re.compile(
    r"((is|in)_?)?(deterministic|use_running_average|inference|eval|evaluate|evaluating|evaluation|"
    r"test|testing)(_?(mode|time|phase|flag))?"
)


def mode_names(parameters: Mapping[str, inspect.Parameter]) -> tuple[str, ...]:
    """Return those arguments of a call that say whether it trains, by their names and defaults."""
    return tuple(name for name, p in parameters.items() if _is_mode(name) and _is_switch(p))


def modes(names: Iterable[str], train: bool) -> dict[str, bool]:
    """Return the values of keywords that say whether a call trains."""
    return {name: train == bool(_TRAINS.fullmatch(name.lower())) for name in names}


def _is_mode(name: str) -> bool:
    return bool(_TRAINS.fullmatch(name.lower()) or _EVALUATES.fullmatch(name.lower()))


def _is_switch(parameter: inspect.Parameter) -> bool:
    """Whether an argument takes True and False, as far as its default and annotation say."""
    if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
        return False
    is_plain = parameter.annotation in (parameter.empty, Any)
    annotation = "bool" if is_plain else f"{parameter.annotation}"
    default = parameter.default
    return isinstance(default, bool) or (
        default in (parameter.empty, None) and "bool" in annotation
    )


def call_parameters(model: Any) -> dict[str, inspect.Parameter]:
    """Return the parameters of a model's `__call__` after `self` and x."""
    if not _has_call(model):
        return {}
    return dict(list(inspect.signature(type(model).__call__).parameters.items())[2:])


def _has_call(model: Any) -> bool:
    return any("__call__" in vars(kind) for kind in type(model).__mro__)


def needs_more(model: Any, own: tuple[str, ...]) -> list[str]:
    """Return what a call of the model needs beside x, the mode and `own`: a name, or x itself."""
    if not _has_call(model):
        return ["x"]
    named = call_parameters(model)
    variadic = inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD
    known = {*mode_names(named), *own}
    return [
        name
        for name, p in named.items()
        if name not in known and p.default is p.empty and p.kind not in variadic
    ]


def flags_of(model: Any) -> dict[str, bool]:
    """Return the arguments of a model's call that are True or False, and that no mode sets."""
    named = call_parameters(model)
    unset = {name: p.default for name, p in named.items() if name not in mode_names(named)}
    return {name: value for name, value in unset.items() if isinstance(value, bool)}


def refuse_what_cannot_be_called(adapter: ModelAdapter, model: Any, name: str, apply: Any) -> None:
    """Refuse what is no model, and a model whose `__call__` needs what nobody passes."""
    if isinstance(model, type) or not adapter.matches(model):
        got = f"the class {model.__name__}" if isinstance(model, type) else repr(model)[:200]
        raise TypeError(f"{name} must be {adapter.kind}, got {got}.")
    if apply is not None:
        validate.function(apply=apply)
        return
    module = model[0] if isinstance(model, tuple) else model
    kind = type(module).__name__
    if not _has_call(module):
        raise TypeError(
            f"{name} must have a method __call__(self, x), which {kind} has not: write one, or "
            f"pass apply={adapter.way_out}."
        )
    is_alone = adapter.name == "equinox" and not isinstance(model, tuple)
    state = call_parameters(module).get("state")  # that of eqx.nn.Sequential has a default
    if is_alone and state is not None and state.default is state.empty:
        raise TypeError(
            f"{name} must be the pair (module, state) of eqx.nn.make_with_state, as {kind} takes a "
            "state, got the module alone. After a run, the pair is "
            "(result.model, result.model_state[1])."
        )
    missing = needs_more(module, adapter.own)
    if missing:
        raise TypeError(
            f"{name} is called with x alone, and with the mode if it is a keyword such as train, "
            f"but {kind}.__call__ needs {in_words(missing)} too: give it a default, or pass "
            f"apply={adapter.way_out}. Several inputs are one tree: data = ((x1, x2), y)."
        )


def like_before(new: Any, old: Any) -> Any:
    """Return a new model state in the structure and the dtypes of the old one.

    A step must return what it takes. What a model only reports, by `sow`, has no place in the old
    state, or more entries in the new one, and is dropped.

    **Raises** `ValueError` if an array has another shape.
    """
    if jax.tree.structure(new) != jax.tree.structure(old):
        found = by_path(new)
        kept = [found.get(path, x) for path, x in by_path(old).items()]
        new = jax.tree.unflatten(jax.tree.structure(old), kept)
    return jax.tree_util.tree_map_with_path(_like_before, new, old)


def _like_before(path: Any, new: Any, old: Any) -> Any:
    if jnp.shape(new) != jnp.shape(old):
        raise ValueError(
            f"the model state must keep its shapes, got {jnp.shape(new)} for {jnp.shape(old)} at "
            f"{jax.tree_util.keystr(path)}: a state with an entry per example cannot be kept, as "
            "batches have other examples."
        )
    return as_array(new, dtype_of(old)) if dtype_of(new) != dtype_of(old) else new


def computing_in(forward: Forward, dtype: Any) -> Forward:
    """Return `forward` with its parameters and its inputs cast to `dtype`; None changes nothing.

    The cast is differentiated too, so that parameters and gradients keep their own dtype. The
    prediction leaves in at least float32, the model state in the dtype that it came in.

    **Raises** `TypeError` for what is no real floating dtype, `ValueError` for a dtype of 64 bits
    where JAX has them switched off.

    Source: Micikevicius et al. (2018), "Mixed precision training", without a scale of the loss:
    bfloat16 has the range of float32 and needs none. `checks.likely_mistakes` warns where float16
    loses small gradients.
    """
    return forward if dtype is None else _narrowed(forward, _floating(dtype))


@cached
def _narrowed(forward: Forward, dtype: Any) -> Forward:
    def narrow(tree):
        return jax.tree.map(lambda x: as_array(x, dtype) if _is_real(x) else x, tree)

    def narrowed(params, model_state, x, key, train):
        prediction, new_state = forward(narrow(params), model_state, narrow(x), key, train)
        return widen(prediction), jax.tree.map(_as_it_was, new_state, model_state)

    return narrowed


def _floating(dtype: Any) -> Any:
    try:
        found = jnp.dtype(dtype)
    except Exception:
        found = None
    if found is None or not jnp.issubdtype(found, jnp.floating):
        raise TypeError(
            f"dtype must be a real floating dtype in which the model computes, got {dtype!r}: "
            "jnp.bfloat16 halves memory and traffic; None leaves the model as it is."
        )
    if jax.dtypes.canonicalize_dtype(found) != found:
        raise ValueError(
            f"dtype={found.name} needs 64 bits: jax.config.update('jax_enable_x64', True) first."
        )
    return found


def _as_it_was(new: Any, old: Any) -> Any:
    return as_array(new, dtype_of(old)) if _is_real(old) else new


def _is_real(x: Any) -> bool:
    return jnp.issubdtype(dtype_of(x), jnp.floating)
