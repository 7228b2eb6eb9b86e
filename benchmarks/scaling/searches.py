"""Searches without training: the rounds of the policy on recorded curves.

    python -m benchmarks.scaling.searches --curves FOLDER [problem ...]

The command replays a search of every budget on the curves in a folder (those of
`benchmarks.regret.leave_one_out`), trains the arms that are missing, and writes `data/curves.npz`:
the arms that these searches ask for.
"""

import argparse
from collections.abc import Callable, Hashable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lecture_optax.recipe import constants as c
from lecture_optax.recipe.population.arms import Arm
from lecture_optax.recipe.search.journal import Journal, Segment

from ..problems import Case, Task
from ..problems.chosen import add_arguments, chosen
from ..problems.side_by_side import Question, answers
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


def lengths(search: Search) -> list[list[float]]:
    """Return the lengths of all pieces in runs, by round."""
    return [[x.length for x in pieces] for pieces in search]


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


def prepare(
    folder: Path, name: str, case: Case, task: Task
) -> Callable[[None], dict[str, np.ndarray]]:
    """Return a function that trains what is missing, and returns the arrays of a problem."""

    def answer(key):
        curves = Curves(case, task, file=folder / f"{name}.npz")
        every = (segments for plan in PLANS for _, segments in replayed(curves, plan))
        arms = sorted({recorded_as(x.arm) for segments in every for x in segments}, key=str)
        curves.save()
        return {
            "steps": np.int32(curves.steps),
            "arms": np.array([arm.name for arm in arms]),
            "curves": np.array([curves.of(arm) for arm in arms], np.float32),
        }

    return answer


def main() -> None:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    parser.add_argument("--curves", type=Path, help="a folder that keeps the curves", required=True)
    given, arrays = parser.parse_args(), {}
    choose, asked = partial(chosen, given), partial(prepare, given.curves.absolute())
    questions = list(map(Question, choose()))
    for (name, _), found in answers(questions, choose, asked, given.executor):
        arrays |= {f"{name}:{field}": x for field, x in found.items()}
        print(name, flush=True)
    np.savez_compressed(FILE, **arrays)


if __name__ == "__main__":
    main()
