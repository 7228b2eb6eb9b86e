"""Runs that continue: to more steps, with another optimizer, and from their own weights."""

import itertools
from pathlib import Path

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

import lecture_optax as lo
from lecture_optax.training import Problem
from lecture_optax.training._trees import by_path
from lecture_optax.training.checkpoint.folder import CheckpointFolder
from lecture_optax.training.checkpoint.identity import identity_of
from lecture_optax.training.checkpoint.optimizer_change import optimizer_notes
from lecture_optax.training.checkpoint.saver import RunSaver
from lecture_optax.training.checkpoint.snapshot import snapshot
from lecture_optax.training.loop.sources import ArraySource

from ..models import ADAM
from .test_checkpoint import (
    OPTIONS,
    TX,
    VALID,
    X,
    Y,
    fit,
    interrupt,
    learned,
    noisy_loss,
    run_of,
    start,
    terminate,
    when,
    whole,
)

__all__ = ["whole"]  # a fixture


class TestMoreSteps:
    @pytest.mark.parametrize("half_done", [False, True])
    def test_a_continued_run_has_the_bits_of_a_long_one(self, tmp_path, whole, half_done):
        evaluations = [5, 10, 15, 20]
        if half_done:
            interrupt(tmp_path, 10, steps=20, evaluations=evaluations)
        else:
            fit(tmp_path, steps=20, evaluations=evaluations)
        evaluations = [5, 10, 15, 20, 25, 30, 35, 40]
        result = fit(tmp_path, steps=40, evaluations=evaluations)
        chex.assert_trees_all_equal(learned(result), whole)
        assert fit(tmp_path, steps=40, evaluations=evaluations).steps == 40

    def test_evaluations_that_were_made_stay(self, tmp_path):
        fit(tmp_path, steps=20, evaluations=4)
        result = fit(tmp_path, steps=40, evaluations=4)
        steps = [line["step"] for line in result.history.evaluations]
        assert steps == [5, 10, 15, 20, 30, 40]

    def test_other_evaluations_of_the_steps_that_are_done_are_refused(self, tmp_path):
        fit(tmp_path, steps=20, evaluations=4)
        with pytest.raises(ValueError, match="another run: evaluations is 5, was 4"):
            fit(tmp_path, steps=40, evaluations=5)

    def test_fewer_steps_are_refused(self, tmp_path):
        fit(tmp_path)
        with pytest.raises(ValueError, match=r"steps=20 is less than the 40 .* 40 are done"):
            fit(tmp_path, steps=20)

    def test_a_run_that_a_callback_ended_continues(self, tmp_path):
        assert fit(tmp_path, steps=40, callbacks=[lambda record: record["step"] >= 20]).steps == 20
        assert fit(tmp_path, steps=60, evaluations=8).steps == 60

    def test_a_schedule_that_has_come_to_0_is_refused(self, tmp_path):
        tx = lo.sgd(lo.schedules.linear(0.01, 20))
        fit(tmp_path, tx=tx, steps=20)
        with (
            pytest.warns(UserWarning, match="ends at step 20"),
            pytest.raises(ValueError, match=r"linear\(0.01, 20\) has come to 0: nothing would"),
        ):
            fit(tmp_path, tx=tx, steps=40)

    @pytest.mark.usefixtures("promotes")
    def test_a_schedule_of_optax_that_has_come_to_0_is_warned_of(self, tmp_path):
        tx = optax.sgd(optax.linear_schedule(0.01, 0.0, 20))
        fit(tmp_path, tx=tx, steps=20)
        ends, stands = "LO108: the learning rate ends at step 20", "the update after step 20 is 0"
        with pytest.warns(UserWarning, match=ends), pytest.warns(UserWarning, match=stands):
            fit(tmp_path, tx=tx, steps=40)

    def test_the_default_continues_as_the_longer_run(self, tmp_path):
        fit(tmp_path / "run", tx=None, steps=20, evaluations=2)
        result = fit(tmp_path / "run", tx=None, steps=40, evaluations=4)
        whole = fit(tmp_path / "whole", tx=None, steps=40, evaluations=4)
        chex.assert_trees_all_equal(learned(result), learned(whole))

    def test_a_run_with_the_earlier_default_is_not_resumed_with_this_one(self, tmp_path):
        """It was Adam at 1e-3 with a linear decay to 0, without an average."""
        earlier = lo.adam(lo.schedules.linear(1e-3, 20))
        interrupt(tmp_path, 10, tx=earlier, steps=20)
        with pytest.raises(ValueError, match=r"average is average_iterates\(.*, was absent"):
            fit(tmp_path, tx=None, steps=20)
        assert fit(tmp_path, tx=earlier, steps=20).steps == 20


