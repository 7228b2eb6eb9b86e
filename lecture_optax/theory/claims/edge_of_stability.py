"""Claims about the edge of stability: training moves to it and stays there."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from ...optimizers import adam, sgd
from ..gauge import curvature_gauge
from .statement import Finding, statement


def trained(tx, slope, start, steps, read=lambda params, state: None):
    """Return the last parameters and state, and what `read` returns after every step."""

    def body(carry, _):
        params, state = carry
        update, state = tx.update(slope(params), state, params)
        params = optax.apply_updates(params, update)
        return (params, state), read(params, state)

    return jax.jit(lambda p: jax.lax.scan(body, (p, tx.init(p)), length=steps))(start)


@statement(
    "adam-climbs-to-its-edge",
    claim="On θ²/2 Adam's τ/√ĉ grows as gradients shrink, to 2(1+b1)/(1-b1) = 38, and stays there",
    slide="Adam",
    source="Cohen et al. (2022), the adaptive edge of stability; on a parabola: ours",
    picture="adam_at_its_edge",
)
def adam_climbs_to_its_edge(adam=adam):
    tau, b2, steps = 1e-3, 0.99, 8000

    for b1, low, high in ((0.9, 33.0, 38.5), (0.5, 5.5, 6.1), (0.0, 2 - 1e-6, 2 + 1e-6)):
        tx = adam(tau, b1=b1, b2=b2, eps=0.0)

        def squares(params, state):
            return optax.tree.get(state, "nu")

        (θ, state), c = trained(tx, lambda θ: θ, jnp.ones(1), steps, squares)
        corrected = np.asarray(c)[:, 0] / (1 - b2 ** np.arange(1, steps + 1))
        sharpness = tau / np.sqrt(corrected)
        yield Finding(sharpness[0], tau, 1e-12, what=f"b1 = {b1}: τλ/√ĉ after one step")
        settled = np.median(sharpness[-steps // 2 :])
        yield Finding(settled, low, relation=">=", what=f"b1 = {b1}: the median of the second half")
        yield Finding(settled, high, relation="<=", what=f"b1 = {b1}: the same, against the edge")
        gauge = curvature_gauge(lambda θ: (θ**2).sum() / 2, θ, tx, state)
        off = gauge.curvature / (sharpness[-1] / tau)
        yield Finding(off, b2**-0.5, 1e-3, what=f"b1 = {b1}: gauge over the last value")
        yield Finding(gauge.edge * tau, 2 * (1 + b1) / (1 - b1), 1e-6, what="the gauge's edge, τλ")


@statement(
    "descent-settles-at-two-over-tau",
    claim="Full-batch descent on a network sharpens until λ = 2/τ, and stays there",
    slide="Gradient descent",
    source="Cohen et al. (2021), Gradient descent on neural networks at the edge of stability",
)
def descent_settles_at_two_over_tau(sgd=sgd):
    x = jnp.linspace(-1, 1, 20)
    y = 4 * x**3 - 3 * x  # Chebyshev's T₃

    def loss(p):
        hidden = jnp.tanh(x[:, None] * p["w"] + p["b"])
        return ((hidden @ p["v"] - y) ** 2).mean() / 2

    keys = jax.random.split(jax.random.key(0), 3)
    start = {name: jax.random.normal(key, (20,)) for name, key in zip("wbv", keys, strict=True)}
    start["v"] = start["v"] / 20**0.5
    for tau in (0.3, 0.2):
        tx = sgd(tau)
        (θ, state), _ = trained(tx, jax.grad(loss), start, 10_000)
        gauge = curvature_gauge(loss, θ, tx, state)
        yield Finding(gauge.ratio, 1, 0.05, what=f"τ = {tau}: λ over 2/τ = {gauge.edge:.4g}")
        yield Finding(gauge.error, 1e-6, relation="<=", what="error bound of the gauge")
