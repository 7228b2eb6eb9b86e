"""Data larger than memory come as an iterable of batches, and a run resumes at its place."""

import itertools
import signal
import types
import warnings

import chex
import grain
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh

import lecture_optax as lo
from lecture_optax.training import NonFiniteError, Problem, Program, Run
from lecture_optax.training.compiled.row_order import batch_rows
from lecture_optax.training.compiled.step import keys_of
from lecture_optax.training.loop import backup, loop
from lecture_optax.training.loop.sources import IterableSource

from ...stress.train_process import grain_batches

_random = np.random.default_rng(0)
X = _random.normal(size=(48, 3)).astype(np.float32)
Y = (X @ np.array([1.0, -2.0, 0.5], np.float32)).astype(np.float32)
TX = lo.sgd(0.01, momentum=0.9)
STEPS, SIZE = 40, 16
ULPS = STEPS * SIZE * float(np.finfo("float32").eps)  # as many terms, summed in any order


def start(key):
    return {"w": jnp.zeros(3)}


def square(params, batch):
    return (batch[0] @ params["w"] - batch[1]) ** 2


def problem_on(data):
    return Problem.from_functions(init=start, loss=square, train=data)


def fit(data, **options):
    options = {"tx": TX, "steps": STEPS, "progress": False, **options}
    return lo.fit(problem_on(data), **options)


def learned(result):
    return result.params, result.opt_state, result.history.per_step


class Epochs:
    """Batches in order, the same ones each time."""

    def __init__(self, batches=3):
        self.batches = [
            (X[i * SIZE : (i + 1) * SIZE], Y[i * SIZE : (i + 1) * SIZE]) for i in range(3)
        ]
        self.batches = self.batches[:batches]

    def __iter__(self):
        return iter(self.batches)


class Shuffled(Epochs):
    """Other batches each time, as of a loader without a seed."""

    random = np.random.default_rng(0)

    def __iter__(self):
        while True:
            rows = self.random.permutation(48)[:SIZE]
            yield X[rows], Y[rows]


class Records:
    """A source as Grain's loader takes one, without a `__repr__`."""

    def __len__(self):
        return len(X)

    def __getitem__(self, i):
        return X[i], Y[i]


def grain_loader():
    shards = grain.sharding.NoSharding()
    sampler = grain.samplers.IndexSampler(48, shards, shuffle=True, num_epochs=None, seed=1)
    batch = grain.transforms.Batch(SIZE, drop_remainder=True)
    return grain.DataLoader(data_source=Records(), sampler=sampler, operations=[batch])


def forever():
    return itertools.cycle(Epochs())


def stop_at(step):
    """A hook that asks the run to stop, at that step or after it."""

    def hook(event):
        if event.step >= step:
            signal.raise_signal(signal.SIGTERM)

    return hook


def interrupted(folder, data, step=10):
    with pytest.raises(SystemExit) as stopped:
        fit(data, checkpoint=folder, hooks=[stop_at(step)])
    assert stopped.value.code == 143


