"""The command line: what it prints, its errors, and its exit status."""

import inspect
import json
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

import lecture_optax as lo
from lecture_optax import cli
from lecture_optax.cli import main
from lecture_optax.cli.arguments import OPTIMIZERS, SCHEDULES, optimizer_of

SHORT = ["--steps", "20", "--batch-size", "16"]

MINE = """
import signal
import jax.numpy as jnp
from lecture_optax.training import Problem


def bowl():
    return Problem.from_functions(
        init=lambda key: jnp.ones(3),
        loss=lambda params, batch: jnp.sum((params - batch) ** 2, -1),
        train=jnp.zeros((40, 3)),
        valid=jnp.full((8, 3), 1e-20),  # no row of train
    )


def number():
    return 3


def ctrl_c():
    signal.raise_signal(signal.SIGINT)


def terminated():
    signal.raise_signal(signal.SIGTERM)


def broken():
    return [][1]
"""


@pytest.fixture(autouse=True)
def in_a_folder_with_the_users_module(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(MINE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "mine", raising=False)
    monkeypatch.setenv("CI", "true")
    monkeypatch.setenv("COLUMNS", "100")


def exit_status(*typed):
    """Whether `main` returns it or tyro leaves with it."""
    try:
        return main(list(typed))
    except SystemExit as error:
        return error.code


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        (["trian", "softmax"], "Did you mean 'train'?"),
        (["train", "sofmax"], "Did you mean 'softmax'?"),
        (["train", "softmax", "--optimizer", "adma"], "Did you mean 'adam'?"),
        (["train", "softmax", "--optimizer", "sgd", "--schedule", "cosin"], "mean 'cosine'?"),
        (["train", "softmax", "--optimzer", "adam"], "--optimizer"),
        (["train", "softmax", "--optimizer", "adam", "--rate", "-1"], "rate must be a finite"),
        (["train", "softmax", "--rate", "1"], "need an optimizer: try --optimizer adam"),
        (["train", "softmax", "--steps", "0"], "steps must be a whole number of steps >= 1, got 0"),
        (["train", "softmax", "--picture", "run.pgn"], "Did you mean 'png'?"),
        (["train", "softmax", "--picture", "nowhere/run.png"], "a folder that exists"),
        (["train", "nowhere:bowl"], "there is no module 'nowhere'"),
        (["train", "mine:bowll"], "Did you mean 'bowl'?"),
        (["train", "mine:number"], "must return a training.Problem, got int"),
        (["compare", "softmax", "adam=fast"], "the learning rate in 'adam=fast' must be a number"),
        (["compare", "softmax", "adm=1e-3"], "Did you mean 'adam'?"),
        (["theory", "--only", "best-rate5"], "Did you mean 'best-rates'?"),
        (["train"], "PROBLEM"),
        ([], "train"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_invalid_arguments_print_a_sentence_and_have_status_2(typed, words, capsys):
    assert exit_status(*typed) == 2
    out, err = capsys.readouterr()
    assert words in err and out == ""


def test_train_prints_a_report_and_draws_a_picture(capsys, tmp_path):
    status = exit_status("train", "mine:bowl", *SHORT, "--picture", "run.png", "--log", "run.jsonl")
    out = capsys.readouterr().out
    assert status == 0
    assert "Adam at a constant 0.01 with averaged weights" in out and "← kept" in out
    assert (tmp_path / "run.png").read_bytes().startswith(b"\x89PNG")
    assert len((tmp_path / "run.jsonl").read_text().splitlines()) == 20


def test_train_in_json_is_one_object(capsys):
    typed = ["mine:bowl", "--optimizer", "sgd", "--rate", "0.25", "--schedule", "constant"]
    assert exit_status("train", *typed, *SHORT, "--json") == 0
    record = json.loads(capsys.readouterr().out)
    assert record["optimizer"] == "chain(scale_by_learning_rate(schedules.constant(0.25)))"
    # θ(k) = (1 - 2 τ)^k: by half a step, from a loss of 3
    assert [evaluation["valid_loss"] for evaluation in record["evaluations"]] == pytest.approx(
        [3 * 0.25 ** evaluation["step"] for evaluation in record["evaluations"]], rel=1e-5
    )


def test_compare_prints_a_line_for_each_marks_the_best_and_draws(capsys, tmp_path, monkeypatch):
    typed = ["mine:bowl", "sgd=0.01", "sgd=0.2", "adam=1e-3", "--schedule", "constant"]
    monkeypatch.delenv("CI")
    assert exit_status("compare", *typed, *SHORT, "--picture", "runs.png") == 0
    out, err = capsys.readouterr()
    assert "sgd, learning rate 0.2:" in err
    head, *lines, picture = out.splitlines()
    assert "time of a step" in head and all(" ms" in line for line in lines)
    assert head.split()[:5] == ["optimizer", "learning", "rate", "valid", "loss"]
    assert [line.split()[:2] for line in lines] == [
        ["sgd", "0.01"],
        ["sgd", "0.2"],
        ["adam", "0.001"],
    ]
    assert [line.endswith("← best") for line in lines] == [False, True, False]
    assert (tmp_path / picture).read_bytes().startswith(b"\x89PNG")


def test_compare_writes_no_file_that_nobody_asked_for(tmp_path):
    before = {*tmp_path.iterdir()}
    assert exit_status("compare", "mine:bowl", "sgd=0.2", *SHORT) == 0
    assert [path.name for path in {*tmp_path.iterdir()} - before if path.is_file()] == []


def test_an_optimizer_that_diverges_does_not_stop_the_others(capsys):
    typed = ["mine:bowl", "sgd=1e30", "sgd=0.1", "--json"]
    assert exit_status("compare", *typed, *SHORT) == 0
    diverged, ran = map(json.loads, capsys.readouterr().out.splitlines())
    assert diverged["reason"].startswith("diverged at step") and diverged["best"] is None
    assert ran["best"] < 3 and ran["steps"] == 20


def test_a_run_that_diverges_has_status_1_and_a_sentence(capsys):
    typed = ["mine:bowl", "--optimizer", "sgd", "--rate", "1e30"]
    assert exit_status("train", *typed, *SHORT) == 1
    out, err = capsys.readouterr()
    assert out == "" and "was not finite" in err and "Traceback" not in err


def test_an_error_in_the_users_module_keeps_its_traceback():
    with pytest.raises(IndexError):
        main(["train", "mine:broken"])


def test_ctrl_c_is_a_line_and_status_130(capsys):
    assert exit_status("train", "mine:ctrl_c") == 130
    assert capsys.readouterr().err == (
        "lecture-optax: interrupted; nothing is saved. With --checkpoint FOLDER, the same command "
        "resumes.\n"
    )


def test_after_ctrl_c_the_same_command_resumes_from_the_checkpoint(capsys, monkeypatch):
    from lecture_optax._fit import fit

    def ctrl_c(event):
        if event.step:
            signal.raise_signal(signal.SIGINT)

    typed = ["train", "mine:bowl", *SHORT, "--checkpoint", "folder"]
    with monkeypatch.context() as patch:
        patch.setattr("lecture_optax._fit.fit", partial(fit, hooks=[ctrl_c]))
        assert exit_status(*typed) == 130
    assert "interrupted; step 1 is saved in '" in capsys.readouterr().err
    assert exit_status(*typed) == 0
    assert "20; the parameters are of step" in capsys.readouterr().out


def test_sigterm_is_status_143_and_its_handler_is_put_back():
    before = signal.getsignal(signal.SIGTERM)
    assert exit_status("train", "mine:terminated") == 143
    assert signal.getsignal(signal.SIGTERM) is before


def test_problems_lists_every_problem(capsys):
    from lecture_optax.training.problems import PROBLEMS

    assert exit_status("problems") == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()[1:]] == [*PROBLEMS]
    assert exit_status("problems", "--json") == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["about"] for row in rows] == [problem.about for problem in PROBLEMS.values()]


