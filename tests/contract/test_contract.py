"""The kit holds everybody to its laws: no transformation without a row, no law without a voice."""

import inspect

import jax
import jax.numpy as jnp
import optax
import pytest

import lecture_optax as lo
from lecture_optax.testing import CONTRACT, LAWS, Subject, check


def public_functions():
    return {
        name: thing
        for name, thing in vars(lo).items()
        if not name.startswith("_") and inspect.isfunction(thing)
    }


def public_transformations():
    """The names of all public functions that say that they return a transformation."""
    returns = {
        name: inspect.signature(function).return_annotation
        for name, function in public_functions().items()
    }
    return {
        name
        for name, kind in returns.items()
        if inspect.isclass(kind) and issubclass(kind, optax.GradientTransformation)
    }


def without_a_row():
    """Those that no row is named for: a row is called `name` or `name, what is special`."""
    return public_transformations() - {row.split(",")[0] for row in CONTRACT}


def test_every_public_transformation_has_a_row():
    assert not without_a_row(), "give them a row in lecture_optax/testing/contract.py"


def test_a_new_public_transformation_is_missed(monkeypatch):
    def surprise() -> lo._core.types.Transformation:
        return lo.trace(0.9)

    before = without_a_row()
    monkeypatch.setattr(lo, "surprise", surprise, raising=False)
    assert without_a_row() - before == {"surprise"}


@pytest.mark.parametrize("name", sorted(public_functions()))
def test_a_public_function_says_what_it_returns(name):
    returns = inspect.signature(public_functions()[name]).return_annotation
    assert returns is not inspect.Signature.empty, "or it would be missed above"


def test_a_row_is_named_for_something_public():
    assert {row.split(",")[0] for row in CONTRACT} <= public_transformations()


@pytest.mark.parametrize("row", CONTRACT)
def test_every_row_has_its_formula_and_what_it_cannot_hold_has_a_reason(row):
    assert CONTRACT[row].reference is not None
    assert all(len(reason) > 20 for reason in CONTRACT[row].exceptions.values())
    assert CONTRACT[row].exceptions.keys() <= LAWS.keys()


def test_an_exception_that_is_not_needed_is_an_error():
    listed = {"a_step_is_pure": "it draws random numbers"}
    with pytest.raises(AssertionError, match=r"random numbers.*take it off the list"):
        check(lo.running_max, laws=["a_step_is_pure"], takes="magnitude", exceptions=listed)


def narrow_moments():
    """Optax's: moments in the dtype of the parameters."""
    return optax.scale_by_adam()


def test_an_exception_that_is_needed_is_not_spoken_of():
    laws = ["a_state_is_at_least_float32"]
    with pytest.raises(AssertionError):
        check(narrow_moments, laws=laws)
    check(narrow_moments, laws=laws, exceptions={laws[0]: "moments are stored as they come"})


def aliasing():
    """Its state is the caller's memory."""
    return optax.GradientTransformation(lambda params: params, lambda g, s, p=None: (g, s))


def shifty(scale=1.0):
    """A state that becomes whatever the gradient is, from a hyperparameter that it misuses."""

    def update_fn(updates, state, params=None):
        return jax.tree.map(lambda g: g * scale, updates), updates

    return optax.GradientTransformation(
        lambda params: jax.tree.map(jnp.zeros_like, params), update_fn
    )


BROKEN = {
    "a_state_is_at_least_float32": (
        narrow_moments,
        {},
        ["law 2", "at least float32", ".mu['bfloat16 parameters, bfloat16 gradients'] is bfloat16"],
    ),
    "a_step_returns_what_it_was_given": (
        shifty,
        {},
        ["law 1", "with parameters", "['bfloat16 parameters, float16 gradients']", "float16[3]"],
    ),
    "init_aliases_nothing": (
        aliasing,
        {},
        ["law 5", "shares its memory", "['bfloat16 parameters, bfloat16 gradients']"],
    ),
    "a_bad_value_is_refused_by_name": (
        shifty,
        {"hyperparameters": {"scale": (0.5, "[0, 1)")}},
        ["law 3", "scale=-1.5", "was accepted", "ValueError"],
    ),
    "a_leaf_without_gradient_is_refused_by_path": (
        narrow_moments,
        {},
        ["law 6", "it was accepted", "TypeError"],
    ),
    "extra_arguments_are_accepted": (shifty, {}, ["law 7", "takes no extra arguments"]),
    "it_is_the_formula": (
        shifty,
        {"reference": lambda g, params: -g},
        ["law 9", "step at [0] is [", "expected [", "] to "],
    ),
}


@pytest.mark.usefixtures("standard_promotion")
@pytest.mark.parametrize("law", BROKEN)
def test_a_broken_law_is_told_by_its_number_name_dtypes_and_leaf(law):
    make, options, words = BROKEN[law]
    with pytest.raises(AssertionError) as caught:
        check(make, laws=[law], **options)
    told = str(caught.value)
    for word in (make.__name__, law, LAWS[law].sentence, *words):
        assert word in told, told


@pytest.mark.usefixtures("standard_promotion")
def test_all_broken_laws_are_told_at_once():
    laws = ["a_state_is_at_least_float32", "init_aliases_nothing", "a_step_is_pure"]
    title = r"aliasing\(\) breaks laws 2, 5 \(2 checks failed\):"
    with pytest.raises(AssertionError, match=rf"(?s){title}.*law 2, .*law 5, "):
        check(aliasing, laws=laws)


def test_a_factory_may_have_a_learning_rate_of_its_own():
    check(lambda: lo.adam(1e-3), laws=["the_learning_rate_is_in_the_state_once"])


def test_a_transformation_in_place_of_its_factory_is_refused():
    with pytest.raises(TypeError, match="pass lambda: tx"):
        inspect.unwrap(check)(lo.trace(0.9))  # past the tests' own check of types


@pytest.mark.parametrize("options", [{"laws": ["gravity"]}, {"exceptions": {"gravity": "we fly"}}])
def test_a_law_that_does_not_exist_is_refused(options):
    with pytest.raises(ValueError, match=r"must be one of 'a_step_returns.*got 'gravity'"):
        check(lo.running_max, **options)


def test_the_laws_have_nine_numbers_in_order_and_a_sentence_each():
    numbers = [law.number for law in LAWS.values()]
    assert numbers == sorted(numbers) and set(numbers) == set(range(1, 10))
    assert all(law.sentence.endswith((".", "`.")) for law in LAWS.values())


def test_a_subject_is_what_the_options_say():
    subject = Subject(lo.adam, hyperparameters={"learning_rate": (0.5, "[0, inf)", True)})
    assert subject.values == {"learning_rate": 0.5} and subject.lowest == {"learning_rate": 0.0}
    assert subject.hyperparameters["learning_rate"].outside()[0] < 0


@pytest.mark.parametrize("name", sorted(public_functions()))
def test_a_signature_is_in_named_types(name):
    words = str(inspect.signature(public_functions()[name]))
    assert "numpy." not in words and "ForwardRef" not in words
