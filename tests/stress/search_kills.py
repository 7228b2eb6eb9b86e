"""Does a search that was killed find the same model, and take no step again that was saved?

    python -m tests.stress.search_kills [--kills 20] [--steps 12000] [--kinds plain linen nnx]

Each kind (linen and nnx with BatchNorm and dropout, plain functions; 1,437 rows) is searched once
undisturbed. Then again, and killed (-9) at random moments: while it starts, replays or computes,
and, in every other process, while it saves, as that one saves all the time. A search that comes to
its end is compared, and another begun, until all kills are spent. Compared: parameters, model
state, code, cost, the explanation, the curves. Printed too: the gradients that all processes of a
search really computed, beside those that an undisturbed one does.
"""

import argparse
import collections
import signal
import sys
import tempfile
import time
from pathlib import Path

from tests.stress.harness import finished, killed, same_bits

MODULE = {"module": "tests.stress.search_process"}


def stress(kind: str, steps: int, kills: int, folder: str) -> bool:
    """Spend the kills on as many searches as it takes; whether each found the same bits."""
    truth = finished(kind, steps, f"{folder}/{kind}", **MODULE)
    once = computed(f"{folder}/{kind}")
    codes: collections.Counter[int] = collections.Counter()
    began, searches, same, spent = time.perf_counter(), 0, 0, []
    while codes.total() - codes[0] < kills:
        place, left = f"{folder}/{kind}-{searches}", kills - codes.total() + codes[0]
        numbers = [signal.SIGKILL] * left
        codes.update(killed(kind, steps, place, numbers, searches, seconds=2.0, **MODULE).codes)
        same += same_bits(finished(kind, steps, place, **MODULE), truth)
        searches, spent = searches + 1, [*spent, computed(place)]
    print(
        f"{kind:6}: {kills} kills, {same} of {searches} searches bitwise, {once} gradients "
        f"undisturbed, {min(spent)} to {max(spent)} over all processes of a killed one, exit codes "
        f"{dict(codes)}, {time.perf_counter() - began:.0f} s",
        flush=True,
    )
    return same == searches


def computed(place: str) -> int:
    """The steps that all processes of a search have taken."""
    return sum(map(int, Path(f"{place}.steps").read_text().split()))


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--steps", type=int, default=12_000)
    parser.add_argument("--kinds", nargs="+", default=["plain", "linen", "nnx"])
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        verdicts = [stress(kind, given.steps, given.kills, folder) for kind in given.kinds]
    return 0 if all(verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
