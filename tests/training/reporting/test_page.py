"""The page of a run is one file, with a picture for wide and one for narrow screens."""

import dataclasses
import datetime
import re

import jax
import matplotlib
import pytest

import lecture_optax as lo
from lecture_optax.training.problems import PROBLEMS
from lecture_optax.training.reporting import html_page

from ..models import ADAM, TRAIN, VALID, LinenNet, functions_problem
from .pages import Page


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "run.html"
    result = lo.fit(LinenNet(), TRAIN, loss="cross_entropy", valid=VALID, tx=ADAM, steps=10)
    with matplotlib.rc_context({"text.color": "red", "axes.facecolor": "black"}):
        result.report(path)
    return result, path.read_text(encoding="utf-8")


def test_a_page_is_one_file_that_names_what_was_trained_when_and_by_which_versions(written):
    page = Page(written[1])
    page.check_that_it_loads_nothing()
    words = page.words.replace("\N{NO-BREAK SPACE}", " ")
    year = datetime.date.today().year
    versions = f"lecture_optax {lo.__version__} · JAX {jax.__version__}"
    assert "LinenNet: trained for 10 steps" in words
    assert "cross_entropy · 72 training examples · 28 validation examples" in words
    assert f"{year} · {versions}" in words


def test_a_page_has_the_sentences_facts_and_evaluations_of_the_report(written):
    result, text = written
    words = " ".join(Page(text).words.split())
    for line in re.findall(r"\S.*?(?=  |$)", result.report(), re.M):
        assert " ".join(line.split()) in words, line
    assert text.count("<tr") == 1 + 10  # the head, and as many as the report
    assert text.count("<tr class=selected") == 1


def test_pictures_are_drawn_for_two_widths_in_the_colours_of_the_page(written):
    _, text = written
    drawings = re.findall(r"<svg class=(\w+) viewBox=\"0 0 (\d+) .*?</svg>", text, re.S)
    assert drawings == [("wide", "800"), ("narrow", "358")]
    assert set(re.findall(r"(?:fill|stroke): (#\w+)", text)) == set()
    assert {f"--{name}:" in text for name in html_page.VARIABLES.values()} == {True}
    labels = re.findall(r"<text [^>]*font(?:-size)?: ([\d.]+)px", text)
    assert labels and min(map(float, labels)) >= 10
    ids = re.findall(r' id="([^"]*)"', text)
    assert len(ids) == len(set(ids))


def test_text_is_escaped():
    row = html_page.table(["<a>", "b"], [["&", "<i>"]], text=["b"])
    assert "<a>" not in row and "<i>" not in row and "&lt;i&gt;" in row
    problem = dataclasses.replace(functions_problem(), name="<b>")
    assert "<b>" not in html_page.page("done", problem, [html_page.paragraphs(["<b>"])])


def test_a_problem_has_the_name_of_its_model_or_of_its_function():
    assert PROBLEMS["quadratic_deep"].build().name == "quadratic_deep"
    problem = functions_problem()
    assert problem.name == ""
    assert "<h1>Trained</h1>" in html_page.page("trained", problem, [])