class TestNumbers:
    def test_batches_of_an_iterable_are_rows_on_the_device(self):
        order = keys_of(jax.random.key(0))[0]
        rows = jax.jit(jax.vmap(lambda step: batch_rows(order, step, 48, SIZE)))(jnp.arange(STEPS))
        streamed = fit((X[i], Y[i]) for i in np.asarray(rows))
        held = fit((X, Y), batch_size=SIZE)
        chex.assert_trees_all_close(learned(streamed), learned(held), rtol=ULPS, atol=ULPS)
        assert len(streamed.history) == STEPS

    def test_what_can_be_iterated_anew_is_at_its_end(self):
        chex.assert_trees_all_equal(learned(fit(Epochs())), learned(fit(forever())))

    def test_accumulated_batches_are_one_larger_batch(self):
        def halves():
            for x, y in forever():
                yield x[:8], y[:8]
                yield x[8:], y[8:]

        two, one = fit(halves(), accumulate=2), fit(forever())
        chex.assert_trees_all_close(learned(two), learned(one), rtol=ULPS, atol=ULPS)

    def test_the_devices_of_a_mesh_share_every_batch(self):
        mesh = Mesh(np.array(jax.devices()), ("rows",))
        shared, alone = fit(Epochs(), mesh=mesh), fit(Epochs())
        assert shared.params["w"].sharding.mesh.size == 8
        chex.assert_trees_all_close(learned(shared), learned(alone), rtol=ULPS, atol=ULPS)

    def test_a_reader_may_fill_the_same_memory_again(self):
        def refilled():
            x, y = np.empty((SIZE, 3), np.float32), np.empty(SIZE, np.float32)
            for batch in forever():
                x[:], y[:] = batch
                yield x, y

        chex.assert_trees_all_equal(learned(fit(refilled())), learned(fit(forever())))

    def test_a_batch_that_is_not_finite_ends_the_run_before_its_chunk(self, monkeypatch):
        monkeypatch.setattr(backup, "SECONDS", 0.0)
        monkeypatch.setattr(backup, "SHARE", np.inf)
        bad = (np.full_like(X[:SIZE], np.inf), Y[:SIZE])
        sequence = itertools.chain(itertools.islice(forever(), 20), [bad], forever())
        with pytest.raises(NonFiniteError, match=r"not finite at step 20 ") as stopped:
            fit(sequence)
        run = stopped.value.run
        assert 0 < run.step <= 20 and len(run.history) == run.step
        chex.assert_trees_all_equal(run.carry.params, fit(forever(), steps=run.step).params)


class TestGoingOn:
    @pytest.mark.parametrize("data", [lambda: grain_batches(X, Y, SIZE), grain_loader, Epochs])
    def test_an_interrupted_run_learns_the_same_bits(self, tmp_path, data):
        interrupted(tmp_path, data())
        chex.assert_trees_all_equal(learned(fit(data(), checkpoint=tmp_path)), learned(fit(data())))

    def test_a_run_asked_to_stop_before_its_first_step_has_taken_nothing(self, tmp_path):
        interrupted(tmp_path, grain_batches(X, Y, SIZE), step=0)
        again = fit(grain_batches(X, Y, SIZE), checkpoint=tmp_path)
        chex.assert_trees_all_equal(learned(again), learned(fit(grain_batches(X, Y, SIZE))))

    def test_an_iterator_that_was_used_is_put_back(self, tmp_path):
        """A person interrupts a cell of a notebook, and runs it again."""
        data = iter(grain_batches(X, Y, SIZE))
        interrupted(tmp_path, data)
        next(data)
        again = fit(data, checkpoint=tmp_path)
        chex.assert_trees_all_equal(learned(again), learned(fit(grain_batches(X, Y, SIZE))))

    def test_other_batches_than_before_are_refused(self, tmp_path):
        interrupted(tmp_path, Shuffled())
        with pytest.raises(ValueError, match=r"batch \d+ of data is not the one .* fixed seed"):
            fit(Shuffled(), checkpoint=tmp_path)

    def test_an_iterator_that_cannot_be_put_back_says_so_at_both_ends(self, tmp_path):
        with pytest.warns(
            UserWarning, match="this run is saved, but cannot resume after an interruption"
        ):
            interrupted(tmp_path, forever())
        with (
            pytest.warns(UserWarning),
            pytest.raises(ValueError, match=r"had given \d+ batches .* cannot return"),
        ):
            fit(forever(), checkpoint=tmp_path)

    def test_a_finished_run_needs_no_place(self, tmp_path):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            first, again = (fit(forever(), checkpoint=tmp_path) for _ in range(2))
        chex.assert_trees_all_equal(learned(again), learned(first))

    def test_batches_of_another_shape_are_another_run(self, tmp_path):
        interrupted(tmp_path, Epochs())
        narrow = Epochs()
        narrow.batches = [(x[:8], y[:8]) for x, y in narrow.batches]
        with pytest.raises(ValueError, match=r"batch\[0\] is float32\[8,3\], was float32\[16,3\]"):
            fit(narrow, checkpoint=tmp_path)

    def test_another_kind_of_iterable_is_refused(self, tmp_path):
        interrupted(tmp_path, Epochs())
        with pytest.raises(ValueError, match="another kind of iterable"):
            fit(grain_batches(X, Y, SIZE), checkpoint=tmp_path)


