"""A schedule goes wherever an optimizer takes a number that moves, as code and as data."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import lecture_optax as lo
from lecture_optax import schedules as s

from ..runs import updates_for

GRADIENTS = jax.random.normal(jax.random.key(0), (6, 3))
MAKERS = [
    maker
    for maker in vars(lo.optimizers).values()
    if inspect.isfunction(maker) and "learning_rate" in inspect.signature(maker).parameters
]
PLACES = [
    *((maker, "learning_rate", {}) for maker in MAKERS),
    (lo.sgd, "momentum", {}),
    (lo.sgd, "momentum", {"nesterov": True}),
    (lo.rmsprop, "momentum", {}),
    (lo.rmsprop, "momentum", {"nesterov": True}),
    (lo.adamw, "weight_decay", {}),
]


def built(maker, place, options, value):
    return maker(**{"learning_rate": 0.1, **options, place: value})


def moving():
    return s.cosine(0.5, 5, end_value=0.1, warmup_steps=2)


def rates_of(tx):
    """The schedules that its description knows."""
    known = [x for part in lo.describe(tx).walk() for x in part.arguments.values()]
    return {x for x in known if isinstance(x, s.Schedule)}


def path_of(tx):
    """The parameters while the stored gradients pull at them."""

    def body(carry, gradient):
        params, state = carry
        update, state = tx.update(gradient, state, params)
        params = optax.apply_updates(params, update)
        return (params, state), params

    params = jnp.array([1.0, -2.0, 3.0])
    return jax.lax.scan(body, (params, tx.init(params)), GRADIENTS)[1]


@pytest.mark.parametrize(("maker", "place", "options"), PLACES)
def test_as_an_argument_of_a_compiled_training_it_does_what_a_function_does(maker, place, options):
    traces = []

    @jax.jit
    def path(schedule):
        traces.append(schedule)
        return path_of(built(maker, place, options, schedule))

    @jax.jit
    def plain(values):
        return path_of(built(maker, place, options, lambda k: values[k]))

    halved = jax.tree.map(lambda x: x / 2 if isinstance(x, float) else x, moving())
    for schedule in (moving(), halved):
        np.testing.assert_allclose(path(schedule), plain(schedule(jnp.arange(6))), rtol=2e-6)
    assert len(traces) == 1


@pytest.mark.parametrize("maker", [lo.sgd, lo.adamw])
def test_inside_of_a_compiled_training_it_does_the_same(maker):
    inside = jax.jit(lambda: path_of(maker(moving())))()
    as_data = jax.jit(lambda schedule: path_of(maker(schedule)))(moving())
    np.testing.assert_allclose(inside, as_data, rtol=2e-6)


def test_a_population_of_schedules_is_a_vmap():
    peaks = jnp.array([0.1, 0.2, 0.3])
    population = jax.vmap(lambda peak: s.cosine(peak, 5, warmup_steps=2))(peaks)
    together = jax.vmap(lambda schedule: updates_for(lo.sgd(schedule, 0.9), GRADIENTS))(population)
    for peak, one in zip(peaks, together, strict=True):
        alone = updates_for(lo.sgd(s.cosine(peak, 5, warmup_steps=2), 0.9), GRADIENTS)
        np.testing.assert_allclose(one, alone, rtol=1e-6, atol=1e-8)


def test_the_rate_in_the_state_has_the_bits_of_the_schedule():
    schedule = moving()
    tx = lo.adam(schedule)
    update, state = jax.jit(tx.update), tx.init(jnp.zeros(3))
    for k, gradient in enumerate(GRADIENTS):
        _, state = update(gradient, state)
        assert optax.tree.get(state, "learning_rate") == schedule(k)


@pytest.mark.parametrize(("maker", "place", "options"), PLACES)
def test_a_description_shows_its_horizon(maker, place, options):
    tx = built(maker, place, options, moving())
    assert {schedule.horizon for schedule in rates_of(tx)} == {5}


@pytest.mark.parametrize("maker", MAKERS)
def test_an_optimizer_prints_it_as_it_was_typed(maker):
    tx = maker(s.warmup(s.inverse_time(0.1), 5))
    assert "scale_by_learning_rate(schedules.warmup(schedules.inverse_time(0.1), 5))" in repr(tx)
    again = eval(repr(tx), {**vars(lo), "optax": optax})
    assert rates_of(again) == rates_of(tx) != set()


@pytest.mark.parametrize("maker", MAKERS)
def test_inject_hyperparams_calls_it_for_every_step(maker, standard_promotion):
    injected = optax.inject_hyperparams(lambda learning_rate: maker(learning_rate))
    tx = injected(learning_rate=moving())
    state, params = tx.init(jnp.zeros(3)), jnp.zeros(3)
    for k, gradient in enumerate(GRADIENTS):
        _, state = tx.update(gradient, state, params)
        np.testing.assert_array_equal(state.hyperparams["learning_rate"], moving()(k))


def test_gradients_reach_its_numbers_through_a_training(x64):
    """Against finite differences: the loss after six steps, by the peak and by the horizon."""

    gradients = jnp.asarray(GRADIENTS, float)

    @jax.jit
    def loss(peak, total):
        tx = lo.sgd(s.cosine(peak, total, warmup_steps=2), 0.9)
        return (updates_for(tx, gradients).sum(axis=0) ** 2).sum()

    peak, total, h = jnp.asarray(0.3), jnp.asarray(7.5), 1e-6
    by_peak, by_total = jax.grad(loss, argnums=(0, 1))(peak, total)
    rise = (loss(peak + h, total) - loss(peak - h, total)) / (2 * h)
    np.testing.assert_allclose(by_peak, rise, rtol=1e-6)
    rise = (loss(peak, total + h) - loss(peak, total - h)) / (2 * h)
    np.testing.assert_allclose(by_total, rise, rtol=1e-6)
