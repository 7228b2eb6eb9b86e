import resource
import shutil
import signal
import sys
import threading
import warnings
from pathlib import Path

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import lecture_optax as lo
from lecture_optax.training import (
    History,
    NonFiniteError,
    Problem,
    Program,
    Run,
    _trees as identity,
)
from lecture_optax.training.checkpoint import saver as saves
from lecture_optax.training.checkpoint.folder import CheckpointFolder, Saved
from lecture_optax.training.checkpoint.restore import table
from lecture_optax.training.checkpoint.snapshot import restore_run, snapshot
from lecture_optax.training.compiled.step import Carry
from lecture_optax.training.loop import loop

from ...stress.harness import finished, killed, same_bits

_random = np.random.default_rng(0)
X = _random.normal(size=(96, 3)).astype(np.float32)
Y = (X @ np.array([1.0, -2.0, 0.5], np.float32)).astype(np.float32)
VALID = (X[:32], Y[:32] + 0.1)


def start(key):
    params = {"w": jnp.zeros(3), "b": jnp.zeros(())}
    return params, {"seen": jnp.zeros((), jnp.int32), "key": key, "none": jnp.zeros((0, 2))}


def noisy_loss(params, batch, key, model_state):
    x, y = batch
    noise = 0.1 * jax.random.normal(key, y.shape, y.dtype)
    return (x @ params["w"] + params["b"] - y - noise) ** 2, {
        **model_state,
        "seen": model_state["seen"] + 1,
    }


PROBLEM = Problem.from_functions(init=start, loss=noisy_loss, train=(X, Y), valid=VALID)
TX = lo.sgd(0.01, momentum=0.9)
OPTIONS = {"tx": TX, "steps": 40, "batch_size": 16, "evaluations": 8, "progress": False}


def fit(folder=None, problem=PROBLEM, **options):
    return lo.fit(problem, checkpoint=folder, **{**OPTIONS, **options})


def when(step, act):
    """A hook that acts once, at that step or after it."""
    done = []

    def hook(event):
        if event.step >= step and not done:
            done.append(act())

    return hook


def terminate():
    signal.raise_signal(signal.SIGTERM)


def interrupt(folder, step=10, act=terminate, **options):
    """Train until `step` or a little further, and be told to stop."""
    with pytest.raises(SystemExit) as stopped:
        fit(folder, hooks=[when(step, act)], **options)
    return stopped.value.code


def learned(result):
    plain = jax.tree.map(
        lambda x: jax.random.key_data(x) if jnp.issubdtype(x.dtype, jax.dtypes.prng_key) else x,
        (result.params, result.model_state, result.opt_state),
    )
    return plain, result.history.per_step, result.history.evaluations, result.kept


def steps_in(folder):
    return sorted(int(x.name) for x in Path(folder).iterdir() if x.name.isdecimal())


def bytes_in(folder):
    return {x: x.read_bytes() for x in Path(folder).rglob("*") if x.is_file()}


@pytest.fixture(scope="module")
def whole():
    return learned(fit())


@pytest.fixture
def eager(monkeypatch):
    """Save after every chunk for which the last save is done."""
    monkeypatch.setattr(saves, "FIRST", 0.0)
    monkeypatch.setattr(saves, "SHARE", 1e9)


def saved_twice(folder):
    """Two checkpoints in a folder, of a run that is not at its end."""
    interrupt(folder, 10)
    interrupt(folder, 20)
    assert len(steps_in(folder)) == 2


class TestKilled:
    @pytest.mark.parametrize(
        ("kind", "numbers"),
        [
            ("nnx", [signal.SIGKILL]),
            pytest.param("nnx", [signal.SIGKILL, signal.SIGTERM], marks=pytest.mark.slow),
            pytest.param("linen", [signal.SIGKILL] * 2, marks=pytest.mark.slow),
            pytest.param("grain", [signal.SIGKILL] * 2, marks=pytest.mark.slow),
        ],
    )
    def test_a_run_killed_at_any_moment_learns_the_same_bits(self, tmp_path, kind, numbers):
        steps = 12_000
        course = killed(kind, steps, tmp_path / "killed", numbers, seconds=0.1)
        assert course.codes == [
            {signal.SIGKILL: -9, signal.SIGTERM: 143}[number] for number in numbers
        ]
        learned = finished(kind, steps, tmp_path / "killed")
        assert same_bits(learned, finished(kind, steps, tmp_path / "whole"))


