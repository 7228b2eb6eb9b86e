"""A search that was killed or interrupted resumes with the same bits and repeats no step."""

import dataclasses
import errno
import importlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from types import SimpleNamespace

import chex
import flax.linen as nn
import jax
import pytest

import lecture_optax as lo
from lecture_optax.recipe import run, session
from lecture_optax.recipe.checkpoint import store
from lecture_optax.recipe.checkpoint.snapshot import SearchSaver
from lecture_optax.recipe.search.runner import Runner
from lecture_optax.training.checkpoint import saver
from lecture_optax.training.checkpoint.folder import CheckpointFolder, path_of
from lecture_optax.training.loop.sources import ArraySource
from lecture_optax.training.reporting import progress
from tests.stress.harness import finished, killed, same_bits

from ..problems import BATCH, LARGEST, STEPS, init, loss, predict, regression

recipe_run = importlib.import_module("lecture_optax.recipe.run")
"""The module: `recipe.run` is its function."""


def recipe(folder=None, problem=None, **options):
    options = {"steps": STEPS, "batch_size": BATCH, "budget": 3.0, "progress": False, **options}
    return run(problem or regression(), checkpoint=folder, **options)


def found(result):
    """Everything a search returns: arrays, text and numbers."""
    curves = {
        arm: (
            curve.step,
            curve.evaluations,
            curve.failed,
            curve.means,
            curve.gradient,
            curve.update,
        )
        for arm, curve in result.history.items()
    }
    words = result.code, result.cost, repr(result.explanation), result.explain(), repr(curves)
    return (result.params, result.model_state), words


def assert_same(one, other):
    chex.assert_trees_all_equal(found(one)[0], found(other)[0])
    assert found(one)[1] == found(other)[1]


class Killed(BaseException):
    """A `kill -9` from within: nothing is cleaned up after it."""


@pytest.fixture
def eager(monkeypatch):
    """Save wherever a search can be saved."""
    monkeypatch.setattr(saver, "FIRST", 0.0)
    monkeypatch.setattr(saver, "SHARE", 1e9)


@pytest.fixture
def spent(monkeypatch):
    """The chunks of steps that are really taken; `act` is called before each."""
    chunks, advance = Taken(), ArraySource.advance

    def counted(self, program, carry, steps):
        chunks.act(len(chunks))
        first = int(carry.step)
        told = advance(self, program, carry, steps)
        chunks.append(int(told[0].step) - first)
        return told

    monkeypatch.setattr(ArraySource, "advance", counted)
    return chunks


class Taken(list):
    def act(self, done):
        pass


def kill_at(monkeypatch, number):
    """Kill the search right after that save."""
    written, write = [], store.Store.write

    def counted(self, *what):
        write(self, *what)
        written.append(1)
        if len(written) == number:
            raise Killed

    monkeypatch.setattr(store.Store, "write", counted)


def at_chunk(spent, number, what):
    """Send this process a signal, or do something else, when so many chunks have been taken."""

    def act(done):
        if done == number:
            what() if callable(what) else signal.raise_signal(what)

    spent.act = act


def killed_until_it_ends(monkeypatch, every, folder, **options):
    """The result, and how many processes it took."""
    for processes in range(1, 200):
        with monkeypatch.context() as patch:
            kill_at(patch, every)
            try:
                return recipe(folder, **options), processes
            except Killed:
                continue
    raise AssertionError("it never came to its end")


def then_raise(function, number):
    """A function that sends this process a signal after it has done its work."""

    def raising(*arguments, **options):
        result = function(*arguments, **options)
        signal.raise_signal(number)
        return result

    return raising


@pytest.fixture(scope="module")
def whole():
    return recipe()


@pytest.fixture(scope="module")
def saved(whole, tmp_path_factory):
    """The folder of a finished search."""
    folder = tmp_path_factory.mktemp("saved")
    recipe(folder)
    return folder


