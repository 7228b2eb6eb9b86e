"""What the recipe says of itself: every number from the data, every page from one file."""

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
from lecture_optax.recipe.diagnosis.symptom_words import helps, showed
from lecture_optax.recipe.population.curve import Evaluation
from lecture_optax.recipe.population.population import Population
from lecture_optax.recipe.reporting import comparisons as findings
from lecture_optax.recipe.reporting.explanation import ArmRecord, Explanation
from lecture_optax.recipe.reporting.page import page_of
from lecture_optax.recipe.reporting.plots import draw_optimizer, draw_race
from lecture_optax.recipe.reporting.stability import sentence
from lecture_optax.recipe.reporting.text import sentences

from ..problems import BATCH, STEPS, regression

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
    """An arm that was looked at every so many steps."""
    evaluations = tuple(Evaluation(every * (i + 1), x + raw, x) for i, x in enumerate(averaged))
    change, at = min((min(x[1:]), x.step) for x in evaluations) if evaluations else (np.inf, 0)
    return ArmRecord(
        optimizer, rate, decay, every * len(evaluations), change, at, failed, evaluations
    )


def explanation(winner, *others, step=40, is_average=True, **changed):
    """Of a run of 40 steps whose loss starts at 2."""
    loss = 2 + next(
        evaluation.averaged for evaluation in winner.evaluations if evaluation.step == step
    )
    numbers = {
        "start": 2.0,
        "loss": loss,
        "error": 0.1,
        "reason": "lowest",
        "rows": 50,
        "subset_rows": 50,
    }
    numbers |= {
        "subset_start": 2.0,
        "held_out_from_train": False,
        "steps": 40,
        "gradients": 100,
        "limit": 120,
        "evaluations": 0.05,
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
    found = [findings.late_fall(e), findings.rise(e), findings.other_schedule(e)]
    found += [findings.compared(e, arm) for arm in e.arms]
    known = {abs(x) for x in numbers_in((*e, *filter(None, found)))}
    known |= {e.start - e.loss, len(findings.near(e)), 1, 4}  # "within 1 %", "4 times as many"
    known |= {len(findings.constant_arms(e, optimizer)) for optimizer in e.optimizers}
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
        known |= {1 / x for x in known if x} | {10}  # "÷ 3.2", "increase"
        words = {f"{x:.{digits}g}" for x in known for digits in range(1, 4)}
        for word in re.findall(NUMBER, showed(arm.diagnosis) + helps(arm.diagnosis)):
            assert word in words, f"{word} in {showed(arm.diagnosis)}, {helps(arm.diagnosis)}"
        assert showed(arm.diagnosis).startswith(symptom.name)
        seen |= {symptom.name, verdict.remedy}
    assert {"healthy", "converged", "uncertain", "keep"} <= seen


def test_a_report_says_how_near_to_the_edge_the_chosen_rate_was(result, tmp_path):
    gauged, winner = result.gauge, result.explanation.winner
    text = " ".join(result.report(tmp_path / "page.html").split())
    line = sentence(gauged, winner.optimizer)
    assert line in text
    assert line in Page((tmp_path / "page.html").read_text()).words
    assert 0 < gauged.gauge.ratio < 1
    assert gauged.rate == winner.rate
    known = {*gauged.gauge, gauged.rate, gauged.steps, gauged.rate / gauged.gauge.ratio}
    words = {f"{x:.{digits}g}" for x in known for digits in (3, 4)}
    words |= {f"{100 * gauged.gauge.ratio:.2g}", f"{gauged.steps}"}
    assert {*re.findall(NUMBER, line)} <= words


def test_the_gauge_of_a_parabola_is_its_curvature_over_the_edge_of_the_chosen_rate(result):
    result = recipe(optimizers={"sgd": lo.sgd}, budget=2.0)
    x = np.c_[regression().train["x"], np.ones(48)]
    curvature = np.linalg.eigvalsh(x.T @ x / 48)[-1]
    gauge, rate = result.gauge.gauge, result.explanation.winner.rate
    np.testing.assert_allclose([gauge.curvature, gauge.edge], [curvature, 2 / rate], rtol=1e-3)


def test_an_arm_that_explodes_after_its_best_look_is_not_gauged():
    growing = {"growing": lambda rate: lo.sgd(lambda k: jnp.where(k < STEPS // 2, 0.1, 1e9))}
    result = recipe(optimizers=growing, budget=2.0)
    assert result.explanation.winner.failed
    assert "is not known. Its weights were not finite" in " ".join(result.report().split())


def test_to_be_gauged_later_keeps_the_winners_state_and_no_other_arm(result):
    kept = [cell.cell_contents for cell in result.measure.__closure__]
    assert not any(isinstance(x, Population) for x in kept)


def test_a_method_that_cannot_be_gauged_does_not_take_the_report_away():
    result = recipe(
        optimizers={"signs": lambda rate: lo.chain(optax.scale_by_sign(), lo.sgd(rate))}, budget=1.0
    )
    assert result.gauge.gauge is None
    assert "was is not known. chain(" in " ".join(result.report().split())


def test_an_arm_is_compared_with_the_winner_after_the_same_step_on_the_same_rows(result):
    e = result.explanation
    pairs = [pair for arm in e.arms if (pair := findings.compared(e, arm))]
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


def test_what_ten_times_and_a_tenth_of_the_rate_did_is_said_at_the_last_common_step():
    e = explanation(GOOD, record(1e-1, -0.4, 0.3), record(1e-3, -0.1))
    line = "The rate × 10, 0.1, had lost 0.3 by step 20, where this arm had gained 0.8."
    assert said(e, "× 10") == line
    line = "The rate ÷ 10, 0.001, had gained 0.1 by step 10, where this arm had gained 0.5."
    assert said(e, "÷ 10") == line


def test_looks_at_other_rows_are_not_compared():
    early = record(1e-3, -0.1, raw=NAN)
    assert findings.compared(explanation(GOOD, early), early) is None


def test_the_edge_of_divergence_lies_where_arms_stop_to_gain():
    bad = [record(1e-1, -0.2, 0.1), record(1.0, failed=(3, "loss"))]
    e = explanation(GOOD, record(3e-2, -0.1), *bad)
    assert findings.edge(e, "adam")[1:3] == (3e-2, 1e-1)
    assert said(e, "edge").endswith("0.03 and 0.1, which was worse than the start at step 20.")
    e = explanation(GOOD, bad[1])
    assert said(e, "edge").endswith("0.01 and 1, which was not finite at step 3 (loss).")
    assert findings.edge(explanation(GOOD), "adam") is None


def test_a_loss_that_rises_again_is_called_overfitting_with_its_steps():
    e = explanation(record(1e-2, -0.5, -1.0, -0.9, -0.8), step=20)
    line = "adam at 0.01 overfits from step 20 on: by step 40 the held-out loss of its average"
    assert said(e, "overfits").startswith(f"{line} had risen by 0.2.")
    assert findings.rise(explanation(record(1e-2, -0.5, -0.9, -1.0, -0.99))) is None


def test_an_arm_that_was_stopped_is_told_of_the_overfitting_of_the_one_that_was_not():
    e = explanation(record(1e-2, -1.0), record(1e-3, -0.5, -0.9, -0.8, -0.7), step=10)
    assert said(e, "overfits").startswith("adam at 0.001 overfits from step 20 on: by step 40")


@pytest.mark.parametrize(("last", "words"), [(-1.0, "may pay"), (-0.901, "bring little")])
def test_more_steps_are_promised_what_the_last_quarter_brought(last, words):
    e = explanation(record(1e-2, -0.5, -0.8, -0.9, last))
    decay = findings.late_fall(e)
    assert decay[:2] == (30, 40)
    assert decay.part == pytest.approx((-0.9 - last) / -last)
    assert words in said(e, "Steps 30 to 40")


def test_why_a_family_a_schedule_and_an_average_is_said_with_both_numbers():
    falling = record(1e-2, -0.5, -0.8, -0.85, -0.95, decay=(20, 40))
    nesterov = record(0.1, -0.4, -0.7, optimizer="nesterov")
    e = explanation(
        GOOD._replace(evaluations=(*GOOD.evaluations[:3], Evaluation(40, -0.6, -1.0))),
        falling,
        nesterov,
    )
    pair = "had gained 0.7 by step 20, where this arm had gained 0.8."
    assert said(e, "Why adam") == f"Why adam: nesterov at its best, 0.1, {pair}"
    pair = "had gained 0.95 by step 40, where this arm had gained 1."
    assert said(e, "Why a rate") == f"Why a rate that stays: with a rate that falls it {pair}"
    line = "Why averaged weights: at step 40 they had gained 1, raw ones 0.6."
    assert said(e, "Why averaged") == line
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
        assert showed(arm.diagnosis) in page.words
        assert helps(arm.diagnosis) in page.words
    assert result.explain().splitlines()[0] in text
    assert text.count("handed over") == 1


def test_the_pictures_of_the_page_are_pictures(result):
    from matplotlib.image import imread

    links = Page(page_of(result.explanation, result.code)).links
    assert len(links) == 3  # two families and the race
    for link in links:
        pixels = imread(io.BytesIO(base64.b64decode(link.split(",")[1])))
        assert pixels.shape[0] > 300
        assert pixels.std() > 0.05


def test_what_a_person_named_is_escaped():
    named = record(1e-2, -0.5, -0.8, -0.9, -1.0, optimizer="<b>&")
    text = page_of(explanation(named, optimizers=("<b>&",)), "if 1 < 2: pass")
    assert "<b>" not in text
    assert "&lt;b&gt;&amp;" in text
    assert "if 1 < 2: pass" in Page(text).words


def test_the_plot_shows_every_arm_the_winners_weights_and_what_was_handed_over(result):
    e, axes = result.explanation, result.plot()
    assert len(axes) == 2 + 2
    race = result.plot(ax=pyplot.figure().add_subplot())
    drawn = {line.get_label(): line for line in race.lines}
    (step,), (loss,) = drawn["handed over"].get_data()
    assert (step, loss) == (e.step, e.loss)
    raw = [x for x in findings.evaluations_of(e, e.winner) if not np.isnan(x.raw)]
    np.testing.assert_allclose(drawn["chosen, raw"].get_ydata(), [e.start + x.raw for x in raw])
    crosses = [line for line in race.lines if line.get_marker() == "x" and len(line.get_xdata())]
    assert len(crosses) == sum(map(findings.diverged, e.arms))


def test_where_looks_saw_some_rows_the_pictures_and_the_table_show_the_loss_on_those(monkeypatch):
    monkeypatch.setattr(constants, "EARLY_ROWS", (8, 16))
    result = recipe(steps=20, batch_size=4, budget=2.0)
    e, race = result.explanation, result.plot(ax=pyplot.figure().add_subplot())
    assert e.subset_rows < e.rows == 32
    drawn = {line.get_label(): line for line in race.lines}
    kind = "averaged" if e.is_average else "raw"
    chosen = dict(zip(*drawn[f"chosen, {kind}"].get_data(), strict=True))
    assert drawn["handed over"].get_data() == ([e.step], [chosen[e.step]])
    assert race.get_ylabel() == f"loss on {e.subset_rows} held-out rows"
    assert f"Looks on the way saw {e.subset_rows} of the rows." in said(e, "How sure")
    assert f"{e.subset_start + e.arms[0].change:.5g}" in result.report()


def test_the_looks_at_some_rows_are_shaded_in_the_race():
    early = record(1e-3, -0.1, raw=NAN)
    for arms, shaded in (((GOOD,), False), ((GOOD, early), True)):
        axes = pyplot.figure().add_subplot()
        draw_race(explanation(*arms), axes)
        assert ("looks at some rows" in axes.get_legend_handles_labels()[1]) == shaded


def test_the_rates_of_a_family_are_drawn_at_the_steps_at_which_arms_were_left(result):
    e = result.explanation
    axes = draw_optimizer(e, "adam", pyplot.figure().add_subplot())
    lines = [line for line in axes.lines if str(line.get_label()).startswith("step ")]
    assert len(lines) >= 2
    for line in lines:
        step = int(line.get_label().split(",")[0].split()[1])
        for rate, loss in zip(*line.get_data(), strict=True):
            (arm,) = [arm for arm in findings.constant_arms(e, "adam") if arm.rate == rate]
            assert loss in [
                e.start + evaluation.averaged
                for evaluation in arm.evaluations
                if evaluation.step == step
            ]


def test_the_star_is_in_the_picture_where_no_line_reaches_so_low():
    falling = record(1e-2, -0.5, -0.8, -1.9, -1.99, decay=(20, 40))
    others = [record(rate, -0.5, -0.8) for rate in (1e-3, 1e-2)]
    axes = draw_optimizer(explanation(falling, *others), "adam", pyplot.figure().add_subplot())
    (star,) = [line for line in axes.lines if line.get_label() == "chosen"]
    assert axes.get_ylim()[0] < star.get_ydata()[0]


def test_a_search_without_a_model_is_reported_too(tmp_path):
    result = recipe(problem=regression(train_scale=np.nan), budget=1.0)
    path = tmp_path / "page.html"
    assert "No arm was better than the start" in result.report(path)
    assert Page(path.read_text()).links
    assert result.plot()