class TestAskedToStop:
    def test_sigterm_saves_and_exits_by_143_and_the_run_goes_on_bitwise(self, tmp_path, whole):
        assert interrupt(tmp_path) == 143
        (saved,), begun = steps_in(tmp_path), []
        assert 10 <= saved < 40
        result = fit(tmp_path, hooks=[lambda event: begun.append(event.step)])
        assert begun[0] == saved
        chex.assert_trees_all_equal(learned(result), whole)

    @pytest.mark.parametrize("step", [5, 40])  # of the first evaluation, and of the last
    def test_a_run_asked_within_an_evaluation_takes_that_evaluation_again(
        self, tmp_path, whole, monkeypatch, step
    ):
        def asked(examples, carry, *others, evaluation=loop.evaluate_run):
            if carry.step == step:
                terminate()
            return evaluation(examples, carry, *others)

        with monkeypatch.context() as patch, pytest.raises(SystemExit):
            patch.setattr(loop, "evaluate_run", asked)
            fit(tmp_path)
        assert steps_in(tmp_path) == [step]
        chex.assert_trees_all_equal(learned(fit(tmp_path)), whole)

    def test_ctrl_c_saves_and_is_raised_again(self, tmp_path, whole):
        press = when(10, lambda: signal.raise_signal(signal.SIGINT))
        with pytest.raises(KeyboardInterrupt):
            fit(tmp_path, hooks=[press])
        assert steps_in(tmp_path)
        chex.assert_trees_all_equal(learned(fit(tmp_path)), whole)

    def test_a_second_ctrl_c_leaves_at_once(self, tmp_path):
        def press_twice():
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)

        with pytest.raises(KeyboardInterrupt):
            fit(tmp_path, hooks=[when(10, press_twice)])
        assert not steps_in(tmp_path)

    def test_a_second_sigterm_is_the_first_one_repeated(self, tmp_path):
        def repeat():
            terminate()
            terminate()

        assert interrupt(tmp_path, act=repeat) == 143
        assert steps_in(tmp_path)

    def test_handlers_are_put_back_however_a_run_ends(self, tmp_path):
        before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
        interrupt(tmp_path)
        fit(tmp_path)
        assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == before

    def test_an_ignored_signal_stays_ignored(self, tmp_path):
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            fit(tmp_path, hooks=[when(10, lambda: signal.raise_signal(signal.SIGINT))])
        finally:
            signal.signal(signal.SIGINT, before)
        assert steps_in(tmp_path)[-1] == 40

    def test_another_thread_saves_without_handlers(self, tmp_path, whole):
        results = []
        thread = threading.Thread(target=lambda: results.append(fit(tmp_path)))
        thread.start()
        thread.join()
        chex.assert_trees_all_equal(learned(results[0]), whole)
        assert steps_in(tmp_path)[-1] == 40