class TestKilled:
    def test_a_search_killed_again_and_again_finds_the_same_and_takes_no_step_twice(
        self, tmp_path, monkeypatch, whole, eager, spent
    ):
        result, processes = killed_until_it_ends(monkeypatch, 12, tmp_path)
        assert processes > 5
        assert_same(result, whole)
        assert sum(spent) == whole.gradients

    def test_so_does_one_that_cross_validates(self, tmp_path, monkeypatch, eager, spent):
        problem = dataclasses.replace(regression(), valid=None)
        whole = recipe(problem=problem, budget=6.0)
        assert sum(spent) == whole.gradients
        with monkeypatch.context() as patch:
            kill_at(patch, 45)
            with pytest.raises(Killed):
                recipe(tmp_path, problem, budget=6.0)
        for part in (tmp_path / "weights").glob("*_fold0*"):
            part.unlink()  # lost weights are computed again
        with pytest.warns(UserWarning, match="parts of the search"):
            assert_same(recipe(tmp_path, problem, budget=6.0), whole)
        assert_same(recipe(tmp_path, problem, budget=6.0), whole)

    def test_what_was_computed_after_the_last_save_and_nothing_else_is_computed_again(
        self, tmp_path, monkeypatch, whole, eager, spent
    ):
        with monkeypatch.context() as patch, pytest.raises(Killed):
            kill_at(patch, 20)
            recipe(tmp_path)
        before = sum(spent)

        def kill():
            raise Killed

        with monkeypatch.context() as patch, pytest.raises(Killed):
            patch.setattr(SearchSaver, "poll", lambda self: None)  # saves no more
            at_chunk(spent, len(spent) + 3, kill)
            recipe(tmp_path)
        spent.act = lambda done: None
        lost = sum(spent) - before
        assert lost > 0
        assert_same(recipe(tmp_path), whole)
        assert sum(spent) == whole.gradients + lost

    def test_a_model_with_statistics_and_noise_resumes_bitwise(self, tmp_path, monkeypatch, eager):
        options = {"problem": noisy_problem(), "steps": 40, "budget": 1.5}
        result, processes = killed_until_it_ends(monkeypatch, 15, tmp_path, **options)
        assert processes > 1
        assert_same(result, recipe(**options))

    def test_an_arm_that_diverged_stays_as_it_was(self, tmp_path, monkeypatch, eager):
        options = {"problem": regression(train_scale=LARGEST), "budget": 1.0}
        result, _ = killed_until_it_ends(monkeypatch, 12, tmp_path, **options)
        assert all(curve.failed for curve in result.history.values())
        assert_same(result, recipe(**options))

    @pytest.mark.slow  # two processes that compile, and two that replay
    @pytest.mark.parametrize("kind", ["plain", "linen", "nnx"])
    def test_kill_9_at_any_moment(self, tmp_path, kind):
        own = {"module": "tests.stress.search_process"}
        course = killed(kind, 6_000, tmp_path / "killed", [signal.SIGKILL] * 2, seconds=0.5, **own)
        assert -signal.SIGKILL in course.codes
        learned = finished(kind, 6_000, tmp_path / "killed", **own)
        assert same_bits(learned, finished(kind, 6_000, tmp_path / "whole", **own))


LOCK_FOLDER = """
import sys
from lecture_optax.recipe.checkpoint.store import Store
Store(sys.argv[1]).claim()
"""


class Net(nn.Module):
    @nn.compact
    def __call__(self, x, train):
        x = nn.BatchNorm(use_running_average=not train)(nn.Dense(4)(x))
        x = nn.Dropout(0.2, deterministic=not train)(nn.relu(x))
        return nn.Dense(1)(x)[:, 0]


def noisy_problem():
    problem = regression()
    data, valid = [(part["x"], part["y"]) for part in (problem.train, problem.valid)]
    return lo.training.Problem.from_linen(Net(), data, loss="mse", valid=valid)


def with_loss(change=lambda loss: loss, **others):
    """The regression, with a change of its loss or of its initial parameters."""
    own = regression()
    functions = {"init": init, "loss": lambda *given: change(loss(*given)), **others}
    return lo.training.Problem.from_functions(
        **functions, predict=predict, train=own.train, valid=own.valid
    )


def last_save(folder):
    return sorted(folder.glob("search-0*"))[-1]


def parts_of(folder):
    """The files of the weights that the last save names."""
    names = json.loads(last_save(folder).read_bytes().partition(b"\n")[2])["parts"]
    return [folder / "weights" / f"{name}.npz" for name in sorted(names)]


