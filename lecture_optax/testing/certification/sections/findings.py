"""What `lint` finds in a transformation."""

from typing import Any

from ....linting.lint import lint
from ..candidate import Candidate
from ..section import Section


def _measure(candidate: Candidate) -> dict[str, Any]:
    found = lint(candidate.tx, candidate.params)
    return {
        "found": [
            {"name": finding.name, "sentence": finding.sentence, "remedy": finding.remedy}
            for finding in found
        ],
        "not_checked": dict(found.not_checked),
    }


def _lines(numbers: dict[str, Any]) -> list[str]:
    lines = [f"{x['name']}: {x['sentence']} {x['remedy']}".strip() for x in numbers["found"]]
    lines = lines or ["No likely mistake."]
    missing = numbers["not_checked"]
    return lines + [f"Not checked: {name}, as {why}." for name, why in missing.items()]


FINDINGS = Section("lint", "Likely mistakes", _measure, _lines)
