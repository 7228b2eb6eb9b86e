"""Full records every few steps: the same parameters, and the same words for what is not finite."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import lecture_optax as lo
from lecture_optax.training import History, NonFiniteError, Problem, Program, Run
from lecture_optax.training.checkpoint import saver
from lecture_optax.training.checkpoint.folder import CheckpointFolder
from lecture_optax.training.loop import backup, loop
from lecture_optax.training.loop.loop import interval_of, run_loop
from lecture_optax.training.loop.sources import ArraySource

from ..models import ADAM, PROBLEMS, TRAIN, plain_init, plain_loss


@pytest.fixture
def every(monkeypatch):
    """Take full records of all models as seldom as of large ones."""

    def use(interval):
        monkeypatch.setattr(loop, "LARGE", 0)
        monkeypatch.setattr(loop, "INTERVAL", interval)

    return use


def fit(**options):
    given = {"tx": ADAM, "steps": 120, "batch_size": 16, "evaluations": 3, "progress": False}
    return lo.fit(PROBLEMS["linen"](), **given | options)


def known(history, name="grad_norm"):
    return (np.flatnonzero(np.isfinite(history[name])) + 1).tolist()


def test_a_model_of_a_million_parameters_has_full_records_of_every_step():
    assert interval_of({"w": jax.ShapeDtypeStruct((1000, 1000), jnp.float32)}) == 1
    assert interval_of({"w": jax.ShapeDtypeStruct((1000, 1001), jnp.float32)}) == loop.INTERVAL


@pytest.fixture(scope="module")
def dense():
    return fit()


def test_the_parameters_do_not_depend_on_the_interval(every, dense):
    """To the bit: the steps are one program. That of a small model may differ in the last bit."""
    every(7)
    one = fit()
    every(100)
    other = fit()
    jax.tree.map(np.testing.assert_array_equal, one.params, other.params)
    np.testing.assert_array_equal(one.history["loss"], other.history["loss"])
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-4), one.params, dense.params)


@pytest.mark.parametrize("interval", [7, 100])
def test_steps_of_the_interval_and_evaluations_have_full_records(every, dense, interval):
    every(interval)
    sparse = fit()
    full = {*range(1, 121, interval), 40, 80, 120}
    for name in ("grad_norm", "update_norm", "update_ratio"):
        assert known(sparse.history, name) == sorted(full)
        at = np.array(sorted(full)) - 1
        np.testing.assert_allclose(sparse.history[name][at], dense.history[name][at], rtol=1e-4)
    for (step, ours), (other, theirs) in zip(
        sparse.history.ratios, dense.history.ratios, strict=True
    ):
        assert step == other
        np.testing.assert_allclose(ours, theirs, rtol=1e-4)


def test_without_a_validation_set_the_last_evaluation_has_a_full_record(every):
    every(100)
    problem = Problem.from_functions(init=plain_init, loss=plain_loss, train=TRAIN)
    history = lo.fit(problem, tx=ADAM, steps=20, evaluations=4).history
    assert known(history) == [1, 20]
    assert [step for step, _ in history.ratios] == [20]


BAD = 17
"""The example with a gradient, or a loss, that is not finite."""


def problem_with(kind):
    """A problem of which an example is bad: its loss, or the gradient alone."""

    def loss(params, batch):
        x, bad = batch
        fine = (x @ params["w"] - 1) ** 2
        if kind == "loss":
            return jnp.where(bad, jnp.inf, fine)
        # 0 with a gradient of 0 * inf, and finite also where `v` is not
        return fine + jnp.nan_to_num(0 * jnp.sqrt(jnp.where(bad, 0.0, 1.0) * params["v"]))

    x = np.random.default_rng(0).normal(size=(64, 2)).astype(np.float32)
    return Problem.from_functions(
        init=lambda key: {"v": jnp.ones(()), "w": jnp.zeros(2)},
        loss=loss,
        train=(x, np.arange(64) == BAD),
    )


def failure_of(problem, source=None, **options):
    program = Program.of(problem, lo.sgd(0.1), batch_size=1)
    run = Run(program, program.init(seed=3), 100, (30, 60, 100), **options)
    source = source or ArraySource(jax.tree.map(jnp.asarray, problem.train))
    with pytest.raises(NonFiniteError) as error:
        run_loop(run, source)
    return error.value


@pytest.mark.parametrize("kind", ["loss", "gradient"])
def test_a_step_between_full_records_is_named_as_with_all_of_them(kind):
    problem = problem_with(kind)
    dense = failure_of(problem)
    assert dense.step > 1 and (dense.step % 100) and (dense.step + 1) % 30
    sparse = failure_of(problem, history=History(interval=100))
    assert str(sparse) == str(dense)
    assert ("row 17" if kind == "loss" else "gradient of ['v']") in str(sparse)
    assert (sparse.step, sparse.quantity) == (dense.step, dense.quantity)
    assert sparse.run.step == len(sparse.run.history) == dense.step
    one, other = sparse.run.carry.params, dense.run.carry.params
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-6), one, other)


class Once:
    """A source whose batches cannot be taken again."""

    data = sample_weight = None
    cause = ""

    def __init__(self, problem):
        self.rows = ArraySource(jax.tree.map(jnp.asarray, problem.train))

    def advance(self, *arguments):
        return self.rows.advance(*arguments)


def test_where_steps_cannot_be_repeated_the_message_says_what_is_known(monkeypatch):
    monkeypatch.setattr(backup, "SECONDS", np.inf)
    problem = problem_with("gradient")
    found = failure_of(problem, Once(problem), history=History(interval=100))
    assert found.quantity == "a parameter"
    assert "It is ['v']. Norms are recorded at every 100th step, so an earlier" in str(found)
    assert found.run.step == len(found.run.history) == 0


def test_without_a_backup_a_run_returns_to_its_checkpoint(every, tmp_path):
    problem = problem_with("loss")
    given = {"tx": lo.sgd(0.1), "batch_size": 1, "seed": 3, "backup": False}
    with pytest.raises(NonFiniteError, match=r"could not be restored.* give backup=True") as error:
        lo.fit(problem, **given, steps=100)
    assert not error.value.run.backup
    every(100)
    step = error.value.step
    lo.fit(problem, **given, steps=step - 1, evaluations=0, checkpoint=tmp_path)
    words = rf"row 17 .*parameters are those of step {step}\."
    with pytest.raises(NonFiniteError, match=words) as error:
        lo.fit(problem, **given, steps=100, evaluations=0, checkpoint=tmp_path)
    assert error.value.run.step == step


def test_parameters_that_are_not_finite_are_not_saved(every, monkeypatch, tmp_path):
    every(100)
    monkeypatch.setattr(loop, "CHUNK", 5)
    monkeypatch.setattr(saver.SaveTimer, "is_due", lambda timer: True)
    given = {"tx": lo.sgd(0.1), "batch_size": 1, "seed": 3, "evaluations": [90]}
    with pytest.raises(NonFiniteError) as error:
        lo.fit(problem_with("gradient"), **given, steps=100, checkpoint=tmp_path)
    step, saved = CheckpointFolder(tmp_path).newest()
    assert 0 < step <= error.value.run.step < 80  # chunks end between it and the evaluation
    assert np.isfinite(saved.arrays["params['v']"])


def test_a_backup_is_kept_where_it_fits(monkeypatch):
    class Device:
        free = 100

        def memory_stats(self):
            return {"bytes_limit": 1000, "bytes_in_use": 1000 - self.free}

    class Key:
        class sharding:
            addressable_devices = (Device(),)

    carry = Program.of(problem_with("loss"), lo.sgd(0.1)).init()._replace(key=Key())
    size = sum(x.nbytes for x in jax.tree.leaves(carry._replace(key=None, step=None)))
    assert [backup._fits(carry) for Device.free in (2 * size, 2 * size - 1)] == [True, False]


def test_a_resumed_run_has_the_interval_of_its_checkpoint(every, tmp_path):
    every(7)
    fit(steps=60, checkpoint=tmp_path, evaluations=[60])
    every(11)
    history = fit(checkpoint=tmp_path, evaluations=[60]).history
    assert history.interval == 7
    assert known(history) == sorted({*range(1, 121, 7), 60, 120})


def test_reports_plots_and_logs_read_what_is_known(every, tmp_path):
    every(50)
    result = fit(evaluations=[120], log=tmp_path / "run.jsonl", keep="last")
    assert "every 50th step" in result.report()
    assert "every 50th step" in repr(result.history)
    assert "optimizer state; as much for the backup" in " ".join(result.report().split())
    line = result.plot()[2].lines[0]
    assert line.get_xdata().tolist() == [1, 51, 101, 120]
    assert np.isfinite(line.get_ydata()).all()
    lines = [json.loads(line) for line in (tmp_path / "run.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if "grad_norm" in line] == [1, 51, 101, 120]
    assert lo.recipe.diagnose(result).symptom.failed is None