def rewrite(save, change):
    """Change the notes of a save, and seal them again."""
    notes = json.loads(save.read_bytes().partition(b"\n")[2])
    change(notes)
    save.write_bytes(store._sealed(json.dumps(notes).encode()))


class TestFolder:
    def test_a_finished_search_returns_its_result_and_computes_no_gradient(
        self, saved, whole, spent
    ):
        before = {file: file.read_bytes() for file in saved.rglob("*") if file.is_file()}
        assert_same(recipe(saved), whole)
        assert not spent
        assert before == {file: file.read_bytes() for file in saved.rglob("*") if file.is_file()}

    @pytest.mark.parametrize(
        ("options", "words"),
        [
            ({"seed": 1}, r"another search: seed is 1, was 0"),
            ({"steps": 61}, r"steps is 61, was 60"),
            ({"budget": 2.0}, r"budget is 2\.0, was 3\.0"),
            ({"problem": regression(shift=1.0)}, r"train\['shift'\] is float32\[48\] #\w+, was"),
            ({"problem": with_loss(lambda x: x + 1)}, "loss is another function than it was"),
            ({"problem": with_loss(init=lambda key: init(jax.random.fold_in(key, 1)))}, "the init"),
            ({"problem": regression(inputs=2.0)}, r"train\['x'\] is float32\[48,3\] #\w+, was"),
            (
                {"optimizers": {"adam": lambda rate: lo.adam(rate, b1=0.8)}},
                r"optimizer adam is .*0\.8.*was",
            ),
        ],
    )
    def test_the_folder_of_another_search_is_refused_and_left_alone(self, saved, options, words):
        with pytest.raises(ValueError, match=words):
            recipe(saved, **options)

    def test_other_names_and_comments_are_the_same_search(self, saved, spent, whole):
        assert_same(recipe(saved, with_loss(lambda renamed: renamed)), whole)
        assert not spent

    def test_the_folder_of_a_run_is_no_folder_of_a_search(self, tmp_path):
        (tmp_path / "120").mkdir()
        with pytest.raises(ValueError, match=r"holds a run of lo\.fit, not a search"):
            recipe(tmp_path)

    def test_two_searches_and_a_run_do_not_share_a_folder(self, tmp_path, whole, spent):
        told = []

        def others():
            with pytest.raises(BlockingIOError, match="in use by another run of this process"):
                recipe(tmp_path)
            process = subprocess.run(
                [sys.executable, "-c", LOCK_FOLDER, str(tmp_path)], capture_output=True, text=True
            )
            told.append(process.stderr.splitlines()[-1])
            with pytest.raises(ValueError, match="a run has to itself, got one that holds"):
                CheckpointFolder(tmp_path).claim()

        at_chunk(spent, 3, others)
        assert_same(recipe(tmp_path), whole)
        assert f"is in use by process {os.getpid()}: two runs cannot share a folder" in told[0]
        spent.clear()
        assert_same(recipe(tmp_path), whole)
        assert not spent

    def test_a_folder_that_cannot_be_made_is_said_before_the_search(self, tmp_path, spent):
        (tmp_path / "file").touch()
        with pytest.raises(OSError, match=r"cannot be written to .*, so nothing was trained"):
            recipe(tmp_path / "file" / "folder")
        assert not spent

    def test_what_lies_on_the_disk_does_not_grow_with_the_steps(self, saved, tmp_path):
        recipe(tmp_path, steps=10 * STEPS)
        sizes = [
            sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
            for folder in (saved, tmp_path)
        ]
        assert sizes[1] < 2 * sizes[0]

    def test_a_damaged_save_falls_back_to_the_one_before(self, tmp_path, monkeypatch, whole, eager):
        with monkeypatch.context() as patch, pytest.raises(Killed):
            kill_at(patch, 30)
            recipe(tmp_path)
        last = last_save(tmp_path)
        last.write_bytes(last.read_bytes().replace(b"evaluation", b"evaluatiom"))
        with pytest.warns(UserWarning, match=r"is damaged \(search-\d+\.json is not as written\)"):
            assert_same(recipe(tmp_path), whole)

    @pytest.mark.parametrize("number", [None, 40])
    def test_weights_that_are_lost_are_computed_again(
        self, tmp_path, monkeypatch, eager, spent, number
    ):
        """Of a finished search and of a half-done one, with BatchNorm, dropout and a decay."""
        options = {"problem": noisy_problem(), "steps": 40, "budget": 1.5}
        whole = recipe(**options)
        with monkeypatch.context() as patch, suppress(Killed):
            kill_at(patch, number)
            recipe(tmp_path, **options)
        shutil.rmtree(tmp_path / "weights")
        with pytest.warns(UserWarning, match=r"(\d+) of \1 parts of the search .* computed again"):
            assert_same(recipe(tmp_path, **options), whole)
        spent.clear()
        assert_same(recipe(tmp_path, **options), whole)  # and they are saved again
        assert not spent

    def test_two_parts_that_were_swapped_are_noticed(self, saved, tmp_path, whole):
        shutil.copytree(saved, tmp_path, dirs_exist_ok=True)
        one = next(x for x in parts_of(tmp_path) if x.stem.endswith("-averaged"))
        two = next(x for x in parts_of(tmp_path) if x.stem.endswith("-raw"))
        content = one.read_bytes()
        one.write_bytes(two.read_bytes())
        two.write_bytes(content)
        with pytest.warns(UserWarning, match=r"2 of \d+ parts"):
            assert_same(recipe(tmp_path), whole)

    @pytest.mark.parametrize(
        "name", ["weights/model.npz", "search-best.json", "notes.txt", "old/x"]
    )
    def test_a_folder_with_other_files_is_refused_at_first_and_never_touched(
        self, saved, tmp_path, whole, name
    ):
        mine = tmp_path / "new" / name
        mine.parent.mkdir(parents=True)
        mine.write_text("mine")
        top = name.partition("/")[0]
        with pytest.raises(ValueError, match=f"a search has to itself, got one that holds '{top}'"):
            recipe(tmp_path / "new")
        assert [x for x in (tmp_path / "new").rglob("*") if x.is_file()] == [mine]
        shutil.copytree(saved, tmp_path / "new", dirs_exist_ok=True)
        parts_of(tmp_path / "new")[0].unlink()  # so that it is saved again
        with pytest.warns(UserWarning, match="1 of"):
            assert_same(recipe(tmp_path / "new"), whole)
        assert mine.read_text() == "mine"

    def test_an_empty_path_is_refused(self):
        with pytest.raises(ValueError, match="checkpoint must be a path, got ''"):
            recipe("")
        with pytest.raises(TypeError, match="checkpoint must be a path, got True"):
            path_of(True)

    def test_another_search_may_take_a_folder_in_which_nothing_was_computed(
        self, tmp_path, monkeypatch, whole
    ):
        with monkeypatch.context() as patch, pytest.raises(Killed):
            kill_at(patch, 1)
            recipe(tmp_path, seed=1)
        assert_same(recipe(tmp_path), whole)

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("segments", [[1, 2]]),
            ("curves", {"0_-8": {}}),
            ("branches", [["0_-8"]]),
            ("candidates", [["0_-8", 60, "averaged", -1.0]]),
            ("parts", []),
            ("segments", None),
        ],
    )
    def test_notes_of_another_kind_fall_back_to_the_save_before(
        self, saved, tmp_path, whole, name, value
    ):
        shutil.copytree(saved, tmp_path, dirs_exist_ok=True)
        rewrite(last_save(tmp_path), lambda notes: notes.update({name: value}))
        with pytest.warns(UserWarning, match=f"is damaged .*'{name}' in its notes"):
            assert_same(recipe(tmp_path), whole)

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            (lambda segments: segments.insert(3, ["0_-8", 7]), "never runs '0_-8' to step 7"),
            (lambda segments: segments.append(["0_-8", 61]), "never runs '0_-8' to step 61"),
            (lambda segments: segments.pop(0), "never runs '0_-4' to step 3"),
            (lambda segments: segments.append(["adam", 60]), "cannot resume"),
        ],
    )
    def test_segments_that_do_not_fit_are_refused_in_one_sentence(
        self, saved, tmp_path, change, words
    ):
        shutil.copytree(saved, tmp_path, dirs_exist_ok=True)
        rewrite(last_save(tmp_path), lambda notes: change(notes["segments"]))
        before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
        with pytest.raises(ValueError, match=words) as refused:
            recipe(tmp_path)
        assert str(tmp_path) in str(refused.value) and "\n" not in str(refused.value)
        assert before == {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}

    def test_where_all_saves_are_damaged_nothing_is_removed(self, tmp_path):
        for file in (tmp_path / "search-000001.json", tmp_path / "search-000002.json"):
            file.write_bytes(b"00000000\n{}")
        with pytest.raises(ValueError, match="Nothing was removed"):
            recipe(tmp_path)
        assert len(list(tmp_path.iterdir())) == 2

    def test_a_full_disk_costs_a_warning_and_not_the_search(
        self, tmp_path, monkeypatch, whole, eager
    ):
        def full(*_):
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(store, "write_file", full)
        with pytest.warns(UserWarning, match=r"could not be saved .*No space left on device"):
            assert_same(recipe(tmp_path), whole)

    @pytest.mark.parametrize("version", [None, 1])
    def test_the_folder_of_another_version_is_refused_in_one_sentence(self, tmp_path, version):
        folder = store.Store(tmp_path)
        folder.make()
        folder.write({"format": version}, {})
        folder.close()
        with pytest.raises(ValueError, match="another version of lecture_optax, and this version"):
            recipe(tmp_path)
        assert [file.name for file in tmp_path.glob("search-*")] == ["search-000001.json"]


