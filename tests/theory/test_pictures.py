"""The pictures: what they show is what is measured, and they leave everything else alone."""

import functools
import sys

import matplotlib
import numpy as np
import pytest
from matplotlib import pyplot

import lecture_optax as lo
from lecture_optax.theory import pictures, statements
from lecture_optax.theory.claims.bessel_solution import solution

QUICK = {
    "spectral_radius": {"points": 4},
    "adam_at_its_edge": {"steps": 4000},
    "variance": {"points": 4},
    "three_cycle": {"steps": 60},
    "memory": {"steps": 5},
    "ode_limit": {"rates": (0.25, 0.01)},
    "worst_cases": {"steps": 7},
    "annealing": {"steps": 500, "runs": 200},
}


@functools.cache
def drawn(name):
    """A picture on its own axes, drawn once."""
    return getattr(pictures, name)(**QUICK[name])


@pytest.fixture(scope="module", autouse=True)
def closed():
    """Leave no figure open."""
    yield
    drawn.cache_clear()
    pyplot.close("all")


def lines_of(ax):
    """The lines in the legend, by their label."""
    return {line.get_label(): line for line in ax.lines if not line.get_label().startswith("_")}


def test_every_picture_is_listed_here():
    public = {name for name, x in vars(pictures).items() if callable(x)}
    assert public == set(QUICK)


def test_every_picture_shows_a_statement():
    assert {each.picture for each in statements().values()} - {""} == set(QUICK)


@pytest.mark.parametrize("name", QUICK)
def test_axes_are_labelled_and_lines_are_named(name):
    ax = drawn(name)
    assert ax.get_xlabel()
    assert ax.get_ylabel()
    assert len(lines_of(ax)) >= 2
    assert [text.get_text() for text in ax.get_legend().get_texts()] == list(lines_of(ax))


@pytest.mark.parametrize("name", QUICK)
def test_no_two_lines_differ_in_colour_alone(name):
    styles = [
        (str(line._unscaled_dash_pattern), line.get_marker(), line.get_linewidth())
        for line in lines_of(drawn(name)).values()
    ]
    assert len(set(styles)) == len(styles)


@pytest.mark.parametrize("name", ["three_cycle", "memory"])
def test_a_picture_goes_on_the_axes_it_is_given_and_shows_nothing(name, monkeypatch):
    monkeypatch.setattr(pyplot, "show", lambda *args, **kwargs: pytest.fail("it was shown"))
    figure, ax = pyplot.subplots()
    style, figures = dict(matplotlib.rcParams), pyplot.get_fignums()
    assert getattr(pictures, name)(**QUICK[name], ax=ax) is ax
    assert pyplot.get_fignums() == figures
    assert dict(matplotlib.rcParams) == style
    pyplot.close(figure)


def test_the_edges_are_those_of_heavy_ball_and_nesterov():
    lines = lines_of(drawn("spectral_radius"))
    for name, edge in (
        ("trace", lambda mu: 2 * (1 + mu)),
        ("nesterov_trace", lambda mu: 2 * (1 + mu) / (1 + 2 * mu)),
    ):
        x, mu = lines[f"edge of {name}"].get_data()
        np.testing.assert_allclose(x, edge(np.asarray(mu)), rtol=1e-8)


def test_adam_climbs_to_38_and_stays():
    lines = lines_of(drawn("adam_at_its_edge"))
    for label, low, high in (
        ("b1 = 0.9", 33, 38.5),
        ("b1 = 0.5", 5, 6.1),
        ("b1 = 0.0", 1.99, 2.01),
    ):
        y = lines[label].get_ydata()
        assert y[100] < 0.01
        assert low < np.median(y[3500:]) < high


def test_the_variance_is_mandts_formula():
    for label, mu in (("SGD", 0.0), ("heavy ball, 0.9", 0.9)):
        x, y = map(np.asarray, lines_of(drawn("variance"))[label].get_data())
        expected = x * (1 + mu) / ((1 - mu) * (2 * (1 + mu) - x))
        np.testing.assert_allclose(y, expected, rtol=1e-7)


def test_heavy_ball_goes_round_while_the_others_arrive():
    heavy, nesterov, descent = (
        line.get_ydata() for line in lines_of(drawn("three_cycle")).values()
    )
    np.testing.assert_allclose(np.sort(heavy[-3:]) * 1225, [-2208, 792, 2592], atol=1e-3)
    assert abs(nesterov[-1]) < 1e-6
    assert abs(descent[-1]) < 1e-6


def test_memory_is_what_a_gradient_leaves():
    lines = {label: line.get_ydata() for label, line in lines_of(drawn("memory")).items()}
    np.testing.assert_allclose(lines["heavy ball, 0.9"], 0.9 ** np.arange(5))
    np.testing.assert_allclose(lines["Nesterov, 0.9"], [1.9, *(0.9 ** np.arange(2, 6))])
    np.testing.assert_allclose(lines["Adam"][0], 1.0, rtol=1e-6)


def test_a_smaller_rate_is_nearer_to_the_solution():
    lines = lines_of(drawn("ode_limit"))
    errors = []
    for label in ("τ = 0.25", "τ = 0.01"):
        t, x = lines[label].get_data()
        errors.append(np.abs(x - solution(t)).max())
    assert errors[1] == pytest.approx(0.0737, abs=1e-4)
    assert errors[0] > 3 * errors[1]


def test_worst_cases_are_the_theorems():
    lines = lines_of(drawn("worst_cases"))
    N = np.array([1, 3, 7])
    np.testing.assert_allclose(lines["gradient descent, τ = 1/L"].get_ydata(), 1 / (4 * N + 2))
    np.testing.assert_allclose(lines["Nesterov, k/(k+3)"].get_ydata(), 2 / (N**2 + 7 * N + 4))
    np.testing.assert_allclose(lines["silver steps"].get_ydata()[2], 0.0184215, rtol=1e-5)
    assert (lines["optimized for N"].get_ydata() < lines["silver steps"].get_ydata()).all()


def test_a_wrong_constant_costs_and_an_average_does_not_need_one():
    ends = {label: line.get_ydata()[-1] for label, line in lines_of(drawn("annealing")).items()}
    assert ends["τ = 0.1/k"] > 50 * ends["τ = 1/k"]
    assert ends["τ = 1/k"] == pytest.approx(2e-3, rel=0.3)
    assert ends["τ = 0.3, averaged"] == pytest.approx(81 / 17 * 2e-3, rel=0.3)
    assert ends["τ = 0.3"] == pytest.approx(0.3 / 1.7, rel=0.3)


def test_without_matplotlib_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"pip install .*\[plot\]"):
        pictures.memory({"mine": lo.sgd(1.0)})
