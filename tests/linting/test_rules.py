"""Every rule finds its mistake, in several disguises, and nothing in optimizers without one."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import lecture_optax as lo
from lecture_optax.linting.lint import RULES, Findings
from tests.linting.public_chains import CHAINS, MISTAKES

pytestmark = pytest.mark.usefixtures("standard_promotion")

PARAMS = {"w": jnp.full((3, 4), 0.3), "b": jnp.full(4, 0.02)}
NARROW = jax.tree.map(lambda p: p.astype(jnp.bfloat16), PARAMS)
GRADIENT = jax.tree.map(lambda p: 1e-3 * p, PARAMS)
BOTH = {"w": True, "b": True}
NEITHER = {"w": False, "b": False}
RATE = optax.warmup_cosine_decay_schedule
DECAY = optax.add_decayed_weights(1e-4)


def injected(make, value=1e-3):
    return optax.inject_hyperparams(make)(learning_rate=value)


def micro(tx):
    return optax.MultiSteps(tx, 3).gradient_transformation()


def alone(tx):
    """A closure that names no stage, as someone writes it by hand."""
    return optax.GradientTransformation(tx.init, lambda *given: tx.update(*given))


def by_hand(step, *, counts=True):
    """An update of a gradient, a parameter and a count."""

    def update(updates, state, params=None):
        found = jax.tree.map(lambda g, p: step(g, p, state.count), updates, params)
        return found, optax.ScaleByScheduleState(state.count + counts)

    return optax.GradientTransformation(
        lambda params: optax.ScaleByScheduleState(jnp.zeros((), jnp.int32)), update
    )


def sign(g, p, k):
    return -1e-3 * jnp.sign(g + 1e-4 * p)


def sum_of_squares_without_end():
    def update(g, state, params=None):
        state = jax.tree.map(lambda v, g: (v * 0.999 + 0.001 * g * g).astype(v.dtype), state, g)
        return jax.tree.map(lambda g, v: -1e-3 * g / (jnp.sqrt(v) + 1e-8), g, state), state

    return optax.GradientTransformation(lambda p: jax.tree.map(jnp.zeros_like, p), update)


def to_zero(k):
    return 0.1 * jnp.maximum(1 - k / 50, 0)


FOUND = {
    "LO101": [
        optax.chain(optax.adam(0.1), optax.sgd(0.5)),
        optax.chain(lo.adam(0.1), lo.sgd(0.5)),
        optax.masked(optax.chain(optax.adam(0.1), optax.sgd(0.5)), BOTH),
        optax.chain(injected(optax.adam), lo.sgd(0.5)),
        micro(alone(optax.chain(optax.adam(0.1), optax.sgd(lambda k: 0.5)))),
    ],
    "LO102": [
        optax.scale_by_adam(),
        lo.chain(lo.first_moment(0.9), lo.bias_correction(0.9)),
        by_hand(lambda g, p, k: jnp.sign(g)),
        optax.masked(optax.adam(0.1), {"w": True, "b": False}),
    ],
    "LO103": [
        optax.adam(-0.1),
        lo.chain(optax.scale_by_adam(), optax.scale(0.1)),
        by_hand(lambda g, p, k: 0.1 * g),
        micro(injected(optax.sgd, -0.1)),
    ],
    "LO104": [
        optax.chain(DECAY, optax.adam(1e-3)),
        lo.chain(DECAY, lo.adam(1e-3)),
        by_hand(sign),
        optax.partition({"x": optax.chain(DECAY, optax.rmsprop(1e-3))}, {"w": "x", "b": "x"}),
        micro(optax.chain(optax.clip(1.0), DECAY, injected(optax.adam))),
    ],
    "LO105": [
        optax.chain(optax.adam(1e-3), optax.clip_by_global_norm(1.0)),
        lo.chain(lo.adam(1e-3), optax.clip(1.0)),
        injected(lambda learning_rate: optax.chain(optax.sgd(learning_rate), optax.clip(1.0))),
        by_hand(lambda g, p, k: jnp.clip(-g / (1 + k), -0.1, 0.1)),
    ],
    "LO106": [
        optax.adamw(1e-3, mask=NEITHER),
        lo.adamw(1e-3, mask=lambda p: jax.tree.map(lambda x: x.ndim > 2, p)),
        injected(lambda learning_rate: optax.adamw(learning_rate, mask=NEITHER)),
        alone(optax.chain(optax.masked(optax.trace(0.9), NEITHER), optax.sgd(0.1))),
    ],
    "LO107": [
        optax.adam(RATE(0.0, 1e-3, 0, 100)),
        injected(optax.adam, RATE(0.0, 1e-3, 0, 100)),
        lo.sgd(optax.linear_schedule(0.0, 0.1, 0)),
        by_hand(lambda g, p, k: -0.1 * jnp.minimum(1.0, k / jnp.zeros(())) * g),
    ],
    "LO108": [
        optax.adam(RATE(0.0, 1e-3, 10, 300)),
        lo.adam(lo.schedules.cosine(1e-3, 50)),
        by_hand(lambda g, p, k: -to_zero(k) * g),
        injected(optax.sgd, optax.linear_schedule(0.1, 0.0, 200)),
        micro(optax.adam(RATE(0.0, 1e-3, 10, 100))),
    ],
    "LO109": [
        optax.adam(1e-3),
        injected(optax.adam),
        sum_of_squares_without_end(),
        micro(optax.rmsprop(1e-3, decay=0.999)),
        optax.masked(optax.adam(1e-3), BOTH),
    ],
    "LO110": [
        optax.adam(1e-3, eps=1e-2),
        lo.adam(1e-3, eps=1e-2),
        by_hand(lambda g, p, k: -0.1 * g / (jnp.abs(g) + 1e-2)),
        micro(optax.rmsprop(1e-3, eps=1.0)),
    ],
    "LO111": [
        optax.sgd(1e-6),
        lo.sgd(1e-6, momentum=0.9),
        injected(optax.sgd, 1e-6),
        by_hand(lambda g, p, k: -1e-7 * jnp.sign(g)),
    ],
    "LO112": [
        optax.sgd(optax.piecewise_constant_schedule(0.1, {60_000: 0.1})),
        lo.sgd(lo.schedules.step(0.1, [60_000], factor=0.1)),
        optax.adam(optax.exponential_decay(1e-3, 0, 0.9)),
        by_hand(lambda g, p, k: -to_zero(k) * g, counts=False),
    ],
    "LO113": [
        optax.chain(optax.adam(1e-3), DECAY),
        lo.chain(lo.sgd(0.1), optax.add_decayed_weights(1e-2)),
        micro(optax.chain(optax.sgd(0.1, 0.9), DECAY)),
        by_hand(lambda g, p, k: -1e-3 * jnp.sign(g) + 1e-5 * p),
    ],
}
"""Disguises of every mistake."""

NEEDS = {
    "LO109": {"params": NARROW},
    "LO110": {"gradients": GRADIENT},
    "LO111": {"params": NARROW, "gradients": GRADIENT},
}


def linted(tx, *, params=PARAMS, **given):
    return lo.lint(tx, params, steps=100, **given)


DISGUISES = [
    pytest.param(name, i, marks=[pytest.mark.slow] * (i > 0))
    for name in FOUND
    for i in range(len(FOUND[name]))
]


@pytest.mark.parametrize(("name", "i"), DISGUISES)
def test_a_mistake_is_found_in_every_disguise(name, i):
    findings = linted(FOUND[name][i], **NEEDS.get(name, {}))
    assert name in {finding.name for finding in findings}, findings


LEGITIMATE = {
    "decoupled decay": optax.adamw(optax.cosine_decay_schedule(1e-3, 100), weight_decay=0.1),
    "coupled decay of SGD": optax.chain(DECAY, optax.sgd(0.1, momentum=0.9)),
    "a trust ratio": optax.lamb(1e-3, weight_decay=1e-2),
    "a clip before": optax.chain(optax.clip_by_global_norm(1.0), optax.sgd(0.1)),
    "a clip for other leaves": optax.chain(
        optax.masked(optax.sgd(0.1), {"w": True, "b": False}),
        optax.masked(optax.chain(optax.clip(1.0), optax.sgd(0.1)), {"w": False, "b": True}),
    ),
    "an empty group": optax.partition(
        {"x": optax.adam(1e-3), "y": optax.adam(1e-2)}, {"w": "x", "b": "x"}
    ),
    "stairs": optax.sgd(optax.piecewise_constant_schedule(0.1, {60: 0.1, 80: 0.1})),
    "an exponential": optax.adam(optax.exponential_decay(1e-3, 100, 0.9)),
    "a floor": optax.adam(optax.linear_schedule(1e-3, 1e-4, 50)),
    "a constant schedule": optax.adam(optax.constant_schedule(1e-3)),
    "no end": optax.adam(lambda k: 1e-3 / jnp.sqrt(1 + k)),
    "updates of micro-steps": micro(optax.adam(RATE(0.0, 1e-3, 3, 34))),
    "AdaGrad": optax.adagrad(0.1),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", LEGITIMATE)
def test_no_false_alarm(name):
    findings = linted(LEGITIMATE[name], gradients=GRADIENT)
    assert not findings, findings


@pytest.mark.slow
@pytest.mark.parametrize(("expression", "steps"), CHAINS)
def test_chains_of_public_code_have_their_known_mistakes_and_no_others(expression, steps):
    params = {"kernel": jnp.full((3, 4), 0.3), "bias": jnp.full(4, 0.1)}
    tx = eval(expression, {"jax": jax, "jnp": jnp, "optax": optax})  # ours, from the list
    known = {name for part, (name, _) in MISTAKES.items() if part in expression}
    assert {f.name for f in lo.lint(tx, params, steps=steps)} == known


def test_what_cannot_be_checked_says_why():
    def update(updates, state, params=None):
        raise RuntimeError("only on Tuesdays")

    tx = optax.GradientTransformation(lambda params: optax.EmptyState(), update)
    findings = lo.lint(tx, PARAMS)
    assert not findings
    assert "only on Tuesdays" in findings.not_checked["LO103"]
    assert findings.not_checked["LO108"] == "it needs steps"
    assert "LO110  not checked: it needs gradients" in str(findings)


def test_findings_print_their_identifier_and_their_page():
    findings = linted(optax.adam(-0.1))
    assert isinstance(findings, Findings) and repr(findings) == str(findings)
    assert str(findings).startswith("LO103  the optimizer goes uphill")
    assert "docs/reference/findings/lo103.md" in str(findings)


def test_every_rule_has_a_number_a_disguise_and_an_identifier_in_order():
    assert [rule.name for rule in RULES] == list(FOUND)
    for name in ("LO101", "LO108"):
        finding = next(f for f in linted(FOUND[name][0]) if f.name == name)
        assert finding.numbers and finding.remedy


def test_parameters_without_values_are_enough_for_all_but_one():
    shapes = jax.tree.map(lambda p: jax.ShapeDtypeStruct(p.shape, p.dtype), PARAMS)
    findings = lo.lint(optax.adam(-0.1), shapes, steps=10)
    assert findings[0].name == "LO103"
    assert "no values" in findings.not_checked["LO111"]


@pytest.mark.parametrize("wrong", [0, -3])
def test_a_run_has_at_least_one_step(wrong):
    with pytest.raises(ValueError, match="steps"):
        lo.lint(optax.sgd(0.1), PARAMS, steps=wrong)


def test_a_gradient_of_another_tree_is_said():
    findings = lo.lint(optax.adam(1e-3), PARAMS, gradients=np.ones(3))
    assert "other leaves" in findings.not_checked["LO110"]
