"""A bad number is refused where it was typed: by its name, its value and what is allowed."""

import jax
import jax.numpy as jnp
import jaxtyping
import numpy as np
import pytest

from lecture_optax import schedules as s

NAN, INF = float("nan"), float("inf")

RANGE = [
    (lambda: s.constant(-0.1), "init_value must be a finite number >= 0, got -0.1."),
    (lambda: s.constant(NAN), "init_value must be a finite number >= 0, got nan."),
    (lambda: s.constant(INF), "init_value must be a finite number >= 0, got inf."),
    (lambda: s.constant(0.1, warmup_steps=-1), "warmup_steps must be a whole number of steps >= 0"),
    (lambda: s.cosine(0.1, 0), "total_steps must be a whole number of steps >= 1, got 0."),
    (lambda: s.cosine(0.1, -5), "total_steps must be a whole number of steps >= 1, got -5."),
    (lambda: s.cosine(0.1, 10.5), "total_steps must be a whole number of steps >= 1, got 10.5."),
    (lambda: s.cosine(0.1, NAN), "total_steps must be a whole number of steps >= 1, got nan."),
    (lambda: s.cosine(0.1, INF), "total_steps must be a whole number of steps >= 1, got inf."),
    (lambda: s.cosine(0.1, 2**31), "total_steps must be below 2**31, where counters of steps end"),
    (lambda: s.cosine(0.1, jnp.int32(0)), "total_steps must be a whole number of steps >= 1"),
    (lambda: s.cosine(0.1, np.float32(0.5)), "total_steps must be a whole number of steps >= 1"),
    (
        lambda: s.cosine(0.1, 10, warmup_steps=11),
        "warmup_steps must be at most total_steps, got 11 > 10.",
    ),
    (
        lambda: s.linear(0.1, 10, end_value=-1.0),
        "end_value must be a finite number >= 0, got -1.0.",
    ),
    (lambda: s.polynomial(0.1, 10, power=0.0), "power must be a finite number > 0, got 0.0."),
    (lambda: s.step(0.1, 0), "boundaries must be a whole number of steps >= 1, got 0."),
    (lambda: s.step(0.1, [10, 5]), "boundaries[0] must be at most boundaries[1], got 10 > 5."),
    (lambda: s.step(0.1, [10, 0]), "boundaries[1] must be a whole number of steps >= 1, got 0."),
    (lambda: s.step(0.1, [10], factor=-0.5), "factor must be a finite number >= 0, got -0.5."),
    (lambda: s.exponential(0.1, 0.0), "decay_rate must be a finite number > 0, got 0.0."),
    (
        lambda: s.exponential(0.1, 0.9, transition_steps=0),
        "transition_steps must be a whole number of steps >= 1",
    ),
    (lambda: s.exponential(0.1, 0.9, end_value=-1), "end_value must be a finite number >= 0"),
    (lambda: s.inverse_time(0.1, -1.0), "decay_rate must be a finite number >= 0, got -1.0."),
    (lambda: s.inverse_time(0.1, power=-1.0), "power must be a finite number >= 0, got -1.0."),
    (
        lambda: s.one_cycle(0.1, 10, warmup_steps=11),
        "warmup_steps must be at most total_steps, got 11 > 10.",
    ),
    (lambda: s.one_cycle(0.1, 10, init_value=-1), "init_value must be a finite number >= 0"),
    (lambda: s.warm_restarts(0.1, 0), "period must be a whole number of steps >= 1, got 0."),
    (
        lambda: s.warm_restarts(0.1, 10, period_factor=0.5),
        "period_factor must be a finite number >= 1, got 0.5.",
    ),
    (lambda: s.warm_restarts(0.1, 10, peak_factor=0), "peak_factor must be a finite number > 0"),
    (lambda: s.warm_restarts(0.1, 10, cycles=0), "cycles must be a whole number"),
    (
        lambda: s.warm_restarts(0.1, 10, warmup_steps=11),
        "warmup_steps must be at most period, got 11 > 10.",
    ),
    (lambda: s.cyclic(0.1, 0.2, period=1), "period must be a whole number of steps >= 2, got 1."),
    (
        lambda: s.wsd(0.1),
        "give total_steps or decay_start, got total_steps=None and decay_start=None",
    ),
    (
        lambda: s.wsd(0.1, 10, decay_start=5),
        "give total_steps or decay_start, got total_steps=10 and decay_start=5",
    ),
    (lambda: s.wsd(0.1, decay_start=5), "decay_start needs decay_steps, got None"),
    (
        lambda: s.wsd(0.1, 10, warmup_steps=0, decay_steps=11),
        "decay_steps must be at most total_steps, got 11 > 10.",
    ),
    (
        lambda: s.wsd(0.1, 10, warmup_steps=8, decay_steps=5),
        "warmup_steps must be at most total_steps - decay_steps, got 8 > 5.",
    ),
    (
        lambda: s.wsd(0.1, 10, shape="square"),
        "shape must be one of 'linear', 'cosine', got 'square'.",
    ),
    (
        lambda: s.warmup(s.constant(0.1), 5, shape="exponential"),
        "init_value must be a finite number > 0, got 0.0.",
    ),
    (lambda: s.join([], []), "boundaries must be one fewer than schedules, got 0 and 0"),
    (lambda: s.join([s.constant(0.1)], [5]), "boundaries must be one fewer than schedules"),
    (
        lambda: s.join([s.constant(0.1)] * 3, [5, 4]),
        "boundaries[0] must be at most boundaries[1], got 5 > 4.",
    ),
    (lambda: s.scale(s.constant(0.1), -1), "factor must be a finite number >= 0, got -1."),
    (
        lambda: s.clip(s.constant(0.1), 1, max_value=0),
        "min_value must be at most max_value, got 1 > 0.",
    ),
    (
        lambda: s.clip(s.constant(0.1), 0, max_value=NAN),
        "max_value must be a finite number >= 0, got nan.",
    ),
    (lambda: s.silver(0.0), "smoothness must be a finite number > 0, got 0.0."),
    (lambda: s.tabulate(s.constant(0.1), 0), "steps must be a whole number of steps >= 1, got 0."),
    (lambda: s.tabulate(s.constant(0.1), [-1]), "steps[0] must be a whole number of steps >= 0"),
    (lambda: s.plot(s.constant(0.1), 0.5), "steps must be a whole number of steps >= 1, got 0.5."),
]

