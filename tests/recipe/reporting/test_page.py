"""The page of a search and its pictures: what they show, and that no label covers another."""

import math
import re

import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.figure import Figure
from matplotlib.text import Text

import lecture_optax as lo
from lecture_optax.recipe.population.curve import Evaluation
from lecture_optax.recipe.reporting import comparisons, plots
from lecture_optax.recipe.reporting.explanation import Aim
from lecture_optax.recipe.reporting.labels import HEIGHT, Box, apart, spread
from lecture_optax.recipe.reporting.page import page_of
from lecture_optax.recipe.reporting.text import sentences

from ...training.reporting.pages import Page
from ..problems import BATCH, STEPS, regression
from .records import GOOD, NAN, explanation, record

EARLY = [Evaluation(4, NAN, -0.02)]
ARMS = (
    record(1e-3, -0.1, -0.2),
    record(1e-1, -0.4, -0.3, -0.3),
    record(1.0, 5.0),
    record(1e-2, -0.5, -0.8, -0.95, -0.97, decay=(20, 40)),
    record(1e-1, -0.3, -0.7, optimizer="nesterov"),
)


@pytest.fixture(autouse=True)
def close_figures():
    yield
    pyplot.close("all")


def axes_of(width=10):
    return plots.new_rows(Figure(figsize=(width, 5)), 1)[0]


def lines_of(ax):
    return {str(line.get_label()): line for line in ax.lines}


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "page.html"
    result = lo.recipe.run(regression(), steps=STEPS, batch_size=BATCH, budget=3.0)
    return result, result.report(path), path.read_text(encoding="utf-8")


def test_the_page_is_one_file_with_every_sentence_arm_and_the_code(written):
    result, text, html = written
    page = Page(html)
    page.check_that_it_loads_nothing()
    for line in [*sentences(result.explanation), result.code]:
        assert line in page.words
    assert page.tags.count("tr") == 1 + len(result.explanation.arms)
    assert page.tags.count("svg") == 2 * 2  # two pictures for two widths
    (_, _, aim) = result.explanation.aims[-1]
    assert f"aim {aim:.2g}, predicted to be the best at the end" in page.words
    assert text.count("selected:") == 1


def test_every_learning_rate_of_the_search_is_a_label_of_the_race(written):
    result, _, html = written
    race = re.findall(r'<svg class=\w+ [^>]*aria-label="The race".*?</svg>', html, re.S)
    labels = [set(re.findall(r"<text [^>]*>([^<]*)</text>", drawing)) for drawing in race]
    rates = {f"{arm.rate:.3g}" for arm in result.explanation.arms if arm.evaluations}
    assert all(rates <= {label.split(",")[0] for label in found} for found in labels)


def test_the_loss_of_the_selected_weights_has_one_value_on_the_page(written):
    result, _, html = written
    e, words = result.explanation, Page(html).words
    assert f"to {e.loss:.4g}" in words and f"selected {e.winner.rate:.3g}: {e.loss:.4g}" in words
    for draw in (plots.draw_race, lambda e, ax: plots.draw_levels(e, e.winner.optimizer, ax)):
        (x,), (loss,) = lines_of(draw(e, axes_of()))["selected"].get_data()
        assert loss == e.loss and x in (e.step, e.winner.rate)


def test_names_of_the_user_are_escaped_and_are_no_formulas():
    named = record(1e-2, -0.5, -0.8, -0.9, -1.0, optimizer="<b>&$")
    page = page_of(explanation(named, optimizers=("<b>&$",)), "if 1 < 2: pass", regression())
    assert "<b>" not in page
    assert "if 1 < 2: pass" in Page(page).words


def test_levels_are_the_steps_at_which_three_learning_rates_were_compared():
    e = explanation(GOOD, *ARMS)
    first, second = plots.levels_of(e, "adam")
    assert (first.step, second.step) == (10, 20)
    np.testing.assert_allclose(first.losses, [1.9, 1.5, 1.6, 7.0])
    np.testing.assert_allclose(first.rates, [1e-3, 1e-2, 1e-1, 1.0])
    assert 1e-2 < first.best_rate < 10**-1.5
    assert plots.levels_of(e, "nesterov") == []


def test_the_aim_of_the_search_is_drawn_and_is_where_the_best_learning_rate_drifts_to():
    e = explanation(GOOD, *ARMS, aims=(Aim("adam", 10, 0.02), Aim("nesterov", 20, 0.5)))
    first, second = plots.levels_of(e, "adam")
    assert first.best_rate == pytest.approx(0.02 * (10 / 40) ** -0.25)
    assert math.isnan(second.aim)
    ax = plots.draw_levels(e, "adam", axes_of())
    assert lines_of(ax)["aim"].get_xdata() == [0.02, 0.02]
    assert "aim" not in lines_of(plots.draw_levels(e._replace(aims=()), "adam", axes_of()))


def test_levels_at_which_the_search_aimed_are_shown_and_a_few_later_ones():
    arms = [record(rate, *[-0.5] * 20, every=2) for rate in (1e-3, 1e-2, 1e-1)]
    e = explanation(*arms, aims=(Aim("adam", 4, 0.02), Aim("adam", 6, 0.02)))
    assert [level.step for level in plots.levels_of(e, "adam")] == [4, 6, 8, 18, 40]


