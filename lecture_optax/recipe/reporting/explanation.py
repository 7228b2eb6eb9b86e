"""Why, as data: what was tried, what came of it, and what was handed over.

`findings.py` compares the records, `words.py` puts them into sentences.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from ..diagnosis.diagnose import Diagnosis
from ..diagnosis.siblings import diagnoses_of
from ..population.arms import Arm
from ..population.curve import Curve, Look
from ..search.race import INF, Race
from ..search.select import Choice


class ArmRecord(NamedTuple):
    """What became of an arm.

    - `change`: the lowest change of the held-out loss, of raw or averaged weights; of late looks
      where there are any, as early ones see other rows; infinite where it was never a number.
    - `at`: the step of it; `steps`: how far the arm ran; `failed`: the step that was not finite,
      and what was not.
    - `looks`: all of them. Two arms that were looked at after the same step saw the same rows.
    - `diagnosis`: what its training losses show, and what its siblings' say of its rate.
    """

    family: str
    rate: float
    fall: tuple[int, int] | None
    steps: int
    change: float
    at: int
    failed: tuple[int, str] | None
    looks: tuple[Look, ...]
    diagnosis: Diagnosis | None = None


class Explanation(NamedTuple):
    """The numbers behind every sentence of `Result.explain`.

    - `arms`: a record for every arm, the best first; `winner`: the arm that was handed over, its
      weights of `step`, averaged or not; `families`: in the order in which they are tried.
    - `start`, `loss`: the held-out loss before and after, over all rows; `error`: the standard
      error of the gain; `rows`: how many there are, and `kept_back`: whether from the training
      rows.
    - `seen_rows`: how many of them late looks saw, which is all where they pay for it, and
      `seen_start`: the loss of the start over those. Looks are changes from there.
    - `gradients`, `limit`: spent and allowed; `looks`: the looks' share of the compute.
    - `ended`: False where a person stopped the search.
    """

    arms: tuple[ArmRecord, ...]
    winner: ArmRecord | None
    step: int
    is_average: bool
    start: float
    loss: float
    error: float
    rule: str
    rows: int
    seen_rows: int
    seen_start: float
    kept_back: bool
    steps: int
    gradients: int
    limit: int
    looks: float
    families: tuple[str, ...]
    ended: bool = True

    def __str__(self) -> str:
        from .text import sentences

        return "\n".join(sentences(self))


def explanation_of(
    race: Race,
    choice: Choice,
    families: Sequence[str],
    batch: int,
    rows: int,
    kept_back: bool,
    ended: bool,
) -> Explanation:
    """Read a finished race."""
    population, held_out = race.population, race.held_out
    steps, members = population.steps, population.members
    shown = diagnoses_of({arm: m.curve for arm, m in members.items()}, steps)
    records = {arm: _record(families, arm, m.curve, steps, shown) for arm, m in members.items()}
    found = choice.found
    forward_rows = population.spent * batch * 3
    return Explanation(
        arms=tuple(sorted(records.values(), key=lambda record: record.change)),
        winner=records[found.arm] if found else None,
        step=found.step if found else 0,
        is_average=bool(found and found.is_average),
        start=held_out.start["all"],
        loss=held_out.start["all"] - choice.gain,
        error=choice.error,
        rule=choice.rule,
        rows=rows,
        seen_rows=held_out.plan.late,
        seen_start=held_out.start["late"],
        kept_back=kept_back,
        steps=population.steps,
        gradients=population.spent,
        limit=population.limit,
        looks=held_out.asked / max(1, forward_rows),
        families=tuple(families),
        ended=ended,
    )


def _record(
    families: Sequence[str],
    arm: Arm,
    curve: Curve,
    steps: int,
    shown: Mapping[Arm, Diagnosis | None],
) -> ArmRecord:
    late = [x for x in curve.looks if not np.isnan(x.raw)] or curve.looks
    change, at = min(((float(np.nanmin(x[1:])), x.step) for x in late), default=(INF, 0))
    fall = arm.fall if arm.fall and arm.fall[0] < steps else None
    return ArmRecord(
        family=families[arm.family],
        rate=arm.rate,
        fall=fall,
        steps=curve.step,
        change=change,
        at=at,
        failed=curve.failed,
        looks=tuple(curve.looks),
        diagnosis=shown[arm],
    )
