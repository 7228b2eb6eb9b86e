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
from lecture_optax.recipe.population.population import Population
from lecture_optax.recipe.reporting import comparisons
from lecture_optax.recipe.reporting.page import page_of
from lecture_optax.recipe.reporting.plots import draw_optimizer, draw_race
from lecture_optax.recipe.reporting.text import sentences

from ..problems import BATCH, LARGEST, STEPS, regression
from .records import GOOD, NAN, explanation, record

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


def numbers_in(x):
    if isinstance(x, tuple):
        for each in x:
            yield from numbers_in(each)
    elif isinstance(x, int | float):
        yield x


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
    assert result.stability.why_not == "Its weights were not finite at the end."


def test_a_later_measurement_keeps_the_winners_state_and_no_other_arm(result):
    kept = list(result.measure.args)
    assert not any(isinstance(x, Population) for x in kept)


def test_an_optimizer_without_a_stability_limit_is_reported_too():
    result = recipe(
        optimizers={"signs": lambda rate: lo.chain(optax.scale_by_sign(), lo.sgd(rate))}, budget=1.0
    )
    assert result.stability.gauge is None and result.stability.why_not


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
    assert page.tags.count("tr") == 1 + len(result.explanation.arms)
    assert " ".join(result.explain().split()) in " ".join(text.split())
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
    assert f"~: estimated from {e.subset_rows} of 32 validation examples" in result.report()


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
