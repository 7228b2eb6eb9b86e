"""AdaGrad's matrix D: (Σ g gᵀ)^(-1/2), which turns with the parameters."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.sharding import AxisType, NamedSharding, PartitionSpec
from jax.test_util import check_grads

import lecture_optax as lo
from lecture_optax.testing import references

from ..runs import iterates_of, updates_for

RNG = np.random.default_rng(0)
GRADIENTS = RNG.normal(size=(12, 4))
ROTATION, _ = np.linalg.qr(RNG.normal(size=(4, 4)))
A = np.diag([1.0, 3.0, 10.0, 30.0])


def matrix_adagrad(rate=0.5, **arguments):
    return lo.chain(
        lo.precondition(optax.identity(), by=lo.full_matrix(**arguments)),
        lo.scale_by_learning_rate(rate),
    )


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("eps", [0.0, 1e-3])
@pytest.mark.parametrize("initial", [0.0, 0.5])
def test_it_is_the_formula(eps, initial):
    tx = lo.full_matrix(eps, initial=initial)
    expected = references.full_matrix(GRADIENTS, eps=eps, initial=initial)
    actual = updates_for(tx, jnp.asarray(GRADIENTS))
    np.testing.assert_allclose(actual, expected, atol=1e-7 * abs(expected).max())
    np.testing.assert_allclose(actual[4:], expected[4:], atol=1e-11 * abs(expected[4:]).max())


@pytest.mark.usefixtures("x64")
def test_turn_the_parameters_and_the_iterates_turn_with_them_which_a_diagonal_does_not():
    start = jnp.asarray([1.0, -2.0, 0.5, 3.0])
    a, q = jnp.asarray(A), jnp.asarray(ROTATION)

    def gap(tx):
        straight, _ = iterates_of(tx, start, 15, lambda θ: a @ θ)
        turned, _ = iterates_of(tx, q @ start, 15, lambda θ: q @ a @ q.T @ θ)
        return abs(turned - straight @ ROTATION.T).max()

    assert gap(matrix_adagrad()) < 1e-9
    assert gap(matrix_adagrad(diagonal_above=0)) > 0.1


def test_on_a_leaf_of_one_entry_and_above_the_limit_it_is_adagrads_diagonal():
    gradients = {"one": jnp.asarray(GRADIENTS[:, :1], "float32"), "large": jnp.asarray(GRADIENTS)}
    gradients = jax.tree.map(lambda g: g.astype(jnp.float32), gradients)
    by = lo.full_matrix(1e-8, 1e-4, initial=0.1, diagonal_above=3)
    diagonal = lo.chain(lo.sum_of_squares(initial=0.1), lo.inverse_root(1e-8, 1e-4))
    ours = updates_for(lo.precondition(optax.identity(), by=by), gradients)
    theirs = updates_for(lo.precondition(optax.identity(), by=diagonal), gradients)
    np.testing.assert_allclose(ours["one"], theirs["one"], rtol=1e-6)
    np.testing.assert_allclose(ours["large"], theirs["large"], rtol=1e-6)


def test_its_limit_is_printed():
    assert repr(lo.full_matrix(diagonal_above=7)) == "full_matrix(diagonal_above=7)"


@pytest.mark.usefixtures("x64")
def test_the_derivative_through_its_eigenvalues_is_the_slope():
    tx, g = lo.precondition(optax.identity(), by=lo.full_matrix(1e-2)), jnp.asarray(GRADIENTS[:3])

    def last(g):
        state = tx.init(g[0])
        for row in g:
            update, state = tx.update(row, state)
        return update @ jnp.arange(1.0, 5.0)

    check_grads(last, (g,), order=1, modes=("fwd", "rev"), rtol=1e-5)


def test_the_derivative_at_gradients_of_zero_is_finite():
    tx = lo.precondition(optax.identity(), by=lo.full_matrix(0.0))

    def second(g):
        _, state = tx.update(g, tx.init(g))
        return jnp.sum(tx.update(g, state)[0])

    assert np.isfinite(jax.grad(second)(jnp.zeros(3))).all()


def test_the_rule_that_applies_d_is_given_both_trees_whole():
    """A D of another structure needs no new machinery: here one number for the whole tree."""

    def whole():
        def update_fn(updates, state, params=None, **extra_args):
            return optax.tree.norm(updates), state

        return lo.block(lambda params: optax.EmptyState(), update_fn)

    def normalise(d, v):
        return jax.tree.map(lambda x: x / d, v)

    tx = lo.precondition(lo.trace(0.0), by=whole(), apply=normalise)
    g = {"a": jnp.array([3.0]), "b": jnp.array([[0.0, 4.0]])}
    update, _ = tx.update(g, tx.init(g))
    np.testing.assert_allclose(update["a"], [0.6], rtol=1e-6)
    np.testing.assert_allclose(update["b"], [[0.0, 0.8]], rtol=1e-6)


@pytest.mark.usefixtures("x64")
def test_newton_is_a_d_that_is_a_tree_of_matrices_and_is_applied_by_solving():
    def loss(θ):
        return jnp.cosh(θ["a"]) * jnp.sum(θ["b"] ** 2) + θ["a"] ** 2 + jnp.sum(θ["b"] ** 4)

    def second_derivative(updates, state, params=None, *, value_fn, **extra_args):
        return jax.hessian(value_fn)(params), state

    def solve(h, v):
        matrix = jnp.block([[h["a"]["a"], h["a"]["b"]], [h["b"]["a"][:, None], h["b"]["b"]]])
        x = jnp.linalg.solve(matrix, jnp.concatenate([v["a"][None], v["b"]]))
        return {"a": x[0], "b": x[1:]}

    by = optax.GradientTransformationExtraArgs(lambda params: optax.EmptyState(), second_derivative)
    by_hand = lo.precondition(optax.identity(), by=by, apply=solve)
    θ = {"a": jnp.float64(0.3), "b": jnp.array([1.0, 2.0])}
    expected, actual = (
        jax.jit(lambda g, tx=tx: tx.update(g, tx.init(θ), θ, value_fn=loss)[0])(jax.grad(loss)(θ))
        for tx in (by_hand, lo.newton())
    )
    np.testing.assert_allclose(actual["a"], expected["a"], rtol=1e-12)
    np.testing.assert_allclose(actual["b"], expected["b"], rtol=1e-12)


@pytest.mark.usefixtures("x64")
def test_where_no_gradient_has_pointed_nothing_moves():
    seen = jnp.array([[1.0, 1.0, 0.0], [1.0, -1.0, 0.0]])
    d = updates_for(lo.full_matrix(eps=0.0), seen)[-1]
    np.testing.assert_allclose(d, np.diag([0.5**0.5, 0.5**0.5, 0]), atol=1e-12)


@pytest.mark.usefixtures("x64", "standard_promotion")
def test_complex_parameters_turn_by_unitary_matrices():
    draw = np.random.default_rng(2).standard_normal
    unitary, _ = np.linalg.qr(draw((3, 3)) + 1j * draw((3, 3)))
    gradients = draw((5, 3)) + 1j * draw((5, 3))
    tx = lo.precondition(optax.identity(), by=lo.full_matrix(1e-3))
    straight, turned = (updates_for(tx, g) for g in (gradients, gradients @ unitary.T))
    np.testing.assert_allclose(turned, straight @ unitary.T, atol=1e-11)


@jax.jit
def weighted(values, gradients):
    """A number made of all entries of the last D, for ε, ε_root and G(0)."""
    tx = lo.full_matrix(*values[:2], initial=values[2])
    state = tx.init(gradients[0])
    for gradient in gradients:
        d, state = tx.update(gradient, state)
    return jnp.sum(jnp.arange(1.0, d.size + 1).reshape(d.shape) * d)


@pytest.mark.usefixtures("x64")
def test_the_derivative_by_its_numbers_is_a_slope():
    at, step = jnp.array([0.1, 0.2, 0.3]), 1e-6
    slope = jax.grad(weighted)(at, jnp.asarray(GRADIENTS[:3]))
    for i, along in enumerate(step * jnp.eye(3)):
        ahead, behind = (weighted(at + s * along, GRADIENTS[:3]) for s in (1, -1))
        np.testing.assert_allclose(slope[i], (ahead - behind) / (2 * step), rtol=1e-7)


def test_the_derivative_where_eigenvalues_meet_is_finite():
    slope = jax.jit(jax.grad(weighted, (0, 1)))
    for values in ([0.0, 0.0, 0.0], [1e-8, 0.0, 0.0], [0.0, 0.0, 1.0]):
        for gradients in (jnp.zeros((3, 4)), jnp.eye(4)[:3]):
            assert all(jnp.isfinite(x).all() for x in slope(jnp.float32(values), gradients))


def test_a_gradient_that_is_no_number_is_seen():
    d = updates_for(lo.full_matrix(), jnp.float32(GRADIENTS).at[2, 1].set(jnp.nan))
    assert jnp.isfinite(d[:2]).all() and jnp.isnan(d[2:]).all()


def test_over_several_devices_it_does_what_it_does_on_one():
    gradient = jnp.float32(GRADIENTS[:2])
    tx = lo.precondition(optax.identity(), by=lo.full_matrix(1e-2))
    step = jax.jit(lambda g: tx.update(g, tx.init(g))[0])
    mesh = jax.make_mesh((2,), ("x",), axis_types=(AxisType.Explicit,))
    layout = NamedSharding(mesh, PartitionSpec("x", None))
    with jax.set_mesh(mesh):
        update = step(jax.device_put(gradient, layout))
        assert update.sharding.is_equivalent_to(layout, 2)
    np.testing.assert_allclose(update, step(gradient), rtol=1e-5)
