"""Sweeps: every run of the grid gives what it gives alone."""

import errno
import json
import os
import signal
import subprocess
import sys

import jax
import matplotlib
import numpy as np
import pytest

import lecture_optax as lo
from lecture_optax.recipe import Arm, Row, SweepResult, sweep
from lecture_optax.recipe.grid_search.finished import FinishedRuns
from lecture_optax.recipe.grid_search.runner import Runs, row_of
from lecture_optax.recipe.population import lanes
from lecture_optax.recipe.population.arms import arm_optimizer

from ..problems import BATCH, STEPS, init, loss, predict, regression

AXES = {"rates": [1e-3, 1e-1, 1e5], "schedules": ("constant", "late"), "seeds": (0, 1)}


def grid(**options):
    return sweep(regression(), **{**AXES, "steps": STEPS, "batch_size": BATCH, **options})


@pytest.fixture(scope="module")
def table():
    return grid()


def test_every_optimizer_learning_rate_schedule_and_seed_is_one_row(table):
    keys = {row[:4] for row in table}
    assert len(table) == len(keys) == 2 * 3 * 2 * 2
    assert set(table["rate"]) == set(AXES["rates"])


@pytest.mark.parametrize(("schedule", "start"), [("constant", STEPS), ("late", STEPS // 2)])
def test_a_row_is_what_the_same_run_gives_alone(table, schedule, start, capsys):
    numbers = {"optimizer": 1, "learning_rate": 0.1, "decay_start": start}
    numbers["decay_steps"] = 1 if schedule == "constant" else STEPS - start
    options = {"steps": STEPS, "batch_size": BATCH, "seed": 1, "evaluations": 10}
    alone = lo.fit(regression(), tx=arm_optimizer(), hyperparams=numbers, **options)
    (row,) = [row for row in table if row[:4] == ("nesterov", 0.1, schedule, 1)]
    losses, averages = alone.history["valid_loss"], alone.history["averaged_loss"]
    assert (row.final, row.lowest) == (losses[-1], losses.min())
    assert row.lowest_at == alone.history["step"][losses.argmin()]
    assert (row.averaged, row.averaged_lowest) == (averages[-1], averages.min())
    assert row.diverged_at is None


def test_so_is_a_row_with_weights_and_accumulated_batches():
    own = {"batch_size": BATCH // 2, "accumulate": 2, "epochs": 3}
    own["sample_weight"] = np.arange(48, dtype=np.float32)
    rows = sweep(regression(), rates=[1e-1], schedules=["constant"], **own)
    numbers = {"optimizer": 1, "learning_rate": 0.1, "decay_start": 9, "decay_steps": 1}
    alone = lo.fit(regression(), tx=arm_optimizer(), hyperparams=numbers, **own)
    assert list(rows)[1].final == alone.history["valid_loss"][-1]
    assert len(alone.history) == rows.steps == 9


def test_a_run_that_diverges_is_stopped_before_by_a_search(table):
    (row,) = [row for row in table if row[:4] == ("nesterov", 1e5, "constant", 0)]
    diverging = {"boom": lambda rate: lo.sgd(1e5, momentum=0.9, nesterov=True)}
    options = {"steps": STEPS, "batch_size": BATCH, "budget": 1.0, "optimizers": diverging}
    found = lo.recipe.run(regression(), **options)
    assert all(np.isinf(curve.evaluations[-1].averaged) for curve in found.history.values())
    assert row.diverged_at > max(curve.step for curve in found.history.values())
    assert np.isinf([row.final, row.averaged]).all()


def test_vectorized_runs_give_the_rows_that_they_give_alone(table):
    for row, alone in zip(grid(lanes=5), table, strict=True):  # 24 runs: the last lane twice
        assert row[:4] == alone[:4]
        assert (row.diverged_at, row.lowest_at) == (alone.diverged_at, alone.lowest_at)
        np.testing.assert_allclose(row[4:6] + row[7:9], alone[4:6] + alone[7:9], rtol=1e-4)


def test_the_number_of_lanes_has_the_shortest_time_per_run(monkeypatch):
    seconds = {1: 1.0, 4: 1.1, 16: 2.0, 64: 7.0, 256: 1.0}
    monkeypatch.setattr(lanes, "seconds", lambda *given: seconds[given[-1]])
    found = []

    def rows_of(runs, keys, poll):
        found.append(len(keys))
        return [row_of(key, [], 1) for key in keys]

    monkeypatch.setattr(Runs, "rows", rows_of)
    axes = {"rates": [1e-3], "steps": 2, "seeds": range(20)}
    grid(**axes)  # a CPU has one lane
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    grid(**axes)  # 80 runs: 64 lanes would not pay
    grid(**{**axes, "seeds": range(2)})
    assert found == [16] * 5 + [4] * 2
    with pytest.raises(ValueError, match="lanes"):
        grid(lanes=0)


def test_the_best_has_the_lowest_mean_over_seeds(table):
    best = table.best("lowest")
    means = table["lowest"].reshape(-1, 2).mean(1)
    assert best.loss == means.min()
    assert best.low <= best.loss <= best.high
    assert [cell.diverged for cell in table.cells() if cell.rate == 1e5] == [0, 0, 2, 2]


def test_finished_runs_are_not_repeated(table, tmp_path, monkeypatch):
    path, made = tmp_path / "runs.jsonl", []
    make = Runs.row
    monkeypatch.setattr(
        Runs, "row", lambda self, *given: made.append(given[0]) or make(self, *given)
    )
    slow = [row for row in table if row.rate == 1e-3]
    assert list(grid(checkpoint=path, rates=[1e-3])) == slow
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:4]) + lines[4][:30])  # killed while it wrote the fourth row
    made.clear()
    assert grid(checkpoint=path).rows == table.rows
    assert len(made) == len(table) - 3
    made.clear()
    assert grid(checkpoint=path).rows == table.rows
    assert not made


def test_a_file_of_another_sweep_raises_with_the_difference(tmp_path):
    path = tmp_path / "runs.jsonl"
    grid(checkpoint=path, rates=[1e-3], seeds=[0], steps=5)
    with pytest.raises(ValueError, match=r"another sweep: .*steps is 60, was 5"):
        grid(checkpoint=path)
    path.write_text(json.dumps([1]) + "\n")
    with pytest.raises(ValueError, match="must be a file that a sweep of this version wrote"):
        grid(checkpoint=path)


@pytest.mark.parametrize(
    "text", ["my results", "loss 0.1\n0.2", '{"steps": 5}\n', "\n", "[]\n{}\n"]
)
def test_a_file_that_no_sweep_has_written_is_refused_and_left_alone(tmp_path, text):
    path = tmp_path / "results.txt"
    path.write_text(text)
    with pytest.raises(ValueError, match="must be a file that a sweep of this version wrote"):
        grid(checkpoint=path, **FEW)
    assert path.read_text() == text


def test_a_path_that_cannot_be_a_file_is_refused_before_training(tmp_path):
    with pytest.raises(IsADirectoryError, match="must be a file that can be written to"):
        grid(checkpoint=tmp_path, **FEW)
    with pytest.raises(OSError, match=r"must be a file .* a device or a pipe"):
        grid(checkpoint="/dev/zero", **FEW)
    with pytest.raises(ValueError, match="checkpoint must be a path, got ''"):
        grid(checkpoint="", **FEW)


FEW = {"rates": [1e-3], "schedules": ["late"], "steps": 5, "progress": False}


@pytest.mark.parametrize("line", [0, 2])
def test_a_damaged_line_costs_its_run_and_nothing_else(tmp_path, monkeypatch, line):
    path, made = tmp_path / "runs.jsonl", []
    whole = grid(checkpoint=path, **FEW).rows
    lines = path.read_bytes().splitlines(keepends=True)
    lines[line] = lines[line].replace(b"1", b"2")
    path.write_bytes(b"".join(lines))
    make = Runs.row
    monkeypatch.setattr(
        Runs, "row", lambda self, *given: made.append(given[0]) or make(self, *given)
    )
    if line:
        with pytest.warns(UserWarning, match=r"1 lines of .*runs\.jsonl' are damaged"):
            assert grid(checkpoint=path, **FEW).rows == whole
    assert grid(checkpoint=path, **FEW).rows == whole
    assert len(made) == (line > 0)


def test_a_sweep_of_another_loss_is_refused_and_one_of_more_seeds_is_not(tmp_path):
    path, own = tmp_path / "runs.jsonl", regression()
    grid(checkpoint=path, **FEW)
    parts = {"init": init, "predict": predict, "train": own.train, "valid": own.valid}
    other = lo.training.Problem.from_functions(loss=lambda *given: 2 * loss(*given), **parts)
    with pytest.raises(ValueError, match="holds another sweep: loss is another function"):
        sweep(other, batch_size=BATCH, checkpoint=path, seeds=(0, 1), **FEW)
    own_path = tmp_path / "own.jsonl"
    grid(checkpoint=own_path, optimizers={"own": lo.sgd}, **FEW)
    with pytest.raises(ValueError, match="holds another sweep: the optimizer is another function"):
        grid(checkpoint=own_path, optimizers={"own": lambda rate: lo.sgd(rate, 0.9)}, **FEW)
    more = grid(checkpoint=path, **{**FEW, "seeds": (2, 0, 1)})
    assert list(more) == list(grid(**{**FEW, "seeds": (2, 0, 1)}))


def test_rows_of_another_sweep_are_not_taken(tmp_path):
    paths = [tmp_path / "one.jsonl", tmp_path / "two.jsonl"]
    whole = grid(checkpoint=paths[0], **FEW).rows
    grid(checkpoint=paths[1], **{**FEW, "steps": 6})
    one, two = [path.read_bytes().splitlines(keepends=True) for path in paths]
    paths[0].write_bytes(b"".join(one[:2] + two[2:]))
    with pytest.warns(UserWarning, match="3 lines"):
        assert grid(checkpoint=paths[0], **FEW).rows == whole


def test_the_table_prints_the_best_learning_rate_of_each_line_and_where_it_diverges(table):
    best, text = table.best(), str(table)
    assert f"{best.optimizer}, {best.schedule} at {best.rate:.3g}" in text
    assert f"{best.loss:.4g} (start {table.start:.4g})" in text
    (line,) = [line for line in text.splitlines() if line.startswith("nesterov, late")]
    assert line.split()[-1] == "1e+05"


def test_the_plot_has_a_line_for_each_optimizer_and_schedule_and_a_star(table):
    matplotlib.use("Agg")
    from matplotlib import pyplot

    axes = table.plot(pyplot.figure().add_subplot())
    drawn = {line.get_label(): line for line in axes.lines}
    cells = [c for c in table.cells() if (c.optimizer, c.schedule) == ("adam", "late")]
    np.testing.assert_array_equal(drawn["adam, late"].get_ydata(), [c.loss for c in cells])
    assert tuple(np.ravel(drawn["selected"].get_data())) == (table.best().rate, table.best().loss)
    crosses = [line.get_xdata() for line in axes.lines if line.get_marker() == "x"]
    assert [1e5] in [list(x) for x in crosses]
    pyplot.close("all")


def test_a_progress_line_counts_runs(capsys):
    grid(rates=[1e-3], seeds=[0], steps=5, progress=True)
    assert "4 of 4 runs, lowest loss" in capsys.readouterr().err


def test_the_arms_of_a_sweep_and_of_a_search_share_one_program():
    built = []
    options = {"batch_size": BATCH, "wrap": lambda tx: built.append(tx) or tx}
    lo.recipe.run(regression(), steps=STEPS, budget=1.0, **options)
    sweep(regression(), rates=[1e-3], steps=STEPS, **options)
    built.clear()
    sweep(regression(), rates=[1e-3, 1e-2], steps=STEPS + 20, **options)
    assert len(built) == 4  # each is built to be named and to be checked, and nothing is traced


def test_one_optimizer_by_itself_has_the_same_bits(table):
    alone = grid(optimizers=["nesterov"], rates=[1e-1])
    assert list(alone) == [row for row in table if row[:2] == ("nesterov", 1e-1)]


def test_an_empty_row_is_infinite():
    row = Row("adam", 1.0, "constant", 0, *[np.inf, np.inf, 0, np.inf, np.inf], 1)
    assert np.isinf(SweepResult((row,), 1.0, 10).best().loss)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"rates": [-1.0]}, "rates must be .* > 0, got -1"),
        ({"rates": []}, "rates must have at least one value"),
        ({"optimizers": ["adan"]}, "adam"),
        ({"schedules": {"bad": (0.5, 0.5)}}, r"'bad': \(0.5, 0.5\). Try"),
        ({"steps": 0}, "steps must be a whole number of steps >= 1, got 0"),
        ({"evaluations": 0}, "evaluations must be"),
    ],
)
def test_an_argument_out_of_its_range_raises(options, words):
    with pytest.raises(ValueError, match=words):
        grid(**options)


