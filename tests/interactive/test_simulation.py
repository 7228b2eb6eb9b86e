"""The compiled run of an optimizer: it is a loop of optax, and nothing is compiled twice."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import lecture_optax as lo
from lecture_optax.interactive.expression import build, read
from lecture_optax.interactive.gallery import AVERAGE, METHODS, RATE, SCHEDULES
from lecture_optax.interactive.landscapes import LANDSCAPES
from lecture_optax.interactive.simulation import Programs, orders_of

pytestmark = pytest.mark.usefixtures("standard_promotion")

STEPS = 20


def controls_of(landscape):
    return {handle.name: handle.value for handle in landscape.controls}


def by_hand(tx, landscape, controls, start, batch, seed, steps):
    """Run a plain loop; return the path, the averages, and the losses of the batches."""

    @functools.partial(jax.jit, static_argnames="objective")
    def step(θ, state, rows, objective):
        value, slope = jax.value_and_grad(objective)(θ, rows)
        extra = {"value": value, "value_fn": lambda θ: objective(θ, rows)}
        updates, state = tx.update(slope, state, θ, **extra)
        return value, optax.apply_updates(θ, updates), state

    def loss(θ, rows):
        losses = landscape.losses(θ, controls)
        return losses[rows].mean() if landscape.has_examples else losses.mean()

    θ, orders = jnp.float32(start), orders_of(seed)
    state, path, averages, values = tx.init(θ), [θ], [θ], []
    for k in range(steps):
        value, θ, state = step(θ, state, orders[k, :batch], loss)
        path.append(θ)
        averages.append(lo.averaged(state, θ) if "average" in repr(tx) else θ)
        values.append(value)
    return np.stack(path), np.stack(averages), np.stack(values)


CASES = {
    "quadratic": ["Heavy ball", "Adam", "Newton"],
    "noisy_quadratic": ["Nesterov with restart", f"lo.chain(lo.sgd(0.5), {AVERAGE})"],
    "rosenbrock": ["AMSGrad", "optax.lion(0.01)"],
    "logistic": ["lo.sgd(lo.schedules.cosine(1.0, total_steps=20), momentum=0.9)"],
}


@pytest.mark.parametrize(
    ("name", "method"), [(name, each) for name, methods in CASES.items() for each in methods]
)
def test_a_run_is_a_plain_loop(name, method):
    landscape, expression = LANDSCAPES[name], read(METHODS.get(method, method))
    controls = controls_of(landscape)
    trace = Programs().run(
        expression, landscape, controls, landscape.start, batch=5, seed=3, steps=STEPS
    )
    tx = build(expression.structure, expression.numbers)
    path, average, values = by_hand(tx, landscape, controls, landscape.start, 5, 3, STEPS)
    # float32, and each step may amplify a rounding error of the one before
    close = functools.partial(np.testing.assert_allclose, rtol=2e-5, atol=2e-5)
    close(trace.path, path)
    close(trace.average, average)
    close(trace.batch_loss, values)
    losses = jax.vmap(lambda θ: landscape.loss(θ, controls))
    close(trace.loss, losses(jnp.asarray(path)))
    close(trace.average_loss, losses(jnp.asarray(average)))
    close(trace.update, np.linalg.norm(np.diff(path, axis=0), axis=1))
    close(trace.ratio, trace.update / np.linalg.norm(path[:-1], axis=1))


def test_the_learning_rate_is_that_of_the_step():
    text = "lo.sgd(lo.schedules.warm_restarts(0.1, period=4, period_factor=2.0))"
    landscape = LANDSCAPES["quadratic"]
    trace = Programs().run(
        read(text), landscape, controls_of(landscape), landscape.start, steps=STEPS
    )
    schedule = lo.schedules.warm_restarts(0.1, period=4, period_factor=2.0)
    np.testing.assert_allclose(trace.learning_rate, schedule(np.arange(STEPS)), rtol=1e-6)


def test_what_a_handle_changes_is_not_compiled_again():
    programs, landscape = Programs(), LANDSCAPES["noisy_quadratic"]
    first = dict(
        controls=controls_of(landscape), start=landscape.start, batch=8, seed=0, steps=STEPS
    )
    text = "lo.chain(lo.sgd(lo.schedules.cosine({}, total_steps={}), momentum={}), {})"
    changes = [
        {},
        {"controls": {"condition": 3.0, "rotation": 0.0, "spread": 0.0}},
        {"start": [1, 2]},
        {"batch": 64},
        {"seed": 2**31 - 1},
        {"steps": 1},
        {"steps": 2000},
    ]
    for change in changes:
        for numbers in ((0.1, 200, 0.9), (1, 3, 0.0)):
            expression = read(text.format(*numbers, AVERAGE))
            programs.run(expression, landscape, **{**first, **change})
    assert programs.compilations == 1


def test_a_batch_of_all_examples_is_the_full_gradient():
    landscape, expression = LANDSCAPES["noisy_quadratic"], read("lo.sgd(0.5)")
    controls = controls_of(landscape)
    run = functools.partial(Programs().run, expression, landscape, controls, landscape.start)
    path = run(batch=64, seed=1).path
    quadratic = LANDSCAPES["quadratic"]
    plain = Programs().run(expression, quadratic, controls, landscape.start).path
    np.testing.assert_allclose(path, plain, atol=1e-6)
    assert np.abs(run(batch=8).path - plain).max() > 0.1


def test_each_step_takes_other_examples_and_a_seed_the_same_ones():
    orders = orders_of(5)
    assert (np.sort(orders, axis=1) == np.arange(64)).all()
    assert len(np.unique(orders[:, :4], axis=0)) > 1990
    assert not np.array_equal(orders, orders_of(6))


@pytest.mark.parametrize("i", range(len(METHODS)))
def test_a_method_runs_with_a_schedule_and_an_average(i):
    title, text = list(METHODS.items())[i]
    schedule = list(SCHEDULES.values())[i % len(SCHEDULES)]
    rate = next(handle for handle in read(text).handles if handle.name == "learning_rate")
    scheduled = text[: rate.begin] + schedule.replace(RATE, repr(rate.value)) + text[rate.end :]
    landscape = LANDSCAPES["quadratic"]
    trace = Programs().run(
        read(f"lo.chain({scheduled}, {AVERAGE})"),
        landscape,
        controls_of(landscape),
        landscape.start,
        steps=100,
    )
    assert np.isfinite(trace.path).all() and np.isfinite(trace.average).all(), title
    assert trace.loss[-1] < trace.loss[0] / 10
