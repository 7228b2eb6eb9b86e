"""A report says what the numbers say; a plot draws them and shows nothing; callbacks end runs."""

import dataclasses

import matplotlib
import numpy as np
import pytest
from matplotlib import pyplot

import lecture_optax as lo
from lecture_optax.training import callbacks
from lecture_optax.training.loop.run import History
from lecture_optax.training.result import Kept

from ..models import TRAIN, VALID, LinenNet


@pytest.fixture(scope="module")
def result():
    return lo.fit(
        LinenNet(),
        TRAIN,
        loss="cross_entropy",
        valid=VALID,
        tx=lo.chain(
            lo.adam(lo.schedules.linear(1e-2, 300, warmup_steps=30)), lo.average_iterates()
        ),
        steps=300,
        evaluations=30,
    )


@pytest.fixture(autouse=True)
def close_figures():
    yield
    pyplot.close("all")


def test_a_report_names_the_optimizer_the_sizes_and_the_rates(result):
    text = result.report()
    assert text.startswith(str(result.optimizer))
    assert "58 in 4 arrays" in text and "300; the parameters are of step" in text
    assert "from 0 over 0.01 at step 31 to " in text
    assert max(map(len, text.splitlines())) <= 88 and "\x1b" not in text


def test_the_kept_evaluation_is_marked_once(result):
    marked = [line for line in result.report().splitlines() if "← kept" in line]
    best = min(result.history["valid_loss"].min(), result.history["averaged_loss"].min())
    assert len(marked) == 1 and f"{best:.4g}" in marked[0]


def test_a_kept_step_is_not_mistaken_for_one_that_begins_like_it(result):
    later = dataclasses.replace(result, kept=Kept(100))
    marked = [line for line in later.report().splitlines() if "← kept" in line]
    assert [line.split()[0] for line in marked] == ["100"]


def test_a_plot_draws_three_axes_and_shows_nothing(result, monkeypatch):
    monkeypatch.setattr(pyplot, "show", lambda *_: pytest.fail("a plot must not show itself"))
    style = dict(matplotlib.rcParams)
    losses, rate, ratios = result.plot()
    assert style == dict(matplotlib.rcParams)
    labels = [text.get_text() for text in losses.get_legend().get_texts()]
    assert labels == ["training", "validation", "averaged θ"]
    np.testing.assert_array_equal(losses.lines[1].get_ydata(), result.history["valid_loss"])
    np.testing.assert_array_equal(rate.lines[0].get_ydata(), result.history["learning_rate"])
    assert ratios.get_yscale() == "log"
    losses.figure.canvas.draw()


def test_a_plot_takes_one_axes_for_the_losses_alone(result):
    _, ax = pyplot.subplots()
    assert result.plot(ax=ax) is ax and len(ax.lines) == 3
    assert len(pyplot.get_fignums()) == 1


def test_lines_differ_without_colour(result):
    drawn = [
        (line.get_linestyle(), line.get_marker())
        for line in result.plot(ax=pyplot.subplots()[1]).lines
    ]
    assert len(set(drawn)) == len(drawn)


def test_a_run_without_valid_losses_data_or_a_rate_can_be_drawn_and_reported():
    import optax

    plain = lo.fit(
        LinenNet(), TRAIN, loss="cross_entropy", tx=optax.sgd(0.1), steps=20, progress=False
    )
    _, rate, _ = plain.plot()
    assert rate.texts[0].get_text() == "no learning rate in the optimizer's state"
    assert "valid" not in plain.report()


def record(**metrics):
    """The record of the last of some evaluations."""
    n = len(next(iter(metrics.values())))
    lines = [
        {"step": 10 * (i + 1), **{name: values[i] for name, values in metrics.items()}}
        for i in range(n)
    ]
    return {**lines[-1], "steps": 100, "history": History([], lines)}


@pytest.mark.parametrize(
    ("losses", "stops"),
    [
        ([3, 2, 1], False),
        ([1, 2, 3], True),
        ([3, 1, 2], False),
        ([3, 1, np.nan, np.nan], True),
        ([1, 0.95, 0.9], True),
    ],
)
def test_early_stopping_waits_for_an_improvement(losses, stops):
    stop = callbacks.early_stopping(patience=2, min_delta=0.2)
    assert stop(record(valid_loss=np.array(losses, float))) is stops


def test_early_stopping_can_wait_for_the_larger():
    stop = callbacks.early_stopping(2, "valid_accuracy", mode="max")
    assert stop(record(valid_accuracy=[0.9, 0.8, 0.7])) is True
    assert stop(record(valid_accuracy=[0.7, 0.8, 0.9])) is False


def test_a_metric_that_is_not_recorded_is_refused_with_the_nearest():
    with pytest.raises(ValueError, match="Did you mean 'valid_loss'"):
        callbacks.early_stopping(1, "valid_los")(record(valid_loss=[1.0]))


def test_a_run_ends_when_a_target_is_reached_and_the_result_says_so():
    result = lo.fit(
        LinenNet(),
        TRAIN,
        loss="cross_entropy",
        valid=VALID,
        tx=lo.adam(3e-2),
        steps=1000,
        evaluations=100,
        callbacks=[callbacks.stop_at("train_loss", 0.5)],
    )
    assert result.steps < 1000 and result.stopped == "stop_at"
    assert result.history["train_loss"][-1] <= 0.5 < result.history["train_loss"][-2]
    assert f"Stopped at step {result.steps:,} by stop_at." in result.report()


def test_an_act_at_the_best_happens_at_every_new_best():
    seen = []
    act = callbacks.on_improvement(lambda record: seen.append(record["step"]))
    losses = [3.0, 2.0, 2.5, 1.0]
    for n in range(1, 5):
        act(record(valid_loss=losses[:n]))
    assert seen == [10, 20, 40]
