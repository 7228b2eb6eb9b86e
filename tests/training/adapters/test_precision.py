"""A narrow model is trained wide: only its own arithmetic is in the dtype that was asked for."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import lecture_optax as lo
from lecture_optax.training import Problem, Program

from ..models import ADAM, TRAIN, VALID, LinenNet, noisy

pytestmark = pytest.mark.usefixtures("standard_promotion")  # BatchNorm's statistics stay float32
BFLOAT16 = jnp.bfloat16


def dtypes(tree):
    return {x.dtype.name for x in jax.tree.leaves(tree) if jnp.issubdtype(x.dtype, jnp.floating)}


@pytest.mark.parametrize("kind", ["linen", "nnx", "equinox"])
def test_gradients_and_running_statistics_stay_wide(kind):
    build = getattr(Problem, f"from_{kind}")
    problem = build(noisy(kind), TRAIN, loss="cross_entropy", dtype=BFLOAT16)
    carry = Program.of(problem, lo.sgd(0.1)).init()
    gradient = jax.value_and_grad(problem.loss, has_aux=True)
    (value, state), slope = jax.eval_shape(
        gradient, carry.params, carry.model_state, TRAIN, carry.key
    )
    assert dtypes((value, state, slope, carry)) == {"float32"}
    assert jax.tree.structure(state) == jax.tree.structure(carry.model_state)


def test_the_model_sees_narrow_parameters_and_inputs_and_the_loss_what_is_wide():
    seen = {}

    def apply(variables, x, *, train, rngs, mutable):
        seen["parameters"], seen["input"] = dtypes(variables), x.dtype.name
        out = LinenNet().apply(variables, x)
        seen["prediction"] = out.dtype.name
        return (out, {}) if mutable is not False else out

    def loss(prediction, target):
        seen["loss"] = prediction.dtype.name, target.dtype.name
        return (prediction[:, 0] - target) ** 2

    y = np.float32(TRAIN[1]) + 2.0**-20  # would be rounded away
    problem = Problem.from_linen(
        LinenNet(), (TRAIN[0], y), loss=loss, apply=apply, dtype="bfloat16"
    )
    params = LinenNet().init(jax.random.key(0), TRAIN[0])["params"]
    jax.eval_shape(problem.loss, params, {}, (TRAIN[0], y), jax.random.key(0))
    assert seen == {
        "parameters": {"bfloat16"},
        "input": "bfloat16",
        "prediction": "bfloat16",
        "loss": ("float32", "float32"),
    }


def test_a_narrow_model_learns_as_a_wide_one():
    wide, narrow = (
        lo.fit(
            noisy("linen"),
            TRAIN,
            loss="cross_entropy",
            valid=VALID,
            tx=ADAM,
            steps=60,
            batch_size=24,
            evaluations=1,
            dtype=dtype,
        )
        for dtype in (None, BFLOAT16)
    )
    assert dtypes((narrow.params, narrow.model_state, narrow.opt_state)) == {"float32"}
    assert narrow.predict(VALID[0]).dtype == jnp.float32
    np.testing.assert_allclose(narrow.history["loss"], wide.history["loss"], atol=0.05)
    assert (narrow.history["loss"] != wide.history["loss"]).any()
