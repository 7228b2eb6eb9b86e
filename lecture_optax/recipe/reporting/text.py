"""Why, in words: sentences, each with the numbers that it rests on (`findings.py`)."""

import html
import io
import math
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..diagnosis.symptom_words import BASIS, helps, showed
from ..diagnosis.verdict import times
from . import comparisons as f
from .explanation import ArmRecord, Explanation

if TYPE_CHECKING:
    pass

KEPT_BACK = "kept back from the training rows"

PAYS = 0.005
"""The part of the gain that the last quarter of the steps must bring for more of them to pay: at
this pace, four times as many bring 6 %."""


def sentences(e: Explanation) -> list[str]:
    """The explanation, a claim a line."""
    if e.winner is None:
        return [_nothing(e), *_stopped(e), *_failures(e), _spent(e)]
    why = (_rate(e), _shown(e), _families(e), _schedule(e), _average(e))
    rest = (line for part in (*why, _edges(e), _later(e), _failures(e)) for line in part)
    return [_handed_over(e), *_stopped(e), _sure(e), *rest, _spent(e)]


def name_of(arm: ArmRecord) -> str:
    """adam at 0.01, falling to 0 over steps 300 to 600."""
    decay = f", falling to 0 over steps {arm.decay[0]} to {arm.decay[1]}" if arm.decay else ""
    return f"{arm.optimizer} at {arm.rate:.3g}{decay}"


def fate_of(e: Explanation, arm: ArmRecord) -> str:
    """What became of an arm, in a few words."""
    if arm == e.winner:
        return f"handed over, {'averaged' if e.is_average else 'raw'} weights of step {e.step}"
    if arm.failed:
        return f"not finite at step {arm.failed[0]} ({arm.failed[1]})"
    if f.diverged(arm):
        return f"worse than the start at step {arm.evaluations[-1].step}"
    return "ran to the end" if arm.steps >= e.steps else f"left behind at step {arm.steps}"


def _nothing(e: Explanation) -> str:
    failed = [arm for arm in e.arms if arm.failed]
    why = f"{len(failed)} of {len(e.arms)} arms were not finite" if failed else "all are flat"
    return (
        f"No arm was better than the start (held-out loss {e.start:.5g}): {why}. The model is "
        f"the one that was given; {_rows(e)} were looked at. Look for inputs out of scale, a loss "
        "that does not depend on the parameters, or log, sqrt or division at 0."
    )


def _handed_over(e: Explanation) -> str:
    assert e.winner is not None
    kind = "averaged" if e.is_average else "raw"
    return (
        f"{name_of(e.winner)}, {kind} weights of step {e.step}: the held-out loss fell from "
        f"{e.start:.5g} to {e.loss:.5g}."
    )


def _stopped(e: Explanation) -> Iterator[str]:
    if not e.ended:
        yield (
            f"The search was stopped by hand after {e.gradients} of {e.limit} gradients: this is "
            "the best until then."
        )


def _rows(e: Explanation) -> str:
    return f"{e.rows} held-out rows ({KEPT_BACK if e.held_out_from_train else 'given'})"


def _sure(e: Explanation) -> str:
    head = f"How sure: {_rows(e)} chose it"
    if np.isnan(e.error):
        why = "from one row" if e.rows < 2 else "from a loss that is no mean over rows"
        return f"{head}; how sure that is cannot be said {why}."
    reason = "" if e.reason == "lowest" else f" ({e.reason})"
    gain = f"{e.start - e.loss:.4g} ± {e.error:.2g}"
    return (
        f"{head}{reason}; the gain is {gain} (one standard error over rows).{_part(e)}{_alike(e)}"
    )


def _part(e: Explanation) -> str:
    return "" if e.subset_rows == e.rows else f" Looks on the way saw {e.subset_rows} of the rows."


def _alike(e: Explanation) -> str:
    arms = f.near(e)
    if not arms:
        return " No other arm came within 1 % of it."
    names = "; ".join(name_of(arm) for arm in arms)
    return f" Within 1 % of it came {len(arms)} more: {names}."


