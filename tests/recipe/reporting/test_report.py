"""Reports of a search: every number comes from the data, and a page is one file."""

import base64
import io
import re
from html.parser import HTMLParser

import jax.numpy as jnp
import matplotlib
import numpy as np
import optax
import pytest
from matplotlib import pyplot

import lecture_optax as lo
from lecture_optax.recipe import constants
from lecture_optax.recipe.population.curve import Evaluation
from lecture_optax.recipe.population.population import Population
from lecture_optax.recipe.reporting import comparisons
from lecture_optax.recipe.reporting.explanation import ArmRecord, Explanation
from lecture_optax.recipe.reporting.page import page_of
from lecture_optax.recipe.reporting.plots import draw_optimizer, draw_race
from lecture_optax.recipe.reporting.stability import sentence
from lecture_optax.recipe.reporting.text import sentences

from ..problems import BATCH, LARGEST, STEPS, regression

NAN = float("nan")
NUMBER = r"\d+(?:\.\d+)?(?:e[-+]\d+)?"


def recipe(**options):
    given = {"steps": STEPS, "batch_size": BATCH, "budget": 6.0, **options}
    return lo.recipe.run(given.pop("problem", regression()), **given)


@pytest.fixture(scope="module")
def result():
    return recipe()


@pytest.fixture(autouse=True)
def no_window():
    matplotlib.use("Agg")
    yield
    pyplot.close("all")


def record(rate, *averaged, every=10, decay=None, failed=None, optimizer="adam", raw=0.0):
    """An arm that was evaluated every so many steps."""
    evaluations = tuple(Evaluation(every * (i + 1), x + raw, x) for i, x in enumerate(averaged))
    change, at = min((min(x[1:]), x.step) for x in evaluations) if evaluations else (np.inf, 0)
    return ArmRecord(
        optimizer, rate, decay, every * len(evaluations), change, at, failed, evaluations
    )


def explanation(winner, *others, step=40, is_average=True, **changed):
    """Explain a search with runs of 40 steps whose loss starts at 2."""
    loss = 2 + next(x.averaged for x in winner.evaluations if x.step == step)
    numbers = {"start": 2.0, "loss": loss, "error": 0.1, "reason": "lowest"}
    numbers |= {
        "rows": 50,
        "subset_rows": 50,
        "subset_start": 2.0,
        "held_out_from_train": False,
        "steps": 40,
        "gradients": 100,
        "limit": 120,
        "evaluation_share": 0.05,
    }
    numbers |= {"optimizers": ("adam", "nesterov"), **changed}
    return Explanation((winner, *others), winner, step, is_average, **numbers)


GOOD = record(1e-2, -0.5, -0.8, -0.9, -1.0)


def said(e, start):
    (line,) = [line for line in sentences(e) if start in line]
    return line


def numbers_in(x):
    if isinstance(x, tuple):
        for each in x:
            yield from numbers_in(each)
    elif isinstance(x, int | float):
        yield x


def test_every_number_that_is_said_is_in_the_data(result):
    e = result.explanation
    found = [comparisons.late_improvement(e, e.winner), comparisons.overfitting(e, e.winner)]
    found += [comparisons.other_schedule(e, e.winner)]
    found += [comparisons.compare(e, e.winner, arm) for arm in e.arms]
    known = {abs(x) for x in numbers_in((*e, *filter(None, found)))}
    known |= {
        e.start - e.loss,
        len(comparisons.near_ties(e, e.winner)),
        1,
        4,
    }  # "within 1 %", "4 times as many"
    known |= {len(comparisons.constant_arms(e, optimizer)) for optimizer in e.optimizers}
    known |= {max(a.rate / e.winner.rate, e.winner.rate / a.rate) for a in e.arms}
    words = {f"{x:.{digits}g}" for x in known for digits in range(1, 6)}
    words |= {f"{100 * x:.{digits}f}" for x in known if x < 2 for digits in (1, 2)}
    words |= {f"{x:.0f}" for x in known if np.isfinite(x)}
    text = " ".join(sentences(e))
    for word in re.findall(NUMBER, text):
        assert word in words, f"{word} in {text}"


