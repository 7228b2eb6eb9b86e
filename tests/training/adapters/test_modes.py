"""A model trains in train mode and is judged in evaluation mode; the caller's own is untouched."""

import signal

import chex
import equinox as eqx
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import lecture_optax as lo
from lecture_optax.training import Problem, Program

from ..models import ADAM, TRAIN, VALID, noisy

DATA = jax.tree.map(jnp.asarray, TRAIN)
KINDS = ("linen", "nnx", "equinox")
SEEN: list[tuple[bool, ...]] = []
"""What the keywords were, in the order in which `Asked` names them."""


def problem_of(kind, model, data=TRAIN):
    return getattr(Problem, f"from_{kind}")(model, data, loss="cross_entropy")


def asked(train, training, is_training, deterministic, use_running_average):
    SEEN.append((train, training, is_training, deterministic, use_running_average))


class LinenAsked(nn.Module):
    @nn.compact
    def __call__(self, x, *, train, training, is_training, deterministic, use_running_average):
        asked(train, training, is_training, deterministic, use_running_average)
        return nn.Dense(2)(x)


class NnxAsked(nnx.Module):
    def __init__(self):
        self.layer = nnx.Linear(4, 2, rngs=nnx.Rngs(0))

    def __call__(self, x, *, train, training, is_training, deterministic, use_running_average):
        asked(train, training, is_training, deterministic, use_running_average)
        return self.layer(x)


class EquinoxAsked(eqx.Module):
    layer: eqx.nn.Linear

    def __call__(self, x, *, train, training, is_training, deterministic, use_running_average):
        asked(train, training, is_training, deterministic, use_running_average)
        return self.layer(x)


ASKED = {
    "linen": LinenAsked,
    "nnx": NnxAsked,
    "equinox": lambda: EquinoxAsked(eqx.nn.Linear(4, 2, key=jax.random.key(0))),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_word_for_the_mode_is_set(kind):
    problem = problem_of(kind, ASKED[kind]())
    carry = Program.of(problem, ADAM).init()
    SEEN.clear()
    jax.eval_shape(problem.loss, carry.params, carry.model_state, TRAIN, carry.key)
    assert SEEN == [(True, True, True, False, False)]
    SEEN.clear()
    jax.eval_shape(problem.functions.predict, carry.params, carry.model_state, TRAIN[0])
    assert SEEN == [(False, False, False, True, True)]


@pytest.mark.parametrize("kind", KINDS)
def test_dropout_and_batch_statistics_act_in_training_only(kind):
    problem = problem_of(kind, noisy(kind))
    carry = Program.of(problem, ADAM).init()

    @jax.jit
    def evaluation(key):
        loss, state = problem.loss(carry.params, carry.model_state, DATA, key)
        return loss, state, problem.functions.predict(carry.params, carry.model_state, VALID[0])

    (one, state, before), (other, again, after) = map(
        evaluation, jax.random.split(jax.random.key(0))
    )
    assert one != other  # another mask
    chex.assert_trees_all_close(state, again)  # the layers before the mask saw the same rows
    assert any(
        (np.asarray(new) != old).any()
        for new, old in zip(*map(jax.tree.leaves, (state, carry.model_state)), strict=True)
    )
    np.testing.assert_array_equal(before, after)


class NnxGiven(nnx.Module):
    """Dropout that is given its random numbers with the call."""

    def __init__(self):
        self.dropout, self.layer = nnx.Dropout(0.5), nnx.Linear(4, 2, rngs=nnx.Rngs(0))

    def __call__(self, x, rngs):
        return self.layer(self.dropout(x, rngs=rngs))


def test_random_numbers_are_passed_to_an_nnx_call_that_names_them():
    problem = problem_of("nnx", NnxGiven())
    params, state = problem.start
    one, other = (problem.loss(params, state, DATA, jax.random.key(i))[0] for i in range(2))
    assert one != other
    expected = problem.export(params, state).layer(VALID[0])
    np.testing.assert_allclose(
        problem.functions.predict(params, state, VALID[0]), expected, rtol=1e-6
    )


@pytest.fixture(scope="module")
def runs():
    """The models as they came back, and copies of what was passed."""
    found = {}
    for kind in KINDS:
        model = noisy(kind)
        held = jax.tree.leaves(nnx.as_pure(nnx.state(model)) if kind == "nnx" else model)
        copies = [_bits(x) for x in held]
        run = lo.fit(model, TRAIN, loss="cross_entropy", tx=ADAM, steps=7, batch_size=24)
        found[kind] = run, held, copies
    return found


def _bits(x):
    is_key = isinstance(x, jax.Array) and jnp.issubdtype(x.dtype, jax.dtypes.prng_key)
    return np.array(jax.random.key_data(x) if is_key else x)


def linen_says(model):
    return model(VALID[0], train=False)


def nnx_says(model):
    return nnx.view(model, deterministic=True, use_running_average=True)(VALID[0])


def equinox_says(model):
    module, state = eqx.nn.inference_mode(model[0]), model[1]
    return jax.vmap(lambda x: module(x, state, None)[0], axis_name="batch")(VALID[0])


SAYS = {"linen": linen_says, "nnx": nnx_says, "equinox": equinox_says}
"""Each model called as its own library has it in evaluation."""


@pytest.mark.parametrize("kind", KINDS)
def test_the_model_that_comes_back_predicts_what_the_result_does(kind, runs):
    run = runs[kind][0]
    model = (run.model, run.model_state[1]) if kind == "equinox" else run.model
    expected = SAYS[kind](model)
    np.testing.assert_allclose(expected, run.predict(VALID[0]), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_the_arrays_of_the_model_that_was_passed_are_neither_donated_nor_written(kind, runs):
    _, held, copies = runs[kind]
    for array, copy in zip(held, copies, strict=True):
        np.testing.assert_array_equal(_bits(array), copy)


def _ctrl_c(event):
    if event.step:
        signal.raise_signal(signal.SIGINT)


def _mistake(event):
    if event.step:
        raise LookupError("a hook of the person's own")


@pytest.mark.parametrize(
    ("hook", "error"),
    [(_ctrl_c, KeyboardInterrupt), (_mistake, LookupError)],
    ids=["Ctrl-C", "error"],
)
def test_an_nnx_model_is_not_touched_by_a_run_that_does_not_end(hook, error):
    model = noisy("nnx")
    graph, state = nnx.split(model)
    before = [_bits(x) for x in jax.tree.leaves(nnx.as_pure(state))]
    with pytest.raises(error):
        lo.fit(model, TRAIN, loss="cross_entropy", tx=ADAM, steps=7, batch_size=24, hooks=[hook])
    again, state = nnx.split(model)
    assert again == graph
    for array, copy in zip(jax.tree.leaves(nnx.as_pure(state)), before, strict=True):
        np.testing.assert_array_equal(_bits(array), copy)