KIND = [
    (lambda: s.constant("fast"), "init_value must be a finite number >= 0, got 'fast'."),
    (lambda: s.constant([0.1, 0.2]), "init_value must be a finite number >= 0, got [0.1, 0.2]."),
    (lambda: s.constant(jnp.ones(2)), "init_value must be a finite number >= 0, got Array"),
    (lambda: s.constant(None), "init_value must be a finite number >= 0, got None."),
    (lambda: s.constant(True), "init_value must be a finite number >= 0, got True."),
    (lambda: s.constant(0.1j), "init_value must be a finite number >= 0, got 0.1j."),
    (lambda: s.cosine(0.1, "10"), "total_steps must be a whole number of steps >= 1, got '10'."),
    (lambda: s.cosine(0.1, [10]), "total_steps must be a whole number of steps >= 1, got [10]."),
    (lambda: s.cosine(0.1, None), "total_steps must be a whole number of steps >= 1, got None."),
    (lambda: s.step(0.1, "often"), "boundaries must be a whole number of steps >= 1, got 'often'."),
    (lambda: s.step(0.1, [10, "x"]), "boundaries[1] must be a whole number of steps >= 1, got 'x'"),
    (lambda: s.step(0.1, [[10], [20]]), "boundaries[0] must be a whole number of steps >= 1"),
    (lambda: s.exponential(0.1, 0.9, staircase=1), "staircase must be True or False, got 1."),
    (lambda: s.inverse_time(0.1, staircase="yes"), "staircase must be True or False, got 'yes'."),
    (lambda: s.scale(0.1, 0.5), "schedule must be a schedule (a function of the step), got 0.1."),
    (lambda: s.warmup(0.1, 5), "there is schedules.constant."),
    (lambda: s.join([s.constant(0.1), 0.2], [5]), "schedules[1] must be a schedule"),
    (lambda: s.tabulate(s.constant(0.1), "ten"), "steps must be a whole number of steps >= 1"),
    (lambda: s.plot([s.constant(0.1)], 9), "call plot for each and pass the axes"),
]


@pytest.fixture
def untyped():
    """Without beartype, as a user runs it: the refusal is ours."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.mark.parametrize(("make", "says"), RANGE, ids=[says for _, says in RANGE])
def test_a_value_out_of_range_is_a_value_error(make, says, untyped):
    with pytest.raises(ValueError) as refusal:
        make()
    assert says in str(refusal.value)


@pytest.mark.parametrize(("make", "says"), KIND, ids=[says for _, says in KIND])
def test_a_value_of_another_kind_is_a_type_error(make, says, untyped):
    with pytest.raises(TypeError) as refusal:
        make()
    assert says in str(refusal.value)


def test_a_tracer_is_let_through():
    """Its value is not known before the program runs; what it gives is finite all the same."""

    def rates(rate, total, warmup):
        ks = jnp.arange(5)
        falls = s.cosine, s.linear, s.polynomial
        return [fall(rate, total, warmup_steps=warmup)(ks) for fall in falls]

    for bad in [(0.1, 0, 0), (0.1, -3, 2), (-0.1, 5, 9)]:
        assert all(np.isfinite(x).all() for x in jax.jit(rates)(*bad))
