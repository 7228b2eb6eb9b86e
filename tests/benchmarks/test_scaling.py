"""The simulation of many workers: its limits are those of the policy."""

import pytest

from benchmarks.regret.replay import Recorded
from benchmarks.scaling.cluster import Cluster, best_time, simulate
from benchmarks.scaling.searches import Piece, Plan, lengths, recorded, replayed, search

BARE = Cluster(step=1.0, steps=1, evaluation=0.0).without_overhead


@pytest.fixture(scope="module")
def curves() -> list[Recorded]:
    return list(recorded().values())[::5]


def test_the_limits_of_a_search_are_its_gradients_and_its_longest_chain(curves):
    for own in curves:
        *_, (journal, _) = replayed(own, Plan(4.5))
        found = search(own, Plan(4.5))
        spent, chain = journal.spent / own.steps, journal.chain / own.steps
        for workers, limit in ((1, spent), (50, chain)):
            assert best_time(lengths(found), workers) == pytest.approx(limit)
            cluster = BARE._replace(workers=workers)
            assert simulate(found, cluster).wall == pytest.approx(limit)
        assert chain <= 1.9


def test_overheads_never_shorten_a_search_and_longer_runs_have_less_of_them(curves):
    found = search(curves[0], Plan(3.0))
    for workers in (1, 3, 8):
        shares = []
        for steps in (100, 10_000, 1_000_000):
            cluster = Cluster(workers=workers, steps=steps, state=1e10)
            best = simulate(found, cluster.without_overhead).wall
            shares.append(best / simulate(found, cluster).wall)
        assert shares == sorted(shares) and shares[-1] == pytest.approx(1, abs=0.01)


def test_a_state_moves_only_to_a_worker_that_would_be_idle():
    first = [Piece(1.0, leaves=("a",)), Piece(1.0, leaves=("b",))]
    both = [Piece(2.0, needs="a", leaves=("c",)), Piece(1.0, needs="b", leaves=("d",))]
    cluster = BARE._replace(workers=2, state=10.0, within=20.0)
    found = simulate([first, both], cluster)
    assert (found.wall, found.moved, found.most_states) == (3.0, 0.0, 2)
    branches = [Piece(2.0, needs="a", leaves=("c",)), Piece(1.0, needs="a", leaves=("d",))]
    found = simulate([first, branches], cluster)
    assert (found.wall, found.moved) == (3.0, 10.0)
    assert simulate([first, branches], cluster._replace(within=4.0)).wall == 1 + 2.5 + 1
