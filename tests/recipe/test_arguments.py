"""Whatever `lo.fit` takes, a search takes: what each argument means there."""

import dataclasses

import chex
import numpy as np
import pytest

import lecture_optax as lo
from lecture_optax.recipe import holdout_split, run
from lecture_optax.recipe.population.folds import Folds
from lecture_optax.training.loop.sources import ArraySource

from .problems import BATCH, STEPS, regression

OPTIONS = {"steps": STEPS, "batch_size": BATCH, "budget": 1.0, "progress": False}


def picks(result):
    """Which arms ran, how far, and what was selected."""
    found = result.selection.candidate
    steps = {arm: curve.step for arm, curve in result.history.items()}
    return list(steps.items()), (found.arm, found.step, found.is_average)


def spoiled(problem):
    """The problem with 24 more training examples, wrong ones of weight 0, and all weights."""
    more = {**problem.train, "y": 100 + problem.train["y"]}
    train = {k: np.concatenate([problem.train[k], x[:24]]) for k, x in more.items()}
    return dataclasses.replace(problem, train=train), np.repeat(np.float32([1, 0]), [48, 24])


@pytest.fixture(scope="module")
def usual():
    return run(regression(), **OPTIONS)


def test_accumulated_batches_are_one_larger_batch_and_count_once(usual):
    result = run(regression(), **{**OPTIONS, "batch_size": BATCH // 2}, accumulate=2)
    assert picks(result) == picks(usual) and result.gradients == usual.gradients
    chex.assert_trees_all_close(result.params, usual.params, rtol=1e-4)
    assert "    batch_size=8,\n    accumulate=2,\n" in result.code


def test_examples_of_weight_0_are_neither_trained_on_nor_held_out():
    problem, weights = spoiled(regression(valid_rows=0))
    result = lo.fit(problem, **OPTIONS, sample_weight=weights)
    assert np.max(result.problem.valid["y"]) < 50
    assert result.search.explanation.rows == round(48 / 5)
    assert result.evaluate(regression().valid)["loss"] < 0.2
    names = {"problem": problem, "sample_weight": weights}
    exec(result.search.code.replace("seed=0,\n", "seed=0, progress=False,\n"), names)
    again = names["result"].evaluate(result.problem.valid)["loss"]
    assert again == pytest.approx(result.search.explanation.loss, rel=1e-3)


def test_folds_hold_out_no_example_of_weight_0():
    def examples(params, state, batch):
        return {"loss": batch["i"] * params}

    data = {"i": np.arange(10, dtype=np.float32)}
    folds = Folds(data, data["i"] % 2, 2, examples, 1.0, {})
    held = np.concatenate([folds.changes(k, 2.0, {}) for k in range(2)])
    assert folds.rows == 4 and (held % 2 == 1).all()
    for k in range(2):
        trained, weights = folds.trained_on(k)
        np.testing.assert_array_equal(weights, trained["i"] % 2)


def test_a_split_returns_the_weights_of_the_training_examples():
    x = np.arange(10.0, dtype=np.float32)
    train, valid, weights = holdout_split((x[:, None], x), sample_weight=x)
    np.testing.assert_array_equal(train[1], weights)
    assert len(valid[1]) == 2 and 0 not in valid[1]
    with pytest.raises(ValueError, match="sample_weight must have one number"):
        holdout_split((x[:, None], x), sample_weight=x[1:])


KEPT = [
    ({"keep": "last"}, (STEPS, True)),
    ({"keep": "average"}, (STEPS, True)),
    ({"keep": "last", "average": False}, (STEPS, False)),
    ({"average": False}, (None, False)),
]


def test_a_search_that_was_saved_returns_other_weights_without_a_gradient(tmp_path, monkeypatch):
    options = {**OPTIONS, "budget": 1.5, "checkpoint": tmp_path}
    first = lo.fit(regression(), **options)
    monkeypatch.setattr(ArraySource, "advance", None)
    for given, (step, is_average) in KEPT:
        result = lo.fit(regression(), **options, **given)
        assert result.kept.is_average == is_average
        assert step is None or result.kept.step == step
        assert result.search.gradients == first.search.gradients
        shown = str(result.optimizer)
        assert ("average_iterates" in shown) == (given.get("average") is not False)
        loss = result.evaluate(result.problem.valid)["loss"]
        assert loss == pytest.approx(result.search.explanation.loss, rel=1e-4)
        assert loss >= first.search.explanation.loss * (1 - 1e-6)


def test_an_average_of_yours_is_that_of_the_arms(usual):
    given = lo.average_iterates(0.0)
    result = run(regression(), **OPTIONS, average=given, keep="average")
    assert "average_iterates(eta=0" in str(result.optimizer)
    assert "    average=average,\n" in result.code
    assert picks(run(regression(), **OPTIONS, average=lo.average_iterates(8.0))) == picks(usual)


def test_evaluations_of_yours_are_made_beside_those_of_the_search():
    result = lo.fit(regression(), **{**OPTIONS, "budget": 1.5}, evaluations=[7, 41])
    assert {7, 41, STEPS} <= {*result.history["step"].astype(int).tolist()}


def test_epochs_are_the_steps_of_the_training_examples_that_you_pass(usual):
    options = {key: x for key, x in OPTIONS.items() if key != "steps"}
    assert picks(run(regression(), **options, epochs=20)) == picks(usual)


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({"average": 0.999}, TypeError, "average must be True, False or an average_iterates"),
        ({"average": False, "keep": "average"}, ValueError, "got average=False too"),
        ({"keep": "first"}, ValueError, "keep must be"),
        ({"epochs": 1}, ValueError, "give either steps or epochs"),
        ({"accumulate": 4}, ValueError, "one update takes batch_size"),
        ({"sample_weight": np.ones(3)}, ValueError, "sample_weight must have one number"),
        ({"evaluations": [STEPS + 1]}, ValueError, "evaluations must be >= 0"),
    ],
)
@pytest.mark.usefixtures("untyped")
def test_what_fit_refuses_a_search_refuses_in_the_same_words(given, error, words):
    with pytest.raises(error, match=words):
        run(regression(), **OPTIONS, **given)


