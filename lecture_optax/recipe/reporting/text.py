"""The report of a search as text: the sentences of `findings.py`, and one table of arms."""

import textwrap

from ..._core.tables import text_table
from . import comparisons as c
from .explanation import ArmRecord, Explanation
from .findings import findings_of

WIDTH = 100
TEXT_COLUMNS = ("optimizer", "outcome", "symptom")
"""Columns of text, aligned to the left; numbers are aligned to the right."""

BESIDE = "beside the selected"
ARM_COLUMNS = (
    "optimizer",
    "learning rate",
    "decay",
    "steps",
    "loss",
    BESIDE,
    "outcome",
    "symptom",
)


def sentences(e: Explanation) -> list[str]:
    """Return the sentences of the findings."""
    return [finding.sentence for finding in findings_of(e)]


def text_of(e: Explanation) -> str:
    """Return the sentences, and a table of all arms with what they cost."""
    columns, rows = arm_table(e)
    align = "".join("l" if name in TEXT_COLUMNS else "r" for name in columns)
    lines = [textwrap.fill(line, WIDTH, break_on_hyphens=False) for line in sentences(e)]
    return "\n".join([*lines, "", caption(e), text_table([columns, *rows], align, width=WIDTH)])


def caption(e: Explanation) -> str:
    """Return what the table holds, and what the search cost."""
    cost = f"{len(e.arms)} arms, {e.gradients:,} gradients of {e.limit:,} (a run has {e.steps:,})"
    if e.ended and e.gradients:  # the evaluations are planned for the whole budget
        cost = f"{cost}; evaluations cost {e.evaluation_share:.1%} of the compute"
    subset = f" ~: estimated from {e.subset_rows:,} of {e.rows:,} validation examples."
    return f"{cost}.{subset if e.subset_rows < e.rows else ''}"


def arm_table(e: Explanation) -> tuple[list[str], list[list[str]]]:
    """Return the columns that say something, and a row of cells for every arm, as `ranked`."""
    rows = [arm_cells(e, arm) for arm in c.ranked(e)]
    cells_of = {name: {row[i] for row in rows} for i, name in enumerate(ARM_COLUMNS)}
    says = [len(x) > (name == "optimizer") and any(x) for name, x in cells_of.items()]
    columns = [name for name, shown in zip(ARM_COLUMNS, says, strict=True) if shown]
    return columns, [[x for x, shown in zip(row, says, strict=True) if shown] for row in rows]


def arm_cells(e: Explanation, arm: ArmRecord) -> list[str]:
    """Return the cells of `ARM_COLUMNS`."""
    return [
        arm.optimizer,
        f"{arm.rate:.3g}",
        f"{arm.decay[0]:,} to {arm.decay[1]:,}" if arm.decay else "",
        f"{arm.steps:,}",
        str(c.loss_of(e, arm) or ""),
        beside_the_selected(e, arm),
        outcome_of(e, arm),
        arm.symptom.name if arm.symptom else "",
    ]


def beside_the_selected(e: Explanation, arm: ArmRecord) -> str:
    """Return how far an arm is above the selected one, and at which step."""
    if e.winner is None or arm == e.winner or not (pair := c.compare(e, e.winner, arm)):
        return ""
    return f"{'−' if pair.difference < 0 else '+'}{pair.size} at {pair.step:,}"


def outcome_of(e: Explanation, arm: ArmRecord) -> str:
    """Return the outcome of an arm, short enough for the cell of a table."""
    if arm == e.winner:
        return f"selected: {'averaged' if e.is_average else 'raw'}, step {e.step:,}"
    if arm.failed:
        return f"not finite at step {arm.failed[0]:,} ({arm.failed[1]})"
    if c.diverged(arm):
        return f"worse than the start at step {arm.evaluations[-1].step:,}"
    return "ran to the end" if arm.steps >= e.steps else f"pruned at step {arm.steps:,}"
