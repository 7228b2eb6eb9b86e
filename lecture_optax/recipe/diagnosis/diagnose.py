"""Diagnosis of a run: the symptom of its curve, and the remedy that its siblings show."""

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

UNSEEN = "whether the runs started from the same parameters and used the same data: no log says it"


class Diagnosis(NamedTuple):
    """The symptom of a run, and the verdict of its siblings.

    `str` gives two sentences; every number in them is in the fields. `not_checked` says what the
    run does not show, with the reasons.
    """

    symptom: Symptom
    verdict: Verdict
    not_checked: tuple[str, ...] = ()

    @property
    def remedy(self) -> Remedy:
        """The remedy of the verdict."""
        return self.verdict.remedy

    def __str__(self) -> str:
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

    Runs are siblings if their learning rates are known and differ. Otherwise each is diagnosed
    alone, and `not_checked` says why.
    """
    if len(runs) == 1:
        return [diagnose(runs[0].curve)]
    width = max(run.curve.width for run in runs)
    curves = [rewindowed(run.curve, width) for run in runs]
    if reason := _not_siblings(runs, curves):
        alone = [_diagnosis({1.0: run.curve}, 1.0) for run in runs]
        return [x._replace(not_checked=(*_but_one_run(x), f"{HELPS}: {reason}")) for x in alone]
    by_rate = {curve.rate: curve for curve in curves}
    found = {rate: _diagnosis(by_rate, rate) for rate in by_rate}
    return [x._replace(not_checked=(*x.not_checked, UNSEEN)) for x in found.values()]


def _but_one_run(found: Diagnosis) -> list[str]:
    return [x for x in found.not_checked if not x.startswith(HELPS)]


def _not_siblings(runs: Sequence[LoggedRun], curves: Sequence[LearningCurve]) -> str:
    """Return why the runs, with their curves in common windows, cannot be compared, or ""."""
    names: dict[float, str] = {}
    for run, curve in zip(runs, curves, strict=True):
        if curve.failed is None and len(curve.losses) < FEWEST:
            return f"{run.name} has {len(curve.losses)} losses, each of {curve.width} {run.unit}s"
        rate = run.curve.rate
        if not np.isfinite(rate):
            return f"{run.name} has no learning rate; give those of all runs by --rates"
        if rate in names:
            return f"{names[rate]} and {run.name} have the same learning rate, {rate:.6g}"
        if run.unit != runs[0].unit:
            return f"{runs[0].name} counts {runs[0].unit}s, and {run.name} counts {run.unit}s"
        names[rate] = run.name
    return ""


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
    verdict = verdict_of(symptom, by_ratio, gain)
    if symptom.name == "no progress" and verdict.remedy == "increase":
        symptom = symptom._replace(cause="too small")
    return Diagnosis(symptom, verdict, not_checked(run, symptom, len(by_ratio) - 1))
