"""Jobs on the actors of a Ray cluster, by a small worker: run them by `make test-ray`."""

import psutil
import pytest

from lecture_optax.recipe import RayExecutor
from lecture_optax.recipe.execution.executor import InThisProcess, Job

from .toys import counter, numbers

pytestmark = pytest.mark.ray


def start(worker=None, poll=lambda: None, **options):
    return RayExecutor(**{"resources_per_arm": {"three": 1}, **options}).start(
        worker or counter(), poll
    )


def rounds(pool, seconds=0.0, arms=4, count=3):
    """Return what the arms report in rounds of jobs, and their states."""
    found, states, middles = [], [None] * arms, []
    for number in range(count):
        jobs = [Job((f"arm {i}", 5 + i, seconds), states[i], cost=i) for i in range(arms)]
        for done in pool.run(jobs):
            states[done.index] = done.states["end"]
            found.append((number, done.index, done.report))
            middles.append((number, done.index, done.states["middle"]))
    read = [pool.get(state) for state in [*states, *(x[-1] for x in sorted(middles)[::3])]]
    return sorted(found), [numbers(tree) for tree in read]


@pytest.fixture(scope="module")
def alone():
    with InThisProcess().start(counter(), lambda: None) as pool:
        return rounds(pool)


def assert_same(one, other):
    assert one[0] == other[0]
    for x, y in zip(one[1], other[1], strict=True):
        assert [a.dtype for a in x] == [a.dtype for a in y]
        assert all(a.tobytes() == b.tobytes() for a, b in zip(x, y, strict=True))


def own_processes(kind="ray::Actor"):
    """Return the processes of actors, of this cluster alone."""
    every = psutil.Process().children(recursive=True)
    return [x for x in every if x.is_running() and kind in " ".join(x.cmdline())]


@pytest.mark.parametrize("places", ["one", "two", "three"])
def test_jobs_have_the_same_results_on_any_number_of_workers(cluster, alone, places, tmp_path):
    with start(counter(tmp_path), resources_per_arm={places: 1}) as pool:
        assert_same(rounds(pool), alone)