class TestGoingOn:
    def test_saving_all_the_time_changes_nothing_and_keeps_two(self, tmp_path, whole, eager):
        chex.assert_trees_all_equal(learned(fit(tmp_path)), whole)
        assert len(steps_in(tmp_path)) == 2

    def test_a_finished_folder_returns_its_result_at_once(self, tmp_path, whole):
        fit(tmp_path)
        before, events = bytes_in(tmp_path), []
        again = fit(tmp_path, hooks=[events.append])
        chex.assert_trees_all_equal(learned(again), whole)
        assert events == []
        assert bytes_in(tmp_path) == before

    def test_callbacks_are_called_once_for_every_evaluation(self, tmp_path):
        """Also when saved at an evaluation, after they were called."""
        called = []
        callbacks = [lambda record: called.append(record["step"])]
        interrupt(tmp_path, 20, evaluations=[20, 30, 40], callbacks=callbacks)
        assert called == steps_in(tmp_path) == [20]
        fit(tmp_path, evaluations=[20, 30, 40], callbacks=callbacks)
        assert called == [20, 30, 40]

    def test_a_run_that_a_callback_ended_is_finished(self, tmp_path):
        def enough(record):
            return record["step"] >= 20

        first = fit(tmp_path, callbacks=[enough])
        again = fit(tmp_path, callbacks=[enough])
        chex.assert_trees_all_equal(learned(again), learned(first))
        assert first.steps == 20
        with pytest.warns(UserWarning, match="TestGoingOn ended it at step 20 of 40.*more steps"):
            assert fit(tmp_path).steps == 20

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            ({"seed": 1}, "seed is 1, was 0"),
            ({"batch_size": 8}, "batch_size is 8, was 16"),
            ({"sample_weight": np.ones(96, np.float32)}, "sample_weight is float32"),
            ({"train": (X[:64], Y[:64])}, r"data\[0\] is float32\[64,3\] .* was float32\[96,3\]"),
            ({"train": (X[::-1], Y[::-1])}, r"data\[0\] is float32\[96,3\] .* was float32\[96,3\]"),
        ],
    )
    def test_the_folder_of_another_run_is_refused_and_untouched(self, tmp_path, change, words):
        interrupt(tmp_path)
        before = bytes_in(tmp_path)
        train = change.pop("train", (X, Y))
        problem = Problem.from_functions(init=start, loss=noisy_loss, train=train, valid=VALID)
        with pytest.raises(ValueError, match=f"holds another run: {words}"):
            fit(tmp_path, problem, **change)
        assert bytes_in(tmp_path) == before

    @pytest.mark.parametrize("notes", [{"looks": []}, {"format": 1}], ids=["names", "format"])
    def test_the_folder_of_another_version_is_refused_in_one_sentence(self, tmp_path, notes):
        folder = CheckpointFolder(tmp_path)
        folder.make()
        folder.write(20, {"params['w']": np.ones(3, np.float32)}, notes)
        folder.wait()
        folder.close()
        self.refused_as_another_version(tmp_path)

    def test_the_folder_of_version_0_1_is_refused_and_untouched(self, tmp_path):
        (tmp_path / "20").mkdir()
        (tmp_path / "20" / "_CHECKPOINT_METADATA").write_text("{}")
        (tmp_path / "20" / "checksums.json").write_text("{}")
        self.refused_as_another_version(tmp_path)

    def refused_as_another_version(self, folder):
        before = bytes_in(folder)
        with pytest.raises(ValueError, match=r"written by another version .* another folder") as e:
            fit(folder)
        assert "\n" not in str(e.value)
        assert bytes_in(folder) == before

    def test_of_large_data_some_rows_are_compared(self, monkeypatch):
        read = []
        monkeypatch.setattr(identity, "ENOUGH", 1000)
        monkeypatch.setattr(identity.zlib, "crc32", lambda data: read.append(bytes(data)) or 0)
        rows = np.arange(3000, dtype=np.float32)
        for x in (rows, jnp.asarray(rows), rows[::-1]):
            identity.checksum(x)
        assert read[0] == read[1] != read[2]
        assert 500 < len(read[0]) <= 1000

    def test_what_is_not_finite_is_never_saved(self, tmp_path, eager):
        with pytest.raises(NonFiniteError):
            fit(tmp_path, tx=lo.sgd(1e9), steps=200)
        _, saved = CheckpointFolder(tmp_path).newest()
        assert all(np.isfinite(x).all() for x in saved.arrays.values())

    def test_a_sum_beyond_float16_is_never_saved(self, tmp_path, eager):
        """Loss, gradient and update are finite at 7e4, and float16 ends at 65504."""
        steady = Problem.from_functions(
            init=lambda key: jnp.zeros(1, jnp.float16),
            loss=lambda w, batch: -1e4 * w[0].astype(jnp.float32) + 0 * batch,
            train=X[:, 0],
        )
        with pytest.raises(NonFiniteError, match="parameter was not finite at step 6 ") as stopped:
            fit(tmp_path, steady, tx=optax.sgd(1.0))
        assert (stopped.value.step, stopped.value.quantity) == (6, "a parameter")
        _, saved = CheckpointFolder(tmp_path).newest()
        assert np.isfinite(saved.arrays["params"]).all()


def run_of(tx):
    program = Program.of(PROBLEM, tx, batch_size=16)
    return Run(program, program.init(0), 40, (40,))


