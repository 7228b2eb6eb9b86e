"""The protocol of an adapter, and the pure functions made of a forward pass."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from ..._core.dtypes import as_array, dtype_of, widen
from ..._energy import energy
from .._cached import cached

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
    - `split`: `(model, params) -> Split`; `params` replace the model's own unless they are None.
    - `forward`: `(skeleton, apply) -> Forward`; the same function for the same arguments.
    - `export`: `(model, skeleton) -> ((params, model_state) -> model)`.
    """

    matches: Callable[[Any], bool]
    split: Callable[[Any, Any], Split]
    forward: Callable[[Any, Callable[..., Any] | None], Forward]
    export: Callable[[Any, Any], Callable[[Any, Any], Any]]


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
            states.append(new_state)
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


def modes(names: Any, train: bool) -> dict[str, bool]:
    """Return those keywords of a call, out of its `names`, that say whether it trains."""
    values = dict.fromkeys(("train", "training", "is_training"), train)
    values |= dict.fromkeys(("deterministic", "use_running_average"), not train)
    return {name: value for name, value in values.items() if name in names}


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
    except TypeError:
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
