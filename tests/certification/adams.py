"""Adam, written by hand by somebody who knows nothing of this library, and with one fault each.

Optimizers are written as in many repositories: a named tuple, `jax.tree.map`, float32 moments.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax


class AdamState(NamedTuple):
    count: Any
    mu: Any
    nu: Any


def zeros(params, dtype=None):
    return jax.tree.map(lambda p: jnp.zeros_like(p, dtype=dtype or p.dtype), params)


def moments(g, state, b1, b2):
    mu = jax.tree.map(lambda m, x: (b1 * m + (1 - b1) * x).astype(m.dtype), state.mu, g)
    nu = jax.tree.map(lambda v, x: (b2 * v + (1 - b2) * x * x).astype(v.dtype), state.nu, g)
    return mu, nu


def corrected(moment, decay, count):
    return jax.tree.map(lambda m: m / (1 - decay ** count.astype(jnp.float32)), moment)


def scaled(learning_rate, mu, nu, eps):
    return jax.tree.map(lambda m, v: -learning_rate * m / (jnp.sqrt(v) + eps), mu, nu)


def init(params):
    return AdamState(jnp.zeros((), jnp.int32), zeros(params), zeros(params))


def correct(learning_rate=1e-3, b1=0.9, b2=0.999, eps=1e-8):
    def update(g, state, params=None):
        count = state.count + 1
        mu, nu = moments(g, state, b1, b2)
        step = scaled(learning_rate, corrected(mu, b1, count), corrected(nu, b2, count), eps)
        return step, AdamState(count, mu, nu)

    return optax.GradientTransformation(init, update)


def no_bias_correction(learning_rate=1e-3, b1=0.9, b2=0.999, eps=1e-8):
    def update(g, state, params=None):
        mu, nu = moments(g, state, b1, b2)
        return scaled(learning_rate, mu, nu, eps), AdamState(state.count + 1, mu, nu)

    return optax.GradientTransformation(init, update)


def eps_inside(learning_rate=1e-3, b1=0.9, b2=0.999, eps=1e-8):
    def update(g, state, params=None):
        count = state.count + 1
        mu, nu = moments(g, state, b1, b2)
        step = jax.tree.map(
            lambda m, v: -learning_rate * m / jnp.sqrt(v + eps),
            corrected(mu, b1, count),
            corrected(nu, b2, count),
        )
        return step, AdamState(count, mu, nu)

    return optax.GradientTransformation(init, update)


def a_count_that_stays(learning_rate=1e-3, b1=0.9, b2=0.999, eps=1e-8):
    def update(g, state, params=None):
        count = state.count + 1
        mu, nu = moments(g, state, b1, b2)
        step = scaled(learning_rate, corrected(mu, b1, count), corrected(nu, b2, count), eps)
        return step, AdamState(state.count, mu, nu)

    return optax.GradientTransformation(init, update)


def a_count_one_step_late(learning_rate=1e-3, b1=0.9, b2=0.999, eps=1e-8):
    def update(g, state, params=None):
        used = jnp.maximum(state.count, 1)
        mu, nu = moments(g, state, b1, b2)
        step = scaled(learning_rate, corrected(mu, b1, used), corrected(nu, b2, used), eps)
        return step, AdamState(state.count + 1, mu, nu)

    return optax.GradientTransformation(init, update)


class TwoCounts(NamedTuple):
    step: Any
    mu: Any
    nu: Any
    t: Any


def two_counts_that_disagree(learning_rate=1e-3, b1=0.9, b2=0.999, eps=1e-8):
    def start(params):
        zero = jnp.zeros((), jnp.int32)
        return TwoCounts(zero, zeros(params), zeros(params), jnp.zeros((), jnp.int32))

    def update(g, state, params=None):
        step = state.step + 1
        mu, nu = moments(g, state, b1, b2)
        updates = scaled(learning_rate, corrected(mu, b1, step), corrected(nu, b2, step), eps)
        return updates, TwoCounts(step, mu, nu, state.t)

    return optax.GradientTransformation(start, update)


def half_state(learning_rate=1e-3, b1=0.9, b2=0.999, eps=1e-8):
    def start(params):
        half = jnp.float16
        return AdamState(jnp.zeros((), jnp.int32), zeros(params, half), zeros(params, half))

    def update(g, state, params=None):
        count = state.count + 1
        mu, nu = moments(g, state, b1, b2)
        return (
            jax.tree.map(
                lambda u, x: u.astype(x.dtype),
                scaled(learning_rate, corrected(mu, b1, count), corrected(nu, b2, count), eps),
                g,
            ),
            AdamState(count, mu, nu),
        )

    return optax.GradientTransformation(start, update)


def a_drifting_state(learning_rate=1e-3, b1=0.9, b2=0.999, eps=1e-8):
    def update(g, state, params=None):
        count = state.count + 1
        mu = jax.tree.map(lambda m, x: b1 * m + (1 - b1) * x, state.mu, g)
        nu = jax.tree.map(lambda v, x: b2 * v + (1 - b2) * x * x, state.nu, g)
        step = scaled(learning_rate, corrected(mu, b1, count), corrected(nu, b2, count), eps)
        return step, AdamState(count, mu, nu)

    return optax.GradientTransformation(init, update)


class WithStart(NamedTuple):
    count: Any
    mu: Any
    nu: Any
    start: Any


def a_state_that_is_the_parameters(learning_rate=1e-3, b1=0.9, b2=0.999, eps=1e-8):
    inner = correct(learning_rate, b1, b2, eps)

    def start(params):
        return WithStart(*inner.init(params), params)

    def update(g, state, params=None):
        step, after = inner.update(g, AdamState(*state[:3]), params)
        return step, WithStart(*after, state.start)

    return optax.GradientTransformation(start, update)


def two_moments_in_one_buffer(learning_rate=1e-3, b1=0.9, b2=0.999, eps=1e-8):
    def start(params):
        zero = zeros(params)
        return AdamState(jnp.zeros((), jnp.int32), zero, zero)

    return optax.GradientTransformation(start, correct(learning_rate, b1, b2, eps).update)


def two_learning_rates(learning_rate=1e-3, b1=0.9, b2=0.999, eps=1e-8):
    return optax.chain(
        correct(learning_rate, b1, b2, eps), optax.scale_by_learning_rate(1e-2, flip_sign=False)
    )


def two_learning_rates_by_injection(learning_rate=1e-3):
    return optax.chain(
        optax.inject_hyperparams(correct)(learning_rate=learning_rate),
        optax.inject_hyperparams(optax.scale_by_learning_rate)(learning_rate=1e-2),
    )


def uphill(learning_rate=1e-3, b1=0.9, b2=0.999, eps=1e-8):
    return optax.chain(correct(learning_rate, b1, b2, eps), optax.scale(-1.0))


def no_eps(learning_rate=1e-3, b1=0.9, b2=0.999):
    return correct(learning_rate, b1, b2, 0.0)


def steps_counted_in_python(learning_rate=1e-3, b1=0.9, b2=0.999, eps=1e-8):
    taken = []

    def update(g, state, params=None):
        taken.append(None)
        count = jnp.asarray(len(taken), jnp.int32)
        mu, nu = moments(g, state, b1, b2)
        step = scaled(learning_rate, corrected(mu, b1, count), corrected(nu, b2, count), eps)
        return step, AdamState(state.count + 1, mu, nu)

    return optax.GradientTransformation(init, update)


def hyperparameters_that_change(learning_rate=1e-3, b1=0.9, b2=0.999, eps=1e-8):
    settings = {"scale": 1.0}

    def update(g, state, params=None):
        step, after = correct(learning_rate, b1, b2, eps).update(g, state, params)
        settings["scale"] *= 0.5
        return jax.tree.map(lambda u: settings["scale"] * u, step), after

    return optax.GradientTransformation(init, update)


class NoisyState(NamedTuple):
    adam: Any
    key: Any


def the_same_noise_in_every_leaf(learning_rate=1e-3, eta=1e-3):
    """Reuse one key: `key` is never split, so that every step and leaf has the same noise."""
    inner = correct(learning_rate)

    def start(params):
        return NoisyState(inner.init(params), jax.random.key(0))

    def update(g, state, params=None):
        noisy = jax.tree.map(lambda x: x + eta * jax.random.normal(state.key, x.shape, x.dtype), g)
        step, after = inner.update(noisy, state.adam, params)
        return step, NoisyState(after, state.key)

    return optax.GradientTransformation(start, update)


def the_rate_applied_twice(learning_rate=1e-3, b1=0.9, b2=0.999, eps=1e-8):
    return optax.chain(
        correct(learning_rate, b1, b2, eps),
        optax.scale_by_learning_rate(learning_rate, flip_sign=False),
    )


class Recorder:
    last: Any = None


def a_tracer_that_leaks(learning_rate=1e-3, b1=0.9, b2=0.999, eps=1e-8):
    """Keep the last gradient outside the state, for the next step."""
    kept = Recorder()

    def update(g, state, params=None):
        before, kept.last = kept.last, g
        g = g if before is None else jax.tree.map(lambda x, y: 0.5 * (x + y), g, before)
        return correct(learning_rate, b1, b2, eps).update(g, state, params)

    return optax.GradientTransformation(init, update)
