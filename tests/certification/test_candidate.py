"""Anybody's factory becomes a candidate, with what a few trials say about it."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import optax.contrib
import pytest

from lecture_optax.testing.certification.candidate import candidate_of, ordinary_session


def momentum(lr, decay=0.9, *, scale=2.0, verbose=False, **others):
    return optax.chain(optax.trace(decay), optax.scale(-lr * scale))


def by_place(learning_rate, decay=0.9, /):
    return optax.sgd(learning_rate, decay)


class Plain:
    """An optimizer of a library that knows nothing of Optax."""

    def __init__(self, learning_rate=0.1):
        self.learning_rate = learning_rate

    def init(self, params):
        return ()

    def update(self, gradient, state):
        return jax.tree.map(lambda g: -self.learning_rate * g, gradient), state


def branching(learning_rate=0.1, decay=0.9):
    return optax.sgd(learning_rate, decay if decay > 0 else None)


def hungry():
    def update(updates, state, params=None, *, obj_fn, **extra):
        return jax.tree.map(lambda g: -g * obj_fn(params), updates), state

    return optax.GradientTransformationExtraArgs(lambda p: (), update)


def hyperparameters(make):
    return {n: tuple(h) for n, h in candidate_of(make).subject.hyperparameters.items()}


def test_every_numeric_argument_is_a_hyperparameter():
    assert hyperparameters(momentum) == {
        "lr": (1e-3, "[0, inf)", False),
        "decay": (0.9, "[0, 1)", False),
        "scale": (2.0, "(-inf, inf)", False),
    }
    assert candidate_of(momentum).rate == "lr"
    assert hyperparameters(optax.adam)["learning_rate"] == (1e-3, "[0, inf)", True)
    assert candidate_of(optax.adam).subject.accumulators == {"mu_dtype": "mu"}


@pytest.mark.parametrize(
    "make",
    [
        functools.partial(momentum, 0.1),
        by_place,
        Plain,
        optax.inject_hyperparams(optax.adam),
        lambda: optax.sgd(0.1),
        lambda: (lambda p: (), lambda g, s: (g, s)),
        optax.sgd(0.1),
        Plain(),
        optax.GradientTransformation(lambda p: (), lambda g, s, p: (g, s)),
    ],
)
def test_it_takes_what_builds_a_transformation(make):
    candidate = candidate_of(make, {"a": np.ones(2), "b": [jnp.ones((2, 2)), None]})
    with ordinary_session():
        update, _ = candidate.step(candidate.params, candidate.tx.init(candidate.params), None)
    assert jax.tree.map(jnp.shape, update) == {"a": (2,), "b": [(2, 2), None]}


def test_a_transformation_says_that_its_hyperparameters_were_not_checked():
    assert "hyperparameters were not checked" in " ".join(candidate_of(optax.sgd(0.1)).notes)


def test_a_value_in_a_branch_is_not_data():
    candidate = candidate_of(branching)
    assert list(candidate.subject.hyperparameters) == ["learning_rate"]
    assert "TracerBoolConversionError" in candidate.not_data["decay"]


def test_what_a_step_needs_is_found():
    adamw = candidate_of(optax.adamw).subject
    assert adamw.needs_params and adamw.extra_args is None
    assert not candidate_of(optax.adam).subject.needs_params
    for make, names in ((optax.polyak_sgd, {"value"}), (hungry, {"obj_fn"})):
        candidate = candidate_of(make)
        assert set(candidate.subject.extra_args(candidate.params)) == names
    lbfgs = candidate_of(optax.lbfgs).subject
    assert set(lbfgs.extra_args(jnp.ones(2))) == {"value", "grad", "value_fn"}
    assert lbfgs.run_compiled and not adamw.run_compiled


def test_a_magnitude_is_no_update():
    squares = optax.stateless(lambda g, p: jax.tree.map(lambda x: x**2, g))
    roots = optax.stateless(lambda g, p: jax.tree.map(jnp.sqrt, g))
    square, root = candidate_of(squares).subject, candidate_of(roots).subject
    assert (square.takes, square.gives) == ("gradient", "magnitude")
    assert (root.takes, root.gives) == ("magnitude", "magnitude")
    assert candidate_of(optax.sign_sgd).subject.gives == "update"


def test_a_mask_by_name_takes_no_other_tree():
    masked = functools.partial(optax.masked, optax.sgd(0.1), {"w": True, "b": False})
    assert candidate_of(masked).other_trees and not candidate_of(optax.sgd).other_trees


@pytest.mark.parametrize(
    ("make", "params", "words"),
    [
        (lambda size: optax.sgd(size), None, r"requires size: pass lambda: make\(size=\.\.\.\)"),
        (3, None, "make must be a function that builds a transformation, got 3"),
        (lambda: 3, None, "make must return a transformation with init and update, got 3"),
        (lambda: 1 / 0, None, "cannot be built: ZeroDivisionError"),
        (optax.sgd, {"w": "text"}, "params must be a tree of arrays"),
        (optax.sgd, {}, "params must have at least one number"),
    ],
)
def test_what_cannot_be_certified_ends_in_a_sentence(make, params, words):
    with pytest.raises((TypeError, ValueError), match=words):
        candidate_of(make, params)


def test_what_takes_a_gradient_of_every_example_is_tried_on_a_matrix_and_says_so():
    candidate = candidate_of(lambda: optax.contrib.dpsgd(0.1, 1.0, 1.0, 0))
    assert "need the gradient of every example" in " ".join(candidate.notes)
