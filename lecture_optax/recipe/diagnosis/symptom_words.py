"""What did an arm show, and what would help it, in a few words? Each with its numbers."""

from collections.abc import Callable

import numpy as np

from .diagnose import Diagnosis
from .symptoms import Symptom

BASIS = (
    "Symptoms are read from training losses. Remedies compare arms at constant rates, on the same "
    "batches, at the last step at which both can be: by held-out rows where both were looked at, "
    "otherwise by training losses."
)


def showed(diagnosis: Diagnosis | None) -> str:
    """healthy: fell to 0.33, by 0.67 ± 0.06 late"""
    if diagnosis is None:
        return ""
    symptom = diagnosis.symptom
    cause = f" ({symptom.cause})" if symptom.cause else ""
    return f"{symptom.name}{cause}: {_EVIDENCE[symptom.name](symptom)}"


def helps(diagnosis: Diagnosis | None) -> str:
    """×10: × 10 is 0.56 ± 0.02 lower; ÷ 3.2 is 0.52 ± 0.01 higher"""
    if diagnosis is None:
        return ""
    verdict = diagnosis.verdict
    there = [x for x in (verdict.above, verdict.below) if x]
    asked = [str(x) for x in there if np.isfinite(x.higher.error)]
    if verdict.remedy == "uncertain" or (verdict.remedy == "keep" and not asked):
        return "too early to say" if there else "no sibling to ask"
    doubt = "" if verdict.is_significant else " (not sure)"
    return f"{verdict.remedy}{doubt}{': ' if asked else ''}{'; '.join(asked)}"


def _failed(s: Symptom) -> str:
    if s.failed is None:
        return f"from {s.start:.3g} to {s.level:.3g}"
    of = f" of {s.failed.leaf}" if s.failed.leaf else ""
    return f"{s.failed.quantity}{of} at step {s.failed.step}"


def _fell(s: Symptom) -> str:
    return f"fell to {s.level:.3g}, by {s.late} late"


_EVIDENCE: dict[str, Callable[[Symptom], str]] = {
    "diverging": _failed,
    "no progress": lambda s: f"fell by {s.decrease} in {s.steps:,} steps",
    "oscillating": lambda s: f"rose {s.rises} times, by up to {s.rise:.2g}",
    "quick plateau": lambda s: f"at {s.level:.3g} since step {s.settled:,}",
    "converged": _fell,
    "healthy": _fell,
    "uncertain": lambda s: f"{s.steps:,} steps are too few",
}
