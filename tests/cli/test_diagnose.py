"""The verb `diagnose` on logged runs."""

import json
from pathlib import Path

import numpy as np
import pytest

from lecture_optax.cli import main
from lecture_optax.recipe import diagnose
from lecture_optax.recipe.diagnosis.runs import read_log

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


def test_one_run_prints_its_symptom(capsys):
    assert main(["diagnose", write("run.jsonl", *lines(FALLS[1e-2], 1e-2))]) == 0
    expected = diagnose(read_log(Path("run.jsonl"))[0])
    assert capsys.readouterr().out == f"run.jsonl (learning rate up to 0.01): {expected}\n"
    assert expected.symptom.name == "healthy"
    assert expected.symptom.steps == 1000


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
    (curve,) = read_log(Path("run.jsonl"))
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
        (curve,) = read_log(Path(write("run.jsonl", *text)))
        assert curve.rate == pytest.approx(0.01, rel=error)
        (resumed,) = read_log(Path(write("run.jsonl", *text[50:])))
        assert resumed.rate == pytest.approx(rates[49], rel=0.01)


def test_a_last_line_that_was_cut_off_is_ignored():
    whole = "\n".join(lines(FALLS[1e-2], 1e-2))
    Path("run.jsonl").write_text(whole[:-5])
    assert len(read_log(Path("run.jsonl"))[0].losses) == len(ENDS) - 1


@pytest.mark.parametrize(
    ("files", "status", "words"),
    [
        ([], 2, "logs must name at least one file"),
        (["none.jsonl"], 2, "logs must be files, got none.jsonl"),
        ([("a", "step 1")], 2, "got 'step 1' in line 1"),
        ([("a", '{"step": 1, "loss": 2}', "[3]")], 2, "got '[3]' in line 2"),
        ([("a",)], 2, "a must have a line for every evaluation of a run, got none"),
        ([("a", '{"step": 1}')], 2, 'a must have the "loss" of a run, got none in 1 lines'),
        ([(x, '{"step": 1, "loss": 2}') for x in "ab"], 2, "a must have a learning_rate"),
        ([(x, *lines(np.ones(3), 0.1)) for x in "ab"], 2, "got 0.1 in a and in b"),
    ],
)
def test_a_file_that_is_not_a_log_has_status_2_and_a_sentence(capsys, files, status, words):
    typed = [file if isinstance(file, str) else write(*file) for file in files]
    assert main(["diagnose", *typed]) == status
    assert words in capsys.readouterr().err
