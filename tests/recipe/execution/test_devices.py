"""Arms and runs side by side on several devices: the same bits as one after the other."""

import signal
import time

import chex
import jax
import numpy as np
import pytest

import lecture_optax as lo
from lecture_optax.recipe.execution import devices
from lecture_optax.recipe.execution.executor import Job, assign
from lecture_optax.recipe.population.population import Population
from lecture_optax.recipe.search import runner

from ...training.models import TRAIN, VALID, noisy
from ..checkpoint.test_interruptions import assert_same
from ..problems import BATCH, STEPS, regression


@pytest.fixture(autouse=True)
def three_devices(monkeypatch):
    few = jax.local_devices()[:3]
    monkeypatch.setattr(jax, "local_devices", lambda: few)


def search(**options):
    options = {"steps": STEPS, "batch_size": BATCH, "budget": 4.5, "progress": False, **options}
    return lo.recipe.run(regression(), **options)


@pytest.fixture(scope="module")
def alone():
    return search()


@pytest.fixture
def used(monkeypatch):
    """The devices on which arms have trained."""
    seen, advance = set(), Population.advance

    def watched(self, arm, member, *given):
        seen.update(member.carry.step.devices())
        return advance(self, arm, member, *given)

    monkeypatch.setattr(Population, "advance", watched)
    return seen


def test_arms_on_several_devices_have_the_same_bits(alone, used):
    assert_same(search(executor="devices"), alone)
    assert used == {*jax.local_devices()}


def test_segments_may_end_in_any_order(alone, monkeypatch):
    run = devices.Threads.run
    monkeypatch.setattr(devices.Threads, "run", lambda *given: reversed([*run(*given)]))
    assert_same(search(executor="devices"), alone)


@pytest.mark.slow
def test_folds_have_the_same_bits():
    options = {"budget": 6.0, "folds": 2}
    assert_same(search(executor="devices", **options), search(**options))


@pytest.mark.slow
def test_batch_statistics_have_the_same_bits():
    options = {"valid": tuple(x[:24] for x in VALID), "steps": 40, "batch_size": 16, "budget": 3.0}
    one, other = (
        lo.recipe.run(noisy("linen"), TRAIN, "cross_entropy", executor=executor, **options)
        for executor in (None, "devices")
    )
    assert_same(one, other)


def test_a_search_that_was_stopped_resumes_with_another_executor(alone, tmp_path, monkeypatch):
    ended, enter = [], runner.Runner._enter

    def entered(self, segment, *given):
        enter(self, segment, *given)
        ended.append(segment)
        if len(ended) == 8:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(runner.Runner, "_enter", entered)
    with pytest.raises(KeyboardInterrupt):
        search(executor="devices", checkpoint=tmp_path)
    assert_same(search(checkpoint=tmp_path), alone)
    assert len(ended) == len(set(ended))  # no segment that was saved is run twice


def test_a_sweep_on_several_devices_has_the_same_rows():
    options = {"rates": [1e-3, 1e-1, 1e5], "steps": 20, "progress": False, "batch_size": BATCH}
    one = lo.recipe.sweep(regression(), **options)
    assert lo.recipe.sweep(regression(), executor="devices", **options).rows == one.rows


def test_another_executor_is_refused():
    for wrong in ("gpu", 3, lo.adam):
        with pytest.raises(ValueError, match='executor must be None, "devices", or an executor'):
            search(executor=wrong)


class Sleeper:
    """A worker whose jobs wait, and count how often their state was used."""

    def run(self, call, state, poll):
        seconds, name = call
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            poll()
            time.sleep(0.002)
        if name == "fails":
            raise ArithmeticError(name)
        return name, {"count": 1 if state is None else state + 1}

    def placed_on(self, device):
        return Sleeper()


def pool(poll=lambda: None):
    return devices.Devices().start(Sleeper(), poll)


def test_jobs_run_side_by_side_and_keep_their_states():
    jobs = [Job((0.0, str(i)), np.int32(i)) for i in range(5)]
    with pool() as workers:
        done = sorted(workers.run(jobs))
        assert [x.report for x in done] == [*"01234"]
        again = [*workers.run(Job((0.0, x.report), x.states["count"]) for x in done)]
        counts = {x.report: int(workers.get(x.states["count"])) for x in again}
    assert counts == {str(i): i + 2 for i in range(5)}


def test_an_error_in_a_job_ends_the_others_and_is_raised():
    with pytest.raises(ArithmeticError, match="fails"), pool() as workers:
        [*workers.run([Job((0.05, "fails")), *[Job((60.0, "waits"))] * 2])]


def test_what_poll_raises_ends_the_jobs():
    def stop():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), pool(stop) as workers:
        [*workers.run([Job((60.0, "waits"))] * 3)]


def test_a_worker_takes_its_own_jobs_first_and_longer_ones_before():
    waiting = {0: Job("a", "x", 1), 1: Job("b", "y", 5), 2: Job("c", None, 3), 3: Job("d", "x", 2)}
    assert assign(waiting, ["x"], lambda state: state) == {"x": 3}
    assert assign(waiting, ["x", "z"], lambda state: state) == {"x": 3, "z": 2}
    assert assign(waiting, ["z"], lambda state: state) == {"z": 2}
    assert assign({1: waiting[1]}, ["z"], lambda state: state) == {"z": 1}
    assert assign({}, ["z"], lambda state: state) == {}


def test_fit_searches_on_several_devices(alone):
    options = {"steps": STEPS, "batch_size": BATCH, "budget": 4.5, "executor": "devices"}
    found = lo.fit(regression(), progress=False, **options)
    chex.assert_trees_all_equal(found.params, alone.params)
    with pytest.raises(ValueError, match="executor is for a search, got executor='devices'"):
        lo.fit(regression(), tx=lo.sgd(0.1), steps=5, executor="devices")