def _rate(e: Explanation) -> Iterator[str]:
    """What ten times the rate and a tenth would have done, and the nearest that were tried."""
    assert e.winner is not None
    kin = f.constant_arms(e, e.winner.optimizer)
    rates = f"from {kin[0].rate:.3g} to {kin[-1].rate:.3g}"
    yield f"Why this rate: {len(kin)} rates of {e.winner.optimizer} were tried, {rates}."
    arms = [f.beside(e, decades) for decades in (1, 0.01, -0.01, -1)]
    for arm in sorted({arm for arm in arms if arm}, key=lambda arm: -arm.rate):
        yield f"The rate {times(arm.rate / e.winner.rate)}, {_beside(e, arm)}."


def _shown(e: Explanation) -> Iterator[str]:
    assert e.winner is not None
    if e.winner.diagnosis is not None:
        what, way = showed(e.winner.diagnosis), helps(e.winner.diagnosis)
        yield f"What this rate showed: {what}. What its siblings say: {way}."


def _beside(e: Explanation, arm: ArmRecord) -> str:
    if arm.failed:
        return f"{arm.rate:.3g}, was not finite at step {arm.failed[0]}"
    pair = f.compared(e, arm)
    return f"{arm.rate:.3g}, {_pair(pair)}" if pair else f"{arm.rate:.3g}, ran {arm.steps} steps"


def _pair(pair: f.Compared) -> str:
    did = f"had gained {-pair.change:.4g}" if pair.change <= 0 else f"had lost {pair.change:.4g}"
    this = f"gained {-pair.winner:.4g}" if pair.winner <= 0 else f"lost {pair.winner:.4g}"
    return f"{did} by step {pair.step}, where this arm had {this}"


def _families(e: Explanation) -> Iterator[str]:
    assert e.winner is not None
    for optimizer in e.optimizers:
        if optimizer == e.winner.optimizer:
            continue
        arms = [arm for arm in e.arms if arm.optimizer == optimizer]
        pair = f.rival(e, optimizer)
        if not arms:
            yield f"{optimizer} was not tried within the budget of {e.limit} gradients."
        elif pair:
            best = f"{optimizer} at its best, {pair.arm.rate:.3g}"
            yield f"Why {e.winner.optimizer}: {best}, {_pair(pair)}."
        else:
            yield f"Why {e.winner.optimizer}: no arm of {optimizer} was finite."


def _schedule(e: Explanation) -> Iterator[str]:
    assert e.winner is not None
    if pair := f.other_schedule(e):
        other = "falls" if pair.arm.decay else "stays"
        own = "falls" if e.winner.decay else "stays"
        yield f"Why a rate that {own}: with a rate that {other} it {_pair(pair)}."


def _average(e: Explanation) -> Iterator[str]:
    evaluation = f.handed(e)
    if evaluation is None:
        return
    words = ("averaged", "raw") if e.is_average else ("raw", "averaged")
    first, second = (
        (evaluation.averaged, evaluation.raw)
        if e.is_average
        else (evaluation.raw, evaluation.averaged)
    )
    yield (
        f"Why {words[0]} weights: at step {evaluation.step} they had gained {-first:.5g}, "
        f"{words[1]} ones {-second:.5g}."
    )


def _edges(e: Explanation) -> Iterator[str]:
    for optimizer in e.optimizers:
        if found := f.edge(e, optimizer):
            how = fate_of(e, found.worst)
            yield (
                f"The edge of divergence of {optimizer} lies between {found.below:.3g} and "
                f"{found.above:.3g}, which was {how}."
            )