class TestByName:
    def moved(self, before, after):
        """A run, saved at step 10 with numbers that can be told apart, as another resumes it."""
        run = run_of(before)
        leaves, structure = jax.tree.flatten(run.carry.opt_state)
        numbers = [jnp.full_like(x, 100 + i) for i, x in enumerate(leaves)]
        state = structure.unflatten(numbers)
        run.carry = run.carry._replace(opt_state=state, step=jnp.array(10, jnp.int32))
        saved, other = snapshot(run, None, {}, {}), run_of(after)
        misfits = restore_run(other, None, saved)
        return saved.arrays, other.carry.opt_state, table("", misfits) if misfits else ""

    def test_a_number_becomes_a_schedule_without_a_word(self):
        saved, state, told = self.moved(TX, lo.sgd(lo.schedules.linear(0.01, 40), momentum=0.9))
        assert told == ""
        assert lo.current(state).count == saved["opt_state[1].count"]
        chex.assert_trees_all_equal(state[0].trace["w"], saved["opt_state[0].trace['w']"])

    def test_a_schedule_that_is_new_goes_on_from_the_updates_made(self):
        falling = optax.linear_schedule(0.01, 0.0, 40)
        saved, state, told = self.moved(
            optax.sgd(0.01, momentum=0.9), optax.sgd(falling, momentum=0.9)
        )
        assert "not in the checkpoint: 10, the number of updates" in told
        assert state[1].count == 10
        chex.assert_trees_all_equal(state[0].trace["w"], saved["opt_state[0].trace['w']"])

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            (lo.adam(0.01), optax.chain(optax.clip_by_global_norm(1.0), lo.adam(0.01))),
            (
                lo.chain(lo.scale_by_learning_rate(0.01), lo.trace(0.9), lo.average_iterates()),
                lo.chain(lo.trace(0.9), lo.scale_by_learning_rate(0.01), lo.average_iterates()),
            ),
            (lo.adam(0.01), lo.adamw(0.01)),
        ],
        ids=["clip", "order", "decay"],
    )
    def test_a_clip_in_front_another_order_and_decay_lose_nothing(self, one, other):
        saved, state, told = self.moved(one, other)
        kept = sorted((np.asarray(x) for x in jax.tree.leaves(state)), key=_order)
        wanted = sorted((x for p, x in saved.items() if p.startswith("opt_state")), key=_order)
        chex.assert_trees_all_equal(kept, wanted)
        assert told == ""

    def test_another_optimizer_starts_anew_and_the_table_says_so(self):
        _, state, told = self.moved(TX, lo.adam(0.01))
        assert "(2 leaves) not in the checkpoint: starts again" in told
        assert "opt_state[0].trace" in told
        assert "only in the checkpoint: not restored" in told
        counts = [int(x) for x in jax.tree.leaves(state) if x.dtype == jnp.int32]
        assert counts[:2] == [0, 0]  # an average that is new must be corrected from its beginning

    def test_strict_refuses_with_the_path_that_does_not_fit(self, tmp_path):
        interrupt(tmp_path)
        before = bytes_in(tmp_path)
        with pytest.raises(ValueError, match=r"strict=True[^$]*opt_state\[0\]\.velocity"):
            fit(tmp_path, tx=lo.adam(0.01), strict=True)
        assert bytes_in(tmp_path) == before

    def test_a_finished_run_says_that_another_optimizer_was_not_used(self, tmp_path, whole):
        fit(tmp_path)
        with pytest.warns(UserWarning, match=r"is finished: .*adam|is finished: .*precondition"):
            again = fit(tmp_path, tx=lo.adam(0.01))
        chex.assert_trees_all_equal(learned(again)[0][0], whole[0][0])


def _order(x):
    return (x.dtype.name, x.shape, x.tobytes())


def empty_a_file(step):
    max((x for x in step.rglob("*") if x.is_file()), key=lambda x: x.stat().st_size).write_bytes(
        b""
    )


def lose_the_notes(step):
    (step / "saved" / "_CHECKPOINT_METADATA").unlink()


def lose_everything(step):
    shutil.rmtree(step)
    step.mkdir()


def flip_a_bit(step):
    for path in (x for x in step.rglob("*") if x.parent.name == "d"):
        content = bytearray(path.read_bytes())
        for i in range(0, len(content), 64):
            content[i] ^= 1
        path.write_bytes(bytes(content))


