"""An average of the weights is evaluated, with statistics that are its own, and kept if better."""

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import lecture_optax as lo
from lecture_optax.training import Problem, Program
from lecture_optax.training.compiled.row_order import batch_rows
from lecture_optax.training.compiled.step import keys_of
from lecture_optax.training.loop.batch_statistics import recompute_batch_statistics
from lecture_optax.training.loop.run import columns_of
from lecture_optax.training.optimizer import with_average

from ..models import ADAM, TRAIN, VALID, LinenNet, LinenNoisy, noisy

BATCH, STEPS = 24, 30
SUM = len(VALID[0]) * float(np.finfo("float32").eps)  # a mean of as many terms, in any order
DATA = jax.tree.map(jnp.asarray, TRAIN)


def fit(**arguments):
    """Runs that share a program: a network with BatchNorm and dropout, looked at five times."""
    usual = {"tx": ADAM, "steps": STEPS, "batch_size": BATCH, "valid": VALID, "evaluations": 5}
    return lo.fit(LinenNoisy(), TRAIN, loss="cross_entropy", **{**usual, **arguments})


@pytest.fixture(scope="module")
def averaged_run():
    return fit(average=True)


def lowest_loss(result):
    losses = lo.training.losses.cross_entropy(result.predict(VALID[0]), jnp.asarray(VALID[1]))
    return float(jnp.mean(losses))


def test_the_better_of_weights_and_average_is_kept_with_the_state_that_was_evaluated(averaged_run):
    seen = columns_of(averaged_run.history.evaluations)
    assert len(seen["averaged_loss"]) == 5
    best = min(seen["valid_loss"].min(), seen["averaged_loss"].min())
    assert lowest_loss(averaged_run) == pytest.approx(best, rel=SUM)
    is_average = seen["averaged_loss"].min() < seen["valid_loss"].min()
    assert averaged_run.kept.is_average == is_average


def test_an_average_in_the_optimizer_is_evaluated_the_same_way(averaged_run):
    own = fit(tx=lo.chain(ADAM, lo.average_iterates()))
    for name, column in columns_of(averaged_run.history.evaluations).items():
        np.testing.assert_array_equal(own.history[name], column)


def test_averaging_does_not_change_how_the_weights_are_trained(averaged_run):
    plain = fit(keep="last")
    np.testing.assert_allclose(
        plain.history["loss"], averaged_run.history["loss"], rtol=1e-5, atol=1e-6
    )
    assert "averaged_loss" not in plain.history


def test_the_last_average_is_kept_where_nothing_is_held_out(averaged_run):
    last = fit(average=True, valid=None)
    assert last.kept == (STEPS, True)
    assert lowest_loss(last) == pytest.approx(averaged_run.history["averaged_loss"][-1], rel=SUM)
    model = last.model  # bound to the average, and to its statistics
    chex.assert_trees_all_close(model(VALID[0], train=False), last.predict(VALID[0]), rtol=1e-5)


def test_a_memory_of_ones_own_stands_last_in_the_optimizer():
    tx = with_average(ADAM, None, lo.average_iterates(eta=0.5))
    assert str(lo.describe(tx).members[-1]) == "average_iterates(eta=0.5)"
    assert with_average(ADAM, None, False) is ADAM
    assert with_average(ADAM, None, True) is with_average(ADAM, None, True)  # one program


def test_statistics_are_those_of_the_batches_that_pass_through_the_averaged_weights(averaged_run):
    problem = Problem.from_linen(LinenNoisy(), TRAIN, loss="cross_entropy")
    program = Program.of(problem, ADAM, batch_size=BATCH)
    carry = program.init(seed=3)
    statistics = recompute_batch_statistics(program, carry, averaged_run.params, DATA)[
        "batch_stats"
    ]["BatchNorm_0"]

    layer = averaged_run.params["Dense_0"]
    order = keys_of(carry.key)[0]
    batches = [TRAIN[0][batch_rows(order, jnp.int32(i), 72, BATCH)] for i in range(3)]
    hidden = [x @ np.asarray(layer["kernel"]) + np.asarray(layer["bias"]) for x in batches]
    weights = 0.99 ** np.arange(3)[::-1]  # the layer's own: the last batch counts most
    for name, moment in {"mean": np.mean, "var": np.var}.items():
        expected = np.average([moment(h, 0) for h in hidden], axis=0, weights=weights)
        np.testing.assert_allclose(statistics[name], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", ["nnx", "equinox"])
def test_statistics_do_not_depend_on_those_before(kind):
    """Equinox divides by 1 - m^(number of updates): that is undone, too."""
    problem = getattr(Problem, f"from_{kind}")(noisy(kind), TRAIN, loss="cross_entropy")
    program = Program.of(problem, ADAM, batch_size=BATCH)
    fresh = program.init(seed=0)
    seen = fresh._replace(step=jnp.int32(1))
    step = jax.jit(program.step)
    for _ in range(4):
        seen = step(seen, (DATA[0] * 3 + 1, DATA[1]))[0]
    seen = seen._replace(step=fresh.step)
    states = [
        recompute_batch_statistics(program, carry, fresh.params, DATA) for carry in (fresh, seen)
    ]
    predict = jax.jit(problem.functions.predict)
    one, other = (predict(fresh.params, state, DATA[0]) for state in states)
    np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-3)
    with pytest.raises(AssertionError):
        chex.assert_trees_all_close(one, predict(fresh.params, seen.model_state, DATA[0]), rtol=0.1)


def test_what_is_no_average_is_refused(untyped):
    with pytest.raises(TypeError, match=r"average must be True, False or an average_.* got 0.99"):
        fit(average=0.99)
    with pytest.raises(TypeError, match=r"average must be .*got chain\("):
        fit(average=lo.sgd(0.1))


def test_two_averages_are_refused():
    with pytest.raises(ValueError, match=r"tx averages the weights already, got average=True too"):
        lo.fit(
            LinenNet(),
            TRAIN,
            loss="cross_entropy",
            tx=lo.chain(ADAM, lo.average_iterates()),
            steps=1,
            average=True,
        )
