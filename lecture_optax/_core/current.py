"""The step count and the current learning rates, read from any optimizer state."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from .types import OptState


class Current(NamedTuple):
    """The number of parameter updates made, and every current learning rate, by path."""

    count: ArrayLike
    learning_rates: dict[str, ArrayLike]


def current(state: OptState) -> Current:
    """Return the number of parameter updates and the current learning rates of a state.

    Looks through chains, `optax.masked`, `partition`, `MultiSteps` (whose micro-steps are not
    updates), `inject_hyperparams` and whatever else nests states. Pure: it works on tracers.

    **Arguments**

    - `state`: an optimizer state, ours or Optax's.

    **Returns** `Current(count, learning_rates)`. A path reads like `[1].learning_rate`.

    **Raises** `ValueError` if nothing in the state counts.

    ```python
    >>> import jax.numpy as jnp, lecture_optax as lo
    >>> tx = lo.sgd(lambda k: 1 / (1 + k), momentum=0.9)
    >>> state = tx.init(jnp.zeros(2))
    >>> for _ in range(4):
    ...     _, state = tx.update(jnp.ones(2), state)
    >>> now = lo.current(state)
    >>> int(now.count), {path: float(rate) for path, rate in now.learning_rates.items()}
    (4, {'[1].learning_rate': 0.25})

    ```
    """
    rates: dict[str, ArrayLike] = {}
    counts: list[ArrayLike] = []
    emitted: list[ArrayLike] = []
    _read(state, "", rates, counts, emitted)
    found = emitted[:1] or counts
    if not found:
        raise ValueError(
            f"nothing in this {type(state).__name__} counts updates: pass the state of an "
            "optimizer that has a learning rate or a bias correction."
        )
    count = jnp.asarray(found[0])
    for other in found[1:]:
        count = jnp.maximum(count, jnp.asarray(other))
    return Current(count, rates)


def _read(node: Any, path: str, rates: dict, counts: list, emitted: list) -> None:
    """Walk the named tuples of a state; parameter-like subtrees have none of the field names."""
    if hasattr(node, "_fields"):
        children = [(f"{path}.{name}", getattr(node, name)) for name in node._fields]
        if _is_scalar(getattr(node, "learning_rate", None)):
            rates[f"{path}.learning_rate"] = node.learning_rate
        injected = getattr(node, "hyperparams", None)
        if isinstance(injected, dict) and "learning_rate" in injected:
            rates[f"{path}.hyperparams['learning_rate']"] = injected["learning_rate"]
            counts.append(node.count)
        elif hasattr(node, "gradient_step"):
            emitted.append(node.gradient_step)
        elif _is_scalar(node.count if "count" in node._fields else None):
            counts.append(node.count)
    elif isinstance(node, (tuple, list)):
        children = [(f"{path}[{i}]", child) for i, child in enumerate(node)]
    elif isinstance(node, dict):
        children = [(f"{path}[{key!r}]", child) for key, child in node.items()]
    else:
        return
    for child_path, child in children:
        _read(child, child_path, rates, counts, emitted)


def _is_scalar(x: Any) -> bool:
    return isinstance(x, jax.Array | jax.ShapeDtypeStruct | int | float) or (
        hasattr(x, "dtype") and hasattr(x, "shape") and x.shape == ()
    )
