"""What is wrong with a run, and what helps?"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from ..._core import validate
from .learning_curve import Track, alike, track_of
from .symptoms import Symptom, late_part, start_of, symptom_of
from .verdict import Verdict, verdict_of


class Diagnosis(NamedTuple):
    """A run's symptom, with its evidence, and the verdict of its siblings.

    Printed, it is two sentences; every number in them is in the fields.
    """

    symptom: Symptom
    verdict: Verdict

    @property
    def remedy(self) -> str:
        """ "increase", "keep", "decrease", "warmup", "switch_optimizer" or "uncertain"."""
        return self.verdict.remedy

    def __str__(self) -> str:
        return f"{self.symptom} {self.verdict}"


def diagnose(
    curves: Any, siblings: Mapping[float, Any] | None = None, *, rate: float | None = None
) -> Any:
    """Say what is wrong with a run, and, where it has siblings, whether another rate helps.

    One curve shows a symptom; what helps is seen beside runs at other rates that started alike and
    saw the same batches: on held-out rows where the runs looked at them, otherwise batch by batch.
    `recipe.fork` makes them for any run.

    **Arguments**

    - `curves`: a run: the losses of its steps; a history, a result or a `NonFiniteError` of
      `lo.fit`; a `Curve` of the recipe. Or several, `{rate: run}`, that are each other's siblings.
    - `siblings`: `{rate: run}`, of runs beside the one in `curves`.
    - `rate`: of that one, > 0. By default what its record says, or 1: then `{10: up, 0.1: down}`
      are runs at ten times its rate and at a tenth.

    **Returns** a `Diagnosis`; for several curves `{rate: Diagnosis}`.

    **Raises** `TypeError` or `ValueError` for what is no curve or no rate.

    ```python
    >>> import numpy as np, lecture_optax as lo
    >>> k = np.arange(200)
    >>> curves = {rate: (1 - rate) ** (2 * k) for rate in (0.001, 0.01, 0.1)}
    >>> found = lo.recipe.diagnose(curves)
    >>> [d.symptom.name for d in found.values()], [d.remedy for d in found.values()]
    (['healthy', 'healthy', 'converged'], ['increase', 'increase', 'keep'])

    ```
    """
    if _is_several(curves):
        if siblings is not None or rate is not None:
            raise ValueError("siblings and rate belong to one run, got several in curves.")
        if not curves:
            raise ValueError("curves must hold at least one run, got none.")
        tracks = _by_rate("curves", curves)
        return {own: _diagnosis(tracks, own) for own in tracks}
    track = track_of(curves)
    if rate is None:
        rate = track.rate if np.isfinite(track.rate) else 1.0
    validate.positive(rate=rate)
    beside = _by_rate("siblings", siblings or {})
    if rate in beside:
        raise ValueError(
            f"siblings must be at other rates than the run itself, got {rate:.6g}: give `rate=`, "
            "or ratios such as 10 and 0.1 for a run whose rate is not known."
        )
    return _diagnosis({**beside, rate: track}, rate)


def _is_several(curves: Any) -> bool:
    return isinstance(curves, Mapping) and not any(isinstance(key, str) for key in curves)


def _by_rate(name: str, runs: Mapping[float, Any]) -> dict[float, Track]:
    if not isinstance(runs, Mapping):
        raise TypeError(f"{name} must be {{rate: run}}, got {type(runs).__name__}.")
    for rate in runs:
        validate.positive(**{f"the rates of {name}": rate})
    return {float(rate): track_of(run) for rate, run in runs.items()}


def _diagnosis(tracks: Mapping[float, Track], own: float) -> Diagnosis:
    """Of one run among its siblings."""
    by_ratio = alike({rate / own: track for rate, track in tracks.items()})
    run, slowest = by_ratio[1.0], by_ratio[min(by_ratio)]
    start = start_of(slowest.losses if len(slowest.losses) else run.losses)
    levels = [np.mean(late_part(x.losses)) for x in by_ratio.values() if _has_level(x)]
    gain = float(max([0.0, *(start - level for level in levels)]))
    symptom = symptom_of(run, gain, start) if len(by_ratio) > 1 else symptom_of(run)
    verdict = verdict_of(symptom, by_ratio, gain)
    if symptom.name == "no progress" and verdict.remedy == "increase":
        symptom = symptom._replace(cause="too small")
    return Diagnosis(symptom, verdict)


def _has_level(track: Track) -> bool:
    return track.failed is None and len(track.losses) > 0
