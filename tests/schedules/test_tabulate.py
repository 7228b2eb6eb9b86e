"""A schedule as a table and as a picture."""

import sys

import jax.numpy as jnp
import matplotlib
import numpy as np
import optax
import pytest
from matplotlib import pyplot

from lecture_optax import schedules as s


@pytest.fixture(autouse=True)
def no_figure_stays():
    yield
    pyplot.close("all")


def test_a_number_of_steps_is_shown_by_eleven():
    table = s.tabulate(s.linear(1.0, 100), 100)
    np.testing.assert_array_equal(table.steps, np.arange(0, 101, 10))
    np.testing.assert_allclose(table.values, 1 - np.arange(0, 101, 10) / 100, atol=1e-7)


def test_few_steps_are_all_shown():
    np.testing.assert_array_equal(s.tabulate(s.constant(1.0), 3).steps, [0, 1, 2, 3])


@pytest.mark.parametrize("steps", [[0, 7, 2**31 - 1], (0, 7), np.array([5, 3]), jnp.array([1, 2])])
def test_the_steps_that_are_given_are_shown(steps):
    table = s.tabulate(s.inverse_time(1.0), steps)
    np.testing.assert_array_equal(table.steps, np.asarray(steps))
    np.testing.assert_array_equal(table.values, s.inverse_time(1.0)(np.asarray(steps)))


def test_it_prints_in_columns():
    table = s.tabulate(s.exponential(1.0, 0.1), [0, 10, 1000000])
    lines = ["      step  rate", "         0  1", "        10  1e-10", "   1000000  0"]
    assert repr(table).splitlines() == lines


@pytest.mark.parametrize("schedule", [optax.linear_schedule(1.0, 0.0, 10), lambda k: 0.1, jnp.sqrt])
def test_anybodys_schedule_is_shown(schedule, standard_promotion):
    table = s.tabulate(schedule, 10)
    np.testing.assert_allclose(table.values, [schedule(float(k)) for k in table.steps], rtol=1e-6)
    assert len(s.plot(schedule, 10).lines) == 1


def test_a_picture_has_named_axes_from_zero_and_no_margin():
    schedule = s.cosine(0.5, 10, warmup_steps=4)
    ax = s.plot(schedule, 10)
    (line,) = ax.lines
    np.testing.assert_array_equal(line.get_xdata(), np.arange(11))
    np.testing.assert_array_equal(line.get_ydata(), schedule(np.arange(11)))
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("step k", "learning rate τ(k)")
    assert ax.get_xlim() == (0, 10)
    bottom, top = ax.get_ylim()
    assert bottom == 0 and 0.5 < top < 0.6
    assert line.get_label() == "schedules.cosine(0.5, 10, warmup_steps=4)"


def test_a_long_schedule_is_sampled_from_its_first_to_its_last_step():
    ax = s.plot(s.linear(1.0, 10**6), 10**6)
    x, y = ax.lines[0].get_data()
    assert len(x) == 2001 and (x[0], x[-1], y[0], y[-1]) == (0, 10**6, 1, 0)


def test_several_share_axes_that_hold_them_all():
    ax = s.plot(s.constant(0.1), 10)
    assert s.plot(s.constant(1.0), 5, ax) is ax
    assert len(ax.lines) == 2 and len(pyplot.get_fignums()) == 1
    assert ax.get_xlim() == (0, 10) and ax.get_ylim()[1] > 1


def test_axes_of_another_scale_keep_it():
    _, ax = pyplot.subplots()
    ax.set_yscale("log")
    s.plot(s.exponential(1.0, 0.5), 20, ax)
    assert ax.get_yscale() == "log" and ax.get_ylim()[0] > 0


def test_nothing_is_shown_and_no_style_changes(monkeypatch):
    monkeypatch.setattr(pyplot, "show", lambda *_, **__: pytest.fail("it was shown"))
    before = dict(matplotlib.rcParams), matplotlib.get_backend()
    s.plot(s.constant(0.1), 10)
    assert (dict(matplotlib.rcParams), matplotlib.get_backend()) == before


def test_a_label_is_short_however_long_the_schedule():
    joined = s.join([s.warmup(s.cosine(0.1, 100), 10), s.linear(0.1, 100)], [110])
    assert len(s.plot(joined, 200).lines[0].get_label()) <= 60


def test_without_matplotlib_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"pip install .*\[plot\]"):
        s.plot(s.constant(0.1), 10)
