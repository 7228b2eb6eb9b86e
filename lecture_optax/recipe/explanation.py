"""Why, as data: what was tried, what came of it, and what was handed over."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from .choose import Choice
from .curves import Curve
from .population import Arm
from .race import INF, Race


class ArmRecord(NamedTuple):
    """What became of an arm.

    - `change`: the lowest change of the held-out loss, of raw or averaged weights; infinite where
      it was never a number.
    - `at`: the step of it; `steps`: how far the arm ran; `failed`: the step that was not finite,
      and what was not.
    """

    family: str
    rate: float
    fall: tuple[int, int] | None
    steps: int
    change: float
    at: int
    failed: tuple[int, str] | None


class Explanation(NamedTuple):
    """The numbers behind every sentence of `Result.explain`.

    - `arms`: a record for every arm, the best first; `winner`: the arm that was handed over.
    - `start`, `loss`: the held-out loss before and after, over all rows; `error`: the standard
      error of the gain; `rows`: how many there are, and `kept_back`: whether from the training
      rows.
    - `gradients`, `limit`: spent and allowed; `looks`: the looks' share of the compute.
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
    kept_back: bool
    steps: int
    gradients: int
    limit: int
    looks: float

    def __str__(self) -> str:
        return "\n".join(sentences(self))


def explanation_of(
    race: Race, choice: Choice, families: Sequence[str], batch: int, rows: int, kept_back: bool
) -> Explanation:
    """Read a finished race."""
    population, held_out = race.population, race.held_out
    steps, members = population.steps, population.members
    records = {arm: _record(families, arm, m.curve, steps) for arm, m in members.items()}
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
        kept_back=kept_back,
        steps=population.steps,
        gradients=population.spent,
        limit=population.limit,
        looks=held_out.asked / max(1, forward_rows),
    )


def sentences(e: Explanation) -> list[str]:
    """The explanation in words."""
    lines = [_handed_over(e), _sure(e)]
    lines += [line for line in (_neighbours(e), _failures(e), _early(e)) if line]
    spent = f"Spent {e.gradients} gradients of {e.limit} (a run has {e.steps})"
    return [*lines, f"{spent}; looks at held-out rows were {e.looks:.1%} of the compute."]


def _handed_over(e: Explanation) -> str:
    if e.winner is None:
        failed = [arm for arm in e.arms if arm.failed]
        why = f"{len(failed)} of {len(e.arms)} arms were not finite" if failed else "all are flat"
        return (
            f"No arm was better than the start (held-out loss {e.start:.5g}): {why}. The model is "
            "the one that was given. Look for inputs out of scale, a loss that does not depend on "
            "the parameters, or log, sqrt or division at 0."
        )
    kind = "averaged" if e.is_average else "raw"
    return (
        f"{_name(e.winner)}, {kind} weights of step {e.step}: the held-out loss fell from "
        f"{e.start:.5g} to {e.loss:.5g}."
    )


def _sure(e: Explanation) -> str:
    origin = "kept back from the training rows" if e.kept_back else "given"
    head = f"{e.rows} held-out rows ({origin}) chose it"
    if e.winner is None:
        return f"{e.rows} held-out rows ({origin}) were looked at."
    if np.isnan(e.error):
        why = "from one row" if e.rows < 2 else "from a loss that is no mean over rows"
        return f"{head}; how sure that is cannot be said {why}."
    gain = e.start - e.loss
    rule = "" if e.rule == "lowest" else f" ({e.rule})"
    return f"{head}{rule}; the gain is {gain:.4g} ± {e.error:.2g} (one standard error over rows)."


def _neighbours(e: Explanation) -> str:
    """What larger and smaller rates of the same family did."""
    if e.winner is None:
        return ""
    words = [_beside(e, sign) for sign in (1, -1)]
    return " ".join(word for word in words if word)


def _beside(e: Explanation, sign: int) -> str:
    assert e.winner is not None
    family, rate = e.winner.family, e.winner.rate
    kin = [a for a in e.arms if a.family == family and a.fall is None]
    side = [a for a in kin if sign * np.log10(a.rate / rate) > 0.1]
    if not side:
        return ""
    nearest = min(side, key=lambda a: abs(np.log10(a.rate / rate)))
    how = "larger" if sign > 0 else "smaller"
    if nearest.failed:
        what = f"was not finite at step {nearest.failed[0]}"
        return f"The next {how} rate, {nearest.rate:.2g}, {what}."
    if nearest.change == INF:
        return ""
    return (
        f"The next {how} rate, {nearest.rate:.2g}, gained {-nearest.change:.4g} by step "
        f"{nearest.steps}, of the {-e.winner.change:.4g} of this arm."
    )


def _failures(e: Explanation) -> str:
    failed = [arm for arm in e.arms if arm.failed]
    if not failed:
        return ""
    words = [f"{_name(a)} at step {a.failed[0]} ({a.failed[1]})" for a in failed if a.failed]
    return f"Not finite: {'; '.join(sorted(words))}."


def _early(e: Explanation) -> str:
    """When the best look lies well before the arm's end: it overfits, or rings."""
    if e.winner is None or e.step > 0.8 * e.winner.steps or e.winner.steps < e.steps // 4:
        return ""
    return (
        f"The best look was at step {e.step}, and {e.winner.steps} were run: from there on the "
        "held-out loss rose."
    )


def _name(record: ArmRecord) -> str:
    fall = f", falling to 0 over steps {record.fall[0]} to {record.fall[1]}" if record.fall else ""
    return f"{record.family} at {record.rate:.3g}{fall}"


def _record(families: Sequence[str], arm: Arm, curve: Curve, steps: int) -> ArmRecord:
    looks = [(float(np.nanmin([x.raw, x.averaged])), x.step) for x in curve.looks]
    change, at = min(looks, default=(INF, 0))
    name = families[arm.family]
    fall = arm.fall if arm.fall and arm.fall[0] < steps else None
    return ArmRecord(name, arm.rate, fall, curve.step, change, at, curve.failed)