class TestAskedToStop:
    def test_ctrl_c_returns_the_best_so_far_when_asked(self, tmp_path, whole, spent):
        at_chunk(spent, 20, signal.SIGINT)
        result = recipe(tmp_path, on_interrupt="return")
        assert result.gradients == sum(spent) < whole.gradients
        words = f"stopped by hand after {result.gradients} of {3 * STEPS} gradients"
        assert words in result.explain()
        names = {"problem": regression()}
        exec(result.code.replace("seed=0,", "seed=0, progress=False,"), names)
        chex.assert_trees_all_close(names["result"].params, result.params, rtol=1e-5)
        spent.act = lambda done: None
        assert_same(recipe(tmp_path), whole)  # and the search can resume
        assert whole.gradients <= sum(spent)

    def test_ctrl_c_before_the_first_evaluation_returns_the_start(self, spent):
        at_chunk(spent, 0, signal.SIGINT)
        result = recipe(on_interrupt="return")
        chex.assert_trees_all_equal(result.params, init(jax.random.key(0)))
        assert "stopped by hand after 1 of 180 gradients" in result.explain()

    def test_ctrl_c_ends_the_search_and_says_where_it_is_saved(self, tmp_path, whole, spent):
        at_chunk(spent, 20, signal.SIGINT)
        with pytest.raises(KeyboardInterrupt, match=f"is saved in {str(tmp_path)!r}"):
            recipe(tmp_path)
        assert_same(recipe(tmp_path), whole)
        assert sum(spent) == whole.gradients

    def test_sigterm_saves_and_exits_by_143_whatever_ctrl_c_does(self, tmp_path, whole, spent):
        at_chunk(spent, 20, signal.SIGTERM)
        with pytest.raises(SystemExit) as stopped:
            recipe(tmp_path, on_interrupt="return")
        assert stopped.value.code == 143
        assert_same(recipe(tmp_path), whole)
        assert sum(spent) == whole.gradients

    def test_a_second_ctrl_c_ends_at_once(self, spent):
        at_chunk(spent, 20, lambda: [signal.raise_signal(signal.SIGINT) for _ in range(2)])
        with pytest.raises(KeyboardInterrupt):
            recipe(on_interrupt="return")
        assert len(spent) == 20
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler

    @pytest.mark.parametrize("place", ["run", "select_weights"])
    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_a_signal_in_the_last_measurement_or_later_is_obeyed(
        self, tmp_path, monkeypatch, whole, spent, place, number
    ):
        owner = Runner if place == "run" else recipe_run
        with monkeypatch.context() as patch, pytest.raises((KeyboardInterrupt, SystemExit)) as e:
            patch.setattr(owner, place, then_raise(getattr(owner, place), number))
            recipe(tmp_path)
        saved = f"the search is saved in {str(tmp_path)!r}"
        assert e.value.args == ((saved,) if number == signal.SIGINT else (143,))
        assert_same(recipe(tmp_path), whole)
        assert sum(spent) == whole.gradients

    @pytest.mark.parametrize("place", ["run", "select_weights"])
    def test_ctrl_c_in_the_last_measurement_returns_the_whole_result(
        self, monkeypatch, whole, place
    ):
        owner = Runner if place == "run" else recipe_run
        monkeypatch.setattr(owner, place, then_raise(getattr(owner, place), signal.SIGINT))
        assert_same(recipe(on_interrupt="return"), whole)

    @pytest.mark.parametrize("checkpoint", [False, True])
    def test_ctrl_c_in_the_first_compilation_returns_the_start(
        self, tmp_path, monkeypatch, spent, whole, checkpoint
    ):
        folder = tmp_path if checkpoint else None
        with monkeypatch.context() as patch:
            patch.setattr(recipe_run, "prepare", then_raise(recipe_run.prepare, signal.SIGINT))
            result = recipe(folder, on_interrupt="return")
        chex.assert_trees_all_equal(result.params, init(jax.random.key(0)))
        assert not spent
        first, *rest = result.explain().splitlines()
        assert "stopped by hand after 0 of 180 gradients, before any arm was better" in first
        assert "returned with its initial parameters" in first
        assert not rest
        assert first[:40] in result.report()
        if checkpoint:
            assert_same(recipe(folder), whole)

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_a_signal_in_the_first_compilation_ends_before_the_first_step(
        self, monkeypatch, spent, number
    ):
        monkeypatch.setattr(recipe_run, "prepare", then_raise(recipe_run.prepare, number))
        with pytest.raises((KeyboardInterrupt, SystemExit)):
            recipe()
        assert not spent

    def test_on_interrupt_is_one_of_two_words(self):
        with pytest.raises(ValueError, match="on_interrupt must be one of 'raise', 'return'"):
            recipe(on_interrupt="stop")