SLOW = pytest.mark.slow
SCHEDULE = lo.schedules.linear(0.01, 40)


def injected(rate):
    return optax.inject_hyperparams(optax.adam)(rate)


def accumulated(every):
    return optax.MultiSteps(ADAM, every).gradient_transformation()


def notes_of(run):
    return identity_of(run, ArraySource((X, Y)), 0, {})


def saved_at_10(tx):
    """A checkpoint of a run that has taken 10 steps of another size each."""
    run = run_of(tx)
    optimizer = optimizer_notes(tx, run.carry)
    step = jax.jit(run.program.step)
    blocks = []
    for _ in range(10):
        run.carry, record = step(run.carry, (X[:16], Y[:16]))
        columns = {"loss": record.loss, "learning_rate": record.learning_rate}
        blocks.append({name: x[None] for name, x in columns.items() if x is not None})
    run.history.blocks[:] = [{name: np.asarray(x) for name, x in block.items()} for block in blocks]
    return snapshot(run, None, notes_of(run), optimizer)


def saver_of(run, saved):
    optimizer = optimizer_notes(run.program.optimizer, run.carry)
    return RunSaver(run, None, FakeFolder(saved), notes_of(run), optimizer)


class FakeFolder(CheckpointFolder):
    """A folder with one checkpoint, of step 10."""

    def __init__(self, saved):
        self.path, self.saved = Path("folder"), saved

    def newest(self, check):
        check(10, self.saved)
        return 10, self.saved


@pytest.fixture
def promotes():
    """Several transformations of Optax add dtypes that differ."""
    with jax.numpy_dtype_promotion("standard"):
        yield


