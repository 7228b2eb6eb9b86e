"""Law 4. The state holds the applied learning rate and the number of steps, by name."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from ..._core.current import current
from .._law import (
    counters,
    expect,
    in_numpy,
    law,
    naming,
    same_avals,
    same_values,
    with_counters,
)
from .._samples import one, paired
from .._subject import Subject


@law(4)
def the_learning_rate_is_in_the_state_once(subject: Subject) -> None:
    """The state holds the learning rate, if there is one, once and by that name, from `init` on."""
    params, gradients = paired(subject)
    state = subject.build().init(params)
    for now in (state, subject.run(subject.build(), params, gradients)[1]):
        found = [value for _, value in optax.tree.get_all_with_path(now, "learning_rate")]
        # A factory that names no learning rate may have one of its own: `lambda: adam(1e-3)`.
        expected = [subject.values["learning_rate"]] if _has_a_rate(subject) else found[:1]
        number = f"the state holds {len(found)} learning rates, expected {len(expected)}"
        expect(len(found) == len(expected), number)
        same_values(found, expected, "the rates in the state", ulps=1)


@law(4)
def the_rate_in_the_state_is_the_one_applied(subject: Subject) -> None:
    """Step k of a schedule is the step of the constant τ(k), which the state then holds."""
    if not _has_a_rate(subject):
        return
    params, gradients = one(subject)
    tx = subject.build(learning_rate=_falling(subject))
    state = tx.init(params)
    same_avals(state, subject.build().init(params), "the state of a schedule")
    for k, gradient in enumerate(gradients):
        rate = _falling(subject)(jnp.int32(k))
        constant = subject.build(learning_rate=rate)
        expected = subject.update(constant, gradient, state, params)
        update, state = subject.update(tx, gradient, state, params)
        same_values((update, state), expected, f"step {k} of a schedule")
        same_values(optax.tree.get(state, "learning_rate"), rate, f"the rate after step {k}")


@law(4)
def the_rate_in_the_state_is_a_record(subject: Subject) -> None:
    """Writing another learning rate into the state changes no step."""
    if not _has_a_rate(subject):
        return
    params, gradients = one(subject)
    tx = subject.build()
    _, state = subject.run(tx, params, gradients[:2])
    written = optax.tree.set(state, learning_rate=jnp.full((), 9.0))
    expected = subject.update(tx, gradients[2], state, params)
    same_values(subject.update(tx, gradients[2], written, params), expected, "a step")


@law(4)
def all_counts_agree(subject: Subject) -> None:
    """After n steps every `count` in the state is n, and every other count of steps n more."""
    params, gradients = one(subject)
    tx = subject.build()
    before = counters(tx.init(params))
    _, state = subject.run(tx, params, gradients)
    for path, k in counters(state).items():
        start = 0 if path.endswith(".count") else before[path]
        expect(k - start == 3, f"the count at {path} is {k} after 3 steps, it began at {start}")


@law(4)
def the_count_in_the_state_is_the_one_used(subject: Subject) -> None:
    """Where the number of steps decides the update, the first step differs from the second.

    The same state is given other counts. A count that is read before it is increased, and kept
    from 0 by a maximum, is 1 in the first step and in the second.
    """
    params, gradients = one(subject)
    tx = subject.build()
    _, state = subject.run(tx, params, gradients)
    if not counters(state):
        return
    updates = [
        in_numpy(subject.update(tx, gradients[0], with_counters(state, k), params)[0])
        for k in (0, 1, 5, 6)
    ]
    if not np.array_equal(*updates[2:], equal_nan=True):
        told = not np.array_equal(*updates[:2], equal_nan=True)
        expect(told, "a count of 0 and one of 1 give the same update, and 5 and 6 do not")


@law(4)
def current_reads_it_through_wrappers(subject: Subject) -> None:
    """`current(state)` returns the number of updates and the learning rates, at any depth."""
    if not _has_a_rate(subject):
        return
    leaf, gradients = one(subject)
    params = {"a": leaf, "b": leaf}
    for name, tx in _wrapped(subject).items():
        sequence = [{"a": g, "b": g} for g in (*gradients, gradients[0])]
        with naming(f"through {name}"), jax.numpy_dtype_promotion("standard"), jax.disable_jit():
            now = current(subject.run(tx, params, sequence)[1])
            made = 2 if name == "MultiSteps" else 4
            expect(now.count == made, f"{now.count} updates were made, expected {made}")
            expected = dict.fromkeys(now.learning_rates, _falling(subject)(made - 1))
            expect(expected, "the state holds no learning rate")
            same_values(now.learning_rates, expected, "the learning rates", ulps=1)


def _wrapped(subject: Subject) -> dict[str, optax.GradientTransformationExtraArgs]:
    tx = subject.build(learning_rate=_falling(subject))
    injected = optax.inject_hyperparams(
        lambda learning_rate: subject.build(learning_rate=learning_rate)
    )
    wrapped = {
        "no wrapper": tx,
        "chain": optax.chain(optax.clip_by_global_norm(1.0), tx),
        "masked": optax.masked(tx, {"a": True, "b": False}),
        "partition": optax.partition({"x": tx, "y": tx}, {"a": "x", "b": "y"}),
        "MultiSteps": optax.MultiSteps(tx, 2).gradient_transformation(),
        "inject_hyperparams": injected(learning_rate=_falling(subject)),
    }
    return {name: optax.with_extra_args_support(tx) for name, tx in wrapped.items()}


def _falling(subject: Subject):
    """Return the schedule τ(k) = τ/(1 + k)."""
    return lambda k: (
        jnp.float32(subject.values["learning_rate"]) / (1 + jnp.asarray(k, jnp.float32))
    )


def _has_a_rate(subject: Subject) -> bool:
    return "learning_rate" in subject.hyperparameters
