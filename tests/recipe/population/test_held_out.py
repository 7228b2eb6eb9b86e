"""The evaluations of a search: their share of the compute, and the selection from them."""

import dataclasses
import importlib
import itertools

import numpy as np
import pytest

from lecture_optax.recipe import run
from lecture_optax.recipe.population.held_out import (
    HeldOut,
    _early_evaluations,
    _late_evaluations,
    plan_evaluations,
)
from lecture_optax.recipe.search.select import select_weights

from ..problems import regression

GRID = itertools.product(
    (1, 30, 100, 360, 800, 2000, 10_000), (60, 300, 600, 2000, 10_000), (8, 32, 256), (0.5, 1, 3, 6)
)


def share_of(plan, rows, examples, budget):
    """Return the planned cost of the evaluations beside that of the gradients."""
    early = _early_evaluations(budget) * plan.early
    late = _late_evaluations(plan.every, budget) * plan.late
    return (rows + early + late + plan.recheck * rows) / 3 / examples


def test_evaluations_cost_at_most_a_tenth_or_a_fifth_where_the_validation_set_is_not_too_large():
    """At most 20 % where it has up to a tenth of the examples of all gradients together.

    A larger one costs more, as the start and the selected weights are evaluated on all of it.
    """
    for rows, steps, batch, budget in GRID:
        plan, examples = plan_evaluations(rows, steps, batch, budget), budget * steps * batch
        share = share_of(plan, rows, examples, budget)
        if examples >= 15_000 and rows <= examples / 10:
            assert share <= 0.2, (rows, steps, batch, budget, plan)
        if examples >= 15_000 and rows <= examples / 400:
            assert share <= 0.1, (rows, steps, batch, budget, plan)
        assert (plan.recheck > 0) == (plan.late < rows)
        assert plan.early <= plan.late <= rows


def many_rows(count):
    """The regression with a batch of 8, and so many validation examples."""
    problem = regression()
    x = np.random.default_rng(1).normal(size=(count, 3)).astype(np.float32)
    ones = np.ones(count, np.float32)
    y = x @ np.float32([1.0, -2.0, 0.5])
    valid = {"x": x, "y": y, "scale": ones, "shift": 0 * ones}
    return dataclasses.replace(problem, valid=valid)


@pytest.fixture(scope="module")
def tiny_batches():
    with pytest.MonkeyPatch.context() as patch:
        kept, module = [], importlib.import_module("lecture_optax.recipe.run")
        patch.setattr(
            module,
            "select_weights",
            lambda *given: kept.append(given) or select_weights(*given),
        )
        options = {"steps": 600, "batch_size": 8, "budget": 3.0, "progress": False}
        return run(many_rows(800), **options), kept[0][0]


def test_with_tiny_batches_evaluations_cost_at_most_a_fifth(tiny_batches):
    result, runner = tiny_batches
    assert runner.held_out.plan.late < 800 and runner.held_out.plan.recheck > 0
    assert result.explanation.evaluation_share <= 0.2


def test_the_start_is_evaluated_once(tiny_batches, monkeypatch):
    _, runner = tiny_batches
    own, start = runner.held_out, runner.population.start
    again = HeldOut(own.examples, own.all, own.plan, start.params, start.model_state)
    assert again.rows_evaluated == 800
    assert again.start == own.start
    monkeypatch.setattr(HeldOut, "change_on_all", lambda *_: (-1.0, again.first))
    runner.held_out.rows_evaluated = 0
    select_weights(runner)
    assert runner.held_out.rows_evaluated == 0  # of the start, nothing again


@pytest.mark.parametrize("lucky", [0, 4, 9])
def test_the_untrained_model_is_not_returned_while_an_arm_is_better(
    tiny_batches, monkeypatch, lucky
):
    """So many arms are better than the start on the examples of evaluations, and worse on all."""
    _, runner = tiny_batches
    checked = []

    def change_on_all(self, params, state):
        checked.append(1)
        return 0.1 if len(checked) <= lucky else -0.1, None

    monkeypatch.setattr(HeldOut, "change_on_all", change_on_all)
    found = select_weights(runner)
    assert found.candidate is not None and found.gain == 0.1
    assert len(checked) == max(runner.held_out.plan.recheck, lucky + 1)
