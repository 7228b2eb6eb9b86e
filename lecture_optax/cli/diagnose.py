"""The verb `diagnose`: symptoms and remedies of logged runs."""

import json as json_module
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from tyro.conf import Positional, arg

from .arguments import UsageError, one_of, usage_errors
from .train import number

if TYPE_CHECKING:
    from ..recipe import Diagnosis
    from ..recipe.diagnosis.logs.read_log import LoggedRun


@dataclass
class Diagnose:
    """Print the symptom of a logged run and, with runs at other learning rates, the remedy.

    The runs must share the problem and the seed, and differ in the learning rate.
    """

    logs: Annotated[Positional[tuple[Path, ...]], arg(metavar="LOG ...")]
    """Files or folders of lo.fit(log=...), Keras, Lightning, Hugging Face, TensorBoard, Weights &
    Biases, or CSV; one may hold several runs."""
    rates: Annotated[str, arg(metavar="RATE,...")] = ""
    """The learning rates of the runs, in their order, where the logs have none."""
    step: Annotated[str, arg(metavar="NAME")] = ""
    """The column of the step; `line` counts the lines."""
    loss: Annotated[str, arg(metavar="NAME")] = ""
    """The column of the training loss."""
    valid_loss: Annotated[str, arg(metavar="NAME")] = ""
    """The column of the validation loss."""
    rate: Annotated[str, arg(metavar="NAME")] = ""
    """The column of the learning rate."""
    fail_on: Annotated[str, arg(metavar="LO201,...")] = ""
    """Exit with status 1 if a run has one of these symptoms."""
    json: bool = False
    """Print a JSON list instead of text."""

    def run(self) -> int:
        from ..recipe.diagnosis.diagnose import diagnose_runs

        fatal = self._fatal()
        with usage_errors():
            runs = _with_rates(self._runs(), self.rates)
        found = diagnose_runs(runs)
        if self.json:
            print(json_module.dumps([record_of(*x) for x in zip(runs, found, strict=True)]))
        else:
            print("\n".join([*map(_line, runs, found), *_notes(runs, found)]))
        return int(any(x.symptom.identifier in fatal for x in found))

    def _fatal(self) -> set[str]:
        from ..training.curves.symptoms import IDENTIFIERS

        words = [word.strip() for word in self.fail_on.split(",") if word.strip()]
        return {one_of("fail_on", word, IDENTIFIERS.values()) for word in words}

    def _runs(self) -> "list[LoggedRun]":
        from ..recipe.diagnosis.logs.columns import Columns
        from ..recipe.diagnosis.logs.read_log import read_log

        if not self.logs:
            raise UsageError("logs must name at least one file or folder, got none.")
        names = (self.step, self.loss, self.valid_loss, self.rate)
        columns = Columns(*(name or None for name in names))
        for path in self.logs:
            if not path.exists():
                raise UsageError(
                    f"logs must be files or folders, got {path}, which does not exist."
                )
        try:
            return [run for path in self.logs for run in read_log(path, columns)]
        except (OSError, ImportError) as error:
            raise UsageError(str(error)) from error


def record_of(run: "LoggedRun", found: "Diagnosis") -> dict[str, Any]:
    """Return a diagnosis as JSON values."""
    symptom, verdict, chosen = found.symptom, found.verdict, run.columns
    return {
        "run": run.name,
        "format": run.source,
        "columns": {
            "step": chosen.step,
            "loss": chosen.loss,
            "valid_loss": chosen.valid_loss,
            "learning_rate": chosen.rate,
        },
        "unit": run.unit,
        "learning_rate": number(run.curve.rate),
        "logged_learning_rate": number(run.curve.logged_rate),
        "identifier": symptom.identifier,
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
        "not_checked": list(found.not_checked),
    }


def _with_rates(runs: "list[LoggedRun]", typed: str) -> "list[LoggedRun]":
    """Return the runs at the learning rates that were typed."""
    if not typed:
        return runs
    try:
        rates = [float(word) for word in typed.split(",")]
    except ValueError:
        rates = []
    if len(rates) != len(runs) or not all(0 < rate < math.inf for rate in rates):
        raise UsageError(
            f"rates must be positive numbers with commas between them, one for each of the "
            f"{len(runs)} runs ({', '.join(run.name for run in runs[:4])}), got {typed!r}."
        )
    return [
        run._replace(curve=run.curve._replace(rate=rate, logged_rate=rate))
        for run, rate in zip(runs, rates, strict=True)
    ]


def _line(run: "LoggedRun", found: "Diagnosis") -> str:
    rate, logged = run.curve.rate, run.curve.logged_rate
    source = "" if logged == rate else f", extrapolated from {logged:.3g} in the log"
    at = f" (learning rate up to {rate:.6g}{source})" if math.isfinite(rate) else ""
    return f"{run.name}{at}: {found.symptom.identifier} {found}"


def _notes(runs: "Sequence[LoggedRun]", found: "Sequence[Diagnosis]") -> list[str]:
    """Return which columns were read, and what was not checked, each once for all its runs."""
    names = [run.name for run in runs]
    read = _by_text([[_read(run)] for run in runs], names)
    open_questions = _by_text([list(x.not_checked) for x in found], names)
    return ["", *(f"Read {x}." for x in read), *(f"Not checked: {x}." for x in open_questions)]


def _read(run: "LoggedRun") -> str:
    chosen = run.columns
    parts = {
        "loss": chosen.loss,
        "validation loss": chosen.valid_loss,
        "learning rate": chosen.rate,
        "step": chosen.step or "the number of the line",
    }
    words = ", ".join(f"{what} = {title}" for what, title in parts.items() if title)
    unit = f"; a step is an {run.unit}" * (run.unit == "epoch")
    return f"{run.source}: {words}{unit}"


def _by_text(texts: Sequence[Sequence[str]], names: Sequence[str]) -> list[str]:
    """Return each text once, with the names of its runs if other runs do not have it."""
    found: dict[str, list[str]] = {}
    for own, name in zip(texts, names, strict=True):
        for text in own:
            found.setdefault(text, []).append(name)
    return [
        text if len(own) == len(names) else f"{text} ({', '.join(own)})"
        for text, own in found.items()
    ]
