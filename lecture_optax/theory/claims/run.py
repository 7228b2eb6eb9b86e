"""Do the statements hold? Run all of them, and print a table."""

import difflib
import json as json_module
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

from .registry import statements
from .statement import Finding, Statement


class Outcome(NamedTuple):
    """What became of a statement: holds, fails or skipped; why; and how long it took."""

    statement: Statement
    verdict: str
    findings: tuple[Finding, ...]
    because: str
    seconds: float


def run(only: str | None = None, json: bool = False) -> int:
    """Put every statement to the test, print the table, and return the exit status.

    **Arguments**

    - `only`: the name of one statement, or the beginning of several names.
    - `json`: print JSON instead, a list with a record per statement.

    **Returns** 0 if none fails, 1 otherwise. A statement whose extra is not installed is skipped,
    counted as such, and does not fail.

    **Raises** `ValueError` if no statement has that name.
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
    """The outcome of each statement whose name begins with `only`, as it is decided."""
    table = statements()
    chosen = (
        [table[only]]
        if only in table
        else [each for name, each in table.items() if name.startswith(only or "")]
    )
    if only and not chosen:
        near = _near(only, list(table))
        way_out = f"Did you mean {near}?" if near else f"There are {', '.join(table)}."
        raise ValueError(
            f"only must be the name of a statement, or how names begin, got {only!r}. {way_out}"
        )
    return map(_decide, chosen)


def _near(word: str, names: list[str]) -> str:
    """The names that are nearly this one; else those with a word in them that is nearly this."""
    near = difflib.get_close_matches(word, names, 4, 0.7) or [
        name for name in names if difflib.get_close_matches(word, name.split("-"), 1, 0.7)
    ]
    return " or ".join(repr(name) for name in near)


def _decide(statement: Statement) -> Outcome:
    if statement.missing:
        extra = f"needs {', '.join(statement.missing)}: pip install 'lecture_optax[theory]'"
        return Outcome(statement, "skipped", (), extra, 0.0)
    start = time.perf_counter()
    try:
        findings, because = statement(), ""
    except Exception as error:  # a broken method may break anything; the others still run
        findings, because = (), f"{type(error).__name__}: {error}"
    holds = bool(findings) and all(finding.holds for finding in findings)
    verdict = "holds" if holds else "fails"
    return Outcome(statement, verdict, findings, because, time.perf_counter() - start)


_COLUMNS = "{:8} {:40} {:>17} {:2} {:>17}  {}"


def _rows(outcome: Outcome) -> str:
    """A line with the claim, then a line per finding."""
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
    counts = {
        verdict: sum(outcome.verdict == verdict for outcome in outcomes)
        for verdict in ("holds", "fails", "skipped")
    }
    seconds = sum(outcome.seconds for outcome in outcomes)
    words = "{holds} hold, {fails} fail, {skipped} skipped".format(**counts)
    noun = "statement" if len(outcomes) == 1 else "statements"
    return f"{len(outcomes)} {noun}: {words} ({seconds:.0f} s)"


def _record(outcome: Outcome) -> dict[str, Any]:
    statement = outcome.statement
    return {
        "name": statement.name,
        "claim": statement.claim,
        "slide": statement.slide,
        "source": statement.source,
        "where": statement.where,
        "picture": statement.picture,
        "verdict": outcome.verdict,
        "because": outcome.because,
        "seconds": round(outcome.seconds, 3),
        "findings": [
            {
                "what": finding.what,
                "measured": finding.measured,
                "relation": finding.relation,
                "predicted": finding.predicted,
                "tolerance": finding.tolerance,
                "holds": finding.holds,
            }
            for finding in outcome.findings
        ],
    }
