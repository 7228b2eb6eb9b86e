"""Reports of a search: every number comes from the data, and a page is one file."""

import re

import matplotlib
import numpy as np
import pytest
from matplotlib import pyplot

import lecture_optax as lo

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


def test_every_number_of_a_symptom_is_of_that_arm(result):
    seen = set()
    for arm in result.explanation.arms:
        known = {abs(x) for x in numbers_in(arm.symptom) if np.isfinite(x)}
        words = {f"{x:.{digits}g}" for x in known for digits in range(1, 4)}
        said = str(arm.symptom)
        for word in re.findall(NUMBER, said):
            assert word in words, f"{word} in {said}"
        assert said.startswith(arm.symptom.name)
        seen.add(arm.symptom.name)
    assert {"healthy", "converged"} <= seen


def test_a_search_without_a_model_is_reported_too(tmp_path):
    result = recipe(problem=regression(train_scale=LARGEST), budget=1.0)
    path = tmp_path / "page.html"
    assert "No arm was better than the start" in result.report(path)
    page = Page(path.read_text())
    assert "svg" not in page.tags and page.tags.count("tr") == 1 + len(result.explanation.arms)
    assert result.plot()