class TestOrder:
    def test_the_next_batch_is_fetched_while_a_step_runs_and_never_beyond_the_chunk(self):
        events = []

        class Finite:
            def __init__(self, i):
                self.i = i

            def block_until_ready(self):
                events.append(f"wait {self.i}")

        def given(carry, table, i, batch, weights, hyperparams, norms):
            events.append(f"step {i}")
            return carry, table, Finite(int(i)), None

        def fetched():
            for i, batch in enumerate(forever()):
                events.append(f"fetch {i}")
                yield batch

        compiled = types.SimpleNamespace(given=given)
        program = types.SimpleNamespace(compiled=compiled, hyperparams={}, home=None)
        stream = IterableSource(fetched())
        _advance(stream, program, 4)
        assert events == [
            *("fetch 0", "step 0", "fetch 1", "step 1", "fetch 2", "wait 0"),
            *("step 2", "fetch 3", "wait 1", "step 3"),
        ]


class TestMistakes:
    def test_data_that_run_out_are_trained_on_to_the_last_batch(self):
        program = Program.of(problem_on((X[:SIZE], Y[:SIZE])), TX, batch_size=SIZE)
        run = Run(program, program.init(0), STEPS, (STEPS,))
        with pytest.raises(ValueError, match="ended after step 25: ask for at most that"):
            loop.run_loop(run, IterableSource(itertools.islice(forever(), 25)))
        assert run.step == len(run.history) == 25
        chex.assert_trees_all_equal(run.carry.params, fit(forever(), steps=25).params)

    def test_a_short_batch_is_named_with_its_step(self):
        short = itertools.chain(itertools.islice(forever(), 5), [(X[:7], Y[:7])])
        with pytest.raises(
            ValueError, match=r"step 6 is batch\[0\] float32\[7,3\].*first one was.*drop_last=True"
        ):
            fit(short)

    def test_what_a_reader_raises_is_raised(self):
        def broken():
            yield from itertools.islice(forever(), 3)
            raise OSError("the disk is gone")

        with pytest.raises(OSError, match="the disk is gone"):
            fit(broken())

    def test_a_loop_of_ones_own_is_built_on_a_batch(self):
        with pytest.raises(TypeError, match=r"\(Epochs\).*build the problem on a first batch"):
            Program.of(problem_on(Epochs()), TX)

    def test_no_batch_at_all_is_refused(self):
        with pytest.raises(
            ValueError, match=r"data \(train of a problem\) must give batches, and gave none"
        ):
            fit(iter([]))

    @pytest.mark.parametrize(
        ("given", "words"),
        [
            ({"steps": None}, "an epoch has, got steps=None and epochs=None: give steps"),
            ({"steps": None, "epochs": 2}, "an epoch has, got steps=None and epochs=2: give steps"),
            ({"batch_size": 16}, "batch_size is for arrays"),
            ({"sample_weight": np.ones(48)}, "sample_weight is for arrays"),
        ],
    )
    def test_what_an_iterable_decides_by_itself_is_refused(self, given, words):
        with pytest.raises(ValueError, match=words):
            fit(Epochs(), **given)


def _advance(stream, program, steps):
    """Without the check of types: the program is an imitation."""
    return getattr(IterableSource.advance, "__wrapped__", IterableSource.advance)(
        stream, program, None, steps
    )
