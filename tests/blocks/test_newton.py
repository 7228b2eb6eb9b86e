"""One step to the bottom of a quadratic, from all of H or from products with it; downhill else."""

from functools import partial
from itertools import pairwise

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import lecture_optax as lo

N = 6
both_ways = pytest.mark.parametrize("above", [128, 0], ids=["dense", "conjugate gradients"])


def symmetric(eigenvalues, seed=0):
    q, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(N, N)))
    return q @ np.diag(eigenvalues) @ q.T


def bowl(a, b):
    """θᵀAθ/2 - bᵀθ on a tree of two leaves."""

    def loss(θ):
        x = jnp.concatenate([θ["w"].reshape(-1), θ["b"]])
        return x @ jnp.asarray(a, x.dtype) @ x / 2 - jnp.asarray(b, x.dtype) @ x

    return loss


def tree(x):
    return {"w": jnp.asarray(x[:4]).reshape(2, 2), "b": jnp.asarray(x[4:])}


def flat(θ):
    return np.concatenate([np.asarray(θ["w"]).reshape(-1), np.asarray(θ["b"])])


def direction(tx, loss, θ, v=None):
    v = jax.grad(loss)(θ) if v is None else v
    step = jax.jit(partial(tx.update, value_fn=loss))
    return step(v, tx.init(θ), θ)


@both_ways
@pytest.mark.usefixtures("x64")
def test_one_step_solves_a_quadratic(above):
    a, b = symmetric([0.5, 1, 2, 5, 20, 100]), np.arange(N) - 2.5
    loss, θ = bowl(a, b), tree(np.linspace(-1, 3, N))
    tx = lo.chain(lo.newton(iterative_above=above), lo.scale_by_learning_rate(1.0))
    update, state = direction(tx, loss, θ)
    solution = np.linalg.solve(a, b)
    found = flat(optax.apply_updates(θ, update))
    np.testing.assert_allclose(found, solution, atol=1e-12 * abs(solution).max())
    assert float(state[0].shift) == 0


@both_ways
@pytest.mark.parametrize("damping", [0.0, 0.7])
@pytest.mark.usefixtures("x64")
def test_any_velocity_is_solved_for_with_the_damping_asked_for(above, damping):
    a, v = symmetric([0.5, 1, 2, 5, 20, 100], seed=1), np.cos(np.arange(N))
    tx = lo.newton(damping, iterative_above=above)
    x, state = direction(tx, bowl(a, np.zeros(N)), tree(np.ones(N)), tree(v))
    expected = np.linalg.solve(a + damping * np.eye(N), v)
    np.testing.assert_allclose(flat(x), expected, atol=1e-12 * abs(expected).max())
    assert float(state.shift) == damping
    assert float(state.residual) < 1e-12


@both_ways
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.usefixtures("x64")
def test_where_the_loss_bends_down_the_shift_is_raised_and_told_and_the_way_leads_downhill(
    above, seed
):
    a, v = symmetric([-3.0, -1, 0.5, 2, 5, 20], seed), np.sin(1 + np.arange(N))
    tx = lo.newton(iterative_above=above)
    x, state = direction(tx, bowl(a, np.zeros(N)), tree(np.ones(N)), tree(v))
    shift = float(state.shift)
    assert shift > 0
    assert shift <= 6.0 + 1e-9  # never above twice the most negative eigenvalue
    np.testing.assert_allclose((a + shift * np.eye(N)) @ flat(x), v, atol=1e-9)
    assert flat(x) @ v > 0
    assert float(state.curvature) < 0


@pytest.mark.usefixtures("x64")
def test_from_all_of_h_the_shift_turns_the_lowest_eigenvalue_round():
    a = symmetric([-3.0, -1, 0.5, 2, 5, 20])
    _, state = direction(lo.newton(), bowl(a, np.zeros(N)), tree(np.ones(N)))
    np.testing.assert_allclose(state.shift, 6.0, rtol=1e-12)
    np.testing.assert_allclose(state.curvature, -3.0, rtol=1e-12)


@both_ways
@pytest.mark.usefixtures("x64")
def test_a_direction_in_which_the_loss_is_flat_is_left_alone(above):
    a = np.diag([0.0, 1, 2, 4, 5, 20])
    v = np.array([0.0, 1, 1, 1, 1, 1]) if above == 0 else np.ones(N)
    x, _ = direction(
        lo.newton(iterative_above=above), bowl(a, np.zeros(N)), tree(np.ones(N)), tree(v)
    )
    np.testing.assert_allclose(flat(x), [0, 1, 1 / 2, 1 / 4, 1 / 5, 1 / 20], atol=1e-12)


