"""Diagnosis of a run: the symptom of its curve, and the remedy that its siblings show."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..._core import validate
from ...training.curves.learning_curve import LearningCurve, to_common_width
from ...training.curves.symptoms import Symptom, late_part, start_of, symptom_of
from .logs.curve import rewindowed
from .logs.read_log import LoggedRun, read_log
from .not_checked import HELPS, not_checked
from .runs import curve_of, existing
from .verdict import Remedy, Verdict, verdict_of

FEWEST = 3
"""The fewest losses of a run whose mean has an error."""

SAME = 1e-4
"""Runs from the same parameters on the same batch have first losses that differ by less."""

UNSEEN = "whether the runs started from the same parameters and used the same data: no log says it"


class Diagnosis(NamedTuple):
    """The symptom of a run, and the verdict of its siblings.

    `str` gives two sentences; every number in them is in the fields. `not_checked` says what the
    run does not show, with the reasons; `apart`, why it was not compared with the other runs of the
    logs, or "". Steps are numbers as in the log.
    """

    symptom: Symptom
    verdict: Verdict
    not_checked: tuple[str, ...] = ()
    apart: str = ""

    @property
    def remedy(self) -> Remedy:
        """The remedy of the verdict."""
        return self.verdict.remedy

    def __str__(self) -> str:
        if self.apart and self.remedy == "uncertain":
            return f"{self.symptom}. It is not compared with the other runs: {self.apart}."
        return f"{self.symptom}. {self.verdict}"


def diagnose(
    curves: Any, siblings: Mapping[float, Any] | None = None, *, rate: float | None = None
) -> Any:
    """Return the symptom of a run and, with siblings, whether another learning rate helps.

    One curve shows a symptom. The remedy comes from runs with other learning rates that started
    from the same parameters and used the same batches: validation losses are compared if both runs
    have them, otherwise training losses batch by batch. `recipe.fork` makes such runs.

    **Arguments**

    - `curves`: one run: the losses of its steps; a history, a result or a `NonFiniteError` of
      `lo.fit`; a `Curve` of the recipe; or the path of a log, of `lo.fit` or of another tool
      (Keras, Lightning, Hugging Face, TensorBoard, Weights & Biases, CSV). Or several,
      `{learning rate: run}`, which are siblings.
    - `siblings`: `{learning rate: run}`, the siblings of one run.
    - `rate`: the learning rate of that run, > 0. By default its record's, or 1: then
      `{10: larger, 0.1: smaller}` are runs at 10 and 0.1 times its learning rate.

    **Returns** a `Diagnosis`; for several curves `{learning rate: Diagnosis}`; for a log of several
    runs `{name: Diagnosis}`.

    **Raises** `TypeError` or `ValueError` for a curve, a log or a learning rate that is not valid.

    ```python
    >>> import numpy as np, lecture_optax as lo
    >>> k = np.arange(200)
    >>> curves = {rate: (1 - rate) ** (2 * k) for rate in (0.001, 0.01, 0.1)}
    >>> found = lo.recipe.diagnose(curves)
    >>> [d.symptom.name for d in found.values()], [d.remedy for d in found.values()]
    (['healthy', 'healthy', 'converged'], ['increase', 'increase', 'keep'])

    ```
    """
    if isinstance(curves, Mapping) and not any(isinstance(key, str) for key in curves):  # several
        if siblings is not None or rate is not None:
            raise ValueError(
                "siblings and rate belong to one run, got several runs in curves: drop them, or "
                "give one run as curves."
            )
        if not curves:
            raise ValueError("curves must hold at least one run, got none.")
        by_rate = _by_rate("curves", curves)
        return {own: _diagnosis(by_rate, own) for own in by_rate}
    if isinstance(curves, str | Path) and siblings is None and rate is None:
        runs = read_log(existing(curves))
        found = diagnose_runs(runs)
        names = [run.name for run in runs]
        return found[0] if len(runs) == 1 else dict(zip(names, found, strict=True))
    curve = curve_of(curves)
    if rate is None:
        rate = curve.rate if np.isfinite(curve.rate) else 1.0
    validate.positive(rate=rate)
    others = _by_rate("siblings", {} if siblings is None else siblings)
    if rate in others:
        raise ValueError(
            f"siblings must have other learning rates than the run, got {rate:.6g} for both: give "
            "`rate=`, or ratios such as 10 and 0.1 if its learning rate is not known."
        )
    return _diagnosis({**others, rate: curve}, rate)


def diagnose_runs(runs: Sequence[LoggedRun]) -> list[Diagnosis]:
    """Return the diagnosis of each run of one or several logs.

    Runs are siblings if their learning rates are known and differ. Any other run is diagnosed
    alone; `apart` and `not_checked` say why.
    """
    if len(runs) == 1:
        return [diagnose(runs[0].curve)]
    reasons = _apart(runs)
    together = [run.curve for run, reason in zip(runs, reasons, strict=True) if not reason]
    width = max((curve.width for curve in together), default=1)
    by_rate = {curve.rate: rewindowed(curve, width) for curve in together}
    return [
        _alone(run.curve, reason) if reason else _together(by_rate, run.curve.rate)
        for run, reason in zip(runs, reasons, strict=True)
    ]


def _alone(curve: LearningCurve, reason: str) -> Diagnosis:
    found = _diagnosis({1.0: curve}, 1.0)
    kept = [x for x in found.not_checked if not x.startswith(HELPS)]
    return found._replace(not_checked=(*kept, f"{HELPS}: {reason}"), apart=reason)


def _together(by_rate: Mapping[float, LearningCurve], rate: float) -> Diagnosis:
    found = _diagnosis(by_rate, rate)
    return found._replace(not_checked=(*found.not_checked, UNSEEN))


def _apart(runs: Sequence[LoggedRun]) -> list[str]:
    """Return for each run why it cannot be compared with the others, or ""."""
    known = [run for run in runs if np.isfinite(run.curve.rate)]
    unit = Counter(run.unit for run in known).most_common(1)[0][0] if known else ""
    counted = [run for run in known if run.unit == unit]
    rates = Counter(run.curve.rate for run in counted)
    single = [run for run in counted if rates[run.curve.rate] == 1]
    width = max((run.curve.width for run in single), default=1)

    def reason(run: LoggedRun) -> str:
        rate = run.curve.rate
        if not np.isfinite(rate):
            return "its log has no learning rate; give those of all runs by --rates"
        if run.unit != unit:
            return f"it counts {run.unit}s, and the others count {unit}s"
        if rates[rate] > 1:
            return f"{rates[rate]} runs have the same learning rate, {rate:.6g}"
        losses = len(rewindowed(run.curve, width).losses)
        if run.curve.failed is None and losses < FEWEST:
            return f"it has {losses} losses, each of {width} {unit}s"
        return ""

    reasons = [reason(run) for run in runs]
    alone = reasons.count("") == 1
    return [x or "no other run can be compared" * alone for x in reasons]


def _by_rate(name: str, runs: Mapping[float, Any]) -> dict[float, LearningCurve]:
    if not isinstance(runs, Mapping):
        raise TypeError(f"{name} must be {{learning rate: run}}, got {type(runs).__name__}.")
    for rate in runs:
        validate.positive(**{f"the learning rates of {name}": rate})
    return {float(rate): curve_of(run) for rate, run in runs.items()}


def _diagnosis(curves: Mapping[float, LearningCurve], own: float) -> Diagnosis:
    """Diagnose the run at the learning rate `own`."""
    by_ratio = to_common_width({rate / own: curve for rate, curve in curves.items()})
    run, slowest = by_ratio[1.0], by_ratio[min(by_ratio)]
    start = start_of(slowest.losses if len(slowest.losses) else run.losses)
    whole = [x.losses for x in by_ratio.values() if x.failed is None and len(x.losses)]
    levels = [np.mean(late_part(losses)) for losses in whole]
    gain = float(max([0.0, *(start - level for level in levels)]))
    symptom = symptom_of(run, gain, start) if len(by_ratio) > 1 else symptom_of(run)
    if _starts_with(run, slowest):
        symptom = symptom._replace(own_start=symptom.start)
    verdict = verdict_of(symptom, by_ratio, gain)
    if symptom.name == "no progress" and verdict.remedy == "increase":
        symptom = symptom._replace(cause="too small")
    elif symptom.name == "no progress" and verdict.remedy == "decrease":
        symptom = symptom._replace(cause=symptom.cause or "too large")
    return Diagnosis(symptom, verdict, not_checked(run, symptom, len(by_ratio) - 1))


def _starts_with(run: LearningCurve, other: LearningCurve) -> bool:
    """Return whether both runs have the same first loss, so that they share a start."""
    x, y = run.losses[:1], other.losses[:1]
    return len(x) == len(y) and bool(np.allclose(x, y, rtol=SAME, atol=0.0))
