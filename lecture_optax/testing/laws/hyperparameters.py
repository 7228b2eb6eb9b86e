"""Law 3. Hyperparameters are data: numbers, arrays or tracers, and refused when they are wrong."""

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from ..._core.types import Schedule
from ...schedules import constant
from .._law import entry, expect, finite, in_numpy, law, naming, same_avals, same_values
from .._samples import one, still
from .._subject import Subject

_MEMBERS = 8


@law(3)
def a_narrow_array_is_widened_or_refused(subject: Subject) -> None:
    """A hyperparameter in float16 or bfloat16 acts like its number, or is refused by name."""
    params, gradients = one(subject)
    for name, value in subject.values.items():
        few_bits = {name: _rounded_to_seven_bits(value)}
        expected = subject.run(subject.build(**few_bits), params, gradients)
        for kind in (jnp.float16, jnp.bfloat16):
            given = {name: kind(few_bits[name])}
            if float(given[name]) != few_bits[name]:  # 1e-8 is 0 in float16
                continue
            with naming(f"with {given}"), jax.numpy_dtype_promotion("standard"):
                try:
                    tx = subject.build(**given)
                except TypeError as error:
                    expect(name in str(error), f"the refusal does not name {name}: {error}")
                    continue
                actual = subject.run(tx, params, gradients)
                same_avals(actual, expected, "the run")
                same_values(actual, expected, "the run", ulps=16)


@law(3)
def a_number_an_array_and_a_schedule_are_the_same(subject: Subject) -> None:
    """A Python number, a NumPy scalar, an array and a constant schedule give the same step."""
    params, gradients = one(subject)
    expected = subject.run(subject.build(), params, gradients)
    for kind in (np.float32, np.asarray, jnp.asarray, jnp.float32):
        given = {name: kind(value) for name, value in subject.values.items()}
        with naming(f"given as {kind.__name__}"):
            actual = subject.run(subject.build(**given), params, gradients)
            same_avals(actual, expected, "the run")
            same_values(actual, expected, "the run", ulps=16)
    for name, hyperparameter in subject.hyperparameters.items():
        schedules = _staying_at(subject.values[name]) if hyperparameter.schedule else {}
        for kind, schedule in schedules.items():
            with naming(f"with {kind} for {name}"):
                updates, _ = subject.run(subject.build(**{name: schedule}), params, gradients)
                same_values(updates, expected[0], "the updates", ulps=16)


@law(3)
def one_compiled_step_serves_every_value(subject: Subject) -> None:
    """A step compiled once takes any values of the hyperparameters, and uses them."""
    step, traces = subject.compiled
    params, gradients = one(subject)
    for values in _members(subject)[::3]:
        tx = subject.build(**values)
        _, state = subject.run(tx, params, gradients[:2])
        expected = in_numpy(subject.update(tx, gradients[2], state, params))
        given = {name: jnp.float32(value) for name, value in values.items()}
        state = jax.tree.map(jnp.array, state)  # what it shares, law 5 tells
        compiled = in_numpy(step(given, gradients[2], state, params))
        with naming(f"compiled, with {values}"):
            same_values(compiled, expected, "a step", ulps=64)
    expect(len(traces) == 1, f"{len(traces)} traces for values of one shape, expected 1")


@law(3)
def vmap_over_values_is_separate_runs(subject: Subject) -> None:
    """A `vmap` over values of all hyperparameters at once equals a run for each of them."""
    params, gradients = one(subject)
    members = _members(subject)
    if not subject.hyperparameters:
        return
    stacked = {name: jnp.float32([m[name] for m in members]) for name in members[0]}
    together = jax.vmap(lambda v: subject.run(subject.build(**v), params, gradients))(stacked)
    for i, values in enumerate(members):
        with naming(f"with {values}"):
            alone = subject.run(subject.build(**values), params, gradients)
            mine = entry(together, i)
            same_values(mine, alone, "one of several runs", ulps=64)


