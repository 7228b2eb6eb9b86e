"""The verb `diagnose`: symptoms and remedies of logged runs."""

import json as json_module
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from tyro.conf import Positional, arg

from .arguments import UsageError, usage_errors
from .train import number

if TYPE_CHECKING:
    from ..recipe import Diagnosis
    from ..training.curves.learning_curve import LearningCurve


@dataclass
class Diagnose:
    """Print the symptom of a logged run and, with runs at other learning rates, the remedy.

    The runs must share the problem and the seed, and differ in the learning rate.
    """

    logs: Annotated[Positional[tuple[Path, ...]], arg(metavar="RUN.jsonl ...")]
    """Files that `train --log` or lo.fit(log=...) wrote; one file may hold several runs."""
    json: bool = False
    """Print a JSON list instead of text."""

    def run(self) -> int:
        from ..recipe import diagnose

        with usage_errors():
            runs = self._runs()
            rates = _rates(runs)
        if len(runs) == 1:
            found = {rates[0]: diagnose(next(iter(runs.values())))}
        else:
            found = diagnose(dict(zip(rates, runs.values(), strict=True)))
        named = list(zip(runs, rates, (found[rate] for rate in rates), strict=True))
        if self.json:
            print(json_module.dumps([record_of(*each) for each in named]))
        else:
            print("\n".join(f"{name}{_at(rate)}: {what}" for name, rate, what in named))
        return 0

    def _runs(self) -> "dict[str, LearningCurve]":
        """Return the runs by name: the file, and a number if it holds several."""
        from ..recipe.diagnosis.runs import read_log

        if not self.logs:
            raise UsageError("logs must name at least one file, got none.")
        runs = {}
        for path in self.logs:
            if not path.is_file():
                raise UsageError(f"logs must be files, got {path}, which is not a file.")
            curves = read_log(path)
            several = len(curves) > 1
            runs |= {f"{path}{f' #{i}' if several else ''}": x for i, x in enumerate(curves, 1)}
        return runs


def record_of(name: str, rate: float, found: "Diagnosis") -> dict[str, Any]:
    """Return a diagnosis as JSON values."""
    symptom, verdict = found
    return {
        "run": name,
        "learning_rate": number(rate),
        "symptom": symptom.name,
        "cause": symptom.cause,
        "remedy": verdict.remedy,
        "is_significant": verdict.is_significant,
        "steps": symptom.steps,
        "start": number(symptom.start),
        "level": number(symptom.level),
        "decrease": number(symptom.decrease.value),
        "error": number(symptom.decrease.error),
        "failed": symptom.failed and symptom.failed._asdict(),
        "text": str(found),
    }


def _rates(runs: "dict[str, LearningCurve]") -> list[float]:
    """Return the learning rate of each run; siblings must have different ones."""
    rates: dict[float, str] = {}
    for name, curve in runs.items():
        if len(runs) > 1 and not math.isfinite(curve.rate):
            raise UsageError(
                f"{name} must have a learning_rate to be compared with other runs, got none: "
                "Optax's optimizers log it inside optax.inject_hyperparams, ours always."
            )
        if curve.rate in rates:
            raise UsageError(
                f"runs must have different learning rates, got {curve.rate:.6g} in "
                f"{rates[curve.rate]} and in {name}: diagnose them one by one."
            )
        rates[curve.rate] = name
    return list(rates)


def _at(rate: float) -> str:
    return f" (learning rate up to {rate:.3g})" if math.isfinite(rate) else ""