class Shown:
    seconds = 0.0

    def __init__(self):
        self.lines, self.closed = [], False

    def show(self, status):
        self.lines.append(str(status))

    def close(self):
        self.closed = True


class TestProgress:
    def test_it_names_the_phase_the_arms_the_best_loss_and_the_time_left(self, monkeypatch, whole):
        shown = Shown()
        monkeypatch.setattr(progress, "display_for", lambda wanted: shown)
        recipe()
        phases = list(dict.fromkeys(line.partition(",")[0] for line in shown.lines))
        assert [x for x in phases if " in " not in x] == ["bracket", "aim", "race"]
        arms = r"\d+ arms(, \d+ diverged)?, [\d,]+ of 180 gradients"
        form = rf"[^,]+, {arms}, lowest loss [\d.]+, .*left"
        assert any(re.fullmatch(form, line) for line in shown.lines)
        lowest = whole.explanation.start + whole.explanation.arms[0].change
        assert f"lowest loss {lowest:.4g}," in shown.lines[-1]
        assert re.search(r"in [\d.]+ s$", shown.lines[-1])
        assert shown.closed

    @pytest.mark.usefixtures("untyped")
    def test_the_lowest_loss_is_that_of_the_examples_that_are_evaluated(self):
        shown = []
        reporter = SimpleNamespace(update=lambda done, limit, loss, **_: shown.append(loss))
        journal = SimpleNamespace(progress=4.0, phase="race")
        held_out = SimpleNamespace(start={"all": 1.5, "late": 5.0})
        rest = {"members": {}, "candidates": (), "spent": 1, "limit": 2}
        session._show(SimpleNamespace(journal=journal, held_out=held_out, **rest), reporter)
        assert shown == [1.0]

    def test_it_writes_lines_where_there_is_no_terminal(self, monkeypatch, capsys):
        monkeypatch.delenv("CI", raising=False)
        recipe(progress=None)
        assert re.search(r"arms, 1\d\d of 180 gradients", capsys.readouterr().err)


def test_fit_with_a_budget_is_saved_as_the_search_is(saved, whole, spent):
    options = {"steps": STEPS, "batch_size": BATCH, "budget": 3.0, "progress": False}
    result = lo.fit(regression(), checkpoint=saved, **options)
    chex.assert_trees_all_equal(result.params, whole.params)
    assert not spent
