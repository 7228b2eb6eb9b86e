"""Compare Optax and lecture_optax: measure every row of the table.

python examples/versus_optax.py                 # all rows
python examples/versus_optax.py stalled-moments # one row
"""

import itertools
import sys
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

import lecture_optax as lo

METHODS = ("sgd", "adagrad", "rmsprop", "adam", "adamw", "nadam", "amsgrad", "adamax")


class Row(NamedTuple):
    """A test case, and the result of each library."""

    case: str
    optax: str
    ours: str


def injected_bfloat16() -> Row:
    """b2 = 0.999 becomes 1 in bfloat16."""

    def first_update(library):
        params = jnp.ones(3, jnp.bfloat16)
        try:
            tx = optax.inject_hyperparams(library.adam)(1e-3)
            update, _ = tx.update(params, tx.init(params), params)
        except TypeError as refusal:
            return f"refused: {str(refusal).split(',')[0]}"
        return f"update {float(update[0])}"

    return Row("inject_hyperparams(adam), bfloat16", first_update(optax), first_update(lo))


def stalled_moments() -> Row:
    """A second moment in bfloat16 stops at half of its value, so the steps stay too large."""

    theirs, ours = (f"step {stalled_step(library):.2f} τ" for library in (optax, lo))
    return Row("2,000 steps of g = 1 in bfloat16", theirs, ours)


def stalled_step(library) -> float:
    """Return Adam's step after 2,000 steps of g = 1 in bfloat16, as a multiple of τ: exactly 1."""
    tx, g = library.adam(1.0), jnp.ones((), jnp.bfloat16)

    def body(state, _):
        update, state = tx.update(g, state)
        return state, update

    _, updates = jax.lax.scan(body, tx.init(g), length=2000)
    return abs(float(updates[-1]))


def zero_gradient() -> Row:
    """ε = 1e-8 is 0 in float16, and 0/0 is NaN."""

    def survivors(library):
        zero, finite = jnp.zeros(2, jnp.float16), 0
        for name in METHODS:
            tx = getattr(library, name)(1e-3)
            update, _ = tx.update(zero, tx.init(zero), zero)
            finite += bool(jnp.isfinite(update).all())
        return f"{finite} of {len(METHODS)} methods finite"

    return Row("a zero gradient in float16", survivors(optax), survivors(lo))


def mixed_scan() -> Row:
    """The state changes its dtype in the first step."""

    def survivors(library):
        params, gradient, scanned = jnp.ones(2, jnp.bfloat16), jnp.ones(2), 0
        for name in METHODS:
            tx = getattr(library, name)(1e-3)

            def body(carry, _, tx=tx):
                params, state = carry
                update, state = tx.update(gradient, state, params)
                return (optax.apply_updates(params, update), state), None

            def run(tx=tx, body=body):
                return jax.lax.scan(body, (params, tx.init(params)), length=2)

            try:
                jax.eval_shape(run)
            except TypeError:
                continue
            scanned += 1
        return f"{scanned} of {len(METHODS)} run in `lax.scan`"

    return Row("8 methods, bfloat16 params, float32 grads", survivors(optax), survivors(lo))


def one_compile() -> Row:
    """Optax's cosine checks its horizon in Python, so each horizon needs a compilation."""

    def compiles(build, static):
        traces = []

        def trial(rate, horizon):
            traces.append(rate)
            tx = build(rate, horizon)
            return tx.update(jnp.ones(2), tx.init(jnp.ones(2)))[0]

        run = jax.jit(trial, static_argnames=static)
        for rate, horizon in itertools.product([0.1, 0.2, 0.3], [10, 20, 40]):
            run(rate, horizon=horizon)
        return f"{len(traces)} compile" + "s" * (len(traces) > 1)

    return Row(
        "3 learning rates x 3 horizons of a cosine",
        compiles(lambda r, n: optax.sgd(optax.cosine_decay_schedule(r, n)), "horizon"),
        compiles(lambda r, n: lo.sgd(lo.schedules.cosine(r, n)), ()),
    )