@pytest.mark.usefixtures("x64")
def test_the_two_ways_agree_on_a_loss_that_is_no_quadratic():
    def loss(θ):
        return jnp.sum(jnp.logaddexp(θ["w"], -θ["w"])) + jnp.sum(jnp.cosh(θ["b"] - 0.3))

    θ = tree(np.linspace(-0.5, 0.9, N))
    dense, _ = direction(lo.newton(), loss, θ)
    iterative, _ = direction(lo.newton(iterative_above=0), loss, θ)
    np.testing.assert_allclose(flat(iterative), flat(dense), rtol=1e-11)


@pytest.mark.usefixtures("x64")
def test_newtons_iteration_squares_the_error_of_a_convex_loss():
    def loss(θ):
        return jnp.sum(jnp.exp(θ) - 2 * θ)

    tx = lo.chain(lo.newton(), lo.scale_by_learning_rate(1.0))
    θ, errors = jnp.full(3, 1.0), []
    for _ in range(4):
        update, _ = direction(tx, loss, θ)
        θ = optax.apply_updates(θ, update)
        errors.append(float(abs(θ[0] - np.log(2))))
    assert all(new < 0.6 * old**2 + 1e-15 for old, new in pairwise(errors))


@both_ways
@pytest.mark.usefixtures("x64")
def test_the_derivative_by_the_velocity_is_the_inverse_itself(above):
    a = symmetric([0.5, 1, 2, 5, 20, 100])
    tx, loss, θ = lo.newton(iterative_above=above), bowl(a, np.zeros(N)), tree(np.ones(N))

    def x(v):
        out, _ = tx.update(tree(v), tx.init(θ), θ, value_fn=loss)
        return jnp.concatenate([out["w"].reshape(-1), out["b"]])

    slope = jax.jacrev(x)(jnp.ones(N))
    np.testing.assert_allclose(slope, np.linalg.inv(a), atol=1e-9)


def test_it_solves_for_what_a_velocity_gives_behind_it():
    a, v = np.diag([1.0, 2, 4, 5, 8, 10]), np.ones(N)
    tx = lo.chain(lo.trace(0.5), lo.newton())
    loss, θ = bowl(a, np.zeros(N)), tree(np.ones(N, "float32"))
    state, gradient = tx.init(θ), tree(v.astype("float32"))
    for _ in range(2):
        x, state = tx.update(gradient, state, θ, value_fn=loss)
    np.testing.assert_allclose(flat(x), 1.5 / np.diag(a), rtol=1e-6)


def test_the_loss_is_given_the_extra_arguments_that_it_names():
    def loss(θ, scale):
        return scale * jnp.sum(θ**2) / 2

    tx, θ = lo.newton(), jnp.ones(3)
    x, _ = tx.update(θ, tx.init(θ), θ, value_fn=loss, scale=4.0, value=1.0)
    np.testing.assert_allclose(x, np.full(3, 0.25), rtol=1e-6)


@both_ways
def test_a_loss_that_is_not_a_number_ends_in_nan_and_does_not_hang(above):
    def loss(θ):
        return jnp.sum(jnp.sqrt(θ))

    x, _ = direction(lo.newton(iterative_above=above), loss, jnp.full(3, -1.0), jnp.ones(3))
    assert np.isnan(x).all()


def test_without_the_loss_or_the_parameters_it_says_how_to_call_it():
    tx, θ = lo.newton(), jnp.ones(3)
    with pytest.raises(ValueError, match=r"value_fn=None: call tx.update\(.*value_fn=loss\)"):
        tx.update(θ, tx.init(θ), θ)
    with pytest.raises(ValueError, match="newton needs the parameters, got params=None"):
        tx.update(θ, tx.init(θ), value_fn=jnp.sum)
    with pytest.raises(TypeError, match=r"value_fn=3\.0"):
        tx.update(θ, tx.init(θ), θ, value_fn=3.0)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"damping": -1.0}, "damping must be a finite number >= 0, got -1.0"),
        ({"tolerance": float("nan")}, "tolerance must be"),
        ({"max_steps": 0}, "max_steps must be a whole number of steps >= 1, got 0"),
        ({"iterative_above": -1}, "iterative_above must be a whole number of entries >= 0"),
    ],
)
def test_a_bad_argument_is_refused_by_name(arguments, words):
    with pytest.raises(ValueError, match=words):
        lo.newton(**arguments)


def test_it_prints_as_python_that_builds_it():
    assert repr(lo.newton(0.1)) == "newton(damping=0.1, iterative_above=128)"
