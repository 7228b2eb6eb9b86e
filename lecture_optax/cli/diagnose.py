"""Say what is wrong with runs that were logged, and which rate would do better."""

import json as json_module
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from tyro.conf import Positional, arg

from .arguments import MistypedError, typed

if TYPE_CHECKING:
    from ..recipe import Diagnosis
    from ..recipe.diagnosis.learning_curve import Track


@dataclass
class Diagnose:
    """Say what is wrong with a run, and, beside runs at other rates, which rate would do better.

    The runs must have started alike and seen the same batches: a problem and a seed, several rates.
    """

    logs: Annotated[Positional[tuple[Path, ...]], arg(metavar="RUN.jsonl ...")]
    """Files that `train --log` or lo.fit(log=...) wrote; one may hold several runs."""
    json: bool = False
    """A JSON list in place of the sentences."""

    def run(self) -> int:
        from ..recipe import diagnose

        with typed():
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

    def _runs(self) -> "dict[str, Track]":
        """By name: of its file, and its number where the file holds several."""
        from ..recipe.diagnosis.learning_curve import tracks_in

        if not self.logs:
            raise MistypedError("logs must name at least one file, got none.")
        runs = {}
        for path in self.logs:
            if not path.is_file():
                raise MistypedError(f"logs must be files, got {path}, which is none.")
            tracks = tracks_in(path)
            several = len(tracks) > 1
            runs |= {f"{path}{f' #{i}' if several else ''}": x for i, x in enumerate(tracks, 1)}
        return runs


def record_of(name: str, rate: float, found: "Diagnosis") -> dict[str, Any]:
    """What a program wants to know, in numbers and words that JSON has."""
    symptom, verdict = found
    return {
        "run": name,
        "learning_rate": _finite(rate),
        "symptom": symptom.name,
        "cause": symptom.cause,
        "remedy": verdict.remedy,
        "is_significant": verdict.is_significant,
        "steps": symptom.steps,
        "start": _finite(symptom.start),
        "level": _finite(symptom.level),
        "decrease": _finite(symptom.decrease.value),
        "error": _finite(symptom.decrease.error),
        "failed": symptom.failed and symptom.failed._asdict(),
        "why": str(found),
    }


def _rates(runs: "dict[str, Track]") -> list[float]:
    """One a run; siblings are told apart by theirs."""
    rates: dict[float, str] = {}
    for name, track in runs.items():
        if len(runs) > 1 and not math.isfinite(track.rate):
            raise MistypedError(
                f"{name} must hold a learning_rate to be compared with other runs, got none: "
                "Optax's optimizers log theirs inside optax.inject_hyperparams, ours do."
            )
        if track.rate in rates:
            raise MistypedError(
                f"runs must be at different rates, got {track.rate:.6g} in {rates[track.rate]} "
                f"and in {name}: diagnose them one by one."
            )
        rates[track.rate] = name
    return list(rates)


def _at(rate: float) -> str:
    return f" at {rate:.3g}" if math.isfinite(rate) else ""


def _finite(x: float) -> float | None:
    return float(x) if math.isfinite(x) else None