@law(3)
def derivatives_by_a_hyperparameter_are_finite(subject: Subject) -> None:
    """The derivative by every hyperparameter is finite, β = 0, ε = 0, zero gradients included."""
    params, gradients = one(subject)
    for values in (subject.values, subject.lowest):
        given = {name: jnp.float32(value) for name, value in values.items()}
        with naming(f"at {values}"):
            slope = jax.grad(lambda v: _total(subject, v, params, still(gradients)))(given)
            finite(slope, "the derivative")


@law(3)
def derivatives_by_a_hyperparameter_are_slopes(subject: Subject) -> None:
    """The derivative by every hyperparameter is the slope of the updates, in float64."""
    step = 1e-6
    with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):
        params, gradients = one(subject, "float64")
        at = {n: max(h.value, h.bounds[0] + step) for n, h in subject.hyperparameters.items()}
        given = {name: jnp.asarray(value, float) for name, value in at.items()}
        slopes = jax.grad(lambda v: _total(subject, v, params, gradients))(given)
        for name, value in at.items():
            above, below = (
                _total(subject, {**at, name: value + sign * step}, params, gradients)
                for sign in (1, -1)
            )
            rise = (above - below) / (2 * step)
            close = math.isclose(slopes[name], rise, rel_tol=1e-4, abs_tol=1e-7)
            expect(close, f"the derivative by {name} at {value} is {slopes[name]}, not {rise}")


@law(3)
def a_bad_value_is_refused_by_name(subject: Subject) -> None:
    """The factory raises a `ValueError` out of range, a `TypeError` for a wrong kind, by name."""
    for name, hyperparameter in subject.hyperparameters.items():
        for value in hyperparameter.outside():
            for given in (value, np.float32(value), jnp.float32(value)):
                words = _refusal(subject, ValueError, name, given)
                for bound in hyperparameter.bounds:
                    stated = math.isinf(bound) or f"{bound:g}" in words
                    expect(stated, f"{words!r} does not say that {bound:g} bounds {name}")
        for given in ("fast", [0.5], True, 1j, jnp.ones(2)):
            _refusal(subject, TypeError, name, given)


@law(3)
def a_tracer_is_let_through(subject: Subject) -> None:
    """A tracer is accepted, because its value is not known."""
    params, _ = one(subject)
    bad = {n: h.outside()[0] for n, h in subject.hyperparameters.items()}
    expected = jax.eval_shape(subject.build().init, params)
    state = jax.eval_shape(lambda v: subject.build(**v).init(params), bad)
    same_avals(state, expected, "the state of a traced build")


def _staying_at(value: float) -> dict[str, Schedule]:
    return {
        "a Python function": lambda count: value,
        "one of Optax's schedules": optax.constant_schedule(value),
        "one of ours": constant(value),
    }


def _members(subject: Subject) -> list[dict[str, float]]:
    spread = {name: h.spread(_MEMBERS) for name, h in subject.hyperparameters.items()}
    return [{name: float(v[i]) for name, v in spread.items()} for i in range(_MEMBERS)]


def _rounded_to_seven_bits(value: float) -> float:
    """Round towards zero to seven bits, which every precision holds."""
    mantissa, exponent = math.frexp(value)
    return math.ldexp(math.trunc(mantissa * 2**7), exponent - 7)


def _total(subject: Subject, values: Any, params: Any, gradients: Any) -> jax.Array:
    """Return a weighted sum of all updates, to be differentiated."""
    updates, _ = subject.run(subject.build(**values), params, gradients)
    flat = [jnp.ravel(u) for u in jax.tree.leaves(updates)]
    return sum((jnp.sum(u * jnp.arange(1, u.size + 1, dtype=u.dtype)) for u in flat), jnp.zeros(()))


def _refusal(subject: Subject, kind: type[Exception], name: str, value: Any) -> str:
    """Return the error message for a value, and require its type, name and value."""
    try:
        subject.build(**{name: value})
    except kind as error:
        words = str(error)
    else:
        raise AssertionError(f"{name}={value!r} was accepted, expected a {kind.__name__}")
    expect(name in words, f"the refusal of {name}={value!r} does not name {name}: {words!r}")
    return words
