"""Chunks are single steps, bitwise; what is not finite stops the run before it does damage."""

from typing import NamedTuple

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import lecture_optax as lo
from lecture_optax.training import History, NonFiniteError, Problem, Program, Run
from lecture_optax.training.compiled.program import slow_in_a_loop
from lecture_optax.training.loop import backup
from lecture_optax.training.loop.loop import run_loop
from lecture_optax.training.loop.sources import ArraySource

from ..models import ADAM, PROBLEMS, TRAIN, VALID, LinenNet, noisy


def noisy_problem(kind):
    build = getattr(Problem, f"from_{kind}")
    return build(noisy(kind), TRAIN, loss="cross_entropy")


def slow(*values):
    return pytest.param(*values, marks=pytest.mark.slow)


@pytest.mark.parametrize("kind", ["nnx", slow("linen"), slow("equinox")])
def test_chunks_are_jitted_single_steps_bitwise(kind):
    result = lo.fit(noisy_problem(kind), tx=ADAM, steps=40, batch_size=16, seed=5)
    program = Program.of(noisy_problem(kind), ADAM, batch_size=16)
    step = jax.jit(lambda carry: program.step(carry, program.batch(carry)))
    carry, losses = program.init(seed=5), []
    for _ in range(40):
        carry, record = step(carry)
        losses.append(record.loss)
    np.testing.assert_array_equal(result.history["loss"], np.stack(losses))
    chex_equal((result.params, result.model_state), (carry.params, carry.model_state))


def chex_equal(one, other):
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        np.testing.assert_array_equal(np.asarray(a), np.asarray(b))


def test_the_step_scans_in_a_loop_of_ones_own():
    program = Program.of(PROBLEMS["linen"](), ADAM, batch_size=16)

    def body(carry, _):
        return program.step(carry, program.batch(carry))

    carry, record = jax.jit(lambda c: jax.lax.scan(body, c, length=50))(program.init(seed=0))
    result = lo.fit(PROBLEMS["linen"](), tx=ADAM, steps=50, batch_size=16, keep="last")
    np.testing.assert_allclose(record.loss, result.history["loss"], rtol=1e-5)
    assert int(carry.step) == 50


def climbing(edge):
    """A loss that is infinite beyond `edge`; with rate 1 every step adds 1."""

    def loss(params, batch):
        return jnp.where(params > edge, jnp.inf, -params) * jnp.ones(batch.shape[0])

    return Problem.from_functions(
        init=lambda key: jnp.float32(0.0), loss=loss, train=np.zeros(8, np.float32)
    )


@pytest.mark.parametrize("one_by_one", [False, True])
@pytest.mark.parametrize("steps_before", [0, 3, 5])
def test_a_step_that_is_not_finite_is_named_and_undone(one_by_one, steps_before):
    program = Program.of(climbing(5.5), lo.sgd(1.0), batch_size=8)
    run = Run(program, program.init(), 100, (steps_before, 100))
    rows = ArraySource(jnp.zeros(8), one_by_one=one_by_one)
    words = r"loss .* step 6 at learning rate 1 \(last finite loss: -5\).* those of step 6\."
    with pytest.raises(NonFiniteError, match=words) as e:
        run_loop(run, rows)
    assert e.value.run is run
    assert float(run.carry.params) == run.step == len(run.history) == 6


def test_a_first_step_that_is_not_finite_is_named():
    program = Program.of(climbing(-1.0), lo.sgd(1.0), batch_size=8)
    run = Run(program, program.init(), 100, (100,))
    with pytest.raises(NonFiniteError, match=r"loss .* step 0 at learning rate 1"):
        run_loop(run, ArraySource(jnp.zeros(8)))


def test_where_batches_cannot_be_read_again_the_run_returns_to_its_backup(monkeypatch):
    monkeypatch.setattr(backup, "SECONDS", np.inf)

    class IterableSource(NamedTuple):
        rows: ArraySource
        data = sample_weight = None
        can_replay, cause = False, ""

        def advance(self, program, carry, steps):
            return self.rows.advance(program, carry, steps)

    program = Program.of(climbing(5.5), lo.sgd(1.0), batch_size=8)
    run = Run(program, program.init(), 100, (3, 100))
    with pytest.raises(NonFiniteError, match=r"step 6 .* those of step 0\."):
        run_loop(run, IterableSource(ArraySource(jnp.zeros(8))))
    assert (
        float(run.carry.params) == run.step == len(run.history) == len(run.history.evaluations) == 0
    )


@pytest.mark.parametrize("step", [0, 1, 3, 4, 9])
def test_a_history_is_cut_at_a_step(step):
    blocks = [{"loss": np.arange(3.0)}, {"loss": np.arange(3.0, 7.0)}]
    history = History(blocks, [{"step": 3}, {"step": 7}], [(3, np.ones(1)), (7, np.ones(1))])
    history.cut(step)
    np.testing.assert_array_equal(history.since(0), np.arange(float(min(step, 7))))
    assert all(line["step"] <= step for line in history.evaluations)


def test_hooks_see_every_record_once_and_every_evaluation():
    seen, evaluations = [], []

    def hook(event):
        seen.extend(event.records.get("loss", ()))
        evaluations.extend([event.evaluation["step"]] if event.evaluation else [])
        assert len(event.run.history) == event.step

    result = lo.fit(PROBLEMS["linen"](), tx=ADAM, steps=37, evaluations=[10, 20], hooks=[hook])
    np.testing.assert_array_equal(seen, result.history["loss"])
    assert evaluations == [10, 20, 37]


def test_a_callback_that_returns_true_ends_the_run_at_its_evaluation():
    result = lo.fit(
        LinenNet(),
        TRAIN,
        loss="cross_entropy",
        tx=ADAM,
        steps=100,
        evaluations=10,
        callbacks=[lambda record: record["step"] >= 30],
    )
    assert result.steps == 30


def test_the_best_of_all_looks_is_kept_and_evaluates_to_what_was_seen():
    result = lo.fit(PROBLEMS["linen"](), tx=lo.sgd(1.0), steps=200, batch_size=8, evaluations=40)
    again = lo.training.losses.cross_entropy(result.predict(VALID[0]), jnp.asarray(VALID[1]))
    assert float(again.mean()) == pytest.approx(result.history["valid_loss"].min(), rel=1e-5)


class Convolves(nn.Module):
    @nn.compact
    def __call__(self, x):
        x = nn.remat(nn.Conv)(3, (2,))(x[..., None])  # seen through a call, too
        return nn.Dense(2)(x.reshape(len(x), -1))


@pytest.mark.parametrize(("model", "slow"), [(Convolves(), True), (LinenNet(), False)])
def test_a_convolution_on_a_cpu_leaves_the_compiled_loop_and_gives_the_same(model, slow):
    program = Program.of(
        Problem.from_linen(model, TRAIN, loss="cross_entropy"), ADAM, batch_size=16
    )
    data = jax.tree.map(jnp.asarray, TRAIN)
    assert slow_in_a_loop(program, program.init(), data) == slow
    single, table, finite, _ = ArraySource(data, one_by_one=True).advance(
        program, program.init(), 5
    )
    chunk, records, *_ = ArraySource(data).advance(program, program.init(), 5)
    assert finite
    assert int(single.step) == 5
    np.testing.assert_allclose(table[:5], records[:5], rtol=1e-5, atol=1e-6)
    chex.assert_trees_all_close(single.params, chunk.params, rtol=1e-5, atol=1e-6)
