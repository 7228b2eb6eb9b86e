"""Claims about methods that are equal to conjugate gradients on quadratics."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
from scipy.sparse.linalg import cg

from ...optimizers import sgd
from .statement import Finding, statement

SIZE, STEPS = 8, 5


def quadratic():
    """Return a Hessian with eigenvalues from 1 to 10, and a right-hand side."""
    rng = np.random.default_rng(0)
    turn = np.linalg.qr(rng.normal(size=(SIZE, SIZE)))[0]
    return turn @ np.diag(np.geomspace(1, 10, SIZE)) @ turn.T, rng.normal(size=SIZE)


def conjugate_gradients(A, b):
    """Return the iterates of SciPy's solver."""
    path = []
    cg(A, b, rtol=0.0, atol=0.0, maxiter=STEPS, callback=lambda x: path.append(x.copy()))
    return np.array(path)


@statement(
    "heavy-ball-with-the-best-plane-is-cg",
    claim="Heavy ball that minimises over the plane of g and the last step is conjugate gradients",
    slide="Momentum",
    source="Polyak (1964); Hestenes and Stiefel (1952), here SciPy's",
)
def heavy_ball_is_cg(sgd=sgd):
    """Check heavy ball with the α, β of θ(k+1) = θ(k) - α g(k) + β (θ(k) - θ(k-1)) from the plane.

    With v(k+1) = μ(k) v(k) + g(k) and θ(k+1) = θ(k) - τ(k) v(k+1): τ(k) = α, μ(k) = β τ(k-1)/α.
    """
    A, b = quadratic()

    @jax.jit
    def step(rate, momentum, θ, state):
        tx = sgd(rate, momentum)
        update, state = tx.update(A @ θ - b, state, θ)
        return θ + update, state

    θ, path, rates = jnp.zeros(SIZE), [], [1.0]
    last, state = jnp.zeros(SIZE), sgd(1.0, 0.0).init(jnp.zeros(SIZE))
    for _ in range(STEPS):
        gradient = A @ θ - b
        plane = np.stack([-gradient, last])
        along, behind = np.linalg.lstsq(plane @ A @ plane.T, -plane @ gradient, rcond=1e-14)[0]
        new, state = step(along, behind * rates[-1] / along, θ, state)
        θ, last = new, new - θ
        rates.append(along)
        path.append(θ)
    off = np.abs(np.array(path) - conjugate_gradients(A, b)).max()
    return Finding(off, 0, 1e-12, what=f"off SciPy's iterates in {STEPS} steps")


@statement(
    "lbfgs-with-exact-search-is-cg",
    claim="L-BFGS with full memory and exact line search is conjugate gradients",
    slide="The general update",
    source="Nazareth (1979); optax.scale_by_lbfgs",
)
def lbfgs_is_cg():
    A, b = quadratic()
    tx = optax.scale_by_lbfgs(memory_size=SIZE, scale_init_precond=False)
    θ, path = jnp.zeros(SIZE), []
    state = tx.init(θ)
    update = jax.jit(tx.update)
    for _ in range(STEPS):
        gradient = A @ θ - b
        direction, state = update(gradient, state, θ)
        θ = θ - (direction @ gradient) / (direction @ A @ direction) * direction
        path.append(θ)
    off = np.abs(np.array(path) - conjugate_gradients(A, b)).max()
    return Finding(off, 0, 1e-12, what=f"off SciPy's iterates in {STEPS} steps")
