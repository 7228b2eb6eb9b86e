"""The step count and the current learning rates, read from any optimizer state."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from .types import OptState


class Current(NamedTuple):
    """The number of parameter updates made, and every current learning rate, by name."""

    count: ArrayLike
    learning_rates: dict[str, ArrayLike]


def current(state: OptState) -> Current:
    """Return the number of parameter updates and the current learning rates of a state.

    Looks through chains, `optax.masked`, `partition`, `MultiSteps` (whose micro-steps are not
    updates), `inject_hyperparams` and whatever else nests states. Pure: it works on tracers.

    **Arguments**

    - `state`: an optimizer state, ours or Optax's.

    **Returns** `Current(count, learning_rates)`. The only learning rate is called
    `learning_rate`, those of `optax.partition` have the labels of their groups, and several without
    labels have their paths in the state, like `[1].learning_rate`.

    **Raises** `ValueError` if nothing in the state counts.

    ```python
    >>> import jax.numpy as jnp, lecture_optax as lo
    >>> tx = lo.sgd(lambda k: 1 / (1 + k), momentum=0.9)
    >>> state = tx.init(jnp.zeros(2))
    >>> for _ in range(4):
    ...     _, state = tx.update(jnp.ones(2), state)
    >>> now = lo.current(state)
    >>> int(now.count), {name: float(rate) for name, rate in now.learning_rates.items()}
    (4, {'learning_rate': 0.25})

    ```
    """
    rates: dict[str, tuple[str, ArrayLike]] = {}
    counts: list[ArrayLike] = []
    emitted: list[ArrayLike] = []
    _read(state, "", "", rates, counts, emitted)
    found = emitted[:1] or counts
    if not found:
        raise ValueError(
            f"nothing in this {type(state).__name__} counts updates: pass the state of an "
            "optimizer that has a learning rate or a bias correction."
        )
    count = jnp.asarray(found[0])
    for other in found[1:]:
        count = jnp.maximum(count, jnp.asarray(other))
    labels = [label for label, _ in rates.values()]
    return Current(
        count,
        {label if labels.count(label) == 1 else path: x for path, (label, x) in rates.items()},
    )


def states_in(state: OptState, *kinds: type) -> list[Any]:
    """Return every state of some kinds, at any depth of an optimizer's state."""
    nodes = jax.tree.leaves(state, is_leaf=lambda x: isinstance(x, kinds))
    return [node for node in nodes if isinstance(node, kinds)]


def _read(node: Any, path: str, label: str, rates: dict, counts: list, emitted: list) -> None:
    """Walk the named tuples of a state; parameter-like subtrees have none of the field names.

    `label`: the keys of the dicts on the way.
    """
    name = label or "learning_rate"
    if hasattr(node, "_fields"):
        children = [(f"{path}.{field}", label, getattr(node, field)) for field in node._fields]
        if _is_scalar(getattr(node, "learning_rate", None)):
            rates[f"{path}.learning_rate"] = name, node.learning_rate
        injected = getattr(node, "hyperparams", None)
        if isinstance(injected, dict) and "learning_rate" in injected:
            rates[f"{path}.hyperparams['learning_rate']"] = name, injected["learning_rate"]
            counts.append(node.count)
        elif hasattr(node, "gradient_step"):
            emitted.append(node.gradient_step)
        elif _is_scalar(node.count if "count" in node._fields else None):
            counts.append(node.count)
    elif isinstance(node, (tuple, list)):
        children = [(f"{path}[{i}]", label, child) for i, child in enumerate(node)]
    elif isinstance(node, dict):
        children = [
            (f"{path}[{key!r}]", f"{label}.{key}" if label else str(key), child)
            for key, child in node.items()
        ]
    else:
        return
    for child_path, child_label, child in children:
        _read(child, child_path, child_label, rates, counts, emitted)


def _is_scalar(x: Any) -> bool:
    return isinstance(x, jax.Array | jax.ShapeDtypeStruct | int | float) or (
        hasattr(x, "dtype") and hasattr(x, "shape") and x.shape == ()
    )