def test_the_selected_run_is_replayed_to_callbacks_hooks_and_the_log():
    lines, records, events = [], [], []
    options = {**OPTIONS, "budget": 1.5, "callbacks": [records.append], "hooks": [events.append]}
    result = lo.fit(regression(), **options, log=lambda step, line: lines.append((step, line)))
    shown = result.history.evaluations
    assert [{k: r[k] for k in shown[0]} for r in records] == shown
    assert all(r["steps"] == STEPS for r in records)
    assert [e.step for e in events] == [0, *(line["step"] for line in shown)]
    assert [e.evaluation for e in events] == [None, *shown]
    losses, rates = (
        np.concatenate([e.records[k] for e in events[1:]]) for k in ("loss", "learning_rate")
    )
    assert len(losses) == STEPS and len(rates) == STEPS
    arm = result.search.selection.candidate.arm
    assert rates[0] == pytest.approx(arm.rate) and (rates[-1] < arm.rate) == bool(arm.decay)
    chex.assert_trees_all_equal(events[-1].run.carry.params, result.params)
    assert events[-1].run.best.loss == result.search.explanation.loss
    np.testing.assert_array_equal(events[-1].run.history["loss"], losses)
    assert [step for step, _ in lines] == [*range(1, STEPS + 1)]
    last = shown[-1]
    assert {"loss", "learning_rate", "valid_loss", "averaged_loss"} <= lines[-1][1].keys()
    assert lines[-1][1]["valid_loss"] == last["valid_loss"]
    assert shown[0]["train_loss"] == pytest.approx(losses[: shown[0]["step"]].mean())


def enough(record):
    return True


def test_a_callback_that_stops_ends_the_replay_and_is_named():
    seen, options = [], {**OPTIONS, "budget": 1.5, "callbacks": [enough]}
    with pytest.warns(UserWarning, match=r"enough stops the selected run at step \d+, and its we"):
        result = lo.fit(regression(), **options, hooks=[lambda event: seen.append(event.step)])
    first = int(result.history["step"][0])
    assert result.stopped == "enough" and seen == [0, first]


def test_a_wrong_log_is_refused_before_the_search(monkeypatch):
    monkeypatch.setattr(ArraySource, "advance", None)
    with pytest.raises(ValueError, match=r"log must be .* which ends in .txt"):
        run(regression(), **OPTIONS, log="log.txt")
    with pytest.raises(TypeError, match=r"hooks\[0\] must be a function of 1 argument"):
        run(regression(), **OPTIONS, hooks=[lambda: None])
