"""Continuations of a run: the remedy, the leaf that fails, and bits that do not change."""

import dataclasses

import chex
import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx
from flax.training.train_state import TrainState

import lecture_optax as lo
from lecture_optax.recipe.diagnosis import training_state
from lecture_optax.recipe.diagnosis.fork import FACTORS
from lecture_optax.training import Problem, Program

from ...training.compilations import COMPILED
from ...training.models import ADAM, TRAIN, noisy

CURVATURES = jnp.array([100.0, 1.0])
RATE = optax.inject_hyperparams(optax.sgd)(learning_rate=1.0)


def quadratic(params, batch):
    """λ θ² / 2 along both axes: gradient descent is stable below 2/100."""
    return batch["one"] * jnp.sum(CURVATURES * params["θ"] ** 2) / 2


QUADRATIC = Problem.from_functions(
    init=lambda key: {"θ": jnp.ones(2)}, loss=quadratic, train={"one": jnp.ones(8)}
)


def at_rate(rate):
    """(params, opt_state) of your own loop, with the learning rate in its state."""
    params = QUADRATIC.functions.init(None, None)[0]
    state = RATE.init(params)
    state.hyperparams["learning_rate"] = jnp.float32(rate)
    return params, state


@pytest.mark.parametrize(
    ("rate", "remedy", "up"),
    [
        (1e-4, "increase", "converged"),  # far below
        (1e-2, "keep", "diverging"),  # half of the edge
        (0.0199, "decrease", "diverging"),  # below it: it flips its sign at every step
        (0.0201, "decrease", "diverging"),  # above
    ],
)
def test_the_learning_rate_of_a_quadratic_moves_towards_its_edge(rate, remedy, up):
    found = lo.recipe.fork(QUADRATIC, at_rate(rate), RATE, 100)
    assert found.remedy == remedy
    assert found.rate == pytest.approx(rate)
    assert found.diagnoses[10.0].symptom.name == up
    said, *lines = str(found).splitlines()
    assert said == str(found.diagnoses[1.0].verdict)
    assert [line.split(": ")[1].split(" (")[0] for line in lines[:3]] == [
        found.diagnoses[factor].symptom.name for factor in FACTORS
    ]
    assert f"× 10 ({10 * rate:.3g})" in lines[0]


def test_a_converged_run_keeps_its_learning_rate_and_one_that_never_moved_switches():
    noisy = Problem.from_functions(
        init=lambda key: jnp.zeros(1),
        loss=lambda θ, batch: jnp.mean((θ - batch["y"]) ** 2),
        train={"y": np.random.default_rng(0).normal(size=256).astype(np.float32)},
    )
    run = lo.fit(noisy, tx=lo.sgd(1e-2), steps=400, batch_size=8)
    found = lo.recipe.fork(noisy, run, run.optimizer, 100)
    assert (found.remedy, found.diagnoses[1.0].symptom.name) == ("keep", "converged")
    assert str(found).endswith(
        "\nThe run has converged: neither learning rate reaches a clearly lower loss."
    )
    tx, θ = lo.sgd(1e-7), jnp.full(1, run.params[0])
    found = lo.recipe.fork(noisy, (θ, tx.init(θ)), tx, 100, batch_size=8)
    assert found.remedy == "uncertain"
    assert str(found).startswith("Uncertain: run longer, as no learning rate is reliably")


def test_the_curves_are_those_of_gradient_descent_at_three_learning_rates():
    found = lo.recipe.fork(QUADRATIC, at_rate(1e-3), RATE, 20)
    k = np.arange(20)[:, None]
    for factor, curve in found.curves.items():
        θ = (1 - factor * 1e-3 * np.asarray(CURVATURES, np.float64)) ** k
        exact = (CURVATURES * θ**2).sum(1) / 2
        np.testing.assert_allclose(curve.losses, exact, rtol=1e-4)
        assert (curve.rate, curve.failed) == (pytest.approx(factor * 1e-3), None)


def test_a_fork_compiles_one_program_and_a_second_fork_none():
    tx = optax.inject_hyperparams(optax.sgd)(learning_rate=1.0)  # another object: compiled anew
    COMPILED.clear()
    lo.recipe.fork(QUADRATIC, at_rate(1e-3), tx, 20)
    assert [name for name in COMPILED if "chunk" in name] == ["jit(chunk)"]
    COMPILED.clear()
    lo.recipe.fork(QUADRATIC, at_rate(1e-4), tx, 50)
    assert COMPILED == []


def slow(kind):
    return pytest.param(kind, marks=pytest.mark.slow)


@pytest.mark.parametrize("kind", ["nnx", slow("linen"), slow("equinox")])
def test_the_middle_continuation_is_the_run_itself_and_changes_no_bit_of_it(kind):
    model = noisy(kind)
    given = {"data": TRAIN, "loss": "cross_entropy", "tx": ADAM, "batch_size": 12}
    longer = lo.fit(noisy(kind), **given, steps=7).history["loss"]
    result = lo.fit(model, **given, steps=4)
    before = jax.tree.map(np.array, _numbers(result, model))
    found = lo.recipe.fork(model, result, ADAM, 3, data=TRAIN, loss="cross_entropy")
    np.testing.assert_allclose(found.curves[1.0].losses, longer[4:], rtol=1e-5)
    assert found.curves[10.0].losses[0] == found.curves[0.1].losses[0]  # the same batch and noise
    assert found.curves[10.0].losses[1] != found.curves[0.1].losses[1]
    jax.tree.map(np.testing.assert_array_equal, before, _numbers(result, model))


