"""A Flax nnx model as pure functions. Only `export` writes to the model."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from .._cached import cached
from .._trees import by_path, check_same_tree
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
    """A model without its arrays: its graph in both modes, its random streams, its arguments."""

    training: Any
    evaluating: Any
    streams: tuple[Any, tuple[Any, ...]]
    modes: tuple[str, ...]
    takes_rngs: bool


def matches(model: Any) -> bool:
    """Whether a model is an nnx module."""
    return is_instance(model, "flax.nnx", "Module")


def detached(model: Any) -> Any:
    """Return a copy of an nnx model, so that training changes the copy; others as they are."""
    if not matches(model):
        return model
    from flax import nnx

    return nnx.clone(model)


def split(model: Any, params: Any, apply: Callable[..., Any] | None = None) -> Split:
    """Take a copy of the model apart: the mode of the model itself stays as it is."""
    from flax import nnx

    copy = nnx.clone(model)
    nnx.pop(copy, nnx.Intermediate)
    copy.train()
    training, own, streams, state = nnx.split(copy, nnx.Param, nnx.RngState, ...)
    copy.eval()
    leaves, structure = jax.tree.flatten(nnx.as_pure(streams))
    shapes = tuple((x.shape, x.dtype) for x in leaves)
    named = call_parameters(model)
    random = structure, shapes
    skeleton = Skeleton(training, nnx.graphdef(copy), random, mode_names(named), "rngs" in named)
    start = own = nnx.as_pure(own)
    if params is not None:
        try:
            start = nnx.as_pure(params if isinstance(params, nnx.State) else nnx.State(params))
        except Exception as error:  # no mapping, or keys that cannot be sorted
            problem = f"params must be an nnx.State, or a dict of one, got {params!r}: {error}"
            raise TypeError(problem) from None
        check_same_tree(own, start)
    return Split(skeleton, start, nnx.as_pure(state))


@cached
def forward(skeleton: Skeleton, apply: Callable[..., Any] | None) -> Forward:
    return _forward_of(skeleton, apply, lambda model: None)


def _forward_of(
    skeleton: Skeleton, apply: Callable[..., Any] | None, watch: Callable[[Any], None]
) -> Callable[..., Any]:
    from flax import nnx

    def call(model, x, key, train, others):
        if apply is not None:
            return apply(model, x, train=train)
        own = jax.random.fold_in(key, len(skeleton.streams[1]))
        rngs = {"rngs": nnx.Rngs(own)} if skeleton.takes_rngs else {}
        return model(x, **{**modes(skeleton.modes, train), **others}, **rngs)

    def forward(params, model_state, x, key, train, others=None):
        graph = skeleton.training if train else skeleton.evaluating
        model = nnx.merge(graph, params, model_state, _fresh_streams(skeleton.streams, key))
        watch(model)
        prediction = call(model, x, key, train, others or {})
        if not train:
            return prediction, model_state
        nnx.pop(model, nnx.Intermediate)
        return prediction, nnx.as_pure(nnx.split(model, nnx.Param, nnx.RngState, ...)[3])

    return forward


def watched(model: Any, skeleton: Skeleton, apply: Callable[..., Any] | None) -> Watched:
    """Dropout notes whether it returns its input; statistics are those of type `BatchStat`."""
    from flax import nnx

    notes: list[bool] = []

    class Noted(nnx.Dropout):
        def __call__(self, inputs, **keywords):
            found = super().__call__(inputs, **keywords)
            if self.rate:
                notes.append(found is not inputs)
            return found

    def watch(model):
        for _, part in nnx.iter_graph(model):
            if type(part) is nnx.Dropout:
                object.__setattr__(part, "__class__", Noted)

    statistics = tuple(by_path(nnx.as_pure(nnx.state(model, nnx.BatchStat))))
    flags = {} if apply else flags_of(model)
    return Watched(_forward_of(skeleton, apply, watch), notes, statistics, flags)


def export(model: Any, skeleton: Skeleton) -> Callable[[Any, Any], Any]:
    """The user's model, with these arrays; it keeps its mode and its random streams."""

    return partial(_updated, model)


def _updated(model: Any, params: Any, model_state: Any) -> Any:
    from flax import nnx

    nnx.update(model, params, model_state)
    return model


def parts_of_state(model: Any, opt_state: Any, model_state: Any) -> dict[str, Any]:
    """Parameters and the optimizer's state; the problem has read the state of the model itself."""
    from flax import nnx

    model, opt_state = nnx.as_pure((model, opt_state))
    own = {} if model is None else {"params": model}
    return {"opt_state": opt_state, **own}


def _fresh_streams(streams: tuple[Any, tuple[Any, ...]], key: jax.Array) -> Any:
    """Random streams folded from `key`, with counts of 0: the model's own streams stay unused."""
    structure, shapes = streams

    def stream(i, shape, dtype):
        if not jnp.issubdtype(dtype, jax.dtypes.prng_key):
            return jnp.zeros(shape, dtype)
        own = jax.random.fold_in(key, i)
        return jax.random.split(own, shape) if shape else own

    return structure.unflatten([stream(i, *shape) for i, shape in enumerate(shapes)])


ADAPTER = ModelAdapter(
    "nnx",
    parts_of_state,
    matches,
    split,
    forward,
    export,
    watched,
    kind="a Flax nnx model",
    own=("rngs",),
    way_out="lambda model, x, train: model(x, ...)",
)
