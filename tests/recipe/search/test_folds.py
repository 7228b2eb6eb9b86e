"""Cross-validation of the last arms: what it costs, what it selects, what it never trains on."""

import dataclasses
import math

import chex
import numpy as np
import pytest

import lecture_optax as lo
from lecture_optax.recipe import Arm, run
from lecture_optax.recipe.population.arms import REFIT
from lecture_optax.recipe.population.folds import Folds, joined
from lecture_optax.recipe.population.held_out import held_out_rows, holdout_split
from lecture_optax.recipe.search.folds import Choice, FoldPlan, one_standard_error, plan_folds
from lecture_optax.training._trees import n_rows

from ..problems import BATCH, STEPS, regression

FEW = dataclasses.replace(regression(), valid=None)


def recipe(problem=FEW, *, budget=6.0, **options):
    options = {"steps": STEPS, "batch_size": BATCH, "progress": False, **options}
    return run(problem, budget=budget, **options)


@pytest.fixture(scope="module")
def usual():
    return recipe()


def spent(result):
    return sum(x.step - arm.begin + (x.failed is not None) for arm, x in result.history.items())


def test_every_step_of_a_fold_is_a_gradient_of_the_budget(usual):
    assert spent(usual) == usual.gradients <= 6 * STEPS
    folds = [arm for arm in usual.history if arm.fold not in (None, REFIT)]
    assert {arm.fold for arm in folds} == {0, 1}
    assert sum(usual.history[arm].step - arm.begin for arm in folds) == 4 * STEPS


def test_the_returned_weights_were_trained_on_all_examples(usual):
    names = {"problem": FEW}
    exec(usual.code, names)
    assert "holdout_split" not in usual.code
    chex.assert_trees_all_close(names["result"].params, usual.params, atol=1e-5)


def test_the_cross_validated_loss_is_what_to_expect(usual):
    cv = usual.explanation.cross_validation
    unseen = regression().valid
    loss = float(np.mean(FEW.functions.examples(usual.params, {}, unseen)["loss"]))
    assert abs(cv.loss - loss) < 3 * cv.error
    assert f"expect a loss of {cv.loss:.4g} ± {cv.error:.1g} on new examples" in usual.explain()
    assert "examples are few" not in usual.explain()
    assert len(usual.findings) <= 5


def test_a_validation_set_that_you_pass_is_trained_on_only_with_folds():
    problem = holdout_split(FEW)
    other = {**problem.valid, "y": np.array(problem.valid["y"])}
    other["y"][0] += 1e-3
    changed = dataclasses.replace(problem, valid=other)
    without = [recipe(x) for x in (problem, changed)]
    assert not any(arm.fold is not None for x in without for arm in x.history)
    chex.assert_trees_all_equal(without[0].params, without[1].params)
    asked = recipe(changed, folds=2).explanation.cross_validation
    assert (asked.folds, asked.all_rows) == (2, 48)


def test_without_folds_the_search_is_the_same_to_the_bit():
    three, four = recipe(budget=3.0), recipe(budget=3.0, folds=0)
    chex.assert_trees_all_equal(three.params, four.params)
    assert list(three.history) == list(four.history)


@pytest.mark.parametrize(
    ("budget", "folds"), [(3.0, None), (5.99, None), (6.0, 2), (7.9, 2), (8.0, 3), (50.0, 5)]
)
def test_the_budget_gives_the_number_of_folds(budget, folds):
    plan = plan_folds(None, True, 80, 16, 100, math.floor(100 * budget + 1e-6))
    assert (plan and plan.count) == folds
    assert plan is None or plan.limit == round(100 * (budget - 2 * folds - 1))


def test_folds_that_leave_less_than_a_batch_are_off_unless_asked_for():
    assert plan_folds(None, True, 80, 64, 100, 600) is None
    assert plan_folds(None, True, 80, 64, 100, 1200) == FoldPlan(5, 100)
    with pytest.raises(ValueError, match="leave 40 to train on, and a batch has 64"):
        plan_folds(2, True, 80, 64, 100, 600)


