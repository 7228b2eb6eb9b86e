"""The verb `diagnose` on logged runs."""

import json
from pathlib import Path

import numpy as np
import pytest

from lecture_optax.cli import main
from lecture_optax.recipe import diagnose
from lecture_optax.recipe.diagnosis.logs.read_log import read_log
from lecture_optax.training.curves.symptoms import IDENTIFIERS

ENDS = np.arange(10, 1001, 10)
FALLS = {rate: np.exp(-rate * ENDS / 10) for rate in (1e-3, 1e-2, 1e-1)}


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def lines(losses, rate, ends=ENDS, **more):
    """As `lo.fit(log=...)` writes them."""
    for step, loss in zip(ends.tolist(), losses.tolist(), strict=False):
        yield json.dumps({"step": step, "loss": loss, "learning_rate": rate, **more})


def write(name, *text):
    Path(name).write_text("".join(line + "\n" for line in text))
    return name


def curves(name):
    return [run.curve for run in read_log(Path(name))]


def test_one_run_prints_its_symptom_and_what_was_not_checked(capsys):
    assert main(["diagnose", write("run.jsonl", *lines(FALLS[1e-2], 1e-2))]) == 0
    expected = diagnose("run.jsonl")
    first, *notes = capsys.readouterr().out.splitlines()
    assert first == f"run.jsonl (learning rate up to 0.01): LO208 {expected}"
    assert (expected.symptom.name, expected.symptom.steps) == ("healthy", 1000)
    assert notes == [
        "",
        "Read JSON lines: loss = loss, learning rate = learning_rate, step = step.",
        "Not checked: overfitting: there is no validation loss.",
        "Not checked: whether another learning rate helps: there is one run.",
    ]


