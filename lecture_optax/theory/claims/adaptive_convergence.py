"""Claims about adaptive methods on convex losses that arrive one by one (online)."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ...optimizers import adagrad, adam, amsgrad
from .statement import Finding, statement


def played(
    tx: Any, slopes: Callable[[Any, Any], Any], rounds: Any, start: Any, radius: float = 1.0
) -> Any:
    """Return θ(1), θ(2), ... in the box [-radius, radius], along `slopes(θ, round)`."""

    def body(carry, this):
        params, state = carry
        update, state = tx.update(slopes(params, this), state)
        return (jnp.clip(params + update, -radius, radius), state), params

    start = jnp.asarray(start, float)
    return jax.jit(lambda r: jax.lax.scan(body, (start, tx.init(start)), r)[1])(rounds)


@statement(
    "adam-can-go-to-the-worst-point",
    claim="On losses Cθ, -θ, -θ, Cθ, ... Adam ends at +1, the worst point, and AMSGrad at -1",
    slide="Adam",
    source="Reddi, Kale and Kumar (2018), theorem 1",
)
def adam_goes_to_the_worst_point(adam=adam, amsgrad=amsgrad):
    rounds = jnp.arange(1, 3001)

    def falling(k):
        return 0.1 / jnp.sqrt(jnp.asarray(k, float) + 1)

    for C, reached in ((3.0, -0.9988), (4.0, -0.9991)):
        b2 = 1 / (1 + C**2)
        methods = {
            "Adam": (adam(falling, 0.0, b2, eps=0.0), 1.0, 1e-9),
            "AMSGrad": (amsgrad(falling, 0.0, b2, eps=0.0), reached, 1e-3),
        }
        for name, (tx, end, tolerance) in methods.items():
            path = played(tx, lambda θ, t, C=C: jnp.where(t % 3 == 1, C, -1.0), rounds, 0.0)
            yield Finding(path[-3:].max(), end, tolerance, what=f"{name}, C = {C:g}: θ(3000)")


@statement(
    "adagrads-regret",
    claim="AdaGrad's regret is at most √2 D Σ_i |g_{1:T, i}|₂ against the best point of a box",
    slide="AdaGrad",
    source="Duchi, Hazan and Singer (2011), theorem 5 and corollary 6",
)
def adagrads_regret(adagrad=adagrad):
    rounds, size, D = 400, 8, 2.0  # the box [-1, 1] has the diameter 2 in every entry
    for seed, sparse in ((0, False), (1, False), (2, True)):
        rng = np.random.default_rng(seed)
        rows = rng.normal(size=(rounds, size)) * (rng.random((rounds, size)) < 0.1 if sparse else 1)
        targets = np.sign(rows @ rng.normal(size=size) + 0.3 * rng.normal(size=rounds))
        tx = adagrad(D / np.sqrt(2), initial_accumulator_value=0.0, eps=0.0)

        def slope(θ, this):
            row, target = this
            return jnp.where(target * (row @ θ) < 1, -target, 0.0) * row  # of the hinge loss

        data = jnp.asarray(rows), jnp.asarray(targets)
        path = played(tx, slope, data, np.zeros(size))
        gradients = np.asarray(jax.vmap(slope)(path, data))
        linear = gradients.sum(0)  # convex losses lie above their tangents
        regret = (gradients * path).sum() + np.abs(linear).sum()
        bound = np.sqrt(2) * D * np.linalg.norm(gradients, axis=0).sum()
        what = f"regret, seed {seed}{', sparse' if sparse else ''}"
        yield Finding(regret, bound, relation="<=", what=what)
        yield Finding(regret, 0.02 * bound, relation=">=", what="regret above 2 % of the bound")
