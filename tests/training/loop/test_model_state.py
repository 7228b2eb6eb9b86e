"""A model's state that is not finite ends a run, whatever the loss is."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import lecture_optax as lo
from lecture_optax.training import NonFiniteError, Problem
from lecture_optax.training.checkpoint import saver
from lecture_optax.training.checkpoint.folder import CheckpointFolder
from lecture_optax.training.loop.nonfinite import StateWatch

X = np.random.default_rng(0).normal(size=(64, 4)).astype(np.float32)
Y = X.sum(1)
FIRST = 39
"""The step before the one at which 1, 11, 111, ... is beyond float32."""

OPTIONS = {"steps": 60, "batch_size": 16, "progress": False}


def init(key):
    return jnp.zeros(4), {"sum": {"v": jnp.zeros(3)}}


def loss(params, batch, key, model_state):
    x, y = batch
    return (x @ params - y) ** 2, {"sum": {"v": 10 * model_state["sum"]["v"] + 1}}


GROWING = Problem.from_functions(init=init, loss=loss, train=(X, Y))
"""A regression whose loss does not read its state."""

TX = lo.sgd(0.01)


@pytest.fixture
def eager(monkeypatch):
    monkeypatch.setattr(saver, "FIRST", 0.0)
    monkeypatch.setattr(saver, "SHARE", 1e9)


def test_a_run_ends_at_the_last_step_with_a_finite_state_and_names_the_leaf(tmp_path, eager):
    words = rf"the model state \['sum'\]\['v'\] was not finite at step {FIRST}, while the loss was"
    with pytest.raises(NonFiniteError, match=words) as stopped:
        lo.fit(GROWING, tx=TX, checkpoint=tmp_path, **OPTIONS)
    run = stopped.value.run
    assert stopped.value.step == run.step == len(run.history) == FIRST
    assert np.isfinite(run.carry.model_state["sum"]["v"]).all()
    short = lo.fit(GROWING, tx=TX, **{**OPTIONS, "steps": FIRST})
    np.testing.assert_array_equal(run.carry.params, short.params)
    _, saved = CheckpointFolder(tmp_path).newest()
    assert np.isfinite(saved.arrays["model_state['sum']['v']"]).all()


def test_a_run_on_batches_returns_to_its_last_copy():
    batches = itertools.cycle([(X[:16], Y[:16]), (X[16:32], Y[16:32])])
    stream = Problem.from_functions(init=init, loss=loss, train=batches)
    with pytest.raises(NonFiniteError, match=r"the model state .* The parameters are those of"):
        lo.fit(stream, tx=TX, steps=60, progress=False)


def test_infinite_entries_of_the_start_may_stay_and_nan_may_not():
    start = {"mask": jnp.array([0.0, -jnp.inf]), "n": jnp.zeros((), int), "key": jax.random.key(0)}
    watch = StateWatch(start)
    assert watch.fault(start) == ""
    assert watch.fault({**start, "mask": jnp.zeros(2)}) == ""
    assert watch.fault({**start, "mask": jnp.array([0.0, jnp.nan])}) == "['mask']"
    assert watch.fault({**start, "mask": jnp.array([jnp.inf, 0.0])}) == "['mask']"
    missing = {"mean": jnp.zeros(2), "var": jnp.array([jnp.nan, 1.0])}
    assert StateWatch(missing).fault(missing) == "['var']"


def test_an_arm_of_a_search_diverges_by_its_state_and_is_not_selected():
    result = lo.recipe.run(GROWING, **{**OPTIONS, "budget": 1.5})
    ends = {curve.step for curve in result.history.values() if curve.failed}
    assert min(ends) > FIRST
    words = {(curve.failed[1], curve.leaf) for curve in result.history.values() if curve.failed}
    assert words == {("the model state", "['sum']['v']")}
    assert np.isfinite(result.model_state["sum"]["v"]).all()
    assert result.selection.candidate.step <= FIRST
    failed = [arm.failed for arm in result.explanation.arms if arm.failed]
    assert {quantity for _, quantity in failed} == {"the model state"}


@pytest.mark.parametrize("lanes", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_run_of_a_sweep_diverges_by_its_state(lanes):
    axes = {"rates": [1e-2], "optimizers": ["adam"], "schedules": ["constant"], "seeds": [0, 1]}
    rows = lo.recipe.sweep(GROWING, **axes, lanes=lanes, evaluations=6, **OPTIONS).rows
    assert [row.diverged_at for row in rows] == [40, 40]
    assert all(np.isinf(row.final) and np.isfinite(row.lowest) for row in rows)


def test_a_fork_names_the_state():
    result = lo.fit(GROWING, tx=TX, **{**OPTIONS, "steps": 30})
    found = lo.recipe.fork(GROWING, result, TX, steps=20)
    assert all(curve.failed.leaf == "['sum']['v']" for curve in found.curves.values())
