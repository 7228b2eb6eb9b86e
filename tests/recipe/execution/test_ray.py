"""Jobs on the actors of a Ray cluster, by a small worker: `make test-ray` runs them."""

import contextlib
import random
import sys
import threading
import time
import types

import jax
import numpy as np
import psutil
import pytest

from lecture_optax.recipe import RayExecutor
from lecture_optax.recipe.execution import ray_cluster, ray_pool
from lecture_optax.recipe.execution.executor import InThisProcess, Job, StateLost
from lecture_optax.recipe.execution.ray_actor import Actor

from .conftest import machine
from .toys import Counter, OddError, counter, numbers

pytestmark = pytest.mark.ray


def start(worker=None, poll=lambda: None, **options):
    options = {"resources_per_arm": {"three": 1}, **options}
    return RayExecutor(**options).start(worker or counter(), poll)


def rounds(pool, seconds=0.0, arms=4, count=3):
    """Return what the arms report in rounds of jobs, and their states."""
    found, states = [], [None] * arms
    for number in range(count):
        jobs = [Job((f"arm {i}", 5 + i, seconds), states[i], cost=i) for i in range(arms)]
        for done in pool.run(jobs):
            states[done.index] = done.states["end"]
            found.append(
                (number, done.index, done.report, numbers(pool.get(done.states["middle"])))
            )
    return sorted(found, key=lambda x: x[:2]), [numbers(pool.get(state)) for state in states]


@pytest.fixture(scope="module")
def alone():
    with InThisProcess().start(counter(), lambda: None) as pool:
        return rounds(pool)


def assert_same(one, other):
    jax.tree.map(np.testing.assert_array_equal, one, other)
    assert [x.dtype for x in jax.tree.leaves(one[1])] == [
        x.dtype for x in jax.tree.leaves(other[1])
    ]


def actors(method=""):
    """Return the processes of the actors of this cluster, or of those that run this method."""
    every = psutil.Process().children(recursive=True)
    return [x for x in every if x.is_running() and x.name().startswith(f"ray::Actor.{method}")]


@contextlib.contextmanager
def killing(count, seed=0):
    """Kill -9 so many actors within the context, at random moments while they run jobs."""
    chance, ended, kills = random.Random(seed), threading.Event(), []

    def kill():
        while len(kills) < count and not ended.wait(chance.uniform(0.05, 0.5)):
            with contextlib.suppress(psutil.NoSuchProcess):
                if found := actors("run"):
                    chance.choice(found).kill()
                    kills.append(True)

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        yield kills
    finally:
        ended.set()
        thread.join()


def begun(folder):
    """Return the names of the jobs that have begun, by the process that ran them."""
    return {int(path.name): path.read_text().split("\n")[:-1] for path in folder.iterdir()}


@pytest.mark.parametrize("places", ["one", "two", "three"])
def test_any_number_of_workers_has_the_same_results(cluster, alone, places, tmp_path):
    with start(counter(tmp_path), resources_per_arm={places: 1}) as pool:
        assert_same(rounds(pool, seconds=0.02), alone)
    assert 1 <= len(begun(tmp_path)) <= {"one": 1, "two": 2, "three": 3}[places]


def test_an_arm_returns_to_its_actor(cluster, tmp_path):
    with start(counter(tmp_path), resources_per_arm={"two": 1}) as pool:
        while len(pool.ready) < 2:
            [*pool.run([Job(("warm", 10, 0.05))] * 2)]
        states = [None, None]
        for _ in range(4):
            jobs = [Job((f"arm {i}", 2, 0.05), states[i]) for i in range(2)]
            for done in pool.run(jobs):
                states[done.index] = done.states["end"]
    names = [{x for x in names if x.startswith("arm")} for names in begun(tmp_path).values()]
    assert sorted(map(len, names)) == [1, 1]


def test_an_actor_keeps_no_state_that_was_used_or_dropped():
    actor = Actor()
    actor._worker = counter()
    _, names = actor.run(1, ("a", 2, 0.0), None, None, [])
    assert names == ["end", "middle"]
    assert actor.run(2, ("a", 3, 0.0), (1, "end"), None, [(1, "middle")])[0] == ("a", 5)
    assert {*actor._states} == {(2, "end"), (2, "middle")}
    mark, stored = actor.stored(2, ["middle"])
    assert mark is None and isinstance(stored["x"], np.ndarray)


