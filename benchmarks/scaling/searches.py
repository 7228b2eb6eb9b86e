"""Searches without training: the rounds of the policy on recorded curves.

    python -m benchmarks.scaling.searches --curves FOLDER [problem ...]

The command replays a search of every budget on the curves in a folder (those of
`benchmarks.regret.leave_one_out`), trains the arms that are missing, and writes `data/curves.npz`:
the arms that these searches ask for.
"""

import argparse
from collections.abc import Hashable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from lecture_optax.recipe import constants as c
from lecture_optax.recipe.population.arms import Arm
from lecture_optax.recipe.search.journal import Journal, Segment

from ..problems.chosen import add_arguments, built, chosen
from ..regret.replay import GAINS, CurveOfArm, Curves, Recorded, rounds

FILE = Path(__file__).parent / "data" / "curves.npz"


class Plan(NamedTuple):
    """A budget in runs, and how many times a search has the two optimizers."""

    budget: float
    copies: int = 1


PLANS = [Plan(1.0), Plan(1.5), Plan(3.0), Plan(4.5), Plan(8.0), Plan(8.0, 2), Plan(8.0, 4)]


class Piece(NamedTuple):
    """A segment, without its results.

    - `length`: in runs; `evaluations`: of raw and averaged weights on all validation examples.
    - `needs`: the name of the state it starts from; None for the parameters at the start.
    - `leaves`: the names of the states that are there when it has ended.
    """

    length: float
    evaluations: int = 0
    needs: Hashable = None
    leaves: tuple[Hashable, ...] = ()


Search = list[list[Piece]]
"""The rounds of a search. The pieces of a round need no result of each other."""


class Repeated(Recorded):
    """The curves of more optimizers than were recorded: each is used several times."""

    def __init__(self, curves: Recorded):
        super().__init__(curves.steps, curves.curves)
        self.original = curves

    def of(self, arm: Arm) -> CurveOfArm:
        return self.original.of(recorded_as(arm))


def recorded_as(arm: Arm) -> Arm:
    return arm._replace(optimizer=arm.optimizer % len(GAINS))


def recorded() -> dict[str, Recorded]:
    """Return the recorded curves of every problem."""
    found = {}
    with np.load(FILE) as arrays:
        for name in sorted({key.partition(":")[0] for key in arrays}):
            arms = map(Arm.named, arrays[f"{name}:arms"].tolist())
            curves = (CurveOfArm(*x) for x in arrays[f"{name}:curves"].astype(np.float64))
            own = dict(zip(arms, curves, strict=True))
            found[name] = Recorded(int(arrays[f"{name}:steps"]), own)
    return found


def search(curves: Recorded, plan: Plan) -> Search:
    """Return the rounds of a search."""
    return [[piece(journal, x) for x in segments] for journal, segments in replayed(curves, plan)]


def replayed(curves: Recorded, plan: Plan) -> Iterator[tuple[Journal, list[Segment]]]:
    return rounds(Repeated(curves), plan.budget, GAINS * plan.copies)


def piece(journal: Journal, segment: Segment) -> Piece:
    """Return a segment that the journal has no outcome of, as a piece."""
    (arm, end), start, every = segment, journal.step(segment.arm), c.EVALUATIONS[0]
    constant = arm._replace(decay=None)
    needs = None if start == 0 else arm if arm in journal.arms else (constant, start)
    branches = [journal.at(x) for x in c.DECAYS] if arm == constant else []
    leaves = arm, *((arm, step) for step in branches if start < step <= end)
    marks = {journal.at(i * every) for i in range(1, round(1 / every) + 1)} | {end}
    late = [x for x in marks if max(start, c.EARLY * journal.steps) < x <= end]
    return Piece((end - start) / journal.steps, len(late), needs, leaves)


def record(curves: dict[str, Recorded]) -> None:
    """Write the curves of all arms that the searches ask for."""
    arrays: dict[str, Any] = {}
    for name, own in curves.items():
        asked = {recorded_as(x.arm) for plan in PLANS for _, s in replayed(own, plan) for x in s}
        arms = sorted(asked, key=str)
        arrays[f"{name}:steps"] = np.int32(own.steps)
        arrays[f"{name}:arms"] = np.array([arm.name for arm in arms])
        arrays[f"{name}:curves"] = np.array([own.of(arm) for arm in arms], np.float32)
    np.savez_compressed(FILE, **arrays)


def main() -> None:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    parser.add_argument("--curves", type=Path, help="a folder that keeps the curves", required=True)
    given, every = parser.parse_args(), {}
    for name, case, task in built(chosen(given)):
        curves = every[name] = Curves(case, task, file=given.curves / f"{name}.npz")
        for plan in PLANS:
            list(replayed(curves, plan))
        curves.save()
        print(name, flush=True)
    record(every)


if __name__ == "__main__":
    main()