@pytest.mark.parametrize(
    ("folds", "words"),
    [
        (3, "folds=3 needs budget >= 8, got budget=6"),
        (1, "folds must be None, 0 for none, or at least 2, got 1"),
        (-2, "at least 2, got -2"),
    ],
)
def test_folds_are_checked(folds, words):
    with pytest.raises(ValueError, match=words):
        recipe(folds=folds)


def test_fit_has_folds_with_a_budget_only():
    with pytest.raises(ValueError, match="folds is for a search, got folds=2 and budget=None"):
        lo.fit(FEW, steps=2, folds=2)
    with pytest.raises(ValueError, match="folds=2 needs budget >= 6, got budget=3"):
        lo.fit(FEW, steps=STEPS, batch_size=BATCH, budget=3, folds=2)


def test_a_fit_with_a_budget_has_the_history_of_the_returned_weights(usual):
    result = lo.fit(FEW, steps=STEPS, batch_size=BATCH, budget=6.0, progress=False)
    chex.assert_trees_all_equal(result.params, usual.params)
    cv = usual.explanation.cross_validation
    assert (result.steps, result.kept.is_average) == (cv.step, cv.is_average)
    assert result.history.means["step"][-1] == cv.step


BASE = np.array([-1.0, -2.0, -3.0, -4.0])


def choice(quarter_decades, *more, is_average=True, step=100, optimizer=0):
    """A choice whose changes are `BASE` and so much more."""
    return Choice(Arm(optimizer, quarter_decades), step, is_average, BASE + (more or 0.0))


def test_the_smaller_learning_rate_is_selected_within_a_standard_error():
    large, small = choice(-4), choice(-6, 0.1, -0.1, 0.1, 0.1)
    assert one_standard_error([large, small]) is small  # .05 ± .05
    worse = choice(-6, 0.1, 0.0, 0.1, 0.1)
    assert one_standard_error([large, worse]) is large  # .075 ± .025


def test_of_one_learning_rate_the_average_is_selected_within_a_standard_error():
    raw, averaged = choice(-4, is_average=False), choice(-4, 0.2, -0.1, 0.0, 0.0)
    assert one_standard_error([raw, averaged]) is averaged
    assert one_standard_error([raw, choice(-4, 0.1)]) is raw


def test_of_each_learning_rate_the_best_step_counts_and_other_optimizers_do_not():
    early, late = choice(-4, 0.0, 0.0, 0.0, 0.1), choice(-4, step=200)
    other = choice(-30, 0.0, 0.0, 0.0, 0.1, optimizer=1)
    assert one_standard_error([early, other, late]) is late


def test_every_example_is_held_out_once_and_never_trained_on_there():
    data = {"i": np.arange(25, dtype=np.float32)}

    def examples(params, state, batch):
        return {"loss": batch["i"] * params}

    folds = Folds(data, None, 2, examples, 1.0, {})
    held = [set(np.asarray(folds.changes(k, 2.0, {}))) for k in range(2)]
    trained = [set(np.asarray(folds.trained_on(k)[0]["i"])) for k in range(2)]
    assert not held[0] & held[1] and folds.rows == 24
    assert all(len(x) == 13 and not x & y for x, y in zip(trained, held, strict=True))
    assert n_rows(folds.trained_on(REFIT)[0]) == 25


def test_all_examples_are_in_the_order_in_which_they_came():
    every = {"i": np.arange(20)}
    problem = dataclasses.replace(FEW, train=every)
    parts = holdout_split(problem, 3)
    again = joined(parts.train, parts.valid, held_out_rows(20, 3))
    np.testing.assert_array_equal(again["i"], every["i"])


@pytest.mark.parametrize("fold", [0, REFIT])
def test_the_name_of_an_arm_tells_its_fold(fold):
    for decay in (None, (30, 60)):
        arm = Arm(0, -8, decay, fold)
        assert Arm.named(arm.name) == arm
