"""Every refusal names the argument, the value, what is allowed and the way out."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import lecture_optax as lo

RANGE = [
    (lambda: lo.adam(-1e-3), "learning_rate must be a finite number >= 0", "got -0.001"),
    (lambda: lo.adam(float("nan")), "learning_rate must be", "got nan"),
    (lambda: lo.sgd(float("inf")), "learning_rate must be", "got inf"),
    (lambda: lo.adam(1e-3, b1=1.5), r"b1 must be in \[0, 1\)", "got 1.5"),
    (lambda: lo.adam(1e-3, b2=1.0), r"b2 must be in \[0, 1\)", "got 1.0"),
    (lambda: lo.adam(1e-3, b2=jnp.float32(2)), r"b2 must be in \[0, 1\)", "got Array"),
    (lambda: lo.adam(1e-3, eps=-1), "eps must be a finite number >= 0", "got -1"),
    (lambda: lo.amsgrad(1e-3, eps_root=-1.0), "eps_root must be", "got -1.0"),
    (lambda: lo.adamw(1e-3, weight_decay=-0.1), "weight_decay must be", "got -0.1"),
    (lambda: lo.adagrad(1, initial_accumulator_value=-1), "initial_accumulator_value must", "-1"),
    (lambda: lo.rmsprop(1e-3, decay=-0.1), "decay must be", "got -0.1"),
    (lambda: lo.rmsprop(1e-3, initial_scale=-0.1), "initial_scale must be", "got -0.1"),
    (lambda: lo.sgd(0.1, momentum=1), r"momentum must be in \[0, 1\)", "got 1"),
    (lambda: lo.sgd(0.1, nesterov=True), "nesterov=True needs a momentum", "momentum=0.9"),
    (lambda: lo.rmsprop(0.1, nesterov=True), "nesterov=True needs a momentum", "momentum=0.9"),
    (lambda: lo.average_iterates(-1.0), "eta must be", "got -1.0"),
    (lambda: lo.chain(lo.adam(0.5), lo.sgd(0.25)), "one learning rate", "optax.scale"),
]
KIND = [
    (lambda: lo.adam([1e-3, 1e-2]), "learning_rate must be", "vmap"),
    (lambda: lo.adam(jnp.ones(2)), "learning_rate must be", "vmap"),
    (lambda: lo.adam("fast"), "learning_rate must be", "got 'fast'"),
    (lambda: lo.adam(None), "learning_rate must be", "got None"),
    (lambda: lo.adam(1e-3, b1=True), "b1 must be", "got True"),
    (lambda: lo.adam(1e-3, b1=0.9j), "b1 must be", "got 0.9j"),
    (lambda: lo.first_moment(jnp.bfloat16(0.9)), "decay must be at least float32", "bfloat16"),
    (lambda: lo.sgd(0.1, 0.9, nesterov=0.9), "nesterov must be True or False", "got 0.9"),
    (lambda: lo.sgd(0.1, nesterov=None), "nesterov must be True or False", "got None"),
    (lambda: lo.trace(0.9, "yes"), "nesterov must be True or False", "got 'yes'"),
    (lambda: lo.adam(0.1, nesterov=1), "nesterov must be True or False", "got 1"),
    (lambda: lo.nadam(0.1, nesterov=[True]), "nesterov must be True or False", r"got [True]"),
    (lambda: lo.rmsprop(0.1, centered="no"), "centered must be True or False", "got 'no'"),
    (lambda: lo.rmsprop(0.1, eps_in_sqrt=0), "eps_in_sqrt must be True or False", "got 0"),
    (lambda: lo.rmsprop(0.1, bias_correction="no"), "bias_correction must be", "got 'no'"),
    (lambda: lo.amsgrad(0.1, bias_correction_nu=0.9), "bias_correction_nu must be", "got 0.9"),
    (lambda: lo.variance(0.9, bias_correction=2), "bias_correction must be", "got 2"),
    (lambda: lo.scale_by_learning_rate(0.1, flip_sign=-1), "flip_sign must be", "got -1"),
    (lambda: jax.jit(lambda on: lo.sgd(0.1, 0.9, on).init(0.0))(True), "nesterov must be", "jit"),
    (lambda: lo.adam(0.1, mu_dtype="fast"), "mu_dtype must be a floating-point", "'fast'"),
    (lambda: lo.adamw(0.1, mu_dtype=16), "mu_dtype must be a floating-point", "got 16"),
    (lambda: lo.amsgrad(0.1, mu_dtype=jnp.int8), "mu_dtype must be a floating-point", "int8"),
    (lambda: lo.nadam(0.1, mu_dtype=bool), "mu_dtype must be a floating-point", "bool"),
    (lambda: lo.sgd(0.1, accumulator_dtype="int32"), "accumulator_dtype must be", "got 'int32'"),
    (lambda: lo.trace(0.9, accumulator_dtype=[]), "accumulator_dtype must be", "got []"),
    (lambda: lo.optimized_trace(9, accumulator_dtype=1), "accumulator_dtype must be", "got 1"),
]


@pytest.mark.parametrize(
    ("make", "names", "says"), [*RANGE, *KIND], ids=lambda x: x if isinstance(x, str) else ""
)
def test_a_bad_hyperparameter_is_refused_when_the_optimizer_is_built(make, names, says, untyped):
    expected = TypeError if any(make is kind[0] for kind in KIND) else ValueError
    with pytest.raises(expected, match=names) as refusal:
        make()
    assert says in str(refusal.value)


def test_a_tracer_is_let_through():
    jax.jit(lambda b1: lo.adam(b1, b1=b1).init(jnp.zeros(2)))(-3.0)


@pytest.mark.parametrize("on", [True, np.True_, np.array(True), jnp.array(True)], ids=repr)
def test_a_switch_is_a_bool_of_any_library(on, untyped):
    assert repr(lo.sgd(0.1, 0.9, nesterov=on)) == repr(lo.sgd(0.1, 0.9, nesterov=True))


@pytest.mark.parametrize("dtype", [None, "bfloat16", jnp.float16, np.dtype("float32"), float])
def test_an_accumulator_has_any_floating_dtype(dtype):
    assert lo.adam(0.1, mu_dtype=dtype).init(jnp.zeros(2)) is not None


@pytest.mark.parametrize("huge", [10**12, np.int64(10**12), np.array(10**12)], ids=repr)
@pytest.mark.parametrize(
    "build",
    [
        lambda x: lo.adam(0.1, eps=x),
        lambda x: lo.adagrad(0.1, initial_accumulator_value=x),
        lambda x: lo.sgd(x),
        lambda x: lo.adamw(0.1, weight_decay=x),
        lambda x: lo.precondition(lo.trace(0.5), by=lo.full_matrix(x, x, initial=x)),
    ],
)
def test_an_integer_beyond_int32_is_a_number_like_any_other(build, huge, untyped):
    def updated(tx):
        return tx.update(jnp.ones(2), tx.init(jnp.ones(2)), jnp.ones(2))[0].tolist()

    assert updated(build(huge)) == updated(build(1e12))


def test_an_integer_leaf_is_refused_by_path():
    with pytest.raises(TypeError, match=r"\['steps'\] \(int32\).*optax.masked"):
        lo.adam(1e-3).init({"w": jnp.ones(2), "steps": jnp.arange(3)})


@pytest.mark.parametrize("tx", [lo.adam(1e-3), lo.sgd(0.1), lo.chain(optax.clip(1.0))], ids=repr)
def test_a_missing_gradient_is_refused_by_path(tx):
    params = {"a": jnp.ones(3), "b": jnp.ones(2)}
    with pytest.raises(ValueError, match=r"\['b'\].*optax.masked"):
        tx.update({"a": jnp.ones(3), "b": None}, tx.init(params), params)


def test_a_missing_gradient_is_refused_without_the_parameters_too():
    tx = lo.adam(1e-3)
    with pytest.raises(ValueError, match=r"\['b'\].*optax.masked"):
        tx.update({"b": None}, tx.init({"b": jnp.ones(2)}))


def test_bfloat16_hyperparameters_are_refused_with_the_way_out():
    params = jnp.ones(3, jnp.bfloat16)
    with pytest.raises(TypeError, match=r"hyperparam_dtype=jnp\.float32"):
        optax.inject_hyperparams(lo.adam)(1e-3).init(params)
    tx = optax.inject_hyperparams(lo.adam, hyperparam_dtype=jnp.float32)(1e-3)
    update, _ = tx.update(params, tx.init(params), params)
    assert jnp.isfinite(update).all()


def test_a_D_that_fits_no_leaf_is_refused_with_both_shapes():
    tx = lo.precondition(optax.identity(), by=optax.stateless(lambda g, _: jnp.zeros((2, 3))))
    with pytest.raises(ValueError, match=r"\(2, 3\).*\(4,\).*\(4, 4\)"):
        tx.update(jnp.zeros(4), tx.init(jnp.zeros(4)))
