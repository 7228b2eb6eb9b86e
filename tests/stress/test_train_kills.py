"""A run that is killed again and again learns the same bits as one that is not.

A network with BatchNorm and dropout on 1,437 examples (`grain`: fed by a Grain pipeline) is trained
once undisturbed. Then it is trained again, and killed at random moments: while it starts or
resumes, while it trains, and, in every other process, while it saves, as that one saves after every
chunk. A run that comes to its end is compared, and another begins, until all kills are spent.
Compared: parameters, model state, optimizer state, every record and every evaluation.
"""

import signal
from itertools import pairwise

import pytest

from .harness import finished, killed, same_bits

pytestmark = pytest.mark.slow

STEPS = 20_000


@pytest.fixture(scope="module", params=["linen", "nnx", "grain"])
def undisturbed(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp(request.param)
    return request.param, folder, finished(request.param, STEPS, folder / "undisturbed")


@pytest.mark.parametrize(("number", "kills"), [(signal.SIGKILL, 50), (signal.SIGTERM, 17)])
def test_a_killed_run_learns_the_same_bits(undisturbed, number, kills):
    kind, folder, truth = undisturbed
    sent, runs = 0, 0
    while sent < kills:
        place, seed = folder / f"{number.name}-{runs}", 1000 * number + runs
        course = killed(kind, STEPS, place, [number] * (kills - sent), seed, seconds=2.0)
        assert all(early <= late for early, late in pairwise(course.begun))
        assert same_bits(finished(kind, STEPS, place), truth)
        sent, runs = sent + sum(code != 0 for code in course.codes), runs + 1