def test_an_arm_and_a_key_of_the_grid_have_the_same_hyperparameters():
    from lecture_optax.recipe.grid_search.grid import make_grid

    both = make_grid(["nesterov"], {"late": (0.5, 1.0), "constant": None}, [1e-2], [0])
    late, constant = both
    names = ("learning_rate", "decay_start", "decay_steps")
    for key, fall in ((late, (30, 60)), (constant, None)):
        numbers = both.hyperparams(key, 60)
        assert [numbers[n] for n in names] == [Arm(1, -8, fall).hyperparams(60)[n] for n in names]


@pytest.mark.parametrize(("number", "kind"), [(signal.SIGTERM, 143), (signal.SIGINT, "2 finished")])
def test_a_sweep_that_is_asked_to_stop_keeps_its_finished_runs(tmp_path, monkeypatch, number, kind):
    path, made, make = tmp_path / "runs.jsonl", [], Runs.row

    def row(self, key, poll):
        made.append(key)
        found = make(self, key, poll)
        if len(made) == 2:
            signal.raise_signal(number)
        return found

    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    options = {**FEW, "rates": [1e-3, 1e-2]}
    with monkeypatch.context() as patch:
        patch.setattr(Runs, "row", row)
        with pytest.raises(BaseException, match=str(kind)) as stopped:
            grid(checkpoint=path, **options)
    assert type(stopped.value) is (SystemExit if kind == 143 else KeyboardInterrupt)
    assert len(path.read_text().splitlines()) == 3
    assert grid(checkpoint=path, **options).rows == grid(**options).rows