@pytest.mark.parametrize("together", [True, False])
def test_runs_at_other_learning_rates_are_siblings_in_one_file_or_several(capsys, together):
    logs = {str(rate): [*lines(losses, rate)] for rate, losses in FALLS.items()}
    every = [line for log in logs.values() for line in log]
    names = [write("all", *every)] if together else [*logs]
    for name in logs:
        write(name, *logs[name])
    assert main(["diagnose", *names, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [x["run"] for x in found] == (["all #1", "all #2", "all #3"] if together else names)
    assert [x["learning_rate"] for x in found] == [*FALLS]
    assert [x["remedy"] for x in found] == [x.remedy for x in diagnose(FALLS).values()]


def test_the_quantity_that_was_not_finite_is_named(capsys):
    evaluations = '{"step": 0, "valid_loss": 2.0}', '{"step": 20, "valid_loss": NaN}'
    ended = '{"step": 23, "grad_norm": NaN}'
    write("run.jsonl", evaluations[0], *lines(np.ones(2), 0.1), evaluations[1], ended)
    assert main(["diagnose", "run.jsonl", "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert (found["symptom"], found["remedy"]) == ("diverging", "decrease")
    assert found["failed"] == {"step": 23, "quantity": "grad_norm", "leaf": ""}


def test_windows_of_other_widths_are_made_equal(tmp_path):
    ends = np.array(sorted({*ENDS, 15, 77, 512}))
    write("run.jsonl", *lines(np.full(len(ends), 2.5), 0.1, ends))
    (curve,) = curves("run.jsonl")
    assert (curve.width, curve.steps) == (10, 1000)
    np.testing.assert_allclose(curve.losses, 2.5, rtol=1e-14)


def test_the_learning_rate_of_a_schedule_is_that_of_the_first_step():
    """A line has the learning rate of the last of ten steps; the first step is before them."""
    linear = [0.01 * (1 - (end - 1) / 1000) for end in ENDS]
    cosine = [0.005 * (1 + np.cos(np.pi * (end - 1) / 1000)) for end in ENDS]
    warmup = [0.01 * min(1, end / 50) for end in ENDS]
    for rates, error in ((linear, 1e-12), (cosine, 1e-3), (warmup, 0)):
        rows = zip(ENDS.tolist(), rates, strict=True)
        text = [json.dumps({"step": step, "loss": 1.0, "learning_rate": x}) for step, x in rows]
        (curve,) = curves(write("run.jsonl", *text))
        assert curve.rate == pytest.approx(0.01, rel=error)
        (resumed,) = curves(write("run.jsonl", *text[50:]))
        assert resumed.rate == pytest.approx(rates[49], rel=0.01)


def test_a_last_line_that_was_cut_off_is_ignored():
    whole = "\n".join(lines(FALLS[1e-2], 1e-2))
    Path("run.jsonl").write_text(whole[:-5])
    assert len(curves("run.jsonl")[0].losses) == len(ENDS) - 1


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ([], "logs must name at least one file"),
        (["none.jsonl"], "logs must be files or folders, got none.jsonl, which does not exist"),
        (["."], "must hold event files of TensorBoard, a trainer_state.json or a metrics.csv"),
        ([("a", "step 1")], "a must be a log with columns of numbers, got 'step'"),
        ([("a", "step,loss")], "a must have rows of numbers, got one line alone: 'step, loss'"),
        ([("a", '{"step": 1, "loss": 2}', "[3]")], "got '[3]' in line 2"),
        ([("a",)], "a must have a line for every evaluation of a run, got none"),
        ([("a", '{"step": 1}')], "training loss, got none that is known among step"),
        ([("a", "\0\1")], "a must be a text or an event file of TensorBoard"),
    ],
)
def test_what_is_not_a_log_has_status_2_and_a_sentence(capsys, files, words):
    typed = [file if isinstance(file, str) else write(*file) for file in files]
    assert main(["diagnose", *typed]) == 2
    assert words in capsys.readouterr().err


@pytest.mark.parametrize(
    ("rates", "words"),
    [
        ((None, None), "its log has no learning rate; give those of all runs by --rates"),
        ((0.1, 0.1), "2 runs have the same learning rate, 0.1"),
    ],
)
def test_runs_that_cannot_be_compared_are_diagnosed_alone(capsys, rates, words):
    for name, rate in zip("ab", rates, strict=True):
        write(name, *lines(FALLS[1e-2], rate))
    assert main(["diagnose", "a", "b"]) == 0
    out = capsys.readouterr().out
    assert f"Not checked: whether another learning rate helps: {words}." in out
    assert out.count("LO208 healthy") == 2
    assert out.count(f"It is not compared with the other runs: {words}.") == 2


def test_a_log_that_cannot_be_compared_leaves_the_others_compared(capsys):
    for rate, losses in FALLS.items():
        write(str(rate), *lines(losses, rate))
    write("foreign", "epoch,loss", *(f"{k},{0.8**k}" for k in range(30)))
    assert main(["diagnose", "foreign", *map(str, FALLS), "--json"]) == 0
    foreign, *found = json.loads(capsys.readouterr().out)
    assert [x["remedy"] for x in found] == [x.remedy for x in diagnose(FALLS).values()]
    assert "It is not compared with the other runs: its log has no learning" in foreign["text"]


def test_steps_are_those_of_the_log_and_epochs_are_called_so(capsys):
    write("nan", "epoch,loss", "0,nan", "1,nan")
    write("tens", "step,loss", *(f"{k},{1 if k < 60 else 'nan'}" for k in range(0, 100, 10)))
    write("short", "epoch,loss", "0,2", "1,1")
    write("valid", "epoch,loss,val_loss", *(f"{k},{0.9**k},{abs(k - 9)}" for k in range(30)))
    plateau = 1 + np.exp(-np.arange(500) / 30)
    noise = 0.01 * np.random.default_rng(0).normal(size=500)
    write("resumed", "step,loss", *(f"{10000 + k},{x}" for k, x in enumerate(plateau + noise)))
    texts = {
        "nan": "loss was not finite at epoch 0",
        "tens": "loss was not finite at step 60",
        "short": "2 epochs are too few",
        "valid": "lowest, 0, at epoch 9",
        "resumed": "of 10,499",
    }
    for name, text in texts.items():
        assert main(["diagnose", name]) == 0
        assert text in capsys.readouterr().out


def test_a_flat_line_has_no_cause_and_a_learning_rate_of_0_is_told(capsys):
    write("flat", "step,loss,lr", *(f"{k},{np.log(2)},0" for k in range(100)))
    assert main(["diagnose", "flat"]) == 0
    out = capsys.readouterr().out
    assert "LO202 no progress: stayed at 0.693 for 100 steps." in out
    assert "Not checked: the learning rate: lr has no number above 0." in out


def test_an_extrapolated_learning_rate_says_from_what(capsys):
    steps = np.arange(29, 300, 30)
    rates = (1 + np.cos(np.pi * steps / 300)) / 2000
    write("cosine", "step,loss,lr", *(f"{k},1,{x}" for k, x in zip(steps, rates, strict=True)))
    assert main(["diagnose", "cosine"]) == 0
    out = capsys.readouterr().out
    assert "(learning rate up to 0.001, extrapolated from 0.000977 in the log)" in out


def test_the_start_of_another_run_and_too_large_a_rate_are_named(capsys):
    """The mean of the first epoch at the largest learning rate is no start."""
    noise = np.random.default_rng(1).normal(size=20)
    write("slow", "epoch,loss", *(f"{k},{1.54 - 0.001 * k}" for k in range(20)))
    write("good", "epoch,loss", *(f"{k},{1.3 * 0.8**k}" for k in range(20)))
    write("fast", "epoch,loss", "0,18515298", *(f"{k},{2 + x}" for k, x in enumerate(noise, 1)))
    assert main(["diagnose", "slow", "good", "fast", "--rates", "1e-5,1e-2,30"]) == 0
    fast = capsys.readouterr().out.splitlines()[2]
    assert "no progress (too large): rose by" in fast
    assert "from 1.54 (the start at the smallest learning rate) in 21 epochs" in fast


def test_a_difference_without_an_error_and_a_score_are_told(capsys):
    write("nan", "step,loss", "1,1", "2,1e9", "3,1e20", "4,1e31", "5,nan")
    write("good", "step,loss", *(f"{k},{0.9**k}" for k in range(1, 50)))
    assert main(["diagnose", "nan", "good", "--rates", "50,1"]) == 0
    assert "÷ 50 is 1e+31 lower, in too few common losses." in capsys.readouterr().out
    write("scores", "epoch,accuracy", *(f"{k},{1 - 0.9**k}" for k in range(30)))
    assert main(["diagnose", "scores", "--loss", "accuracy"]) == 0
    assert "Not checked: whether accuracy is a loss" in capsys.readouterr().out


def test_typed_rates_make_siblings_of_logs_without_any(capsys):
    for rate, losses in FALLS.items():
        write(str(rate), *lines(losses, None))
    names = [str(rate) for rate in FALLS]
    assert main(["diagnose", *names, "--rates", ",".join(names), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [x["remedy"] for x in found] == [x.remedy for x in diagnose(FALLS).values()]
    for wrong in ("1e-3", "1,2,x", "0,1,2"):
        assert main(["diagnose", *names, "--rates", wrong]) == 2
        assert "one for each of the 3 runs" in capsys.readouterr().err


def test_columns_of_unknown_names_are_chosen(capsys):
    rows = [f"{k},{0.5**k},{0.6**k},{k / 9},0.1" for k in range(1, 40)]
    write("log", "k,J,J_held_out,accuracy,tau", *rows)
    assert main(["diagnose", "log"]) == 2
    assert "choose one by --loss" in capsys.readouterr().err
    names = ["--step", "k", "--loss", "J", "--valid-loss", "J_held_out", "--rate", "tau"]
    assert main(["diagnose", "log", *names, "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    columns = {"step": "k", "loss": "J", "valid_loss": "J_held_out", "learning_rate": "tau"}
    assert (found["columns"], found["learning_rate"], found["steps"]) == (columns, 0.1, 39)


@pytest.mark.parametrize(
    ("fail_on", "status"), [("", 0), ("LO208", 1), ("LO201,LO208", 1), ("LO201", 0), ("LO1", 2)]
)
def test_a_symptom_that_should_fail_has_status_1(fail_on, status):
    write("run", *lines(FALLS[1e-2], 1e-2))
    assert main(["diagnose", "run", "--fail-on", fail_on]) == status


def test_the_identifiers_of_released_symptoms_do_not_change():
    assert " ".join(f"{number} {name}" for name, number in IDENTIFIERS.items()) == (
        "LO201 diverging LO202 no progress LO203 overfitting LO204 oscillating "
        "LO205 quick plateau LO206 uncertain LO207 converged LO208 healthy"
    )
