"""Checks of statements, printed as a table."""

import difflib
import json as json_module
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

from ..._core.extras import install
from ..._core.keywords import checked
from .registry import statements
from .statement import Finding, Statement


class Outcome(NamedTuple):
    """The verdict on a statement: holds, fails or skipped; the findings or the reason; the time."""

    statement: Statement
    verdict: str
    findings: tuple[Finding, ...]
    because: str
    seconds: float


@checked
def run(only: str | None = None, json: bool = False) -> int:
    """Check statements, print the table, and return the exit status.

    **Arguments**

    - `only`: the name of one statement, or a prefix of several names; by default all are checked.
    - `json`: print JSON instead of the table: a list with a record per statement.

    **Returns** 0 if no statement fails, 1 otherwise. A statement whose extra is not installed is
    skipped and counted; it does not fail.

    **Raises** `ValueError` if no name begins with `only`.
    """
    outcomes = []
    for outcome in outcomes_of(only):
        outcomes.append(outcome)
        if not json:
            print(_rows(outcome), flush=True)
    if json:
        print(json_module.dumps([_record(outcome) for outcome in outcomes], indent=2))
    else:
        print(_summary(outcomes))
    return int(any(outcome.verdict == "fails" for outcome in outcomes))


def outcomes_of(only: str | None = None) -> Iterator[Outcome]:
    """Check the statements whose names begin with `only` and yield their outcomes, one by one."""
    table = statements()
    names = [only] if only in table else [n for n in table if n.startswith(only or "")]
    if only == "" or not names:
        near = _near(only or "", list(table))
        way_out = f"Did you mean {near}?" if near else f"The names are {', '.join(table)}."
        raise ValueError(
            f"only must be the name of a statement or a prefix of names, got {only!r}. {way_out}"
        )
    return map(_decide, map(table.__getitem__, names))


def _near(word: str, names: list[str]) -> str:
    """Return similar names, or else names that contain a word similar to this one."""
    near = difflib.get_close_matches(word, names, 4, 0.7) or [
        name for name in names if difflib.get_close_matches(word, name.split("-"), 1, 0.7)
    ]
    return " or ".join(repr(name) for name in near)


def _decide(statement: Statement) -> Outcome:
    if statement.missing:
        because = f"needs {', '.join(statement.missing)}. Install it {install('theory')}."
        return Outcome(statement, "skipped", (), because, 0.0)
    start = time.perf_counter()
    try:
        findings, because = statement(), ""
    except Exception as error:  # a method may raise anything; the others still run
        findings, because = (), f"{type(error).__name__}: {error}"
    holds = bool(findings) and all(finding.holds for finding in findings)
    verdict = "holds" if holds else "fails"
    return Outcome(statement, verdict, findings, because, time.perf_counter() - start)


_COLUMNS = "{:8} {:40} {:>17} {:2} {:>17}  {}"


def _rows(outcome: Outcome) -> str:
    """Return a line with the claim, then a line per finding."""
    statement = outcome.statement
    lines = [f"{outcome.verdict:8} {statement.name}: {statement.claim}  [{statement.source}]"]
    if outcome.because:
        lines.append(f"{'':8} {outcome.because}")
    for finding in outcome.findings:
        sign = {"=": "=", "<=": "≤", ">=": "≥"}[finding.relation]
        numbers = (f"{finding.measured:.10g}", sign, f"{finding.predicted:.10g}")
        within = f"± {finding.tolerance:.0e}" if finding.tolerance else ""
        mark = within if finding.holds else f"{within}  ← fails"
        lines.append(_COLUMNS.format("", finding.what, *numbers, mark).rstrip())
    return "\n".join(lines)


def _summary(outcomes: list[Outcome]) -> str:
    count = Counter(outcome.verdict for outcome in outcomes)
    words = f"{count['holds']} hold, {count['fails']} fail, {count['skipped']} skipped"
    noun = "statement" if len(outcomes) == 1 else "statements"
    return f"{len(outcomes)} {noun}: {words} ({sum(each.seconds for each in outcomes):.0f} s)"


def _record(outcome: Outcome) -> dict[str, Any]:
    finding = ("what", "measured", "relation", "predicted", "tolerance", "holds")
    return {
        **_fields(outcome.statement, "name", "claim", "slide", "source", "where", "picture"),
        **_fields(outcome, "verdict", "because"),
        "seconds": round(outcome.seconds, 3),
        "findings": [_fields(found, *finding) for found in outcome.findings],
    }


def _fields(record: Any, *names: str) -> dict[str, Any]:
    return {name: getattr(record, name) for name in names}
