"""Why, as data: what was tried, what came of it, and what was handed over.

`findings.py` compares the records, `words.py` puts them into sentences.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from ..diagnosis.diagnose import Diagnosis
from ..diagnosis.siblings import diagnoses_of
from ..population.arms import Arm
from ..population.curve import Curve, Evaluation
from ..search.race import INF, Race
from ..search.select import Selection


class ArmRecord(NamedTuple):
    """What became of an arm.

    - `change`: the lowest change of the held-out loss, of raw or averaged weights; of late looks
      where there are any, as early ones see other rows; infinite where it was never a number.
    - `at`: the step of it; `steps`: how far the arm ran; `failed`: the step that was not finite,
      and what was not.
    - `evaluations`: all of them. Two arms that were looked at after the same step saw the same rows.
    - `diagnosis`: what its training losses show, and what its siblings' say of its rate.
    """

    optimizer: str
    rate: float
    decay: tuple[int, int] | None
    steps: int
    change: float
    at: int
    failed: tuple[int, str] | None
    evaluations: tuple[Evaluation, ...]
    diagnosis: Diagnosis | None = None


class Explanation(NamedTuple):
    """The numbers behind every sentence of `Result.explain`.

    - `arms`: a record for every arm, the best first; `winner`: the arm that was handed over, its
      weights of `step`, averaged or not; `optimizers`: in the order in which they are tried.
    - `start`, `loss`: the held-out loss before and after, over all rows; `error`: the standard
      error of the gain; `rows`: how many there are, and `held_out_from_train`: whether from the training
      rows.
    - `subset_rows`: how many of them late looks saw, which is all where they pay for it, and
      `subset_start`: the loss of the start over those. Looks are changes from there.
    - `gradients`, `limit`: spent and allowed; `evaluations`: the looks' share of the compute.
    - `ended`: False where a person stopped the search.
    """

    arms: tuple[ArmRecord, ...]
    winner: ArmRecord | None
    step: int
    is_average: bool
    start: float
    loss: float
    error: float
    reason: str
    rows: int
    subset_rows: int
    subset_start: float
    held_out_from_train: bool
    steps: int
    gradients: int
    limit: int
    evaluation_share: float
    optimizers: tuple[str, ...]
    ended: bool = True

    def __str__(self) -> str:
        from .text import sentences

        return "\n".join(sentences(self))


def explanation_of(
    race: Race,
    selection: Selection,
    optimizers: Sequence[str],
    batch: int,
    rows: int,
    held_out_from_train: bool,
    ended: bool,
) -> Explanation:
    """Read a finished race."""
    population, held_out = race.population, race.held_out
    steps, members = population.steps, population.members
    shown = diagnoses_of({arm: m.curve for arm, m in members.items()}, steps)
    records = {arm: _record(optimizers, arm, m.curve, steps, shown) for arm, m in members.items()}
    found = selection.candidate
    forward_rows = population.spent * batch * 3
    return Explanation(
        arms=tuple(sorted(records.values(), key=lambda record: record.change)),
        winner=records[found.arm] if found else None,
        step=found.step if found else 0,
        is_average=bool(found and found.is_average),
        start=held_out.start["all"],
        loss=held_out.start["all"] - selection.gain,
        error=selection.error,
        reason=selection.reason,
        rows=rows,
        subset_rows=held_out.plan.late,
        subset_start=held_out.start["late"],
        held_out_from_train=held_out_from_train,
        steps=population.steps,
        gradients=population.spent,
        limit=population.limit,
        evaluation_share=held_out.asked / max(1, forward_rows),
        optimizers=tuple(optimizers),
        ended=ended,
    )


def _record(
    optimizers: Sequence[str],
    arm: Arm,
    curve: Curve,
    steps: int,
    shown: Mapping[Arm, Diagnosis | None],
) -> ArmRecord:
    late = [x for x in curve.evaluations if not np.isnan(x.raw)] or curve.evaluations
    change, at = min(((float(np.nanmin(x[1:])), x.step) for x in late), default=(INF, 0))
    decay = arm.decay if arm.decay and arm.decay[0] < steps else None
    return ArmRecord(
        optimizer=optimizers[arm.optimizer],
        rate=arm.rate,
        decay=decay,
        steps=curve.step,
        change=change,
        at=at,
        failed=curve.failed,
        evaluations=tuple(curve.evaluations),
        diagnosis=shown[arm],
    )
