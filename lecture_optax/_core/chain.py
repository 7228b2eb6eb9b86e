"""A chain of transformations without rounding between them."""

import optax

from .block import block
from .describe import describe, described
from .types import Transformation


@described
def chain(*transformations: optax.GradientTransformation) -> Transformation:
    """Apply `transformations` from left to right.

        update = T_n(... T_2(T_1(g)) ...)

    `optax.chain`, in which the gradient is widened to at least float32 once on entry and the
    update rounded once on exit. The members may come from any library: one that computes too
    narrowly on its own does not do so here. No members: the update is the gradient.

    **Raises** `TypeError` for a member that is not a gradient transformation, and `ValueError` for
    two stages with a learning rate, whose product would be the step size.

    ```python
    >>> import jax.numpy as jnp, optax
    >>> from lecture_optax import chain, trace
    >>> tx = chain(optax.clip_by_global_norm(1.0), trace(0.9))
    >>> tx
    chain(<optax clip_by_global_norm>, trace(0.9))
    >>> gradient = jnp.full(90_000, 1.0, jnp.float16)  # its squared norm overflows float16
    >>> update, _ = tx.update(gradient, tx.init(gradient))
    >>> update.dtype.name, bool((update > 0).all())
    ('float16', True)

    ```
    """
    members = [describe(tx) for tx in transformations]
    stages = [d for member in members for d in member.walk() if d.name == "scale_by_learning_rate"]
    if len(stages) > 1:
        rates = " and ".join(str(stage) for stage in stages)
        raise ValueError(
            f"a chain takes one learning rate, got {rates}: their product would be the step size. "
            "Keep one of them; to weigh a part of the chain, use optax.scale."
        )
    return block(*optax.chain(*(transformations or (optax.identity(),))))