def test_info_prints_what_is_installed(capsys, monkeypatch):
    import jax

    from lecture_optax.cli import info

    monkeypatch.setitem(info.EXTRAS, "plot", ("no-such-package",))
    assert exit_status("info", "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["jax"] == jax.__version__ and "tyro" in facts["[cli]"]
    assert facts["[plot]"] == "no-such-package not installed"


def test_theory_runs_the_statements(capsys):
    assert exit_status("theory", "--only", "nesterov-is-the-textbook", "--json") == 0
    (record,) = json.loads(capsys.readouterr().out)
    assert record["verdict"] == "holds"


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_goes_with_every_schedule(name, schedule):
    for warmup in (0, 10):
        assert "learning_rate" in str(optimizer_of(name, None, schedule, 100, warmup))


def test_help_names_every_optimizer_and_schedule(capsys):
    assert exit_status("train", "--help") == 0
    page = capsys.readouterr().out
    assert [word for word in [*OPTIMIZERS, *SCHEDULES] if word not in page] == []


def test_help_names_the_kind_of_an_argument_and_no_none(capsys):
    for verb in ("train", "recipe", "compare", "theory"):
        assert exit_status(verb, "--help") == 0
        assert "None" not in capsys.readouterr().out


def test_a_reader_that_ends_is_no_error():
    command = [sys.executable, "-m", "lecture_optax", "problems"]
    root = Path(lo.__file__).parents[1]
    with subprocess.Popen(
        command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as run:
        run.stdout.close()
        assert run.stderr.read() == ""
        assert run.wait() == 141


def test_an_exception_in_a_garbage_collection_is_raised_again():
    def _xla_gc_callback(*args):  # JAX's, where an exception is printed and lost
        cli._leave(signal.SIGINT, inspect.currentframe())

    _xla_gc_callback()
    with pytest.raises(KeyboardInterrupt):
        time.sleep(30)


def test_without_tyro_a_sentence_names_the_extra(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "tyro", None)
    assert main(["problems"]) == 1
    assert 'pip install ".[cli]"' in capsys.readouterr().err


def test_help_loads_nothing_that_it_does_not_show():
    code = (
        "import sys, lecture_optax; before = set(sys.modules)\n"
        "try: __import__('lecture_optax.cli').cli.main(['train', '--help'])\n"
        "except SystemExit as end: assert end.code == 0\n"
        "print({name.split('.')[0] for name in set(sys.modules) - before})\n"
        "print([name for name in sys.modules if name.startswith('lecture_optax.training')])"
    )
    root = Path(lo.__file__).parents[1]
    run = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)
    assert run.stderr == ""
    *page, loaded, training = run.stdout.splitlines()
    assert "PROBLEM" in page[0]
    assert not {"flax", "sklearn", "matplotlib", "grain", "orbax", "pandas"} & eval(loaded)
    assert eval(training) == []
