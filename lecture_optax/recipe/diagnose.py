"""What is wrong with a run, and what helps?"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from .. import _validate
from .symptoms import Symptom, late_part, start_of, symptom_of
from .tracks import Track, alike, track_of
from .verdict import Verdict, verdict_of


class Diagnosis(NamedTuple):
    """A run's symptom, with its evidence, and the verdict of its siblings.

    Printed, it is two sentences; every number in them is in the fields.
    """

    symptom: Symptom
    verdict: Verdict

    @property
    def remedy(self) -> str:
        """ "×10", "keep", "÷10", "warm up", "switch" or "uncertain"."""
        return self.verdict.remedy

    def __str__(self) -> str:
        return f"{self.symptom} {self.verdict}"


def diagnose(
    curves: Any, siblings: Mapping[float, Any] | None = None, *, rate: float | None = None
) -> Any:
    """Say what is wrong with a run, and, where it has siblings, whether another rate helps.

    One curve shows a symptom; what helps is seen beside runs at other rates that started alike and
    saw the same batches, compared step by step. `recipe.fork` makes them for any run.

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
    (['healthy', 'healthy', 'converged'], ['×10', '×10', 'keep'])

    ```
    """
    if _is_several(curves):
        if siblings is not None:
            raise ValueError("siblings belongs to one run, got several curves: put it into them.")
        tracks = _by_rate("curves", curves)
        return {own: _diagnosis(tracks, own) for own in tracks}
    track = track_of(curves)
    if rate is None:
        rate = track.rate if np.isfinite(track.rate) else 1.0
    _validate.positive(rate=rate)
    return _diagnosis({**_by_rate("siblings", siblings or {}), rate: track}, rate)


def _is_several(curves: Any) -> bool:
    return isinstance(curves, Mapping) and not any(isinstance(key, str) for key in curves)


def _by_rate(name: str, runs: Mapping[float, Any]) -> dict[float, Track]:
    if not isinstance(runs, Mapping):
        raise TypeError(f"{name} must be {{rate: run}}, got {type(runs).__name__}.")
    for rate in runs:
        _validate.positive(**{f"the rates of {name}": rate})
    return {float(rate): track_of(run) for rate, run in runs.items()}


def _diagnosis(tracks: Mapping[float, Track], own: float) -> Diagnosis:
    """Of one run among its siblings."""
    by_ratio = alike({rate / own: track for rate, track in tracks.items()})
    gain = max([0.0, *(_fall(track) for track in by_ratio.values())])
    symptom = symptom_of(by_ratio[1.0], gain if len(by_ratio) > 1 else 0.0)
    return Diagnosis(symptom, verdict_of(symptom, by_ratio, gain))


def _fall(track: Track) -> float:
    """How far a curve fell; nothing where it exploded."""
    x = track.losses
    return start_of(x) - float(np.mean(late_part(x))) if track.failed is None and len(x) else 0.0
