"""Findings of a search: each has an identifier and numbers, and its sentence says these numbers."""

import re

import numpy as np
import pytest

import lecture_optax as lo
from lecture_optax.recipe.population.curve import Evaluation
from lecture_optax.recipe.reporting import comparisons
from lecture_optax.recipe.reporting.explanation import Aim
from lecture_optax.recipe.reporting.findings import findings_of
from lecture_optax.recipe.reporting.text import arm_table, text_of
from lecture_optax.training.checks.scale import scale_findings

from ..problems import BATCH, STEPS, regression
from .records import GOOD, NAN, explanation, record

NUMBER = r"\d+(?:,\d{3})*(?:\.\d+)?(?:e[-+]\d+)?"
BOTH = tuple(scale_findings((np.full((4, 1), 2e3), np.full(4, 3e5))))
PRICES = tuple(scale_findings((np.ones((4, 1)), np.full(4, 3e5))))
VALID = regression().valid
USUAL = record(1e-3, -0.1, -0.2)


def finding(e, *names):
    """The one finding with one of these names."""
    (found,) = [x for x in findings_of(e) if x.name in names]
    return found


def numbers_in(x):
    if isinstance(x, dict | list | tuple):
        for each in x.values() if isinstance(x, dict) else x:
            yield from numbers_in(each)
    elif isinstance(x, int | float) and np.isfinite(x):
        yield x


def check_numbers(found, *more):
    """Assert that a sentence says no number that its finding does not have."""
    known = {abs(x) for x in (*numbers_in(found.numbers), *more)}
    words = {f"{y:.{digits}g}" for x in known for y in (x, 100 * x) for digits in (1, 2, 3, 4)}
    words |= {f"{x:,}" for x in known}
    for word in re.findall(NUMBER, found.sentence.replace("decaying to 0", "decaying")):
        assert word in words, f"{word} in {found.sentence}"


@pytest.fixture(scope="module")
def searched():
    return lo.recipe.run(regression(), steps=STEPS, batch_size=BATCH, budget=6.0)


def test_a_search_has_at_most_five_findings_a_sentence_each_with_their_numbers(searched):
    e = searched.explanation
    found = findings_of(e)
    assert [x.name for x in found][:2] == ["selected", "learning rate"]
    assert 4 <= len(found) <= 5
    assert searched.explain().splitlines() == [x.sentence for x in found]
    for each in found:
        check_numbers(each)
        assert re.findall(r"[.!?](?:\s|$)", each.sentence) == ["."]


def test_the_selected_loss_has_one_value_in_sentences_and_table(searched):
    e = searched.explanation
    assert f"decreased from {e.start:.4g} to {e.loss:.4g}" in finding(e, "selected").sentence
    columns, (first, *_) = arm_table(e)
    assert first[columns.index("loss")] == f"{e.loss:.4g}"
    assert first[columns.index("outcome")].startswith("selected")
    assert text_of(e).count("selected:") == 1


def test_the_usual_default_is_compared_at_the_last_common_step():
    e = explanation(GOOD, USUAL)
    found = finding(e, "selected")
    assert found.numbers["common_step"] == 20
    assert found.numbers["loss_there"] == 1.2 and found.numbers["usual_there"] == 1.8
    words = "at step 20, the last that both reached, it was 1.2, and 1.8 for adam at 0.001"
    assert words in found.sentence
    check_numbers(found)


@pytest.mark.parametrize(
    ("winner", "others", "words"),
    [
        (record(1e-3, -0.5, -0.8, -0.9, -1.0), [], "; this is the usual default."),
        (GOOD, [record(1e-3, failed=(3, "loss"))], "the usual default, diverged at step 3."),
        (GOOD, [record(1e-3, -0.1, 0.4)], "was worse than the start at step 20."),
        (GOOD, [], "from 2 to 1 (1 with the raw weights)."),
    ],
)
def test_the_usual_default_is_said_to_be_selected_or_to_diverge(winner, others, words):
    assert words in finding(explanation(winner, *others), "selected").sentence


def test_ties_worse_and_diverging_learning_rates_are_told_apart():
    tie = record(3e-2, -0.5, -0.8, -0.9, -0.995)
    worse = [record(1e-1, -0.1, -0.3, -0.4, -0.5)._replace(error=0.04), record(3e-3, -0.2)]
    bad = [record(1.0, 0.5), record(10.0, failed=(3, "loss"))]
    e = explanation(GOOD, tie, *worse, *bad, USUAL)
    found = finding(e, "learning rate")
    assert found.sentence == (
        "Why 0.01: 0.03 ties with it (a difference of 0.005 at step 40); 0.003 is worse by 0.3 at "
        "step 10; 0.1 is worse by 0.5 ± 0.04 at step 40; 1 and above diverge."
    )
    check_numbers(found)
    assert {pair.arm.rate: pair.is_tie for pair in found.numbers["compared"]} == {
        1e-3: False,
        3e-3: False,
        3e-2: True,
        1e-1: False,
    }


