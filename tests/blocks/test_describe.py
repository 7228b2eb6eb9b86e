"""What a transformation prints is Python that rebuilds it."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import lecture_optax as lo

from ..runs import updates_for

METHODS = [
    lo.sgd(0.1),
    lo.sgd(0.1, momentum=0.9),
    lo.sgd(0.1, 0.9, nesterov=True, accumulator_dtype=jnp.bfloat16),
    lo.adagrad(0.1, eps=1e-3),
    lo.rmsprop(0.1, momentum=0.5, centered=True, bias_correction=True),
    lo.adam(jnp.float32(0.1), b1=0.5),
    lo.nadam(0.1, mu_dtype="bfloat16"),
    lo.amsgrad(0.1, bias_correction_mu=False),
    lo.adamax(0.1, eps=1e-3),
    lo.chain(lo.infinity_moment(0.9, eps=0.0), lo.inverse()),
]


@pytest.mark.parametrize("tx", METHODS, ids=repr)
def test_what_it_prints_rebuilds_it(tx):
    gradients = jax.random.normal(jax.random.key(0), (5, 4))
    again = eval(repr(tx), {**vars(lo), "optax": optax})
    np.testing.assert_array_equal(updates_for(again, gradients), updates_for(tx, gradients))


def test_a_foreign_member_has_a_name_in_brackets():
    tx = lo.chain(optax.clip_by_global_norm(1.0), lo.trace(0.9))
    assert repr(tx) == "chain(<optax clip_by_global_norm>, trace(0.9))"


def test_a_traced_number_prints_as_such():
    printed = []
    jax.jit(lambda rate: printed.append(repr(lo.scale_by_learning_rate(rate))) or rate)(0.1)
    assert printed == ["scale_by_learning_rate(<traced float32>)"]


def test_a_method_is_described_by_name_arguments_and_members():
    description = lo.describe(lo.adamw(1e-3, weight_decay=0.5))
    assert description.name == "adamw"
    assert description.arguments["weight_decay"] == 0.5
    assert [member.name for member in description.members] == [
        "precondition",
        "optax.add_decayed_weights",
        "scale_by_learning_rate",
    ]


def test_what_is_not_a_transformation_is_refused_with_a_guess():
    with pytest.raises(TypeError, match="Is a factory missing its call"):
        lo.describe(lo.adam)


@pytest.mark.parametrize(
    "name", ["sgd", "adagrad", "rmsprop", "adam", "adamw", "nadam", "amsgrad", "adamax", "trace"]
)
def test_a_name_that_optax_has_too_takes_optaxs_arguments(name):
    ours, theirs = (
        [(p.name, p.kind, p.default) for p in inspect.signature(factory).parameters.values()]
        for factory in (getattr(lo, name), getattr(optax, name))
    )
    assert ours == theirs


def test_optax_recognises_what_we_build():
    tx = lo.adam(1e-3)
    assert isinstance(tx, optax.GradientTransformationExtraArgs)
    assert optax.with_extra_args_support(tx) is tx
    assert type(jax.tree.map(lambda x: x, tx)) is type(tx)
