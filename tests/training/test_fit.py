"""One call trains any kind of model, and changes nothing that is not its own."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import lecture_optax as lo
from lecture_optax.training import NonFiniteError, Program

from .models import (
    ADAM,
    PARAMS,
    PROBLEMS,
    TRAIN,
    VALID,
    LinenNet,
    LinenNoisy,
    NnxNoisy,
    nnx_model,
    noisy,
)

kinds = pytest.mark.parametrize("kind", ["linen", "nnx", "equinox"])


def leaves(tree):
    return [np.asarray(x) for x in jax.tree.leaves(tree)]


@pytest.fixture(scope="module")
def four_runs():
    return {
        kind: lo.fit(build(), tx=ADAM, steps=50, batch_size=16) for kind, build in PROBLEMS.items()
    }


@pytest.mark.parametrize("kind", PROBLEMS)
def test_four_kinds_of_model_give_the_same_numbers(four_runs, kind):
    one, other = four_runs["functions"], four_runs[kind]
    ulps = 50 * np.finfo("float32").eps  # one a step: XLA may fuse the four programs differently
    for ours, theirs in (
        (other.history["loss"], one.history["loss"]),
        (other.predict(VALID[0]), one.predict(VALID[0])),
    ):
        np.testing.assert_allclose(ours, theirs, rtol=ulps, atol=ulps)
    assert other.kept == one.kept


def test_linen_and_nnx_are_the_same_program_bitwise(four_runs):
    np.testing.assert_array_equal(
        four_runs["linen"].history["loss"], four_runs["nnx"].history["loss"]
    )


@kinds
def test_a_model_with_batch_norm_and_dropout_trains(kind):
    result = lo.fit(
        noisy(kind), TRAIN, loss="cross_entropy", valid=VALID, tx=ADAM, steps=300, batch_size=24
    )
    assert result.history["valid_loss"].min() < 0.55
    assert result.history["loss"][-20:].mean() < 0.6 * result.history["loss"][:5].mean()
    moved = leaves(result.model_state)
    assert any(np.abs(x).max() > 0.05 for x in moved if x.dtype == np.float32)


@kinds
def test_two_runs_of_one_seed_are_equal_and_another_seed_is_not(kind):
    def losses(seed):
        run = lo.fit(noisy(kind), TRAIN, loss="cross_entropy", tx=ADAM, steps=12, seed=seed)
        return run.history["loss"]

    np.testing.assert_array_equal(losses(0), losses(0))
    assert (losses(0) != losses(1)).any()


def test_init_is_given_exactly_the_key_of_the_seed():
    expected = LinenNoisy().init(jax.random.key(7), TRAIN[0], train=False)
    program = Program.of(
        lo.training.Problem.from_linen(LinenNoisy(), TRAIN, loss="cross_entropy"), ADAM
    )
    carry = program.init(seed=7)
    for got, want in zip(leaves(carry.params), leaves(expected["params"]), strict=True):
        np.testing.assert_array_equal(got, want)


def test_the_rows_of_the_arrays_and_given_parameters_stay_the_callers():
    params, data = jax.tree.map(jnp.array, PARAMS), jax.tree.map(jnp.array, TRAIN)
    lo.fit(LinenNet(), data, loss="cross_entropy", tx=ADAM, steps=5, params=params)
    for got, want in zip(leaves((params, data)), leaves((PARAMS, TRAIN)), strict=True):
        np.testing.assert_array_equal(got, want)


def test_an_nnx_model_is_updated_and_keeps_its_mode_and_its_streams():
    model = NnxNoisy(nnx.Rngs(0))
    model.dropout.deterministic, model.norm.use_running_average = True, False
    before = jax.random.key_data(model.dropout.rngs.key[...]), model.dropout.rngs.count[...]
    result = lo.fit(model, TRAIN, loss="cross_entropy", tx=ADAM, steps=10)
    assert result.model is model
    for got, want in zip(leaves(nnx.state(model, nnx.Param)), leaves(result.params), strict=True):
        np.testing.assert_array_equal(got, want)
    assert np.abs(model.norm.mean[...]).max() > 0
    assert model.dropout.deterministic is True
    assert model.norm.use_running_average is False
    after = jax.random.key_data(model.dropout.rngs.key[...]), model.dropout.rngs.count[...]
    np.testing.assert_array_equal(before[0], after[0])
    assert before[1] == after[1]


def test_an_nnx_model_is_not_touched_when_the_run_fails():
    model = nnx_model()
    with pytest.raises(NonFiniteError):
        lo.fit(model, TRAIN, loss=lambda p, y: jnp.full(p.shape[0], jnp.nan), tx=ADAM, steps=9)
    for got, want in zip(leaves(nnx.state(model, nnx.Param)), leaves(PARAMS), strict=True):
        np.testing.assert_array_equal(got, want)


def test_an_equinox_module_is_new_and_in_the_mode_of_the_given_one():
    module, state = noisy("equinox")
    result = lo.fit((module, state), TRAIN, loss="cross_entropy", tx=ADAM, steps=5)
    assert type(result.model) is type(module)
    assert result.model.dropout.inference is module.dropout.inference is False
    assert (result.model.out.weight != module.out.weight).any()


def test_a_linen_model_comes_bound_to_what_was_trained():
    result = lo.fit(LinenNoisy(), TRAIN, loss="cross_entropy", tx=ADAM, steps=5)
    np.testing.assert_allclose(
        result.model(VALID[0], train=False), result.predict(VALID[0]), rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("valid", [None, VALID], ids=["without a validation set", "with one"])
def test_the_default_is_adam_at_a_constant_rate_with_averaged_weights(valid):
    options = {"loss": "cross_entropy", "valid": valid, "steps": 20}
    result = lo.fit(LinenNet(), TRAIN, **options)
    assert result.optimizer_source.endswith("Adam at a constant 0.01 with averaged weights")
    numbers = {"learning_rate": 1e-2}  # the same compiled program
    same = lo.fit(LinenNet(), TRAIN, **options, tx=lo.adam, hyperparams=numbers, average=True)
    chex.assert_trees_all_equal(result.params, same.params)
    assert result.kept == same.kept and (valid or result.kept.is_average)


def test_the_default_without_the_average_is_named_so():
    result = lo.fit(LinenNet(), TRAIN, loss="cross_entropy", steps=2, average=False)
    assert result.optimizer_source.endswith("Adam at a constant 0.01")
    assert not result.kept.is_average


def test_an_epoch_is_every_row_once():
    result = lo.fit(LinenNet(), TRAIN, loss="cross_entropy", tx=ADAM, epochs=3, batch_size=24)
    assert result.steps == 9


def test_how_long_must_be_said_once():
    with pytest.raises(ValueError, match="give either steps or epochs, got steps=None"):
        lo.fit(LinenNet(), TRAIN, loss="cross_entropy", tx=ADAM)


def test_a_model_of_no_known_kind_is_refused_with_a_way_out():
    with pytest.raises(TypeError, match=r"model must be a linen module.*from_functions"):
        lo.fit(lambda x: x, TRAIN, loss="mse", tx=ADAM, steps=1)


@pytest.mark.parametrize(("batch_size", "accumulate"), [(73, 1), (40, 2), (None, 73)])
def test_more_rows_an_update_than_there_are_are_refused(batch_size, accumulate):
    with pytest.raises(
        ValueError, match=rf"\* {accumulate}, and there are 72 .* smaller batch_size"
    ):
        lo.fit(
            LinenNet(),
            TRAIN,
            loss="cross_entropy",
            tx=ADAM,
            steps=1,
            batch_size=batch_size,
            accumulate=accumulate,
        )
