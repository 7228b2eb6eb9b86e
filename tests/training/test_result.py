"""A result predicts, evaluates, and writes its report and its plot to files."""

import copy
import pickle

import numpy as np
import pytest
from matplotlib import pyplot
from sklearn.metrics import f1_score

import lecture_optax as lo
from lecture_optax.training.result import NoSearch

from .models import TRAIN, VALID, LinenNet, nnx_model


@pytest.fixture(scope="module")
def result():
    options = {"tx": lo.adam(1e-2), "steps": 10, "metrics": ["accuracy"]}
    return lo.fit(LinenNet(), TRAIN, loss="cross_entropy", valid=VALID, **options)


@pytest.fixture(autouse=True)
def close_figures():
    yield
    pyplot.close("all")


def test_another_set_is_evaluated_as_the_validation_set(result):
    at = next(x for x in result.history.evaluations if x["step"] == result.kept.step)
    assert result.evaluate(VALID) == {"loss": at["valid_loss"], "accuracy": at["valid_accuracy"]}
    assert result.evaluate((VALID[0][:3], VALID[1][:3]))["loss"] > 0


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (None, r"data must be like the training data, \(x, y\), got None"),
        (VALID[0], r"data, here called valid: valid must be \(x, y\)"),
        ((VALID[0], VALID[1] + 9), "valid's y must be a class"),
        ((VALID[0][:, :1], VALID[1]), "valid's x and x must be alike"),
        ((VALID[0], VALID[1][:3]), "the same number of examples"),
    ],
)
def test_data_that_are_not_like_the_training_data_are_refused(result, data, words):
    with pytest.raises((TypeError, ValueError), match=words):
        result.evaluate(data)


def test_the_variables_are_those_that_a_linen_module_applies(result):
    applied = LinenNet().apply(result.variables, VALID[0])
    np.testing.assert_allclose(applied, result.predict(VALID[0]), rtol=1e-6, atol=1e-6)


def test_a_history_says_what_it_recorded(result):
    text = repr(result.history)
    assert text.startswith("History of 10 steps (loss, grad_norm, ")
    assert "evaluations (step, " in text and "valid_accuracy" in text


def test_without_a_search_its_attributes_say_how_to_search(result):
    with pytest.raises(AttributeError, match=r"pass budget=3 to lo\.fit"):
        result.search.explain()
    assert not result.search and not hasattr(result.search, "report")
    for again in (copy.deepcopy(result.search), pickle.loads(pickle.dumps(result.search))):
        assert isinstance(again, NoSearch)


def test_a_plot_and_a_report_are_written_to_files(result, tmp_path):
    axes = result.plot(tmp_path / "run.png")
    assert len(axes) == 3 and (tmp_path / "run.png").read_bytes().startswith(b"\x89PNG")
    assert result.report(tmp_path / "run.html") == result.report()


@pytest.mark.parametrize("path", ["", "/nowhere/run.png", 3])
def test_a_path_that_cannot_be_written_is_refused(result, path):
    for write in (result.plot, result.report):
        with pytest.raises((TypeError, ValueError), match="path must be"):
            write(path)
    with pytest.raises(TypeError, match="pass them as ax="):
        result.plot(pyplot.figure().subplots())


def test_the_result_of_a_search_is_drawn_and_evaluated(tmp_path):
    options = {"loss": "cross_entropy", "valid": VALID, "metrics": [f1_score]}
    result = lo.fit(LinenNet(), TRAIN, **options, steps=60, budget=1.5, seed=1)
    losses, rates = result.plot(tmp_path / "losses.png")
    names = [text.get_text() for text in losses.get_legend().get_texts()]
    assert names == ["training", "validation", "averaged θ"]
    training, *_ = losses.lines
    assert training.get_xdata()[-1] == 60 and training.get_ydata()[-1] < training.get_ydata()[0]
    winner, (rate,) = result.search.explanation.winner, rates.lines
    assert rate.get_ydata()[0] == winner.rate and len(rate.get_xdata()) == len(training.get_xdata())
    decays = np.diff(rate.get_ydata()) < 0
    assert decays.any() == (winner.decay is not None)
    (kept,) = [line for line in result.history.evaluations if line["step"] == result.kept.step]
    assert result.search.explanation.loss in kept.values()
    kind = "averaged" if result.kept.is_average else "valid"
    assert kept[f"{kind}_f1_score"] == result.evaluate(VALID)["f1_score"]
    result.report(tmp_path / "page.html")
    assert "All arms" in (tmp_path / "page.html").read_text()
    result.search.plot(tmp_path / "search.png")
    assert (tmp_path / "search.png").is_file()
    assert result.evaluate(VALID) == result.search.evaluate(VALID)
    assert result.search.explain().split() == result.report().split("\n\n")[-1].split()


def test_other_models_have_no_variables():
    result = lo.fit(nnx_model(), TRAIN, loss="cross_entropy", tx=lo.sgd(0.1), steps=2)
    with pytest.raises(AttributeError, match=r"a model of nnx: call result\.model"):
        result.variables  # noqa: B018