def test_workers_that_are_killed_change_nothing(cluster, alone):
    with start(resources_per_arm={"two": 1}) as pool:
        with killing(3) as kills:
            while len(kills) < 3:
                assert_same(rounds(pool, seconds=0.05), alone)
        assert_same(rounds(pool), alone)


def test_a_worker_that_always_dies_is_an_error(cluster, monkeypatch):
    monkeypatch.setattr(ray_pool, "MOST_DEATHS", 1)
    with (
        start(resources_per_arm={"one": 1}) as pool,
        pytest.raises(RuntimeError, match="died 2 times at the same work"),
    ):
        [*pool.run([Job(("dies", 1, 0.0))])]


def test_an_error_of_a_worker_has_its_own_type_and_words(cluster):
    with start(resources_per_arm={"one": 1}) as pool:
        with pytest.raises(OddError) as error:
            [*pool.run([Job(("fails", 3, 0.0))])]
        assert (str(error.value), error.value.number) == ("fails was 3", 3)
        assert "toys.py" in error.value.__notes__[0]


def test_poll_is_called_and_may_stop_the_pool(cluster):
    times = []

    def poll():
        times.append(time.monotonic())
        if len(times) == 8:
            raise KeyboardInterrupt

    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt), start(poll=poll) as pool:
        [*pool.run([Job(("long", 10**6, 0.01))])]
    assert max(np.diff([began, *times][1:])) < 5
    wait_for(lambda: not actors())


def wait_for(condition, seconds=60.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)


@pytest.mark.filterwarnings("ignore:os.fork")  # Ray starts the processes of a machine by it
def test_a_cluster_may_grow_and_shrink_and_lost_states_are_reported(cluster, alone):
    """The second machine comes between two rounds, and goes with the only copy of a state."""
    with start(resources_per_arm={"grow": 1}) as pool:
        [*pool.run([Job(("warm", 1, 0.0))])]
        added = cluster.add_node(**machine(resources={"grow": 1}))
        while len(pool.ready) < 2:
            [*pool.run([Job(("warm", 10, 0.05))] * 2)]
        ended = sorted(pool.run([Job(("large", 5, 0.1))] * 2), key=lambda x: x.index)
        assert len({x.states["end"].member for x in ended}) == 2
        cluster.remove_node(added, allow_graceful=False)
        again = pool.run([Job(("on", 1, 0.0), x.states["end"]) for x in ended])
        lost = {x.index for x in again if x.report is None}
        assert len(lost) == 1
        with pytest.raises(StateLost):
            pool.get(ended[lost.pop()].states["middle"])
        assert_same(rounds(pool), alone)


@pytest.mark.parametrize("address", ["127.0.0.1:1", "ray://127.0.0.1:1", "no.such.host.:6379"])
def test_a_wrong_address_is_said_at_once(monkeypatch, address):
    monkeypatch.setattr("ray.is_initialized", lambda: False)
    with pytest.raises(ConnectionError, match=f"address='{address}': no Ray cluster can be joined"):
        start(address=address).__enter__()
    with pytest.raises(ValueError, match="address must be"):
        start(address="cluster").__enter__()


def test_resources_that_no_machine_has_are_said(cluster, monkeypatch):
    monkeypatch.setattr(ray_cluster, "PATIENCE_SECONDS", 0.0)
    with (
        start(resources_per_arm={"GPU": 1}) as pool,
        pytest.raises(ValueError, match=r"resources_per_arm=\{'GPU': 1\}: no machine"),
    ):
        [*pool.run([Job(("arm", 1, 0.0))])]


def test_a_module_that_a_worker_does_not_have_is_named(cluster, monkeypatch):
    module = types.ModuleType("only_here")
    module.Thing = type("Thing", (), {"__module__": "only_here"})
    monkeypatch.setitem(sys.modules, "only_here", module)
    with (
        start(Counter(module.Thing()), resources_per_arm={"one": 1}) as pool,
        pytest.raises(ModuleNotFoundError, match=r"'only_here'.*runtime_env=.*py_modules"),
    ):
        [*pool.run([Job(("arm", 1, 0.0))])]


def test_an_object_store_without_room_is_said(cluster, monkeypatch):
    import ray

    def put(_):
        raise ray.exceptions.ObjectStoreFullError

    monkeypatch.setattr("ray.put", put)
    with pytest.raises(MemoryError, match="object store of the Ray cluster is full"):
        start().__enter__()