class TestDamage:
    @pytest.mark.parametrize("damage", [empty_a_file, lose_the_notes, lose_everything, flip_a_bit])
    def test_a_damaged_checkpoint_falls_back_to_the_one_before(self, tmp_path, damage, whole):
        saved_twice(tmp_path)
        earlier, last = steps_in(tmp_path)
        damage(tmp_path / str(last))
        with pytest.warns(
            UserWarning, match=f"checkpoint {last} .* is damaged .* from checkpoint {earlier}"
        ):
            result = fit(tmp_path)
        chex.assert_trees_all_equal(learned(result), whole)
        chex.assert_trees_all_equal(learned(fit(tmp_path)), whole)

    def test_where_all_are_damaged_nothing_is_removed(self, tmp_path):
        saved_twice(tmp_path)
        for step in steps_in(tmp_path):
            empty_a_file(tmp_path / str(step))
        before = bytes_in(tmp_path)
        with pytest.raises(ValueError, match=r"no checkpoint in .* can be read"):
            fit(tmp_path)
        assert bytes_in(tmp_path) == before

    def test_what_was_half_written_is_passed_over_and_swept_away(self, tmp_path, whole):
        interrupt(tmp_path)
        (step,) = steps_in(tmp_path)
        half = tmp_path / "39.part"
        shutil.copytree(tmp_path / str(step), half)
        empty_a_file(half)
        chex.assert_trees_all_equal(learned(fit(tmp_path)), whole)
        assert not half.exists()


class TestDisk:
    def test_a_full_disk_costs_a_sentence_and_not_the_run(self, tmp_path, whole):
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (64, hard))  # a write beyond it fails
        try:
            with pytest.warns(UserWarning) as told:
                result = fit(tmp_path)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        chex.assert_trees_all_equal(learned(result), whole)
        assert len(told) == 1
        text = str(told[0].message)
        assert "step 40 could not be saved" in text and "still returns its result" in text
        assert "\n" not in text
        chex.assert_trees_all_equal(learned(fit(tmp_path)), whole)

    def test_a_disk_that_is_full_for_a_while_is_tried_again(self, tmp_path, whole, eager):
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        full = when(1, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (64, hard)))
        free = when(30, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard)))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            fit(tmp_path, hooks=[full, free])
        chex.assert_trees_all_equal(learned(fit(tmp_path)), whole)
        assert steps_in(tmp_path)[-1] == 40

    def test_a_folder_that_cannot_be_is_refused_before_training(self, tmp_path):
        (tmp_path / "file").write_text("")
        events = []
        with pytest.raises(OSError, match=r"cannot be written to .* nothing was trained"):
            fit(tmp_path / "file" / "folder", hooks=[events.append])
        assert events == []

    def test_without_orbax_the_extra_is_named(self, tmp_path, monkeypatch):
        monkeypatch.setitem(sys.modules, "orbax.checkpoint", None)
        with pytest.raises(ImportError, match=r"pip install .*\[train\]"):
            fit(tmp_path)


class TestTimes:
    def test_the_first_save_is_soon_and_later_ones_take_a_fiftieth(self, tmp_path, monkeypatch):
        """By a simulated clock: an event every quarter of a second, and a save takes 0.1 s."""
        now, begun = [0.0], []
        monkeypatch.setattr(saves.time, "perf_counter", lambda: now[0])
        run = saves.RunSaver(FakeRun(), None, FakeFolder(begun, now), {}, {})
        monkeypatch.setattr(saves, "snapshot", lambda *x: Saved({}, {}))
        for step in range(1, 100):
            run.run.step, now[0] = step, now[0] + 0.25
            run.hook(saves.Event(run.run, step, {"loss": np.zeros(1)}, None))
        assert begun[0] <= 0.25 + 1.0 + 0.25
        gaps = np.diff(begun)
        assert len(gaps) >= 2
        assert (0.1 / gaps <= 0.02).all() and (gaps <= 0.1 / 0.02 + 0.75).all()


class FakeRun(Run):
    """A run that has no end."""

    step = 0

    def __init__(self):
        self.steps, self.stopped, self.history = 10**9, None, History()
        self.carry = Carry({}, {}, {}, jax.random.key(0), 0)


class FakeFolder(CheckpointFolder):
    """A disk on which each write takes 0.1 s, and is noticed at the next event."""

    is_writing, path = False, Path("folder")

    def __init__(self, begun, now):
        self.begun, self.now = begun, now

    def write(self, step, arrays, notes):
        self.begun.append(self.now[0])
        self.is_writing = True

    def finished(self):
        self.is_writing = False
        return 0.1
