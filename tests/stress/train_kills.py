"""Does a run that was killed learn the same bits as one that was not?

    python -m tests.stress.train_kills [--kills 50] [--steps 20000] [--kinds linen nnx grain]

Each kind (a network with BatchNorm and dropout on 1,437 rows; `grain`: fed by a Grain pipeline) is
trained once undisturbed. Then it is trained again, and killed at random moments: while it starts or
restores, while it trains, and, in every other process, while it saves, as that one saves all the
time. A run that comes to its end is compared, and another begun, until all kills are spent. The
same by SIGTERM, a third as often. Compared: parameters, model state, optimizer state, every record
and every look.
"""

import argparse
import collections
import signal
import sys
import tempfile
import time
from itertools import pairwise

from tests.stress.harness import finished, killed, same_bits


def stress(kind: str, steps: int, kills: int, number: int, folder: str, truth: list) -> bool:
    """Spend the kills on as many runs as it takes; whether each learned the same bits."""
    codes: collections.Counter[int] = collections.Counter()
    began, runs, same, steps_kept = time.perf_counter(), 0, 0, []
    while codes.total() - codes[0] < kills:
        place, left = f"{folder}/{kind}-{number}-{runs}", kills - codes.total() + codes[0]
        course = killed(kind, steps, place, [number] * left, 1000 * number + runs, seconds=2.0)
        codes.update(course.codes)
        steps_kept += [late - early for early, late in pairwise(course.begun)]
        runs, same = runs + 1, same + same_bits(finished(kind, steps, place), truth)
    print(
        f"{kind:6} {signal.Signals(number).name}: {kills} kills, {same} of {runs} runs bitwise, "
        f"{min(steps_kept)} to {max(steps_kept)} steps gained by a process, "
        f"exit codes {dict(codes)}, {time.perf_counter() - began:.0f} s",
        flush=True,
    )
    return same == runs


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--steps", type=int, default=20_000)
    parser.add_argument("--kinds", nargs="+", default=["linen", "nnx", "grain"])
    given = parser.parse_args()
    verdicts = []
    with tempfile.TemporaryDirectory() as folder:
        for kind in given.kinds:
            truth = finished(kind, given.steps, f"{folder}/{kind}")
            signals = ((signal.SIGKILL, given.kills), (signal.SIGTERM, -(-given.kills // 3)))
            for number, kills in signals:
                verdicts.append(stress(kind, given.steps, kills, number, folder, truth))
    return 0 if all(verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
