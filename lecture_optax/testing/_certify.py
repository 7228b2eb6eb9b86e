"""`certify`: everything that can be measured on a transformation, in one certificate."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import optax

from .certification.candidate import candidate_of
from .certification.first_step import FIRST_STEP

SECTIONS = [FIRST_STEP]
"""The sections of a certificate, in the order of the page."""


@dataclass(frozen=True)
class Certificate:
    """What was measured on one transformation.

    - `sections`: numbers by section. One that was not measured has the
      reason as `not_measured`.
    """

    sections: dict[str, dict[str, Any]]

    def __str__(self) -> str:
        found = []
        for section in SECTIONS:
            numbers = self.sections[section.name]
            reason = numbers.get("not_measured")
            lines = [f"not measured: {reason}"] if reason else section.lines(numbers)
            found.append("\n".join([section.title, *(f"  {line}" for line in lines)]))
        return "\n\n".join(found)


def certify(make: Callable[..., optax.GradientTransformation], params: Any = None) -> Certificate:
    """Measure what a transformation keeps, costs and does."""
    candidate = candidate_of(make, params)
    return Certificate({section.name: _measured(section, candidate) for section in SECTIONS})


def _measured(section: Any, candidate: Any) -> dict[str, Any]:
    try:
        return section.measure(candidate)
    except Exception as error:  # whatever a transformation of another author raises
        return {"not_measured": f"{type(error).__name__}: {error}"}