def test_the_side_of_the_learning_rates_that_diverge_is_shaded():
    ax = plots.draw_levels(explanation(GOOD, *ARMS), "adam", axes_of())
    (side,) = [patch for patch in ax.patches if patch.get_label() == "diverged"]
    assert side.get_x() == pytest.approx(math.sqrt(0.1))
    assert [line.get_xdata() for line in ax.lines if line.get_marker() == "x"] == [[1.0]]


def test_the_race_draws_an_arm_once_and_a_decay_from_its_first_step():
    again = record(1e-1, *[-0.4] * 6, every=5)
    curves = plots.curves_of(explanation(GOOD, *ARMS, again))
    names = [(curve.arm.optimizer, curve.arm.rate, curve.arm.decay) for curve in curves]
    assert len(set(names)) == len(names) == 6 and curves[-1].arm == GOOD
    (decay,) = [curve for curve in curves if curve.arm.decay]
    assert decay.steps == [20, 30, 40]


def test_faint_losses_are_those_that_are_estimated():
    early = GOOD._replace(evaluations=(*EARLY, *GOOD.evaluations))
    (curve,) = plots.curves_of(explanation(early, early_start=1.0))
    assert curve.exact == 1
    assert curve.losses[0] == pytest.approx(2.0 * 0.98)


@pytest.mark.parametrize("raw", [NAN, 0.0])
@pytest.mark.parametrize(("start", "change"), [(3.0, -2.9), (0.1, -0.09), (5.0, 20.0)])
def test_estimates_of_positive_losses_are_positive(raw, start, change):
    e = explanation(
        GOOD, early_start=start, subset_start=start, subset_rows=10, start=1.0, loss=0.1
    )
    assert comparisons.loss_on_all(e, Evaluation(2, raw, change), change) > 0


def test_estimates_are_exact_for_the_start_and_for_the_selected_weights():
    e = explanation(GOOD, early_start=3.0, subset_start=3.0, subset_rows=10, loss=0.5)
    for raw, change, loss in ((NAN, 0.0, e.start), (-1.0, -1.0, e.loss)):
        found = comparisons.loss_on_all(e, Evaluation(40, raw, change), change)
        assert found == pytest.approx(loss)


def test_the_axis_of_losses_is_logarithmic_where_all_are_positive():
    for start, scale in ((2.0, "log"), (0.5, "linear")):
        e = explanation(GOOD, *ARMS)._replace(start=start, subset_start=start, early_start=start)
        e = e._replace(loss=start - 1)
        for ax in (plots.draw_race(e, axes_of()), plots.draw_levels(e, "adam", axes_of())):
            assert ax.get_yscale() == scale
            assert ax.get_ylim()[0] < e.loss < start < ax.get_ylim()[1]


def test_a_search_is_plotted_with_its_levels_and_its_race():
    e = explanation(GOOD, *ARMS)
    levels, race = plots.draw_search(e)
    assert [ax.get_xlabel() for ax in (levels, race)] == ["learning rate of adam", "step"]
    assert "selected" in lines_of(levels)
    names = set(lines_of(race))
    assert {"adam 0.01", "0.01, decay", "0.1", "0.001", "nesterov 0.1", "selected"} <= names


def test_labels_keep_their_order_and_do_not_overlap():
    found = spread([0.0, 1.0, 1.5, 30.0], [1.0] * 4, 10.0, -50.0, 50.0)
    assert found == pytest.approx([-9.1667, 0.8333, 10.8333, 30.0], abs=1e-3)
    fixed = spread([0.0, 1.0], [1e6, 1.0], 10.0, -50.0, 50.0)
    assert fixed == pytest.approx([0.0, 10.0], abs=1e-3)
    assert spread([45.0, 46.0], [1.0] * 2, 10.0, 0.0, 50.0) == [30.0, 40.0]
    boxes = [Box(0, 10, 5.0), Box(5, 20, 5.0), Box(30, 40, 5.0)]
    left, middle, right = apart(boxes, 0.0, 100.0)
    assert middle - left == pytest.approx(HEIGHT) and right == 5.0


@pytest.mark.parametrize("width", [5, 10])
def test_no_label_of_a_race_covers_another(width):
    arms = [record(10 ** (i / 4), -0.5 - 0.01 * i) for i in range(-14, 0) if i != -8]
    figure = Figure(figsize=(width, 6))
    ax = plots.draw_race(explanation(GOOD, *arms), *plots.new_rows(figure, 1))
    figure.draw_without_rendering()
    boxes = [Text.get_window_extent(text) for text in ax.texts]  # without their lines
    assert len(boxes) == len(arms) + 2  # the start and the selected arm
    for i, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[i + 1 :])


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (1e-17, 1e-2, [1e-17, 1e-14, 1e-11, 1e-8, 1e-5, 1e-2]),
        (1e-3, 1.0, [1e-3, 1e-2, 1e-1, 1.0]),
        (0.06, 0.9, [0.1, 0.2, 0.5]),
        (1.1, 4.5, [1.5, 2, 3, 4]),
        (60, 60, [60]),
        (9.7, 10.2, [9.7, 9.8, 9.9, 10.0, 10.1, 10.2]),
    ],
)
def test_ticks_are_round_numbers(low, high, ticks):
    assert plots.ticks_of(low, high) == pytest.approx(ticks)