def _later(e: Explanation) -> Iterator[str]:
    """Overfitting, and what is to be expected of more steps."""
    assert e.winner is not None
    if found := f.rise(e):
        yield (
            f"{name_of(found.arm)} overfits from step {found.lowest_at} on: by step {found.until} "
            f"the held-out loss of its average had risen by {found.by:.3g}. More steps will not "
            "help; more data or a penalty may."
        )
    elif late := f.late_improvement(e):
        pays = "4 times as many may pay" if late.part > PAYS else "more will bring little"
        yield (
            f"Steps {late.since} to {late.until} lowered the averaged loss by {late.by:.2g}, "
            f"{late.part:.2%} of the gain: {pays}."
        )
    elif e.winner.steps < e.steps and e.limit - e.gradients < 0.1 * e.steps:
        yield (
            f"The budget ended at step {e.winner.steps} of {e.steps}: a larger one lets this arm "
            "run on."
        )


def _failures(e: Explanation) -> Iterator[str]:
    failed = [arm for arm in e.arms if arm.failed]
    if failed:
        words = [f"{name_of(a)} at step {a.failed[0]} ({a.failed[1]})" for a in failed if a.failed]
        yield f"Not finite: {'; '.join(sorted(words))}."


def _spent(e: Explanation) -> str:
    spent = f"Spent {e.gradients} gradients of {e.limit} (a run has {e.steps})"
    return f"{spent}; looks at held-out rows were {e.evaluation_share:.1%} of the compute."


WIDTH = 100
LEFT = ("optimizer", "what became of it", "symptom", "remedy")
SHOWN = ("optimizer", "rate", "rate falls", "symptom", "remedy")
COLUMNS = (
    "optimizer",
    "rate",
    "rate falls",
    "steps",
    "lowest loss",
    "at step",
    "what became of it",
)


def text_of(e: Explanation, last: Sequence[str] = ()) -> str:
    """The sentences, those that come `last`, and a table of all arms: print it."""
    try:
        from rich.console import Console
        from rich.table import Table
    except ImportError as error:
        raise ImportError('a report needs Rich: pip install "lecture_optax[train]".') from error
    tables = []
    for columns, cells in ((COLUMNS, _cells), (SHOWN, _cell_text)):
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
        for name in columns:
            table.add_column(name, justify="left" if name in LEFT else "right")
        for arm in e.arms:
            table.add_row(*cells(e, arm), style="bold" if arm == e.winner else None)
        tables.append(table)
    page = io.StringIO()
    console = Console(
        file=page, width=WIDTH, color_system=None, markup=False, highlight=False, emoji=False
    )
    console.print(*sentences(e), *last, "", tables[0], "", BASIS, tables[1], sep="\n")
    return "\n".join(line.rstrip() for line in page.getvalue().splitlines())


def _cells(e: Explanation, arm: ArmRecord) -> list[str]:
    seen = math.isfinite(arm.change)
    return [
        arm.optimizer,
        f"{arm.rate:.3g}",
        f"{arm.decay[0]:,} to {arm.decay[1]:,}" if arm.decay else "",
        f"{arm.steps:,}",
        f"{e.subset_start + arm.change:.5g}" if seen else "",
        f"{arm.at:,}" if seen else "",
        fate_of(e, arm),
    ]


def _cell_text(e: Explanation, arm: ArmRecord) -> list[str]:
    """Its symptom, and what its siblings say would help, each with its evidence."""
    return [*_cells(e, arm)[:3], showed(arm.diagnosis), helps(arm.diagnosis)]


def _table(e: Explanation, columns: Sequence[str], cells: Callable[..., list[str]]) -> str:
    rows = [
        f"<tr{' class=chosen' if arm == e.winner else ''}>{_row(columns, 'td', cells(e, arm))}</tr>"
        for arm in e.arms
    ]
    head = f"<thead><tr>{_row(columns, 'th', columns)}</tr></thead>"
    return f"<table>{head}<tbody>{''.join(rows)}</tbody></table>"


def _row(columns: Sequence[str], tag: str, cells: Sequence[str]) -> str:
    """Words to the left, numbers to the right."""
    left = [" class=words" if name in LEFT else "" for name in columns]
    return "".join(
        f"<{tag}{kind}>{html.escape(x)}</{tag}>" for kind, x in zip(left, cells, strict=True)
    )
