"""Reports of a search: every number comes from the data, and a page is one file."""

import re

import jax.numpy as jnp
import matplotlib
import numpy as np
import optax
import pytest
from matplotlib import pyplot

import lecture_optax as lo
from lecture_optax.recipe.population.population import Population

from ...training.reporting.pages import Page
from ..problems import BATCH, LARGEST, STEPS, regression

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


def test_a_search_without_a_model_is_reported_too(tmp_path):
    result = recipe(problem=regression(train_scale=LARGEST), budget=1.0)
    path = tmp_path / "page.html"
    assert "No arm was better than the start" in result.report(path)
    page = Page(path.read_text())
    assert "svg" not in page.tags and page.tags.count("tr") == 1 + len(result.explanation.arms)
    assert result.plot()
