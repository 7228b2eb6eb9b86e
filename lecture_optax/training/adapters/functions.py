"""Plain functions as a problem: `init(key) -> params`, `loss(params, batch)`."""

import inspect
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from ..._core.dtypes import widen
from ..._energy import energy
from .._cached import cached
from .model import Adapter, Functions, like_before, mode_names, modes, state_parts


@cached
def functions_of(
    init: Callable[..., Any],
    loss: Callable[..., Any],
    predict: Callable[..., Any] | None,
    metrics: tuple[tuple[str, Callable[..., Any]], ...],
) -> Functions:
    """Return the functions of `loss(params, batch)`.

    The loss may name `model_state`, `key` and a mode. It returns one number per example, or their
    mean: its shape says which.
    """
    names = inspect.signature(loss).parameters
    has_state, switches = "model_state" in names, mode_names(names)

    def call(params, model_state, batch, key, train):
        keywords: dict[str, Any] = modes(switches, train)
        keywords |= {"model_state": model_state} if has_state else {}
        keywords |= {"key": key} if "key" in names else {}
        found = loss(params, batch, **keywords)
        if not has_state:
            return found, model_state
        value, new_state = found
        return value, like_before(new_state, model_state)

    def mean_loss(params, model_state, batch, key, sample_weight=None):
        value, model_state = call(params, model_state, batch, key, True)
        if jnp.ndim(value) == 0 and sample_weight is None:
            return widen(value), model_state
        if jnp.ndim(value) == 0:
            raise ValueError(
                "sample_weight needs one loss per example, and this loss returns their mean: "
                "return the losses before the mean is taken, an array with one number per example."
            )
        value = energy(lambda params, batch: value)(params, batch, weights=sample_weight)
        return value, model_state

    def examples(params, model_state, batch):
        value, _ = call(params, model_state, batch, jax.random.key(0), False)
        others = {name: f(params, batch) for name, f in metrics}
        return {"loss": widen(value), **others}

    def start(key, batch):
        return init(key) if has_state else (init(key), {})

    def predicted(params, model_state, x):
        assert predict is not None
        return predict(params, model_state, x) if has_state else predict(params, x)

    return Functions(start, mean_loss, examples, predict and predicted)


def export(params: Any, model_state: Any) -> Any:
    """The parameters: plain functions have no other model."""
    return params


ADAPTER = Adapter("functions", state_parts)
