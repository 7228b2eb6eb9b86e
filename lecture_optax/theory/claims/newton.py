"""A claim about Newton's method: D(k+1) is the inverse of the second derivative."""

import jax
import jax.numpy as jnp
import numpy as np

from ..._core.chain import chain
from ..._learning_rate import scale_by_learning_rate
from ..._newton import newton
from .conjugate_gradients import quadratic
from .statement import Finding, statement


@statement(
    "newton-ends-in-one-step",
    claim="D = H⁻¹ and τ = 1 minimise a quadratic in one step; a damping δ leaves δ/(λ + δ)",
    slide="The general update",
    source="Newton's method; Nocedal and Wright (2006), chapter 3.3; δ: Levenberg (1944)",
)
def newton_ends_in_one_step(newton=newton):
    """Check e(1) = e(0) - (H + δI)⁻¹ H e(0), with e the distance to the minimum.

    Along an eigenvector the factor is δ/(λ + δ). With eigenvalues 1 and -3 the undamped step goes
    uphill. δ = 6 makes them 7 and 3: g = (1, -3) moves θ by (-1/7, 1), downhill along both.
    Conjugate gradients use only the curvature along g, -2.6: their δ is 5.2, which makes the
    eigenvalues 6.2 and 2.2.
    """
    A, b = quadratic()
    minimum, start = np.linalg.solve(A, b), np.linspace(-1, 2, len(b))

    def loss(θ):
        return θ @ A @ θ / 2 - b @ θ

    def saddle(θ):
        return (θ[0] ** 2 - 3 * θ[1] ** 2) / 2

    for name, most, moved in (
        ("all of H", 100, (-1 / 7, 1)),
        ("conjugate gradients", 0, (-1 / 6.2, 3 / 2.2)),
    ):
        off = np.abs(one_step(newton(iterative_above=most), saddle, np.ones(2)) - moved).max()
        yield Finding(off, 0, 1e-12, what=f"λ = 1, -3: θ(1) off, {name}")
        end = start + one_step(newton(iterative_above=most), loss, start)
        yield Finding(np.abs(end - minimum).max(), 0, 1e-12, what=f"θ(1) off, {name}")
        damped = start + one_step(newton(0.5, iterative_above=most), loss, start)
        values, vectors = np.linalg.eigh(A)
        left = vectors @ (0.5 / (values + 0.5) * (vectors.T @ (start - minimum)))
        off = np.abs(damped - minimum - left).max()
        yield Finding(off, 0, 1e-12, what=f"e(1) off δ/(λ + δ), {name}")
    few = one_step(newton(iterative_above=0, max_steps=len(b)), loss, start)
    off = np.abs(start + few - minimum).max()
    yield Finding(off, 0, 1e-9, what=f"θ(1) off, after {len(b)} products with H")


def one_step(newton, loss, start) -> np.ndarray:
    """Return θ(1) - θ(0), with τ = 1."""
    tx, θ = chain(newton, scale_by_learning_rate(1.0)), jnp.asarray(start)
    update, _ = tx.update(jax.grad(loss)(θ), tx.init(θ), θ, value_fn=loss)
    return np.asarray(update)