def _numbers(result, model):
    """The arrays of the user: of the result, and of a model that is changed in place."""
    own = nnx.as_pure(nnx.state(model, nnx.Param)) if isinstance(model, nnx.Module) else None
    return _keyless(result.run.carry), own


def test_states_of_flax_and_equinox_loops_are_accepted():
    def check(model, state):
        kinds = {"LinenNoisy": Problem.from_linen, "NnxNoisy": Problem.from_nnx}
        build = kinds.get(type(model).__name__, Problem.from_equinox)
        program = Program.of(build(model, TRAIN, loss="cross_entropy"), ADAM)
        carry = training_state.as_carry(program, state(program.init(seed=3)), program.init(seed=3))
        chex.assert_trees_all_equal(_keyless(carry), _keyless(program.init(seed=3)))

    model = noisy("linen")
    check(model, lambda start: start)
    check(model, lambda start: ({"params": start.params, **start.model_state}, start.opt_state))
    check(
        model,
        lambda start: StateWithStatistics.create(
            apply_fn=model.apply, params=start.params, tx=ADAM, **start.model_state
        ),
    )
    model = noisy("nnx")
    params = nnx.state(model, nnx.Param)
    check(model, lambda start: nnx.Optimizer(model, ADAM, wrt=nnx.Param))
    check(model, lambda start: (params, ADAM.init(params)))
    model = noisy("equinox")
    params = eqx.filter(model[0], eqx.is_inexact_array)
    check(model, lambda start: (model, ADAM.init(params)))


def _keyless(carry):
    return carry._replace(key=jax.random.key_data(carry.key))


class StateWithStatistics(TrainState):
    batch_stats: dict


def overflowing(params, batch):
    """The loss does not depend on how far `narrow` has gone: it climbs out of float16."""
    wide = jnp.sum(params["wide"] ** 2)
    narrow = jnp.sum(params["narrow"].astype(jnp.float32))
    return batch["one"] * (wide + narrow - jax.lax.stop_gradient(narrow))


def test_a_leaf_that_overflows_is_named_at_its_step_though_the_loss_still_decreases():
    params = {"narrow": jnp.full(3, -5.0, jnp.float16), "wide": jnp.ones(2)}
    problem = Problem.from_functions(
        init=lambda key: params, loss=overflowing, train={"one": jnp.ones(8)}
    )
    tx = optax.masked(optax.scale(-1e4), {"narrow": True, "wide": False})
    tx = optax.chain(tx, optax.masked(optax.scale(-1e-3), {"narrow": False, "wide": True}))
    with jax.numpy_dtype_promotion("standard"):
        found = lo.recipe.fork(problem, (params, tx.init(params)), tx, 20)
    failed = {factor: curve.failed for factor, curve in found.curves.items()}
    assert failed[10.0][:2] == (1, "parameter")
    assert failed[1.0] == (7, "parameter", "['narrow']")
    assert failed[0.1] is None
    assert np.all(np.diff(found.curves[1.0].losses) < 0)
    assert found.remedy == "decrease"
    name = "× 1: diverging: parameter of ['narrow'] was not finite at step 7."
    assert name in str(found).splitlines()


def test_a_failed_run_is_forked_from_before_the_failed_step():
    with pytest.raises(lo.training.NonFiniteError) as caught:
        lo.fit(QUADRATIC, tx=RATE, steps=200, batch_size=8)
    found = lo.recipe.fork(QUADRATIC, caught.value, RATE, 5)
    for curve in found.curves.values():
        assert curve.failed == (1, "gradient", "['θ']")
    assert "All three end at step 1" in str(found)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"state": None}, TypeError, "state must be what lo.fit returned"),
        ({"state": ({"w": jnp.ones(2)}, ())}, ValueError, r"nothing for \['θ'\]"),
        (
            {"state": ({"θ": jnp.ones(2)}, ())},
            ValueError,
            "the optimizer's state must be that of tx",
        ),
        ({"steps": 0}, ValueError, "steps must be"),
        ({"batch_size": 0}, ValueError, "batch_size must be"),
        ({"data": TRAIN}, ValueError, "a Problem brings its own data"),
        ({"tx": 0.1}, TypeError, "gradient transformation"),
    ],
)
def test_a_state_that_does_not_fit_raises(change, error, words):
    usual = {"problem": QUADRATIC, "state": at_rate(0.01), "tx": RATE, "steps": 5}
    with pytest.raises(error, match=words):
        lo.recipe.fork(**{**usual, **change})


def test_an_iterable_of_batches_and_a_search_raise():
    stream = Problem.from_functions(
        init=lambda key: {"θ": jnp.ones(2)}, loss=quadratic, train=iter([{"one": jnp.ones(8)}])
    )
    with pytest.raises(TypeError, match="the training data must be arrays, got an iterable"):
        lo.recipe.fork(stream, at_rate(0.01), RATE, 5)
    searched = dataclasses.replace(lo.fit(QUADRATIC, tx=lo.sgd(0.01), steps=1), run=None)
    with pytest.raises(ValueError, match="result of a search"):
        lo.recipe.fork(QUADRATIC, searched, RATE, 5)


def test_missing_batch_statistics_are_named():
    model = noisy("linen")
    params = Program.of(Problem.from_linen(model, TRAIN, loss="cross_entropy"), ADAM).init().params
    with pytest.raises(ValueError, match=r"the model's state must be that .*batch_stats.*init"):
        state = (params, ADAM.init(params))
        lo.recipe.fork(model, state, ADAM, 3, data=TRAIN, loss="cross_entropy")
