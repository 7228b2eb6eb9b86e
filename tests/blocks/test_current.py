"""current(state): the number of updates and every current learning rate, through every wrapper."""

import jax
import jax.numpy as jnp
import optax
import pytest

import lecture_optax as lo

pytestmark = pytest.mark.usefixtures("standard_promotion")  # of Optax's wrappers

PARAMS = {"a": jnp.ones(3), "b": jnp.ones((2, 2))}


def falling(k):
    return 0.1 / (1 + 1.0 * k)


WRAPPED = {
    "chain": (lo.chain(optax.clip(1.0), lo.adam(falling)), 7, [0.1 / 7]),
    "masked": (optax.masked(lo.sgd(falling), {"a": True, "b": False}), 7, [0.1 / 7]),
    "partition": (
        optax.partition({"x": lo.adam(0.5), "y": lo.sgd(falling)}, {"a": "x", "b": "y"}),
        7,
        [0.5, 0.1 / 7],
    ),
    "MultiSteps": (optax.MultiSteps(lo.sgd(falling), 3), 2, [0.1 / 2]),
    "inject_hyperparams": (
        optax.inject_hyperparams(lo.adam)(learning_rate=falling),
        7,
        [0.1 / 7, 0.1 / 7],
    ),
    "apply_if_finite": (optax.apply_if_finite(lo.sgd(falling), 3), 7, [0.1 / 7]),
    "Optax's own": (optax.adam(0.1), 7, []),
}


@pytest.mark.parametrize("name", WRAPPED)
def test_it_reads_through(name):
    tx, count, rates = WRAPPED[name]
    state, update = tx.init(PARAMS), jax.jit(tx.update)
    for _ in range(7):
        _, state = update(PARAMS, state, PARAMS)
    now = jax.jit(lo.current)(state)
    assert int(now.count) == count
    assert sorted(map(float, now.learning_rates.values())) == pytest.approx(sorted(rates))


def test_a_parameter_called_learning_rate_is_not_one():
    params = {"learning_rate": jnp.ones(()), "count": jnp.ones(())}
    state = lo.adam(0.5).init(params)
    assert list(lo.current(state).learning_rates) == ["learning_rate"]
    assert int(lo.current(state).count) == 0


def test_learning_rates_have_the_names_of_their_groups_or_their_paths():
    groups = optax.partition(
        {"head": lo.adam(0.1), "body": optax.inject_hyperparams(optax.sgd)(0.2)},
        {"a": "head", "b": "body"},
    )
    state = groups.init({"a": jnp.ones(2), "b": jnp.ones(2)})
    assert {x: float(y) for x, y in lo.current(state).learning_rates.items()} == {
        "head": pytest.approx(0.1),
        "body": pytest.approx(0.2),
    }
    twice = optax.chain(lo.sgd(0.1), lo.sgd(0.2)).init(PARAMS)
    assert list(lo.current(twice).learning_rates) == [
        "[0][0].learning_rate",
        "[1][0].learning_rate",
    ]


def test_a_state_that_counts_nothing_is_refused():
    with pytest.raises(ValueError, match="counts updates"):
        lo.current(optax.EmptyState())