def test_every_number_of_a_symptom_and_a_remedy_is_of_that_arm(result):
    seen = set()
    for arm in result.explanation.arms:
        symptom, verdict = arm.diagnosis
        known = {abs(x) for x in numbers_in((symptom, verdict)) if np.isfinite(x)}
        known |= {1 / x for x in known if x}  # "÷ 3.2"
        words = {f"{x:.{digits}g}" for x in known for digits in range(1, 4)}
        said = f"{symptom} {verdict.phrase()}"
        for word in re.findall(NUMBER, said):
            assert word in words, f"{word} in {said}"
        assert str(symptom).startswith(symptom.name)
        seen |= {symptom.name, verdict.remedy}
    assert {"healthy", "converged", "uncertain", "keep"} <= seen


def test_a_report_says_how_stable_the_selected_learning_rate_is(result, tmp_path):
    report, winner = result.stability, result.explanation.winner
    text = " ".join(result.report(tmp_path / "page.html").split())
    line = sentence(report, winner.optimizer)
    assert line in text
    assert line in Page((tmp_path / "page.html").read_text()).words
    assert 0 < report.gauge.ratio < 1
    assert report.rate == winner.rate
    known = {*report.gauge, report.rate, report.steps, report.rate / report.gauge.ratio}
    words = {f"{x:.{digits}g}" for x in known for digits in (3, 4)}
    words |= {f"{100 * report.gauge.ratio:.2g}", f"{report.steps}"}
    assert {*re.findall(NUMBER, line)} <= words


def test_the_gauge_of_a_parabola_is_its_curvature_over_the_edge_of_the_selected_rate(result):
    result = recipe(optimizers={"sgd": lo.sgd}, budget=2.0)
    x = np.c_[regression().train["x"], np.ones(48)]
    curvature = np.linalg.eigvalsh(x.T @ x / 48)[-1]
    gauge, rate = result.stability.gauge, result.explanation.winner.rate
    np.testing.assert_allclose([gauge.curvature, gauge.edge], [curvature, 2 / rate], rtol=1e-3)


