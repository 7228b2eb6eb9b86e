"""A search that is killed again and again finds the same bits as one that is not.

Linen and nnx networks with BatchNorm and dropout, and plain functions, on 1,437 examples, are
searched once undisturbed. Then again, and killed (-9) at random moments: while they start, replay
or compute, and, in every other process, while they save, as that one saves after every chunk. A
search that comes to its end is compared, and another begins, until all kills are spent. Compared:
parameters, model state, code, cost, the explanation, the curves. All processes of a killed search
together compute at least the gradients of an undisturbed one: what is replayed was computed.
"""

import signal

import pytest

from .harness import finished, killed, same_bits

pytestmark = pytest.mark.slow

STEPS, KILLS, SIGNALS = 12_000, 20, 20
MODULE = {"module": "tests.stress.search_process"}


@pytest.mark.parametrize("kind", ["plain", "linen", "nnx"])
def test_a_killed_search_finds_the_same_bits(kind, tmp_path):
    truth = finished(kind, STEPS, tmp_path / "undisturbed", **MODULE)
    once = computed(tmp_path / "undisturbed")
    sent, searches = 0, 0
    while sent < KILLS:
        place, numbers = tmp_path / f"search-{searches}", [signal.SIGKILL] * (KILLS - sent)
        course = killed(kind, STEPS, place, numbers, searches, seconds=2.0, **MODULE)
        assert same_bits(finished(kind, STEPS, place, **MODULE), truth)
        assert once <= computed(place)
        sent, searches = sent + sum(code != 0 for code in course.codes), searches + 1


def test_a_search_that_is_asked_to_stop_loses_nothing(tmp_path):
    """By SIGTERM and Ctrl-C in turn, at any moment, also in the first compilation and the end."""
    truth = finished("plain", STEPS, tmp_path / "undisturbed", **MODULE)
    once = computed(tmp_path / "undisturbed")
    sent, searches = 0, 0
    while sent < SIGNALS:
        place = tmp_path / f"search-{searches}"
        numbers = [signal.SIGTERM, signal.SIGINT] * ((SIGNALS - sent + 1) // 2)
        course = killed("plain", STEPS, place, numbers, searches, seconds=4.0, **MODULE)
        trained = [code for i, code in enumerate(course.codes) if i % 5 != 4]
        assert {*trained} <= {0, 143, -signal.SIGINT}
        assert same_bits(finished("plain", STEPS, place, **MODULE), truth)
        assert computed(place) == once
        sent, searches = sent + sum(code != 0 for code in course.codes), searches + 1


def computed(place):
    """Return the number of steps that all processes of a search have taken."""
    return sum(map(int, place.with_suffix(".steps").read_text().split()))