def test_a_known_error_decides_what_ties():
    other = record(3e-2, -0.5, -0.8, -0.9, -0.95)
    for error, words in ((0.03, "ties with it"), (0.02, "is worse by 0.05 ± 0.02")):
        e = explanation(GOOD, other._replace(error=error))
        assert words in finding(e, "learning rate").sentence


def test_what_was_better_on_the_way_or_on_a_subset_is_said_to_be():
    early = explanation(GOOD, record(3e-2, -0.7))
    words = "0.03 was better by 0.2 at step 10, where it was stopped"
    assert words in finding(early, "learning rate").sentence
    subset = explanation(GOOD, record(3e-2, -0.5, -0.8, -0.9, -1.3), subset_rows=20)
    words = "0.03 is better by 0.3 at step 40 on 20 of the examples, and not on all"
    assert words in finding(subset, "learning rate").sentence


def test_another_schedule_and_another_optimizer_are_compared():
    decayed = record(1e-2, -0.5, -0.8, -0.85, -0.9, decay=(20, 40))
    nesterov = record(0.1, -0.4, -0.7, optimizer="nesterov")
    found = finding(explanation(GOOD, decayed, nesterov), "learning rate")
    assert "a decay is worse by 0.1 at step 40" in found.sentence
    assert "nesterov at its best, 0.1, is worse by 0.1 at step 20" in found.sentence
    check_numbers(found)
    found = finding(explanation(decayed._replace(at=40), record(1e-2, -0.5, -0.8)), "learning rate")
    assert "constant" not in found.sentence  # they have parted at no common step


def test_only_the_same_examples_are_compared():
    early = record(1e-3, -0.1, raw=NAN)
    e = explanation(GOOD, early)
    assert comparisons.compare(e, GOOD, early) is None
    assert str(comparisons.loss_of(e, early)) == "~1.9"


@pytest.mark.parametrize(
    ("changed", "name", "words"),
    [
        ({}, "clear", "the loss is 1 ± 0.2 on 50 validation examples, and no arm ties"),
        ({"error": NAN}, "error unknown", "as the loss is not a mean over examples"),
        ({"error": NAN, "rows": 1}, "error unknown", "as there is only one example"),
        ({"error": 0.6}, "gain uncertain", "and the gain, 1 ± 0.6, may be chance"),
        ({"held_out_from_train": True}, "clear", "examples held out from the training data"),
    ],
)
def test_the_confidence_has_the_errors_of_the_loss_and_of_the_gain(changed, name, words):
    found = finding(explanation(GOOD, USUAL, **changed), name)
    assert words in found.sentence
    check_numbers(found)


def test_the_aim_is_a_reason():
    aims = (Aim("adam", 5, 2e-2), Aim("adam", 10, 1.1e-2), Aim("nesterov", 20, 0.1))
    found = finding(explanation(GOOD, aims=aims), "learning rate")
    words = "Why 0.01: at step 10 the losses pointed to 0.011 for the end"
    assert found.sentence.startswith(words)
    check_numbers(found)


def test_the_error_of_a_tie_is_paired_by_example(searched):
    e = searched.explanation
    known = [arm for arm in e.arms if np.isfinite(arm.error)]
    assert all(arm.steps >= e.step for arm in known)
    losses = (np.asarray(searched.predict(VALID["x"])) - VALID["y"]) ** 2 / 2
    assert e.loss_error == pytest.approx(np.std(losses, ddof=1) / 32**0.5, rel=0.01)


def test_a_tie_makes_the_selection_uncertain_not_the_gain():
    found = finding(explanation(GOOD, record(3e-2, -0.5, -0.8, -0.9, -0.995)), "tie")
    assert found.numbers["ties"] == [3e-2]
    assert "the choice among ties is not certain, and costs little" in found.sentence


@pytest.mark.parametrize(
    ("losses", "changed", "name", "words"),
    [
        ([-0.5, -0.8, -0.9, -1.0], {}, "late decrease", "0.1, 10 % of the gain, so more steps may"),
        ([-0.5, -0.8, -0.9, -0.901], {}, "settled", "0.11 % of the gain, so more steps will help"),
        ([-0.5, -0.8, -0.9, -0.8], {}, "settled", "decreased the loss by 0, 0 % of the gain"),
        (
            [-0.5, -1.0, -0.9, -0.8],
            {"step": 20},
            "rises again",
            "was lowest at step 20 and 0.2 higher at step 40",
        ),
        (
            [-0.5, -0.8],
            {"step": 20, "limit": 100},
            "budget ended",
            "the budget ended when this arm was at step 20 of 40, and a larger one lets",
        ),
        ([-0.5, -0.8], {"step": 20, "limit": 200}, "unknown", "this arm ran to step 20 of 40"),
        ([-0.5], {"step": 10, "ended": False}, "stopped by hand", "after 100 of 120 gradients"),
    ],
)
def test_more_steps_are_promised_what_the_last_quarter_brought(losses, changed, name, words):
    changed = {"step": 30 if losses[-1] > losses[-2:][0] else 40, **changed}
    found = finding(explanation(record(1e-2, *losses), **changed), name)
    assert words in found.sentence
    assert ("a larger budget also tries nesterov" in found.sentence) == (name != "stopped by hand")
    check_numbers(found)