def test_the_stability_of_an_arm_that_diverges_after_its_best_evaluation_is_not_measured():
    growing = {"growing": lambda rate: lo.sgd(lambda k: jnp.where(k < STEPS // 2, 0.1, 1e9))}
    result = recipe(optimizers=growing, budget=2.0)
    assert result.explanation.winner.failed
    assert "Its weights were not finite at the end." in " ".join(result.report().split())


def test_a_later_measurement_keeps_the_winners_state_and_no_other_arm(result):
    kept = list(result.measure.args)
    assert not any(isinstance(x, Population) for x in kept)


def test_an_optimizer_without_a_stability_limit_is_reported_too():
    result = recipe(
        optimizers={"signs": lambda rate: lo.chain(optax.scale_by_sign(), lo.sgd(rate))}, budget=1.0
    )
    assert result.stability.gauge is None
    assert "Stability: not known for signs" in " ".join(result.report().split())


def test_an_arm_is_compared_with_the_winner_at_the_same_step_on_the_same_examples(result):
    e = result.explanation
    pairs = [pair for arm in e.arms if (pair := comparisons.compare(e, e.winner, arm))]
    assert len(pairs) > 5
    for pair in pairs:
        curves = [
            [
                x
                for a, curve in result.history.items()
                for x in curve.evaluations
                if (a.rate, e.optimizers[a.optimizer]) == (arm.rate, arm.optimizer)
                and x.step == pair.step
            ]
            for arm in (pair.arm, e.winner)
        ]
        assert pair.change in [x.averaged for x in curves[0]]
        assert pair.winner in [x.averaged for x in curves[1]]


def test_10_and_0_1_times_the_learning_rate_are_compared_at_the_last_common_step():
    e = explanation(GOOD, record(1e-1, -0.4, 0.3), record(1e-3, -0.1))
    line = "had increased the loss by 0.3 at step 20, where this arm had decreased it by 0.8."
    assert said(e, "× 10") == f"The learning rate × 10, 0.1, {line}"
    line = "had decreased the loss by 0.1 at step 10, where this arm had decreased it by 0.5."
    assert said(e, "÷ 10") == f"The learning rate ÷ 10, 0.001, {line}"


def test_evaluations_on_other_examples_are_not_compared():
    early = record(1e-3, -0.1, raw=NAN)
    assert comparisons.compare(explanation(GOOD, early), GOOD, early) is None


def test_the_edge_of_divergence_lies_where_arms_stop_to_gain():
    bad = [record(1e-1, -0.2, 0.1), record(1.0, failed=(3, "loss"))]
    e = explanation(GOOD, record(3e-2, -0.1), *bad)
    assert comparisons.divergence_edge(e, "adam")[1:3] == (3e-2, 1e-1)
    assert said(e, "edge").endswith("0.03 and 0.1, which was worse than the start at step 20.")
    e = explanation(GOOD, bad[1])
    assert said(e, "edge").endswith("0.01 and 1, which was not finite at step 3 (loss).")
    assert comparisons.divergence_edge(explanation(GOOD), "adam") is None


def test_a_loss_that_rises_again_is_called_overfitting_with_its_steps():
    e = explanation(record(1e-2, -0.5, -1.0, -0.9, -0.8), step=20)
    line = "adam at 0.01 overfits from step 20 on: at step 40 the validation loss of its averaged"
    assert said(e, "overfits").startswith(f"{line} weights had risen by 0.2.")
    flat = record(1e-2, -0.5, -0.9, -1.0, -0.99)
    assert comparisons.overfitting(explanation(flat), flat) is None


def test_the_explanation_of_a_pruned_arm_names_the_overfitting_of_the_longest_one():
    e = explanation(record(1e-2, -1.0), record(1e-3, -0.5, -0.9, -0.8, -0.7), step=10)
    assert said(e, "overfits").startswith("adam at 0.001 overfits from step 20 on: at step 40")


@pytest.mark.parametrize(("last", "words"), [(-1.0, "may help"), (-0.901, "help little")])
def test_more_steps_are_promised_what_the_last_quarter_brought(last, words):
    e = explanation(record(1e-2, -0.5, -0.8, -0.9, last))
    late = comparisons.late_improvement(e, e.winner)
    assert late[:2] == (30, 40)
    assert late.part == pytest.approx((-0.9 - last) / -last)
    assert words in said(e, "Steps 30 to 40")


def test_an_optimizer_a_schedule_and_an_average_are_explained_with_both_numbers():
    falling = record(1e-2, -0.5, -0.8, -0.85, -0.95, decay=(20, 40))
    nesterov = record(0.1, -0.4, -0.7, optimizer="nesterov")
    e = explanation(
        GOOD._replace(evaluations=(*GOOD.evaluations[:3], Evaluation(40, -0.6, -1.0))),
        falling,
        nesterov,
    )
    pair = "had decreased the loss by 0.7 at step 20, where this arm had decreased it by 0.8."
    assert said(e, "Why adam") == f"Why adam: nesterov at its best, 0.1, {pair}"
    pair = "had decreased the loss by 0.95 at step 40, where this arm had decreased it by 1."
    assert said(e, "Why a constant") == f"Why a constant learning rate: with a decay it {pair}"
    line = "at step 40 they had decreased the loss by 1, raw ones had decreased it by 0.6."
    assert said(e, "Why averaged") == f"Why averaged weights: {line}"
    assert "nesterov was not tried within the budget" in " ".join(sentences(explanation(GOOD)))


class Page(HTMLParser):
    """The tags of a page, what they refer to, and its words."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.links, self.words = [], [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [value for name, value in attrs if name in ("src", "href", "data")]

    def handle_data(self, data):
        self.words += data


def test_the_page_is_one_file_with_every_sentence_arm_and_the_code(result, tmp_path):
    path = tmp_path / "page.html"
    text = result.report(path)
    page = Page(path.read_text(encoding="utf-8"))
    assert not {"script", "link", "iframe", "object"} & set(page.tags)
    assert page.links
    assert all(link.startswith("data:image/png;base64,") for link in page.links)
    assert "url(" not in path.read_text(encoding="utf-8")
    for line in [*sentences(result.explanation), result.code]:
        assert line in page.words
    assert page.tags.count("tr") == 2 * (1 + len(result.explanation.arms))
    for arm in result.explanation.arms:
        assert str(arm.diagnosis.symptom) in page.words
        assert arm.diagnosis.verdict.phrase() in page.words
    assert result.explain().splitlines()[0] in text
    assert text.count("selected,") == 1


def test_the_pictures_of_the_page_are_pictures(result):
    from matplotlib.image import imread

    links = Page(page_of(result.explanation, result.code)).links
    assert len(links) == 3  # two optimizers and the race
    for link in links:
        pixels = imread(io.BytesIO(base64.b64decode(link.split(",")[1])))
        assert pixels.shape[0] > 300
        assert pixels.std() > 0.05


def test_names_of_the_user_are_escaped():
    named = record(1e-2, -0.5, -0.8, -0.9, -1.0, optimizer="<b>&")
    text = page_of(explanation(named, optimizers=("<b>&",)), "if 1 < 2: pass")
    assert "<b>" not in text
    assert "&lt;b&gt;&amp;" in text
    assert "if 1 < 2: pass" in Page(text).words


def test_the_plot_shows_every_arm_the_winners_weights_and_the_returned_ones(result):
    e, axes = result.explanation, result.plot()
    assert len(axes) == 2 + 2
    race = result.plot(ax=pyplot.figure().add_subplot())
    drawn = {line.get_label(): line for line in race.lines}
    (step,), (loss,) = drawn["returned"].get_data()
    assert (step, loss) == (e.step, e.loss)
    raw = [x for x in comparisons.evaluations_of(e, e.winner) if not np.isnan(x.raw)]
    np.testing.assert_allclose(drawn["selected, raw"].get_ydata(), [e.start + x.raw for x in raw])
    crosses = [line for line in race.lines if line.get_marker() == "x" and len(line.get_xdata())]
    assert len(crosses) == sum(map(comparisons.diverged, e.arms))


def test_evaluations_on_a_subset_are_drawn_and_listed_with_the_loss_on_it(monkeypatch):
    monkeypatch.setattr(constants, "EARLY_ROWS", (8, 16))
    result = recipe(steps=20, batch_size=4, budget=2.0)
    e, race = result.explanation, result.plot(ax=pyplot.figure().add_subplot())
    assert e.subset_rows < e.rows == 32
    drawn = {line.get_label(): line for line in race.lines}
    kind = "averaged" if e.is_average else "raw"
    chosen = dict(zip(*drawn[f"selected, {kind}"].get_data(), strict=True))
    assert drawn["returned"].get_data() == ([e.step], [chosen[e.step]])
    assert race.get_ylabel() == f"loss on {e.subset_rows} validation examples"
    assert f"during the search used a subset of {e.subset_rows}." in said(e, "Confidence")
    assert f"{e.subset_start + e.arms[0].change:.5g}" in result.report()


def test_evaluations_on_a_subset_are_shaded_in_the_race():
    early = record(1e-3, -0.1, raw=NAN)
    for arms, shaded in (((GOOD,), False), ((GOOD, early), True)):
        axes = pyplot.figure().add_subplot()
        draw_race(explanation(*arms), axes)
        assert ("evaluated on a subset" in axes.get_legend_handles_labels()[1]) == shaded


def test_the_learning_rates_of_an_optimizer_are_drawn_at_the_steps_of_the_rungs(result):
    e = result.explanation
    axes = draw_optimizer(e, "adam", pyplot.figure().add_subplot())
    lines = [line for line in axes.lines if str(line.get_label()).startswith("step ")]
    assert len(lines) >= 2
    for line in lines:
        step = int(line.get_label().split(",")[0].split()[1])
        for rate, loss in zip(*line.get_data(), strict=True):
            (arm,) = [arm for arm in comparisons.constant_arms(e, "adam") if arm.rate == rate]
            assert loss in [e.start + x.averaged for x in arm.evaluations if x.step == step]


def test_the_star_is_in_the_plot_if_no_line_reaches_so_low():
    falling = record(1e-2, -0.5, -0.8, -1.9, -1.99, decay=(20, 40))
    others = [record(rate, -0.5, -0.8) for rate in (1e-3, 1e-2)]
    axes = draw_optimizer(explanation(falling, *others), "adam", pyplot.figure().add_subplot())
    (star,) = [line for line in axes.lines if line.get_label() == "selected"]
    assert axes.get_ylim()[0] < star.get_ydata()[0]


def test_a_search_without_a_model_is_reported_too(tmp_path):
    result = recipe(problem=regression(train_scale=LARGEST), budget=1.0)
    path = tmp_path / "page.html"
    assert "No arm was better than the start" in result.report(path)
    assert Page(path.read_text()).links
    assert result.plot()
