"""Reproductions: a factory as code, and scripts that show what a law found."""

import functools
import subprocess
import sys

import optax
import optax.contrib
import pytest

from lecture_optax.testing.certification.candidate import candidate_of, ordinary_session
from lecture_optax.testing.certification.reproductions.script import run
from lecture_optax.testing.certification.reproductions.source import source_of
from lecture_optax.testing.certification.sections.laws import verdict_of
from tests.certification import adams

RATE = 0.25


def typed():
    return lambda: optax.sgd(RATE, momentum=0.5)


def outer(transformation):
    return lambda: transformation


@pytest.mark.parametrize(
    ("make", "expression", "lines"),
    [
        (optax.adam, "optax.adam", ("import optax",)),
        (optax.contrib.dog, "optax.contrib.dog", ("import optax.contrib",)),
        (
            adams.correct,
            "correct",
            ("from tests.certification.adams import correct",),
        ),
        (
            functools.partial(optax.sgd, 0.1, nesterov=True),
            "functools.partial(optax.sgd, 0.1, nesterov=True)",
            ("import functools", "import optax"),
        ),
        (
            optax.inject_hyperparams(optax.adam),
            "optax.inject_hyperparams(optax.adam)",
            ("import optax",),
        ),
        (
            typed(),
            "make",
            ("import optax", "RATE = 0.25", "make = lambda: optax.sgd(RATE, momentum=0.5)"),
        ),
    ],
)
def test_a_factory_as_code(make, expression, lines):
    source = source_of(make, make)
    assert source.expression == expression and source.lines == lines and not source.given
    raised, _ = run("\n".join([*source.lines, f"print({source.expression})"]), {})
    assert not raised


def test_a_factory_without_code_is_named_and_given():
    make = outer(optax.sgd(0.1))
    source = source_of(make, make)
    assert source.expression == "make" and dict(source.given) == {"make": make}
    assert "put your own here" in source.lines[0]


LAWS = [
    "a_step_returns_what_it_was_given",
    "a_state_is_at_least_float32",
    "a_bad_value_is_refused_by_name",
    "the_rate_in_the_state_is_the_one_applied",
    "any_tree_is_a_tree_of_parameters",
    "a_leaf_without_gradient_is_refused_by_path",
]


@pytest.mark.parametrize("law", LAWS)
def test_a_broken_law_of_adam_has_a_script_that_needs_jax_and_optax_only(law):
    with ordinary_session():
        verdict = verdict_of(law, candidate_of(optax.adam))
    assert verdict["verdict"] == "broken"
    code = verdict["reproduction"]
    assert "optax.adam(learning_rate" in code and "lecture_optax" not in code
    assert run(code, {}) == ("AssertionError", verdict["output"])


def test_a_script_fails_in_a_new_process_as_it_did_here(tmp_path):
    with ordinary_session():
        verdict = verdict_of(LAWS[0], candidate_of(optax.adam))
    file = tmp_path / "reproduction.py"
    file.write_text(verdict["reproduction"])
    done = subprocess.run([sys.executable, file], capture_output=True, text=True, check=False)
    last = verdict["output"].splitlines()[-1]
    assert done.returncode == 1 and done.stderr.strip().endswith(last)


def test_what_does_not_apply_says_why():
    with ordinary_session():
        candidate = candidate_of(optax.adam)
        assert "no formula" in verdict_of("it_is_the_formula", candidate)["reason"]
        assert "no key" in verdict_of("a_random_key_is_used_once", candidate)["reason"]
