"""From a forward pass to the contract: what a model is trained and judged by."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax

from .._core.dtypes import widen
from .._energy import energy
from ._cached import cached


class Functions(NamedTuple):
    """The pure functions that a problem is made of.

    - `init`: `(key, batch) -> (params, model_state)`.
    - `loss`: `(params, model_state, batch, key, weights=None) -> (loss, (model_state, metrics))`,
      the mean over the examples present, in train mode.
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
    init: Callable[..., Any] | None, forward: Callable[..., Any], loss: Any, metrics: Any
) -> Functions:
    """The contract of `forward(params, model_state, x, key, train) -> (prediction, model_state)`.

    A batch is (x, y). Predictions are judged in at least float32.
    """

    def mean_loss(params, model_state, batch, key, weights=None):
        def per_example(params, batch):
            x, y = batch
            prediction, new_state = forward(params, model_state, x, key, True)
            states.append(new_state)
            return loss(widen(prediction), y)

        states: list[Any] = []
        value = energy(per_example)(params, batch, weights=weights)
        return value, (states[0], {})

    def examples(params, model_state, batch):
        x, y = batch
        prediction = widen(forward(params, model_state, x, jax.random.key(0), False)[0])
        return {"loss": loss(prediction, y), **{name: f(prediction, y) for name, f in metrics}}

    def predict(params, model_state, x):
        return forward(params, model_state, x, jax.random.key(0), False)[0]

    return Functions(init, mean_loss, examples, predict)


MODES = {
    "train": lambda train: train,
    "training": lambda train: train,
    "is_training": lambda train: train,
    "deterministic": lambda train: not train,
    "use_running_average": lambda train: not train,
}


def modes(names: Any, train: bool) -> dict[str, bool]:
    """The keywords, out of those that a call has, that say whether it trains."""
    return {name: value(train) for name, value in MODES.items() if name in names}