def test_a_signal_after_the_last_run_is_not_lost(monkeypatch):
    measure = Runs.start_loss
    monkeypatch.setattr(
        Runs, "start_loss", lambda self: signal.raise_signal(signal.SIGTERM) or measure(self)
    )
    with pytest.raises(SystemExit, match="143"):
        grid(**FEW)


def test_a_full_disk_costs_a_sentence_and_not_the_sweep(tmp_path, monkeypatch):
    path, append = tmp_path / "runs.jsonl", FinishedRuns._append

    def full(self, line):
        append(self, line)
        if '"rate"' in line:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(FinishedRuns, "_append", full)
    with pytest.warns(UserWarning, match=r"could not be saved in .*\(No space left") as told:
        rows = grid(checkpoint=path, **FEW).rows
    assert len(told) == 1
    assert rows == grid(**FEW).rows


def test_two_sweeps_do_not_share_a_file(tmp_path, monkeypatch):
    path, make, told = tmp_path / "runs.jsonl", Runs.row, []

    def row(self, key, poll):
        if not told:
            told.append(key)
            with pytest.raises(BlockingIOError, match=r"another run of this process: .* file\. W"):
                grid(checkpoint=path, **FEW)
            with pytest.raises(subprocess.CalledProcessError) as error:
                command = [sys.executable, "-c", LOCK_FILE, str(path)]
                subprocess.run(command, check=True, capture_output=True, text=True)
            told.append(error.value.stderr)
        return make(self, key, poll)

    monkeypatch.setattr(Runs, "row", row)
    whole = grid(checkpoint=path, **FEW)
    assert "in use by another process" in told[1]
    assert grid(checkpoint=path, **FEW).rows == whole.rows


LOCK_FILE = """
import sys
from pathlib import Path
from lecture_optax.training.checkpoint.lock import FileLock
FileLock(Path(sys.argv[1])).acquire()
"""
