"""Progress is shown on a terminal, in a notebook and in a file, and not under CI."""

import io
import re
import sys
import types

import numpy as np
import pytest

import lecture_optax as lo
from lecture_optax.training import Event
from lecture_optax.training.reporting import progress

from ..models import TRAIN, VALID, LinenNet

TX = lo.sgd(0.1)


class Terminal(io.StringIO):
    def isatty(self):
        return True


def fit(**options):
    return lo.fit(LinenNet(), TRAIN, loss="cross_entropy", valid=VALID, tx=TX, steps=60, **options)


class Shown:
    """A display that keeps what it is shown."""

    def __init__(self, seconds=0.0):
        self.seconds, self.statuses, self.closed = seconds, [], False

    def show(self, status):
        self.statuses.append(status)

    def close(self):
        self.closed = True


def events(*steps):
    """Events of a run of 100 steps as from the loop, each with an evaluation."""
    run, done = types.SimpleNamespace(steps=100, stopped=None), steps[0]
    for step in steps:
        records = {"loss": np.full(step - done, 0.5)} if step > done else {}
        done = step
        evaluation = {"step": step, "train_loss": 0.5, "valid_loss": 0.7}
        evaluation = (
            None if 0 < step == steps[0] else evaluation
        )  # a resumed run was evaluated there before
        yield Event(run, step, records, evaluation)


def watched(times, *steps, seconds=0.0):
    shown, clock = Shown(seconds), iter(times)
    reporter = progress.ProgressReporter(shown, clock=lambda: next(clock))
    for event in events(*steps):
        reporter(event)
    return shown.statuses


def test_the_rate_leaves_out_the_time_of_compiling():
    statuses = watched([0, 0, 30, 31, 33], 0, 10, 30, 70)
    assert [status.per_second for status in statuses] == [0, 0, 20, 20]
    assert statuses[-1].time == "20 steps/s, 1.5 s left"
    assert statuses[-1].losses == "loss 0.5, valid_loss 0.7"


def test_a_display_is_not_shown_more_often_than_it_wants_but_at_the_end():
    statuses = watched([0, 0, 1, 2, 3, 3.5], 0, 10, 20, 30, 100, seconds=2)
    assert [status.step for status in statuses] == [0, 20, 100]
    assert statuses[-1].ended and statuses[-1].time.endswith("in 3.5 s")


def test_a_run_writes_a_line_at_its_end_where_there_is_no_terminal(monkeypatch, capsys):
    monkeypatch.delenv("CI", raising=False)
    fit()
    out, err = capsys.readouterr()
    last = err.splitlines()[-1]
    assert out == ""
    assert re.match(r"60 of 60 steps, loss [\d.]+, valid_accuracy [\d.]+, valid_loss [\d.]+", last)
    assert "\x1b" not in err


def test_a_line_that_cannot_be_written_does_not_end_the_run():
    class Full(io.StringIO):
        def write(self, text):
            raise OSError(28, "No space left on device")

    reporter = progress.ProgressReporter(progress.LineDisplay(Full()))
    for event in events(0, 50, 100):
        reporter(event)
    assert reporter.metrics == {"valid_loss": 0.7}


def test_a_terminal_gets_one_line_that_is_drawn_anew(monkeypatch):
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    fit()
    written = terminal.getvalue()
    assert "\x1b[?25l" in written and "\x1b[?25h" in written  # the cursor was put back
    assert "60 of 60 steps" in written.split("\r")[-1] and "valid_loss" in written


def test_the_cursor_comes_back_when_a_run_breaks(monkeypatch):
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())

    def ctrl_c(event):
        if event.step:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(hooks=[ctrl_c])
    assert terminal.getvalue().rfind("\x1b[?25h") > terminal.getvalue().rfind("\x1b[?25l")


@pytest.mark.parametrize("how", [{"progress": False}, {}], ids=["progress=False", "CI"])
def test_nothing_is_shown_under_ci_or_when_not_wanted(monkeypatch, capsys, how):
    monkeypatch.setenv("CI", "true") if not how else monkeypatch.delenv("CI", raising=False)
    fit(**how)
    assert capsys.readouterr() == ("", "")


def test_progress_is_a_switch():
    with pytest.raises(TypeError, match="progress must be True, False or None, got 'fast'"):
        progress.show_progress("fast").__enter__()


@pytest.fixture
def notebook(monkeypatch):
    """What a notebook's display is given: all versions of each of its outputs."""
    outputs = []

    class Handle:
        def __init__(self, versions):
            self.versions = versions

        def update(self, data, raw):
            self.versions.append(data)

    def display(data, raw, display_id):
        outputs.append([data])
        return Handle(outputs[-1]) if display_id else None

    ipython = types.ModuleType("IPython")
    ipython.display = types.SimpleNamespace(display=display)
    ipython.get_ipython = lambda: types.SimpleNamespace(kernel=object())
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.delenv("CI", raising=False)
    return outputs


def test_a_notebook_gets_one_output_that_ends_as_text(notebook):
    fit()
    (versions,) = notebook
    assert "<progress" in versions[0]["text/html"]
    assert "<progress" not in versions[-1]["text/html"]
    assert versions[-1]["text/plain"].startswith("60 of 60 steps, loss ")


def test_a_notebook_says_where_a_run_was_stopped(notebook):
    def ctrl_c(event):
        if event.step:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(hooks=[ctrl_c])
    assert re.match(r"<div>stopped after \d+ of 60 steps", notebook[0][-1]["text/html"])


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.44, "0.4 s"), (9.96, "10 s"), (59.6, "1:00"), (185, "3:05"), (7800, "2:10:00")],
)
def test_a_time_is_written_as_a_person_says_it(seconds, words):
    assert progress.clock_words(seconds) == words
