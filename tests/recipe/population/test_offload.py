"""On a device with little memory, arms wait on the host, and nothing else changes."""

import os
import signal

import chex
import jax
import numpy as np
import pytest

from lecture_optax.recipe import run
from lecture_optax.recipe.population import memory, population
from lecture_optax.recipe.search.runner import Runner

from ..problems import BATCH, STEPS, regression


def search(**options):
    return run(regression(), steps=STEPS, batch_size=BATCH, budget=4.5, progress=False, **options)


def on_device(carry):
    """How many large arrays of a carry are in the memory of the device."""
    kinds = [x.sharding.memory_kind for x in jax.tree.leaves(carry.params) if x.ndim > 0]
    return len(kinds) - kinds.count(memory.HOST)


@pytest.fixture
def offloaded(monkeypatch):
    """Where the arms are after every chunk of steps."""
    seen, record, make, members = [], population.Population.record, Runner.__post_init__, []

    def made(self):
        make(self)
        members[:] = [self.members]

    def watched(self, member, found):
        record(self, member, found)
        held = [x.carry for x in members[0].values() if x.carry is not None]
        seen.append((sum(map(on_device, held)), on_device(member.carry), len(held)))

    monkeypatch.setattr(Runner, "__post_init__", made)
    monkeypatch.setattr(population.Population, "record", watched)
    monkeypatch.setattr(memory, "free_bytes", lambda devices: 1_000.0)
    return seen


def test_a_search_in_little_memory_has_the_same_bits(offloaded):
    small = search()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(memory, "free_bytes", lambda devices: np.inf)
        large = search()
    chex.assert_trees_all_equal(small.params, large.params)
    assert small.code == large.code
    assert str(small.explanation._replace(memory=())) == str(large.explanation)
    assert all(isinstance(x, jax.Array) for x in jax.tree.leaves(small.params))


def test_only_the_arm_that_runs_is_on_the_device(offloaded):
    search()
    assert max(arms for *_, arms in offloaded) > 5
    assert all(everywhere == own for everywhere, own, _ in offloaded)


def test_a_stopped_search_resumes_offloaded(offloaded, tmp_path):
    whole, record, calls = search(), population.Population.record, []

    def stopped(*args):
        record(*args)
        calls.append(1)
        if len(calls) == 12:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(population.Population, "record", stopped)
        search(checkpoint=tmp_path)
    del offloaded[:]
    again = search(checkpoint=tmp_path)
    chex.assert_trees_all_equal(again.params, whole.params)
    assert all(everywhere == own for everywhere, own, _ in offloaded)


def test_the_device_with_the_least_free_memory_counts():
    class Device:
        def __init__(self, **stats):
            self.stats = stats

        def memory_stats(self):
            return self.stats

    devices = [Device(bytes_limit=100, bytes_in_use=30), Device(bytes_limit=90), Device()]
    assert memory.free_bytes(devices) == 70


def test_a_device_without_a_limit_has_room():
    assert memory.free_bytes(jax.devices("cpu")) == np.inf


def test_a_backend_without_memory_kinds_has_the_arrays_as_numpys(monkeypatch):
    x = {"w": jax.numpy.arange(4.0), "n": jax.numpy.array(1)}
    assert memory.to_host(x)["w"].sharding.memory_kind == memory.HOST
    monkeypatch.setattr(memory, "HOST", "another memory")
    there = memory.to_host(x)
    assert isinstance(there["w"], np.ndarray) and isinstance(there["n"], jax.Array)
    chex.assert_trees_all_equal(memory.to_device(there, x), x)
