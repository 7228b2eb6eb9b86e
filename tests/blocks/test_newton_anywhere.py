"""Newton's D in a scan, on shards, on complex and narrow leaves, and under derivatives."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec

import lecture_optax as lo

from .test_newton import both_ways, symmetric

CONVEX, SADDLE = symmetric([0.5, 1, 2, 5, 20, 100]), symmetric([-3.0, -1, 0.5, 2, 5, 20])
V = np.cos(np.arange(6.0))


@both_ways
def test_newtons_iteration_scans(above):
    def loss(θ):
        return jnp.sum(jnp.float32([1, 4]) * (jnp.exp(θ) - θ))

    tx = lo.chain(lo.newton(iterative_above=above), lo.scale_by_learning_rate(1.0))

    def body(carry, _):
        θ, state = carry
        update, state = tx.update(jax.grad(loss)(θ), state, θ, value_fn=loss)
        return (θ + update, state), None

    start = jnp.float32([0.5, 0.3])
    (θ, _), _ = jax.jit(lambda θ: jax.lax.scan(body, (θ, tx.init(θ)), length=6))(start)
    np.testing.assert_allclose(θ, 0, atol=1e-6)


@both_ways
def test_a_complex_quadratic_is_solved_in_one_step(above):
    draw = np.random.default_rng(2).standard_normal
    a, b = (np.complex64(draw(shape) + 1j * draw(shape)) for shape in ((6, 4), 6))

    def loss(z):
        return jnp.sum(jnp.abs(a @ z - b) ** 2)

    @jax.jit
    def step(z):
        tx = lo.newton(iterative_above=above)
        return tx.update(jax.grad(loss)(z).conj(), tx.init(z), z, value_fn=loss)[0]

    update = step(jnp.ones(4, jnp.complex64))
    assert update.dtype == jnp.complex64
    np.testing.assert_allclose(1 - update, np.linalg.lstsq(a, b)[0], atol=2e-5)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_the_loss_of_a_narrow_parameter_is_computed_in_float32(dtype):
    seen = set()

    def loss(θ):
        seen.add(θ.dtype.name)
        return jnp.sum(θ**2)

    tx, θ = lo.newton(), jnp.asarray([1.0, -3.0], dtype)
    update, _ = jax.jit(lambda θ: tx.update(2 * θ, tx.init(θ), θ, value_fn=loss))(θ)
    assert seen == {"float32"} and update.dtype == dtype
    np.testing.assert_array_equal(jnp.float32(update), [1, -3])


@both_ways
def test_on_a_slope_without_curvature_it_stays_unless_it_is_damped(above):
    @jax.jit
    def step(damping, v):
        tx = lo.newton(damping, iterative_above=above)
        return tx.update(v, tx.init(v), v, value_fn=jnp.sum)

    v = jnp.float32(V)
    x, state = step(0.0, v)
    np.testing.assert_array_equal(x, 0)
    np.testing.assert_allclose(state.residual, 1, rtol=1e-6)
    np.testing.assert_allclose(step(0.5, v)[0], 2 * V, rtol=1e-6)


@pytest.mark.parametrize(
    ("above", "h"),
    [(128, CONVEX), (0, CONVEX), (128, SADDLE)],
    ids=["from all of H", "from products", "with δ from an eigenvalue"],
)
@pytest.mark.usefixtures("x64")
def test_its_derivative_by_everything_that_moves_is_a_slope(above, h):
    def weighted(t):
        def loss(θ):
            return θ @ h @ θ / 2 + t * jnp.sum(θ**4)

        tx, θ = lo.newton(t - 0.3, iterative_above=above), jnp.sin(V) + t
        return jnp.arange(6.0) @ tx.update(jnp.cos(t) * V, tx.init(θ), θ, value_fn=loss)[0]

    t, step = jnp.float64(0.4), 1e-5
    value, slope = jax.jit(weighted), jax.jit(jax.grad(weighted))
    rise = (value(t + step) - value(t - step)) / (2 * step)
    np.testing.assert_allclose(slope(t), rise, rtol=1e-6)


@both_ways
def test_over_several_devices_it_does_what_it_does_on_one(above):
    def loss(θ):
        whole = jax.sharding.reshard(θ, PartitionSpec()) if jax.typeof(θ).sharding.spec else θ
        return whole @ jnp.float32(CONVEX) @ whole / 2

    tx, v = lo.newton(iterative_above=above), jnp.float32(V)
    step = jax.jit(lambda v: tx.update(v, tx.init(v), v, value_fn=loss)[0])
    mesh = jax.make_mesh((2,), ("x",), axis_types=(AxisType.Explicit,))
    layout = NamedSharding(mesh, PartitionSpec("x"))
    with jax.set_mesh(mesh):
        update = step(jax.device_put(v, layout))
        assert update.sharding.is_equivalent_to(layout, 1)
    np.testing.assert_allclose(update, np.linalg.solve(CONVEX, V), rtol=1e-4, atol=1e-6)
