"""Which method made a stream: flavours, classes, refusals, the place of a deviation."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from hypothesis import given, settings, strategies as st

import lecture_optax as lo
from lecture_optax.theory import identify, literal

STEPS = 30


def record(tx, dtype=np.float64, seed=0, steps=STEPS, spread=2.0):
    """Return the gradients, updates and parameters of a run on random gradients."""
    rng = np.random.default_rng(seed)
    shapes = {"b": (4,), "w": (6, 2)}
    params = {name: jnp.asarray(rng.normal(size=s), dtype) for name, s in shapes.items()}
    sizes = {name: 10 ** rng.uniform(-spread, 0.5, s) for name, s in shapes.items()}
    state, recorded = tx.init(params), []
    update = jax.jit(tx.update)
    for _ in range(steps):
        g = {n: jnp.asarray(c * (rng.normal(size=c.shape) + 0.3), dtype) for n, c in sizes.items()}
        u, state = update(g, state, params)
        recorded.append((g, u, params))
        params = optax.apply_updates(params, u)
    return [list(part) for part in zip(*recorded, strict=True)]


@pytest.fixture(autouse=True)
def _double():
    with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):
        yield


def cosine(k):
    return 0.001 * (1 + jnp.cos(jnp.pi * k / 100)) / 2


FLAVOURS = {
    "sgd": (lambda: optax.sgd(0.1), {}),
    "sgd with momentum": (lambda: optax.sgd(0.03, 0.9), {"momentum": 0.9}),
    "sgd with Nesterov momentum": (lambda: lo.sgd(0.03, 0.8, True), {"momentum": 0.8}),
    "adam": (lambda: optax.adam(2e-3, 0.85, 0.99, 1e-4), {"b1": 0.85, "b2": 0.99, "eps": 1e-4}),
    "adam, ε inside the root": (
        lambda: literal.adam_eps_inside(1e-3, eps=1e-5),
        {"b1": 0.9, "b2": 0.999, "eps": 1e-5},
    ),
    "adamw": (
        lambda: optax.adamw(3e-4, weight_decay=0.02),
        {"b1": 0.9, "b2": 0.999, "weight_decay": 0.02},
    ),
    "adam, coupled weight decay": (
        lambda: optax.chain(optax.add_decayed_weights(0.05), optax.adam(1e-3)),
        {"weight_decay": 0.05},
    ),
    "adam, with the opposite sign: it ascends": (lambda: literal.adam_minus(1e-3), {"b1": 0.9}),
    "nadam": (lambda: optax.nadam(1e-3), {"b1": 0.9, "b2": 0.999}),
    "amsgrad": (lambda: optax.amsgrad(1e-3, b2=0.9), {"b2": 0.9}),
    "adamax": (lambda: optax.adamax(2e-3), {"b1": 0.9, "b2": 0.999}),
    "adagrad": (lambda: optax.adagrad(0.01), {"initial": 0.1, "eps": 1e-7}),
    "rmsprop": (lambda: optax.rmsprop(1e-3), {"b2": 0.9, "eps": 1e-8}),
    "adam, clipping by the global norm": (
        lambda: optax.chain(optax.clip_by_global_norm(4.0), optax.adam(1e-3, b2=0.9)),
        {"clip": 4.0, "b2": 0.9},
    ),
    "sign_sgd": (lambda: optax.sign_sgd(0.01), {}),
    "lion": (lambda: optax.lion(1e-3), {"b1": 0.9, "b2": 0.99}),
}


def without_correction():
    by = lo.chain(lo.second_moment(0.999), lo.inverse_root(1e-8))
    return lo.chain(lo.precondition(lo.first_moment(0.9), by=by), lo.scale_by_learning_rate(0.001))


FLAVOURS["adam, without bias correction"] = (without_correction, {"b1": 0.9, "b2": 0.999})


@pytest.mark.parametrize("name", FLAVOURS)
def test_a_flavour_is_named_to_the_digit_and_its_chain_makes_the_stream(name):
    make, numbers = FLAVOURS[name]
    gradients, updates, params = record(make())
    found = identify(gradients, updates, params)
    assert found.name == name, found
    assert {key: found.hyperparameters[key] for key in numbers} == numbers
    replayed = _replay(found.optimizer, gradients, params)
    largest = max(float(jnp.abs(u["w"]).max()) for u in updates)
    for mine, theirs in zip(replayed, updates, strict=True):
        np.testing.assert_allclose(mine["w"], theirs["w"], rtol=1e-9, atol=1e-12 * largest)


def _replay(tx, gradients, params):
    state, made = tx.init(params[0]), []
    for g, p in zip(gradients, params, strict=True):
        update, state = tx.update(g, state, p)
        made.append(update)
    return made


def test_the_digits_of_a_float32_stream_are_those_that_were_typed():
    found = identify(*record(optax.adamw(3e-4, 0.9, 0.95, 1e-5, weight_decay=0.1), np.float32))
    expected = {"b1": 0.9, "b2": 0.95, "eps": 1e-5, "weight_decay": 0.1}
    assert (found.name, dict(found.hyperparameters)) == ("adamw", expected), found


@settings(max_examples=4, deadline=None)
@given(
    rate=st.integers(1, 99),
    b1=st.integers(50, 99),
    b2=st.integers(900, 999),
    seed=st.integers(0, 1000),
)
def test_adams_numbers_are_found_for_any_of_two_or_three_digits(rate, b1, b2, seed):
    tx = lo.adam(rate * 1e-4, b1 / 100, b2 / 1000, eps=1e-5)
    found = identify(*record(tx, seed=seed, steps=24))
    numbers = found.hyperparameters
    assert (found.name, numbers["b1"], numbers["b2"]) == ("adam", b1 / 100, b2 / 1000), found
    np.testing.assert_allclose(found.learning_rates, rate * 1e-4, rtol=1e-9)


@pytest.mark.parametrize(
    "written",
    [
        "lo.schedules.cosine(0.01, 100, end_value=0.001)",
        "lo.schedules.linear(0.01, 20, warmup_steps=5)",
        "lo.schedules.exponential(0.01, 0.95)",
        "lo.schedules.inverse_time(0.01, 0.1, power=0.5, warmup_steps=10)",
        "lo.schedules.step(0.01, [10, 24], factor=0.5)",
        "lo.schedules.polynomial(0.01, 40, power=3.0)",
        "lo.schedules.wsd(0.01, 30, decay_steps=10, warmup_steps=5)",
        "optax.warmup_cosine_decay_schedule(0.001, 0.01, 5, 40, end_value=0.0)",
    ],
)
def test_a_schedule_is_written_with_its_numbers(written):
    found = identify(*record(lo.sgd(eval(written), 0.9)))
    assert written in found.chain, found


def test_a_rate_inside_the_velocity_shows_under_a_schedule():
    tx = lo.chain(lo.scale_by_learning_rate(lo.schedules.linear(0.1, 50)), lo.trace(0.9))
    found = identify(*record(tx))
    assert found.name == "sgd with momentum, the learning rate inside the velocity", found


def test_what_makes_the_same_updates_is_named_with_what_would_decide():
    found = identify(*record(optax.sgd(0.1, 0.9)))
    assert any("inside the velocity" in name for name in found.same_as)
    assert any("learning rate that changes" in data for data in found.would_decide)
    inside = identify(*record(optax.adam(1e-3, eps=1e-12), np.float32))
    assert inside.intervals["eps"][0] == 0 and inside.intervals["eps"][1] > 1e-9
    assert "do not decide" in str(inside)


@pytest.mark.parametrize(
    "make",
    [
        lambda: optax.adabelief(1e-3),
        lambda: optax.yogi(1e-3),
        lambda: optax.partition({"a": optax.sgd(0.1), "b": optax.adam(1e-3)}, {"b": "a", "w": "b"}),
        lambda: literal.adam_fed_back(1e-3),
    ],
    ids=["adabelief", "yogi", "a mixture", "corrected averages fed back"],
)
def test_what_is_not_in_the_table_has_no_name(make):
    gradients, updates, _ = record(make(), steps=15)
    found = identify(gradients, updates)  # without params: a third of the methods
    assert found.name is None and found.reason, found


def test_the_first_step_and_leaf_that_deviate_are_named():
    gradients, updates, _ = record(optax.adam(1e-3))
    updates[17] = {**updates[17], "b": updates[17]["b"] * (1 + 1e-6)}
    found = identify(gradients, updates)
    assert found.name is None
    assert (found.deviation.step, found.deviation.leaf) == (17, "b"), found
    assert 1e-7 < found.deviation.error < 1e-5
    assert found.steps == len(found.learning_rates) == 17
    assert "adam (learning rate 0.001" in found.reason and "makes steps 0 to 16" in found.reason


@pytest.mark.slow
def test_leaves_of_different_methods_are_described_one_by_one():
    mask = {"b": False, "w": True}
    gradients, updates, params = record(optax.adamw(1e-3, weight_decay=0.1, mask=mask), steps=12)
    found = identify(gradients, updates, params)
    assert found.name is None and not found.chain, found
    assert found.by_leaf["b"].startswith("adam with") and "weight_decay" not in found.by_leaf["b"]
    assert "adamw" in found.by_leaf["w"] and "weight_decay = 0.1" in found.by_leaf["w"]


def test_steps_after_a_number_that_is_not_finite_are_not_used_and_that_is_said():
    gradients, updates, _ = record(optax.sgd(0.1, 0.9), steps=12)
    gradients[5] = {**gradients[5], "b": gradients[5]["b"] * np.nan}
    found = identify(gradients, updates)
    assert (found.name, found.steps) == ("sgd with momentum", 5)
    assert "Only steps 0 to 4 were used: the gradient of step 5 in b" in str(found)


def test_an_update_that_is_not_finite_of_finite_gradients_has_no_name():
    gradients, updates, _ = record(optax.sgd(0.1, 0.9), steps=12)
    updates[5] = {**updates[5], "w": updates[5]["w"] * np.inf}
    found = identify(gradients, updates)
    assert found.name is None and (found.deviation.step, found.deviation.leaf) == (5, "w")


@pytest.mark.parametrize("steps", range(1, 6))
@pytest.mark.parametrize("entries", [1, 4])
def test_short_recordings_of_noise_have_no_name(steps, entries):
    rng = np.random.default_rng(steps)
    gradients, updates = rng.normal(size=(2, steps, entries))
    found = identify(gradients * 1e30, updates)
    assert found.name is None and found.reason, found


def test_a_stream_that_decides_nothing_says_what_is_missing():
    zero, one = np.zeros((5, 3)), np.ones((5, 3))
    assert "all gradients are 0" in identify(zero, one).reason
    assert "all updates are 0" in identify(one, zero).reason
    assert "at least 3" in identify(one[:2], one[:2]).reason
    assert "not finite" in identify(one * np.nan, one).reason


@pytest.mark.parametrize(
    ("gradients", "updates", "params", "message"),
    [
        (np.ones((3, 2)), np.ones((3, 4)), None, "updates must have the shapes of gradients"),
        (np.ones((3, 2)), {"w": np.ones((3, 2))}, None, "updates must be a tree like gradients"),
        ([], np.ones((3, 2)), None, "gradients must have at least one step"),
        (np.ones((3, 2)), np.ones((3, 2)), np.ones((5, 2)), "params must hold θ before each"),
        (np.array(["a"]), np.ones((1, 1)), None, "gradients must be real numbers"),
    ],
)
def test_a_bad_argument_is_named(gradients, updates, params, message):
    with pytest.raises((ValueError, TypeError), match=message):
        identify(gradients, updates, params)
