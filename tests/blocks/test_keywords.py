"""A call that does not fit its signature is told which argument was meant, and a correct call."""

import inspect

import flax.linen as nn
import jax.numpy as jnp
import pytest

import lecture_optax as lo

pytestmark = pytest.mark.usefixtures("untyped")
DATA = jnp.ones((4, 1)), jnp.ones(4)

OF_FIT = [
    ("lr", "tx=lo.adam(1e-3)"),
    ("learning_rate", "tx=lo.adam(1e-3)"),
    ("optimizer", "tx=lo.adam(1e-3)"),
    ("batchsize", "batch_size"),
    ("epoch", "epochs"),
    ("num_epochs", "epochs"),
    ("num_steps", "steps"),
    ("validation_data", "valid=(x_valid, y_valid)"),
    ("val", "valid=(x_valid, y_valid)"),
    ("criterion", "loss"),
    ("rng", "seed"),
    ("x", "data=(x, y)"),
    ("sampleweight", "sample_weight"),
    ("calbacks", "callbacks"),
]


def refusal(function, *args, **kwargs):
    with pytest.raises(TypeError) as raised:
        function(*args, **kwargs)
    assert raised.value.__cause__ is None
    return str(raised.value)


@pytest.mark.parametrize(("word", "meant"), OF_FIT)
def test_fit_knows_the_words_of_other_libraries(word, meant):
    says = refusal(lo.fit, None, DATA, **{word: 1})
    assert says.startswith(f"lo.fit has no argument {word!r}. Did you mean {meant}? A correct call")
    assert says.endswith("tx=lo.adam(1e-3), steps=1000)")


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("lr", "rates"),
        ("num_epochs", "epochs"),
        ("optimizer", 'optimizers={"adam": lo.adam}'),
        ("validation_data", "valid=(x_valid, y_valid)"),
        ("batchsize", "batch_size"),
        ("model", "problem"),
    ],
)
def test_searches_know_them_too(word, meant):
    says = refusal(lo.recipe.sweep, None, DATA, **{word: 1})
    assert f"lo.recipe.sweep has no argument {word!r}. Did you mean {meant}" in says
    if word != "lr":  # a search selects the learning rate
        says = refusal(lo.recipe.run, None, DATA, **{word: 1})
        assert f"lo.recipe.run has no argument {word!r}. Did you mean {meant}" in says


@pytest.mark.parametrize(
    ("factory", "word", "says"),
    [
        (lo.adam, "lr", "Did you mean learning_rate? A correct call: adam(learning_rate=1e-3)"),
        (lo.adam, "beta_1", "Did you mean b1? A correct call: adam(learning_rate=1e-3, b1=0.9)"),
        (lo.adam, "betas", "Did you mean b1=0.9, b2=0.999?"),
        (lo.adam, "epsilon", "Did you mean eps?"),
        (lo.sgd, "nestrov", "Did you mean nesterov?"),
        (lo.adamw, "wd", "Did you mean weight_decay?"),
        (lo.adam, "foreach", "Its arguments are learning_rate, b1, b2,"),
    ],
)
def test_optimizers_know_them_too(factory, word, says):
    assert f"has no argument {word!r}. {says}" in refusal(factory, 1e-3, **{word: 1})


def test_inputs_and_targets_are_one_argument():
    assert "takes 2 arguments by position, got 3: the data are one" in refusal(lo.fit, None, *DATA)
    for search in (lo.recipe.run, lo.recipe.sweep):
        options = {"rates": [0.1]} if search is lo.recipe.sweep else {}
        says = refusal(search, nn.Dense(1), *DATA, steps=1, **options)
        assert "got an array: the data are one argument, the pair (x, y)" in says


def test_a_missing_argument_is_named_with_a_correct_call():
    says = refusal(lo.recipe.sweep, None, DATA)
    assert "missing a required argument: 'rates'. A correct call: lo.recipe.sweep(model" in says
    for run in (lo.fit, lo.recipe.run):
        with pytest.raises(ValueError, match="give either steps or epochs, got steps=None and"):
            run(nn.Dense(1), DATA, loss="mse")
    assert "missing a required argument: 'learning_rate'" in refusal(lo.adam)


def test_several_unknown_arguments_are_all_named():
    says = refusal(lo.adam, 1e-3, beta_1=0.9, epsilon=1e-7)
    assert "'beta_1'. Did you mean b1? It has no argument 'epsilon'. Did you mean eps?" in says


def test_an_error_inside_of_a_call_that_fits_stays_as_it_is():
    assert refusal(lo.adam, "fast").startswith("learning_rate must be a finite number")


@pytest.mark.parametrize("function", [lo.fit, lo.recipe.run, lo.recipe.sweep, lo.adam])
def test_signature_and_documentation_stay_those_of_the_function(function):
    assert inspect.signature(function) == inspect.signature(function.__wrapped__)
    assert function.__doc__ == function.__wrapped__.__doc__
    assert "kwargs" not in inspect.signature(function).parameters
