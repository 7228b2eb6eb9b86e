"""The built-in problems are what they say, learn, and keep a test split away."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import lecture_optax as lo
from lecture_optax.training import Program, problems
from lecture_optax.training.problems import PROBLEMS

TX = lo.sgd(2e-2, momentum=0.9)
CLASSES = {"logistic": 2, "softmax": 10, "mlp_digits": 10, "cnn_digits": 10, "char_rnn": 96}


@pytest.mark.parametrize("name", PROBLEMS)
def test_a_problem_learns_from_where_guessing_stands(name):
    problem = PROBLEMS[name]
    result = lo.fit(
        problem.build(), tx=TX, steps=40, batch_size=problem.batch_size, evaluations=[0]
    )
    first, last = result.history["valid_loss"][[0, -1]]
    assert last < 0.9 * first
    if name in CLASSES:
        assert 0.7 * np.log(CLASSES[name]) < first < 2.5 * np.log(CLASSES[name])


@pytest.mark.parametrize("name", PROBLEMS)
def test_the_rows_of_test_are_in_neither_of_the_others(name):
    build = PROBLEMS[name].build
    valid, test = build(), build(held_out="test")
    for one, other in zip(jax.tree.leaves(valid.train), jax.tree.leaves(test.train), strict=True):
        np.testing.assert_array_equal(one, other)
    rows = [
        [row.tobytes() for row in jax.tree.leaves(part)[0]]
        for part in (valid.train, valid.valid, test.valid)
    ]
    seen = {row for part in rows[:2] for row in part}
    # the documentation repeats itself; measurements do not
    assert sum(row in seen for row in rows[2]) <= (0.02 * len(rows[2]) if name == "char_rnn" else 0)


@pytest.mark.parametrize("name", PROBLEMS)
def test_a_problem_has_a_line_of_description_and_a_batch_that_fits(name):
    problem = PROBLEMS[name]
    assert 10 < len(problem.about) < 80
    assert problem.batch_size <= len(jax.tree.leaves(problem.build().train)[0])


@pytest.mark.parametrize(
    ("name", "meant"),
    [("sofmax", "softmax"), ("mlp-digits", "mlp_digits"), ("charnn", "char_rnn")],
)
def test_a_mistyped_name_gets_the_nearest_one(name, meant):
    with pytest.raises(ValueError, match=rf"got '{name}'\. Did you mean '{meant}'\?"):
        problems.problem_named(name)


def test_held_out_rows_are_valid_or_test():
    with pytest.raises(ValueError, match="held_out must be one of 'valid', 'test', got 'train'"):
        problems.softmax(held_out="train")


def test_a_tenth_of_the_quadratics_eigenvalues_are_steep():
    problem, x = problems.quadratic_deep(), jnp.zeros((1, 100))
    hessian = jax.hessian(lambda θ: problem.loss(θ, {}, x, None)[0])(jnp.ones(100))
    eigenvalues = np.linalg.eigvalsh(hessian)
    assert (eigenvalues[:90] > -1e-4).all() and (eigenvalues[:90] < 1).all()
    assert (eigenvalues[90:] > 30).all() and (eigenvalues[90:] < 60).all()
    assert np.abs(np.linalg.eigh(hessian)[1]).max() < 0.9  # turned: no axis is an eigenvector


def test_a_product_with_patches_is_a_convolution():
    x = jax.random.normal(jax.random.key(0), (2, 8, 8, 3))
    kernel = jax.random.normal(jax.random.key(1), (3, 3, 3, 5))
    dimensions = ("NHWC", "HWIO", "NHWC")
    expected = jax.lax.conv_general_dilated(x, kernel, (1, 1), "SAME", dimension_numbers=dimensions)
    got = problems.patches(x) @ kernel.reshape(27, 5)
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-4)


def test_no_loop_of_the_cnn_holds_a_convolution():
    problem = problems.cnn_digits()
    program = Program.of(problem, lo.sgd(0.1))
    carry = jax.eval_shape(lambda: program.init(0))
    assert "conv_general_dilated" not in str(
        jax.make_jaxpr(program.step)(carry, jax.tree.map(lambda x: x[:64], problem.train))
    )


def test_inputs_are_standardised_by_the_training_rows_alone():
    train, held_out = problems.logistic().train[0], problems.logistic().valid[0]
    np.testing.assert_allclose(train.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(train.std(0), 1, atol=1e-4)
    assert np.abs(held_out.mean(0)).max() > 1e-3


def test_the_targets_of_a_text_are_its_next_characters():
    x, y = problems.char_rnn().train
    np.testing.assert_array_equal(x[:, 1:], y[:, :-1])
    assert x.min() >= 0 and x.max() < problems.CHARACTERS
    line = "".join(chr(code + 31) if code else "\n" for code in x[:200].ravel())
    assert " the " in line
