"""Claims about schedules: τ(k) agrees with its formula at every step, also between two phases.

The formulas are those of their authors, in NumPy, written independently of the schedules: steps
count from 0, and the step at which a phase ends belongs to the next phase.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from ... import schedules
from .statement import Finding, statement

k = np.arange(61.0)


@statement(
    "rates-that-fall",
    claim="Steps, exponentials, powers, lines, half a cosine: τ(k) is as on the slide for every k",
    slide="Annealing",
    source="the lecture; cosine: Loshchilov and Hutter (2017), equation 5; Bengio (2012)",
)
def rates_that_fall(
    step=schedules.step,
    exponential=schedules.exponential,
    inverse_time=schedules.inverse_time,
    polynomial=schedules.polynomial,
    linear=schedules.linear,
    cosine=schedules.cosine,
    silver=schedules.silver,
):
    left, wave = 1 - np.minimum(k, 40) / 40, (1 + np.cos(np.pi * np.minimum(k, 40) / 40)) / 2
    drops = (k >= 10).astype(int) + (k >= 30)
    climbing, later = k / 10, 1 - (np.minimum(k, 40) - 10) / 30
    twos = np.array([(j & -j).bit_length() - 1 for j in range(1, 62)])  # powers of 2 in k + 1
    return off_their_formulas(
        {
            "a drop at 10 and 30": (step(2.0, [10, 30], factor=0.1), 2 * 0.1**drops),
            "a drop every 7 steps": (step(2.0, 7, factor=0.5), 2 * 0.5 ** (k // 7)),
            "exponential": (exponential(2.0, 0.5, transition_steps=4), 2 * 0.5 ** (k / 4)),
            "exponential, at least .1": (
                exponential(2.0, 0.5, transition_steps=4, staircase=True, end_value=0.1),
                np.maximum(2 * 0.5 ** (k // 4), 0.1),
            ),
            "1/k": (inverse_time(2.0), 2 / (1 + k)),
            "a power of 1/k": (inverse_time(2.0, 0.1, power=0.5), 2 / np.sqrt(1 + 0.1 * k)),
            "polynomial": (polynomial(2.0, 40, end_value=0.5, power=3.0), 0.5 + 1.5 * left**3),
            "linear": (linear(2.0, 40, end_value=0.5), 0.5 + 1.5 * left),
            "cosine": (cosine(2.0, 40, end_value=0.5), 0.5 + 1.5 * wave),
            "linear, after a warm-up": (
                linear(2.0, 40, end_value=0.5, warmup_steps=10),
                np.where(k < 10, 2 * climbing, 0.5 + 1.5 * later),
            ),
            "silver, L = 4": (silver(4.0), (1 + (1 + np.sqrt(2)) ** (twos - 1.0)) / 4),
        }
    )


@statement(
    "rates-that-come-back",
    claim="Each part of restarts, cycles, warm-ups and joined schedules begins at its step",
    slide="Annealing",
    source="Loshchilov and Hutter (2017), section 3; Smith (2017), Smith and Topin (2018)",
)
def rates_that_come_back(
    warm_restarts=schedules.warm_restarts,
    cyclic=schedules.cyclic,
    one_cycle=schedules.one_cycle,
    wsd=schedules.wsd,
    warmup=schedules.warmup,
    join=schedules.join,
    scale=schedules.scale,
):
    """Check all schedules. Cycles of 8, 16, 32 steps begin at 8 (2^n - 1): n = ⌊log2(k/8 + 1)⌋."""
    n = np.floor(np.log2(k / 8 + 1))
    peak, part = 2 * 0.5**n, (k - 8 * (2**n - 1)) / (8 * 2**n)
    triangle = 1 - np.abs(2 * (k % 10) / 10 - 1)
    up, down = np.minimum(k, 15) / 15, (np.clip(k, 15, 50) - 15) / 35
    fading, flat = schedules.exponential(2.0, 0.9), schedules.constant(3.0)
    later = np.maximum(k - 20, 0)
    return off_their_formulas(
        {
            "restarts, each cycle twice as long and half as high": (
                warm_restarts(2.0, 8, period_factor=2.0, peak_factor=0.5, end_value=0.1),
                0.1 + (peak - 0.1) * (1 + np.cos(np.pi * part)) / 2,
            ),
            "restarts, every 10 steps": (
                warm_restarts(2.0, 10),
                1 + np.cos(np.pi * (k % 10) / 10),
            ),
            "triangles": (
                cyclic(1.0, 3.0, period=10, peak_factor=0.5),
                1 + 2 * 0.5 ** (k // 10) * triangle,
            ),
            "one cycle": (
                one_cycle(2.5, 50),
                np.where(
                    k < 15,
                    2.5 - 2.4 * (1 + np.cos(np.pi * up)) / 2,
                    1e-5 + (2.5 - 1e-5) * (1 + np.cos(np.pi * down)) / 2,
                ),
            ),
            "warm-up, stable, decay": (
                wsd(2.0, 50, warmup_steps=5),
                2 * np.minimum(np.minimum(k / 5, 1), np.clip((50 - k) / 10, 0, 1)),
            ),
            "a warm-up": (
                warmup(fading, 20, init_value=0.5),
                np.where(k < 20, 0.5 + 1.5 * k / 20, 2 * 0.9**later),
            ),
            "joined at 20": (join([flat, fading], [20]), np.where(k < 20, 3, 2 * 0.9**later)),
            "halved": (scale(fading, 0.5), 0.9**k),
        }
    )


def off_their_formulas(rates: dict[str, tuple[Callable, np.ndarray]]) -> list[Finding]:
    """Return one finding per schedule: the largest difference over all k."""
    values = jax.jit(lambda steps: {name: jax.vmap(f)(steps) for name, (f, _) in rates.items()})
    measured = values(jnp.arange(len(k)))
    return [
        Finding(np.abs(measured[name] - formula).max(), 0, 1e-12, what=name)
        for name, (_, formula) in rates.items()
    ]
