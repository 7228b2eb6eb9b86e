"""A Flax nnx model as pure functions. The model itself is only read, and updated by `export`."""

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from .._cached import cached
from .._trees import check_params
from .model import modes


class Split(NamedTuple):
    """A model taken apart: what it is in both modes, its random streams, and its arrays."""

    training: Any
    evaluating: Any
    streams: tuple[Any, tuple[Any, ...]]
    params: Any
    model_state: Any


def is_nnx(model: Any) -> bool:
    from flax import nnx

    return isinstance(model, nnx.Module)


def split(model: Any) -> Split:
    """Take a copy of the model apart: the mode of the model itself stays as it is."""
    from flax import nnx

    copy = nnx.clone(model)
    nnx.pop(copy, nnx.Intermediate)
    copy.train()
    training, params, streams, state = nnx.split(copy, nnx.Param, nnx.RngState, ...)
    copy.eval()
    leaves, structure = jax.tree.flatten(nnx.as_pure(streams))
    shapes = tuple((x.shape, x.dtype) for x in leaves)
    return Split(
        training,
        nnx.graphdef(copy),
        (structure, shapes),
        nnx.as_pure(params),
        nnx.as_pure(state),
    )


def start_of(parts: Split, params: Any) -> tuple[Any, Any]:
    """The model's own arrays, or given parameters in their place."""
    if params is None:
        return parts.params, parts.model_state
    from flax import nnx

    given = nnx.as_pure(params if isinstance(params, nnx.State) else nnx.State(params))
    check_params(parts.params, given)
    return given, parts.model_state


@cached
def forward_of(
    training: Any, evaluating: Any, streams: Any, call_names: Any, apply: Callable[..., Any] | None
) -> Callable[..., Any]:
    from flax import nnx

    def call(model, x, key, train):
        if apply is not None:
            return apply(model, x, train=train)
        own = jax.random.fold_in(key, len(streams[1]))
        rngs = {"rngs": nnx.Rngs(own)} if "rngs" in call_names else {}
        return model(x, **modes(call_names, train), **rngs)

    def forward(params, model_state, x, key, train):
        graph = training if train else evaluating
        model = nnx.merge(graph, params, model_state, _fresh_streams(streams, key))
        prediction = call(model, x, key, train)
        if not train:
            return prediction, model_state
        nnx.pop(model, nnx.Intermediate)
        return prediction, nnx.as_pure(nnx.split(model, nnx.Param, nnx.RngState, ...)[3])

    return forward


def call_names(model: Any) -> tuple[str, ...]:
    return tuple(inspect.signature(type(model).__call__).parameters)


def export_of(model: Any) -> Callable[..., Any]:
    """Write the arrays into the person's model, which keeps its mode and its random streams."""

    def export(params, model_state):
        from flax import nnx

        nnx.update(model, params, model_state)
        return model

    return export


def _fresh_streams(streams: tuple[Any, tuple[Any, ...]], key: jax.Array) -> Any:
    """Streams folded from `key`, their counts at 0: the model's own are not used up."""
    structure, shapes = streams

    def stream(i, shape, dtype):
        if not jnp.issubdtype(dtype, jax.dtypes.prng_key):
            return jnp.zeros(shape, dtype)
        own = jax.random.fold_in(key, i)
        return jax.random.split(own, shape) if shape else own

    return structure.unflatten([stream(i, *shape) for i, shape in enumerate(shapes)])
