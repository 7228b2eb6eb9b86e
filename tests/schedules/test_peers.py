"""Where Optax, torch, Keras or timm mean the same schedule, the rates are the same.

`make_torch.py` wrote torch's. What differs:

- torch's `OneCycleLR` has its peak at `pct_start · total_steps - 1` and its end at
  `total_steps - 1`, one step before ours and Optax's.
- torch's `CosineAnnealingLR` climbs again after `T_max`; that is `cyclic` with another shape.
- Keras's `alpha` is a part of the first rate, and its `m_mul` scales what is above it only.
- timm's warm-up is once at the start, and the cosine does not wait for it.
"""

import json
import math
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from lecture_optax import schedules as s

pytestmark = pytest.mark.usefixtures("x64", "standard_promotion")

STORED = json.loads(Path(__file__).with_name("torch.json").read_text())
TORCH = {
    "StepLR": s.step(0.1, 5, factor=0.5),
    "MultiStepLR": s.step(0.1, [3, 8], factor=0.3),
    "ExponentialLR": s.exponential(0.1, 0.9),
    "LinearLR": s.linear(0.1, 8, end_value=0.025),
    "PolynomialLR": s.polynomial(0.1, 8, power=1.7),
    "CosineAnnealingLR": s.cosine(0.1, 20, end_value=0.01),
    "CosineAnnealingWarmRestarts": s.warm_restarts(0.1, 3, period_factor=2, end_value=0.01),
    "CyclicLR": s.cyclic(0.01, 0.1, period=8),
    "CyclicLR, triangular2": s.cyclic(0.01, 0.1, period=8, peak_factor=0.5),
    "OneCycleLR": s.one_cycle(0.1, 20, warmup_steps=6),
}

RESTARTS = [
    {"init_value": 0.01, "peak_value": 0.1 * 0.7**n, "warmup_steps": 2, "decay_steps": steps}
    | {"end_value": 0.01}
    for n, steps in enumerate((5, 10, 20))
]
OPTAX = [
    (s.constant(0.1), optax.constant_schedule(0.1)),
    (s.constant(0.1, warmup_steps=7), optax.warmup_constant_schedule(0.0, 0.1, 7)),
    (s.warmup(s.constant(0.1), 7, init_value=0.02), optax.warmup_constant_schedule(0.02, 0.1, 7)),
    (s.linear(0.1, 30), optax.linear_schedule(0.1, 0.0, 30)),
    (s.linear(0.01, 30, end_value=0.3), optax.linear_schedule(0.01, 0.3, 30)),
    (
        s.join([s.constant(0.1), s.linear(0.1, 30, end_value=0.01)], [5]),
        optax.linear_schedule(0.1, 0.01, 30, transition_begin=5),
    ),
    (
        s.polynomial(0.1, 30, end_value=0.01, power=1.7),
        optax.polynomial_schedule(0.1, 0.01, 1.7, 30),
    ),
    (s.cosine(0.1, 30), optax.cosine_decay_schedule(0.1, 30)),
    (s.cosine(0.1, 30, end_value=0.03), optax.cosine_decay_schedule(0.1, 30, alpha=0.3)),
    (s.cosine(0.1, 30, warmup_steps=7), optax.warmup_cosine_decay_schedule(0.0, 0.1, 7, 30)),
    (
        s.warmup(s.cosine(0.1, 23, end_value=0.03), 7, init_value=0.02),
        optax.warmup_cosine_decay_schedule(0.02, 0.1, 7, 30, 0.03),
    ),
    (s.exponential(0.1, 0.9, transition_steps=3), optax.exponential_decay(0.1, 3, 0.9)),
    (
        s.exponential(0.1, 0.5, transition_steps=3, staircase=True, end_value=0.03),
        optax.exponential_decay(0.1, 3, 0.5, staircase=True, end_value=0.03),
    ),
    (
        s.exponential(0.1, 1.2, transition_steps=3, end_value=0.3),
        optax.exponential_decay(0.1, 3, 1.2, end_value=0.3),
    ),
    (
        s.exponential(0.1, 0.9, transition_steps=3, warmup_steps=7),
        optax.warmup_exponential_decay_schedule(0.0, 0.1, 7, 3, 0.9),
    ),
    (s.step(0.1, [5, 20], factor=0.3), optax.piecewise_constant_schedule(0.1, {5: 0.3, 20: 0.3})),
    (s.one_cycle(0.1, 40), optax.cosine_onecycle_schedule(40, 0.1)),
    (
        s.one_cycle(0.1, 40, warmup_steps=10, init_value=0.01, end_value=0.001),
        optax.cosine_onecycle_schedule(40, 0.1, 0.25, 10.0, 10.0),
    ),
    (
        s.warm_restarts(
            0.1,
            5,
            period_factor=2,
            peak_factor=0.7,
            end_value=0.01,
            cycles=3,
            warmup_steps=2,
            init_value=0.01,
        ),
        optax.sgdr_schedule(RESTARTS),
    ),
    (
        s.join([s.cosine(0.1, 10), s.constant(0.02)], [10]),
        optax.join_schedules(
            [optax.cosine_decay_schedule(0.1, 10), optax.constant_schedule(0.02)], [10]
        ),
    ),
]


