"""Complex parameters: the optimizer receives the conjugate of JAX's gradient, and converges."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import lecture_optax as lo
from lecture_optax.training import Problem, Program, losses

pytestmark = pytest.mark.usefixtures("untyped", "mixed")


@pytest.fixture
def mixed():
    """Complex times real promotes, also in the threads that compile."""
    jax.config.update("jax_numpy_dtype_promotion", "standard")
    yield
    jax.config.update("jax_numpy_dtype_promotion", "strict")


random = np.random.default_rng(0)
A = (random.normal(size=(64, 4)) + 1j * random.normal(size=(64, 4))).astype(np.complex64)
TRUTH = np.array([1 + 2j, -1j, 0.5, -2 + 1j], np.complex64)
PROBLEM = Problem.from_functions(
    init=lambda key: jnp.full(4, 0.1 + 0.2j, jnp.complex64),
    loss=lambda θ, batch: jnp.abs(batch[0] @ θ - batch[1]) ** 2,
    train=(A, A @ TRUTH),
)
NEWTON = lo.chain(lo.newton(), lo.scale_by_learning_rate(1.0))
NEWTON_CG = lo.chain(lo.newton(iterative_above=0), lo.scale_by_learning_rate(1.0))
SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    ("tx", "steps"),
    [
        (lo.adam(0.2), 200),
        (NEWTON, 2),
        pytest.param(NEWTON_CG, 2, marks=SLOW),
        pytest.param(optax.adam(0.2), 200, marks=SLOW),
        pytest.param(optax.lbfgs(), 20, marks=SLOW),
    ],
    ids=["adam", "newton", "conjugate gradients", "optax.adam", "optax.lbfgs"],
)
def test_complex_least_squares_are_solved(tx, steps):
    result = lo.fit(PROBLEM, tx=tx, steps=steps, batch_size=64)
    np.testing.assert_allclose(result.params, TRUTH, atol=0.02)


def test_accumulated_steps_and_their_norms_are_those_of_real_and_imaginary_parts():
    program = Program.of(PROBLEM, lo.sgd(0.1), batch_size=16, accumulate=4)
    carry = program.init()
    θ = np.asarray(carry.params)
    gradient = 2 * A.conj().T @ (A @ θ - PROBLEM.train[1]) / 64
    after, record = jax.jit(program.step)(carry, PROBLEM.train)
    np.testing.assert_allclose(after.params, θ - 0.1 * gradient, rtol=1e-4)
    size = np.linalg.norm(gradient)
    np.testing.assert_allclose(record.grad_norm, size, rtol=1e-5)
    np.testing.assert_allclose(record.update_ratio, 0.1 * size / np.linalg.norm(θ), rtol=1e-5)


@pytest.mark.slow
def test_searches_and_continuations_find_them_too():
    found = lo.recipe.run(PROBLEM, steps=60, batch_size=16)
    np.testing.assert_allclose(found.params, TRUTH, atol=0.1)
    assert "needs real parameters" in found.report()  # the curvature is not measured
    grid = lo.recipe.sweep(PROBLEM, rates=[1e-3, 1e-1], schedules=["constant"], steps=20)
    assert grid.best().lowest < 1 and grid.best().rate == 0.1
    run = lo.fit(PROBLEM, tx=lo.sgd(1e-3), steps=2)
    assert lo.recipe.fork(PROBLEM, run, run.optimizer, steps=20).remedy == "increase"


@pytest.mark.parametrize("loss", ["mse", "mae", "huber"])
def test_losses_by_name_take_complex_predictions_and_targets(loss):
    prediction, target = A[:, 0], (A @ TRUTH).astype(np.complex64)
    error = np.abs(prediction - target)
    expected = {
        "mse": error**2,
        "mae": error,
        "huber": np.where(error < 1, error**2 / 2, error - 0.5),
    }[loss]
    found = getattr(losses, loss)
    np.testing.assert_allclose(found(prediction, target), expected, rtol=1e-5)
    np.testing.assert_allclose(
        found(prediction.real, target), found(prediction.real + 0j, target), rtol=1e-5
    )


@pytest.mark.parametrize("tx", [optax.sm3(0.1), optax.chain(optax.clip(1.0), optax.sgd(0.1))])
def test_an_optimizer_of_real_numbers_is_refused_with_the_way_out(tx):
    with pytest.raises(ValueError, match=r"tx does not take complex parameters.*split_real_and"):
        lo.fit(PROBLEM, tx=tx, steps=1)