def readable_rate() -> Row:
    """The learning rate of the last step, read from the state."""

    def rate(library):
        tx = library.adam(lambda k: 0.1 / (1.0 + k))
        _, state = tx.update(jnp.ones(2), tx.init(jnp.ones(2)))
        return str(optax.tree.get(state, "learning_rate"))

    return Row('optax.tree.get(state, "learning_rate")', rate(optax), rate(lo))


def same_structure() -> Row:
    """A checkpoint written with a number and read with a schedule."""

    def fits(library):
        trees = [
            jax.tree.structure(library.adam(rate).init(jnp.ones(2)))
            for rate in (0.1, lambda k: 0.1 / (1.0 + k))
        ]
        return "same state" if trees[0] == trees[1] else "another state"

    return Row("a number becomes a schedule", fits(optax), fits(lo))


def refusals() -> Row:
    """Invalid hyperparameters."""

    def refused(library):
        wrong = [
            lambda: library.adam(1e-3, b1=1.5),
            lambda: library.adam(1e-3, eps=-1.0),
            lambda: library.adam(-1e-3),
            lambda: library.sgd(1e-3, nesterov=True),
        ]
        count = 0
        for make in wrong:
            try:
                make()
            except ValueError:
                count += 1
        return f"{count} of {len(wrong)} refused"

    return Row("b1=1.5, eps=-1, τ=-1e-3, bare nesterov", refused(optax), refused(lo))


def skipped_warmup() -> Row:
    """A warm-up of 0 steps."""
    theirs = optax.warmup_constant_schedule(0.0, 0.1, warmup_steps=0)
    ours = lo.schedules.constant(0.1, warmup_steps=0)
    return Row("warmup_steps=0: the τ at step 100", f"{theirs(100):.1f}", f"{ours(100):.1f}")


def endless_restarts() -> Row:
    """SGDR as a list of cycles ends after its last cycle."""
    cycle = {"init_value": 0.1, "peak_value": 0.1, "decay_steps": 10, "warmup_steps": 0}
    theirs = optax.sgdr_schedule([cycle, cycle])
    ours = lo.schedules.warm_restarts(0.1, period=10)
    return Row("warm restarts: the τ at step 50", f"{theirs(50):.1f}", f"{ours(50):.1f}")


def slope_at_zero() -> Row:
    """The derivative of a training step at an entry with gradient 0."""

    def slope(library):
        tx = library.rmsprop(1.0, eps=0.0)
        derivative = jax.grad(lambda g: tx.update(g, tx.init(g))[0])(0.0)
        return "finite" if jnp.isfinite(derivative) else str(derivative)

    return Row("d(update)/d(gradient) at 0", slope(optax), slope(lo))


def warm_bias() -> Row:
    """The rounding error of 1 - 0.999 in float32."""

    theirs, ours = (f"off by {abs(first_step(library) - 1):.0e}" for library in (optax, lo))
    return Row("Adam's first step, which is exactly τ", theirs, ours)


def first_step(library) -> float:
    """Return Adam's first step in float32 without momentum, as a multiple of τ: exactly 1."""
    tx, g = library.adam(1.0, b1=0.0, eps=0.0), jnp.float32(3.0)
    update, _ = jax.jit(lambda g: tx.update(g, tx.init(g)))(g)
    return abs(float(update))


ROWS: dict[str, Callable[[], Row]] = {
    "injected-bfloat16": injected_bfloat16,
    "stalled-moments": stalled_moments,
    "zero-gradient": zero_gradient,
    "mixed-scan": mixed_scan,
    "one-compile": one_compile,
    "readable-rate": readable_rate,
    "same-structure": same_structure,
    "refusals": refusals,
    "skipped-warmup": skipped_warmup,
    "endless-restarts": endless_restarts,
    "slope-at-zero": slope_at_zero,
    "first-step": warm_bias,
}


def main(names: list[str]) -> int:
    """Print the named rows, or all of them; return 2 for an unknown name."""
    if unknown := [name for name in names if name not in ROWS]:
        print(f"there is no row {unknown[0]!r}: choose from {', '.join(ROWS)}.", file=sys.stderr)
        return 2
    print(f"{'row':18} {'what':42} {'Optax ' + optax.__version__:24} lecture_optax")
    for name in names or ROWS:
        row = ROWS[name]()
        print(f"{name:18} {row.case:42} {row.optax:24} {row.ours}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
