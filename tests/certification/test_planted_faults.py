"""Faults that are planted in an Adam written by hand are each named in its certificate."""

import re

import pytest

from lecture_optax.testing.certification.candidate import candidate_of, ordinary_session
from lecture_optax.testing.certification.sections import SECTIONS
from lecture_optax.testing.certification.sections.laws import verdict_of
from tests.certification import adams

LAWS_BROKEN = {
    "a_count_that_stays": ("all_counts_agree", r"\.count is 0 after 3 steps"),
    "two_counts_that_disagree": ("all_counts_agree", r"\.t is 0 after 3 steps"),
    "a_count_one_step_late": (
        "the_count_in_the_state_is_the_one_used",
        "0 and one of 1 give the same update",
    ),
    "half_state": ("a_state_is_at_least_float32", "is float16, expected at least float32"),
    "a_drifting_state": ("a_step_returns_what_it_was_given", "the state after a step"),
    "a_state_that_is_the_parameters": ("init_aliases_nothing", "shares its memory with"),
    "two_moments_in_one_buffer": ("init_aliases_nothing", r"\.nu.* shares its memory with \.mu"),
    "steps_counted_in_python": ("a_step_is_pure", "the second of two equal steps"),
    "hyperparameters_that_change": ("a_step_is_pure", "the second of two equal steps"),
    "a_tracer_that_leaks": ("a_step_is_pure", "the second of two equal steps"),
    "the_same_noise_in_every_leaf": ("a_random_key_is_used_once", "with another key at .key"),
}
"""Faults that a law sees, which an Adam without the fault keeps or breaks in other words."""

SECTIONS_SAY = {
    "no_bias_correction": ("identity", "It is adam, without bias correction"),
    "eps_inside": ("identity", "Its ε stands inside the root"),
    "two_learning_rates": ("identity", "a second learning rate, is in it"),
    "the_rate_applied_twice": ("first_step", "the learning rate is applied twice"),
    "two_learning_rates_by_injection": ("lint", "LO101: .* several learning rates"),
    "uphill": ("lint", "LO103: the optimizer goes uphill"),
    "no_eps": ("zero_gradient", "not finite in float16, bfloat16, float32"),
    "a_count_one_step_late": ("identity", "It is adam with the count of its steps one step late"),
    "a_count_that_stays": ("identity", r"never increases .*: see law 4, all_counts_agree"),
    "half_state": ("state", r"Narrower than the float32 parameters: \.mu, \.nu"),
}
"""Faults that another section names."""


def candidate(fault):
    return candidate_of(getattr(adams, fault))


@pytest.mark.parametrize("fault", LAWS_BROKEN)
def test_a_law_names_the_fault_and_shows_it(fault):
    law, words = LAWS_BROKEN[fault]
    with ordinary_session():
        right, wrong = (verdict_of(law, candidate(name)) for name in ("correct", fault))
    assert wrong["verdict"] == "broken" and re.search(words, wrong["found"])
    assert not re.search(words, right.get("found", ""))
    assert wrong["reproduction"] is not None and "import lecture_optax" not in wrong["reproduction"]
    assert re.search(r"Error", wrong["output"])


_SLOW = ("a_count_one_step_late",)  # it is searched for twice, and a law names it too


@pytest.mark.parametrize(
    "fault",
    [pytest.param(x, marks=[pytest.mark.slow] * (x in _SLOW)) for x in SECTIONS_SAY],
)
def test_a_section_names_the_fault(fault):
    name, words = SECTIONS_SAY[fault]
    section = SECTIONS[name]
    with ordinary_session():
        right, wrong = (
            " ".join(section.lines(section.measure(candidate(one)))) for one in ("correct", fault)
        )
    assert re.search(words, wrong), wrong
    assert not re.search(words, right), right
