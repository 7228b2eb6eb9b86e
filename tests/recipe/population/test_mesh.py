"""An arm on all devices of a mesh, with parameters in parts; and what it holds in memory."""

import gc
import os
import signal

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import Mesh, NamedSharding, PartitionSpec

import lecture_optax as lo
from lecture_optax.recipe.population import memory
from lecture_optax.recipe.population.population import Population
from lecture_optax.training import Problem
from lecture_optax.training.compiled.memory import in_bytes

from ...training.compilations import COMPILED
from ...training.models import TRAIN, VALID

MESH = Mesh(np.array(jax.devices()[:2]), ("devices",))
WIDTH = 2048
PARTS = {"kernel": PartitionSpec(None, "devices"), "bias": PartitionSpec("devices")}


def init(key):
    kernel = jax.random.normal(key, (4, WIDTH))
    return {"kernel": kernel, "bias": jnp.zeros(WIDTH)}


def loss(params, batch):
    x, y = batch
    return (jnp.tanh(x @ params["kernel"] + params["bias"]).sum(-1) / WIDTH**0.5 - y) ** 2


def problem(mesh=None):
    """Of 10,240 parameters, which each device has half of."""
    params = init(jax.random.key(0))
    if mesh is not None:
        own = {name: NamedSharding(mesh, spec) for name, spec in PARTS.items()}
        params = jax.device_put(params, own)
    data = {"train": _floats(TRAIN), "valid": _floats(VALID)}
    return Problem.from_functions(init=init, loss=loss, params=params, **data)


def _floats(rows):
    return rows[0], rows[1].astype(np.float32)


def search(mesh=None, budget=3.0, **options):
    given = {"steps": 20, "batch_size": 16, "budget": budget, "mesh": mesh, "progress": False}
    return lo.recipe.run(problem(mesh), **given, **options)


@pytest.fixture(scope="module")
def on_two():
    COMPILED.clear()
    found = search(MESH)
    return found, COMPILED.count("jit(chunk)")


@pytest.fixture
def held(monkeypatch):
    """The most bytes on the first device between chunks, beside those at the start."""
    record, most = Population.record, [0]

    def on_first():
        arrays = [x for x in jax.live_arrays() if x.ndim and x.sharding.memory_kind != memory.HOST]
        parts = [part for x in arrays for part in x.addressable_shards]
        here = [x.data for x in parts if x.device == jax.devices()[0]]
        return sum({x.unsafe_buffer_pointer(): x.nbytes for x in here}.values())

    gc.collect()
    before = on_first()

    def watched(self, *given):
        record(self, *given)
        most[0] = max(most[0], on_first() - before)

    monkeypatch.setattr(Population, "record", watched)
    return most


@pytest.fixture
def little(monkeypatch):
    """Memory for a copy."""
    monkeypatch.setattr(memory, "free_bytes", lambda devices: 1e5)


def test_an_arm_on_two_devices_is_selected_as_on_one(on_two):
    (shared, compiled), alone = on_two, search()
    assert compiled == 1  # the first state of an optimizer lies as it will
    ours, theirs = (x.selection.candidate for x in (shared, alone))
    assert (ours.arm, ours.step, ours.is_average) == (theirs.arm, theirs.step, theirs.is_average)
    chex.assert_trees_all_close(shared.params, alone.params, rtol=1e-4, atol=1e-5)
    assert {name: x.sharding.spec for name, x in shared.params.items()} == PARTS


def test_the_state_of_an_optimizer_is_divided_as_the_parameters():
    carry = lo.training.Program.of(problem(MESH), lo.adam(1e-2), batch_size=16).init()
    moments = [x for x in jax.tree.leaves(carry.opt_state) if x.ndim]
    assert len(moments) == 4 and {x.sharding.is_fully_replicated for x in moments} == {False}
    assert memory.bytes_of(carry.params) * 2 == 4 * 5 * WIDTH


@pytest.mark.filterwarnings("ignore:The search needs 3 copies")
def test_arms_in_parts_wait_on_the_host_and_resume(on_two, little, held, tmp_path, monkeypatch):
    record, calls = Population.record, []

    def stopped(*given):
        record(*given)
        calls.append(1)
        if len(calls) == 8:
            os.kill(os.getpid(), signal.SIGINT)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Population, "record", stopped)
        search(MESH, checkpoint=tmp_path)
    gc.collect()  # of what the interrupted one held
    held[0] = 0
    with pytest.warns(UserWarning, match=r"The fullest device has 202 kB. Divide the parameters"):
        again = search(MESH, checkpoint=tmp_path)
    chex.assert_trees_all_equal(again.params, on_two[0].params)
    assert str(again.explanation._replace(memory=())) == str(on_two[0].explanation)
    (said,) = again.explanation.memory
    assert again.findings[-1] == said and "needs 3 copies of 102 kB on each device" in str(said)
    assert 2 < held[0] / said.numbers["copy"] <= 3.2  # and the examples


def test_a_search_holds_about_what_is_estimated(held):
    search()
    copies = held[0] / (4 * 5 * WIDTH * 5)  # parameters, three states like them, and an average
    assert 0.7 * memory.EXPECTED_COPIES < copies < 1.1 * memory.EXPECTED_COPIES


@pytest.mark.parametrize(("size", "words"), [(12, "12 bytes"), (1.23e9, "1.23 GB"), (2e4, "20 kB")])
def test_bytes_are_in_words(size, words):
    assert in_bytes(size) == words


USUAL = {"steps": 20, "batch_size": 16, "progress": False}


def test_fit_takes_a_mesh_with_a_budget(on_two):
    found = lo.fit(problem(MESH), budget=3.0, mesh=MESH, **USUAL)
    chex.assert_trees_all_equal(found.params, on_two[0].params)


@pytest.mark.slow
def test_a_sweep_takes_a_mesh():
    axes = {"rates": [1e-2], "optimizers": ["adam"], "schedules": ["constant"]}
    ours = lo.recipe.sweep(problem(MESH), mesh=MESH, **axes, **USUAL)
    theirs = lo.recipe.sweep(problem(), **axes, **USUAL)
    np.testing.assert_allclose(ours["lowest"], theirs["lowest"], rtol=1e-5)


def test_an_arm_that_uses_a_mesh_takes_no_executor():
    with pytest.raises(ValueError, match=r"executor='devices' trains .* all 2 devices of a mesh"):
        search(MESH, executor="devices")