@pytest.mark.parametrize("name", TORCH)
def test_it_is_torchs(name):
    rates = TORCH[name](np.arange(21))
    np.testing.assert_allclose(rates, STORED[name], rtol=1e-13, atol=1e-17)


def test_every_stored_scheduler_is_compared():
    assert set(STORED) == {"torch", *TORCH}


@pytest.mark.parametrize(("ours", "theirs"), OPTAX, ids=[repr(ours) for ours, _ in OPTAX])
def test_it_is_optaxs(ours, theirs):
    steps = jnp.arange(60)
    expected = jax.jit(jax.vmap(lambda k: jnp.asarray(theirs(k))))(steps)
    np.testing.assert_allclose(ours(steps), expected, rtol=1e-12, atol=1e-17)


@pytest.mark.parametrize("m_mul", [1.0, 0.7])
@pytest.mark.parametrize("t_mul", [1.0, 2.0])
def test_warm_restarts_are_keras_s_cosine_decay_restarts(t_mul, m_mul):
    """As its documentation defines it, with `alpha=0`."""

    def keras(k, initial, first_decay_steps):
        fraction = k / first_decay_steps
        if t_mul == 1:
            n, part = int(fraction), fraction % 1
        else:
            n = int(math.log(1 - fraction * (1 - t_mul)) / math.log(t_mul) + 1e-12)
            part = (fraction - (1 - t_mul**n) / (1 - t_mul)) / t_mul**n
        return initial * m_mul**n * (1 + math.cos(math.pi * part)) / 2

    ours = s.warm_restarts(0.1, 8, period_factor=t_mul, peak_factor=m_mul)
    expected = [keras(k, 0.1, 8) for k in range(100)]
    np.testing.assert_allclose(ours(np.arange(100)), expected, rtol=1e-12)


@pytest.mark.parametrize("cycle_mul", [1.0, 1.5])
def test_warm_restarts_are_timms_cosine_scheduler(cycle_mul):
    """As its documentation defines it, without warm-up."""
    cycle_decay, cycle_limit, lr, lr_min, t_initial = 0.5, 4, 0.1, 0.01, 8

    def timm(t):
        n, length, start = 0, t_initial, 0
        while t >= start + length:
            n, start = n + 1, start + length
            length = t_initial * cycle_mul**n
        if n >= cycle_limit:
            return lr_min
        peak = lr * cycle_decay**n
        return lr_min + 0.5 * (peak - lr_min) * (1 + math.cos(math.pi * (t - start) / length))

    ours = s.warm_restarts(
        lr,
        t_initial,
        period_factor=cycle_mul,
        peak_factor=cycle_decay,
        end_value=lr_min,
        cycles=cycle_limit,
    )
    expected = [timm(k) for k in range(100)]
    np.testing.assert_allclose(ours(np.arange(100)), expected, rtol=1e-12)