@pytest.mark.usefixtures("promotes")
class TestOptimizers:
    @pytest.mark.parametrize(
        ("before", "after", "words"),
        [
            (
                TX,
                lo.sgd(0.005, momentum=0.9),
                "From step 10 on, the .* is 0.005, was 0.01",
            ),
            (TX, lo.sgd(SCHEDULE, momentum=0.9), "From step 10 on, the learning rate is 0.0075"),
            (TX, optax.sgd(0.01, momentum=0.9), "Its learning rate is not in its state"),
            (optax.sgd(0.01), optax.sgd(0.02), "has other arguments than it had"),
            (injected(0.01), injected(0.02), "the learning rate is 0.02, was 0.01"),
            (ADAM, accumulated(2), "the learning rate is 0.01, was 0.01"),
            pytest.param(ADAM, injected(0.02), "is 0.02, was 0.01", marks=SLOW),
            pytest.param(injected(0.02), ADAM, "is 0.01, was 0.02", marks=SLOW),
            pytest.param(accumulated(2), ADAM, "is 0.01, was 0.01", marks=SLOW),
            pytest.param(accumulated(2), accumulated(4), "has other arguments", marks=SLOW),
        ],
        ids=itertools.count(),
    )
    def test_another_optimizer_in_the_middle_of_a_run_is_told(self, before, after, words):
        run, saved = run_of(after), saved_at_10(before)
        saver = RunSaver(
            run, None, FakeFolder(saved), notes_of(run), optimizer_notes(after, run.carry)
        )
        with pytest.warns(UserWarning, match=words) as told:
            assert not saver.resume(strict=False)
        assert len(told) == 1
        assert "the optimizer" in str(told[0].message)

    @pytest.mark.parametrize(
        "tx", [TX, optax.sgd(0.01), injected(0.01), accumulated(2)], ids=itertools.count()
    )
    def test_the_same_optimizer_is_resumed_without_a_word(self, tx):
        run, saved = run_of(tx), saved_at_10(tx)
        saver = RunSaver(
            run, None, FakeFolder(saved), notes_of(run), optimizer_notes(tx, run.carry)
        )
        assert not saver.resume(strict=True)
        wanted = {path: x for path, x in saved.arrays.items() if path.startswith("opt_state")}
        chex.assert_trees_all_equal(by_path(run.carry.opt_state, "opt_state"), wanted)

    def test_a_learning_rate_that_is_not_known_is_nan(self, tmp_path):
        interrupt(tmp_path, 10)
        with pytest.warns(UserWarning):
            result = fit(tmp_path, tx=optax.sgd(0.01, momentum=0.9))
        rates = result.history["learning_rate"]
        assert rates[0] == np.float32(0.01)
        assert np.isnan(rates[-1])
        assert len(result.plot()) == 3

    def test_numbers_that_a_hook_has_set_in_the_state_are_restored(self, tmp_path):
        tx = optax.inject_hyperparams(optax.sgd)(0.01)

        def set_to(event):
            event.run.carry.opt_state.hyperparams["learning_rate"] = jnp.float32(0.005)

        with pytest.raises(SystemExit):
            fit(tmp_path, tx=tx, hooks=[set_to, when(10, terminate)])
        assert fit(tmp_path, tx=tx).history["learning_rate"][-1] == np.float32(0.005)


class TestWeights:
    def fit(self, folder, model, **options):
        y, valid = Y[:, None], (VALID[0], VALID[1][:, None])
        return lo.fit(
            model,
            (X, y),
            checkpoint=folder,
            **{**OPTIONS, "valid": valid, "loss": "mse", "evaluations": 4, **options},
        )

    @pytest.mark.parametrize("average", [False, pytest.param(True, marks=SLOW)])
    def test_a_notebook_may_run_its_cell_again(self, tmp_path, average):
        """An nnx model holds the weights that the run has returned."""
        options = {"average": average, "keep": "last"}
        model = nnx.Linear(3, 1, rngs=nnx.Rngs(0))
        kernel = np.asarray(self.fit(tmp_path, model, **options).params["kernel"])
        again = self.fit(tmp_path, model, **options)
        np.testing.assert_array_equal(again.params["kernel"], kernel)
        longer = self.fit(tmp_path, model, steps=60, **options)
        assert longer.steps == 60
        assert self.fit(tmp_path, model, steps=60, **options).steps == 60
        fresh = nnx.Linear(3, 1, rngs=nnx.Rngs(0))  # in another process
        assert self.fit(tmp_path, fresh, steps=60, **options).steps == 60

    def test_other_weights_are_refused(self, tmp_path):
        self.fit(tmp_path, nnx.Linear(3, 1, rngs=nnx.Rngs(0)))
        with pytest.raises(
            ValueError, match=r"the weights at the start are 4 in 2 arrays #\w+, were"
        ):
            self.fit(tmp_path, nnx.Linear(3, 1, rngs=nnx.Rngs(1)))

    def test_params_that_the_run_returned_continue_it(self, tmp_path):
        first = fit(tmp_path, steps=20, evaluations=[20])
        given = Problem.from_functions(
            init=start,
            loss=noisy_loss,
            train=(X, Y),
            valid=VALID,
            params=first.params,
        )
        assert fit(tmp_path, given, steps=40, evaluations=[20, 40]).steps == 40