def test_an_arm_that_was_ahead_makes_the_selection_uncertain():
    found = finding(explanation(GOOD, record(3e-2, -0.7)), "another was ahead")
    words = "but adam at 0.03 may be as good: a larger budget would run it longer."
    assert found.sentence.endswith(words)
    check_numbers(found)


def test_a_validation_loss_that_still_decreases_is_not_called_overfitting():
    found = findings_of(explanation(GOOD, train_loss=0.1))
    assert "late decrease" in [x.name for x in found]
    assert "overfitting" not in [x.name for x in found]


def test_one_high_evaluation_is_no_rise():
    e = explanation(record(1e-2, -0.5, -1.0, -0.8, -1.0))
    assert comparisons.rise(e, e.winner) is None


@pytest.mark.parametrize(
    ("changed", "name", "words"),
    [
        ({"out_of_scale": PRICES}, "targets out of scale", "y has a root mean square of 3e+05"),
        ({"out_of_scale": BOTH}, "targets out of scale", "up to 2e+03, and y 3e+05, and a model"),
        (
            {"has_statistics": True},
            "statistics lag",
            "weights have a loss of 4, the averaged ones 1",
        ),
        (
            {"train_loss": 0.1, "steps": 60},
            "overfitting",
            "10 times the training loss, 0.1: the",
        ),
        ({"rows": 50}, "few examples", "50 validation examples are few"),
    ],
)
def test_the_first_warning_that_applies_is_given(changed, name, words):
    near = [record(3e-2, -0.5), record(3e-3, -0.2)]
    raw = Evaluation(40, 2.0, -1.0)  # its running statistics lag behind
    winner = GOOD._replace(evaluations=(*GOOD.evaluations[:3], raw))
    found = finding(explanation(winner, *near, **changed), name)
    assert words in found.sentence
    check_numbers(found, 1, 10)  # "numbers near 1", "10 times"
    assert len(findings_of(explanation(GOOD, *near, rows=200, subset_rows=200))) == 4


@pytest.mark.parametrize(("other", "side"), [(3e-3, "largest"), (3e-2, "smallest")])
def test_the_edge_of_the_range_is_a_warning(other, side):
    found = finding(explanation(GOOD, record(other, -0.2), rows=500), "edge of range")
    assert found.numbers == {"rate": 1e-2, "side": side}
    assert f"0.01 is the {side} learning rate that was tried, so" in found.sentence


def test_a_search_without_a_better_arm_says_why():
    bad = record(1e-2, failed=(3, "loss"))
    e = explanation(GOOD)._replace(winner=None, arms=(bad, record(1e-3, 0.0)))
    assert "1 of 2 arms were not finite" in finding(e, "nothing better").sentence
    flat = e._replace(arms=(record(1e-3, 0.0),))
    assert "all are flat" in finding(flat, "nothing better").sentence
    stopped = finding(e._replace(ended=False), "stopped at the start")
    assert "stopped by hand after 100 of 120 gradients" in stopped.sentence
    assert "flat" not in stopped.sentence and "finite" not in stopped.sentence
    for each in (finding(e, "nothing better"), stopped):
        check_numbers(each, 0)


def test_columns_that_say_nothing_are_left_out():
    columns, _ = arm_table(explanation(GOOD, USUAL))
    assert columns == ["learning rate", "steps", "loss", "beside the selected", "outcome"]
    decayed = record(1e-2, -0.5, -0.8, -0.85, -0.9, decay=(20, 40))
    columns, _ = arm_table(explanation(GOOD, decayed, record(0.1, -0.4, optimizer="nesterov")))
    assert {"optimizer", "decay"} < {*columns}


def test_an_estimate_is_the_selected_loss_plus_the_difference_on_the_subset():
    other = record(3e-2, -0.5, -0.8, -0.9, -0.98)
    e = explanation(GOOD, other, subset_rows=20, subset_start=1.9, loss=1.2)
    assert str(comparisons.loss_of(e, other)) == "~1.22"
    assert str(comparisons.loss_of(e, GOOD)) == "1.2"


def test_a_loss_on_all_examples_replaces_the_estimate():
    other = record(3e-2, -0.5, -0.8, -0.9, -1.1)._replace(loss=1.3, error=0.1)
    e = explanation(GOOD, other, subset_rows=20)
    assert str(comparisons.loss_of(e, other)) == "1.3"
    assert "0.03 is worse by 0.3 ± 0.1 at step 40" in finding(e, "learning rate").sentence


def test_the_lower_of_raw_and_averaged_weights_is_compared():
    raw = Evaluation(40, -1.0, -0.2)
    other = record(3e-2, -0.1, -0.1, -0.1)
    other = other._replace(evaluations=(*other.evaluations, raw), steps=40)
    pair = comparisons.compare(explanation(GOOD, other), GOOD, other)
    assert pair.difference == 0 and pair.is_tie
