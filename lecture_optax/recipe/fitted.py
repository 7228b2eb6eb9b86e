"""What does `lo.fit` return, when the recipe chose?"""

from typing import Any

import numpy as np

from ..training.loop.run import History
from ..training.problem import Problem
from ..training.result import Result as FitResult
from .result import Result
from .run import run


def fitted(problem: Problem, *, steps: int, **options: Any) -> FitResult:
    """A search, as the result of a fit: the winner's looks are its history.

    There is no `opt_state`: the weights that are handed over may be those of an earlier step.
    """
    result = run(problem, steps=steps, **options)
    found = result.choice.found
    averaged = ", averaged" if found and found.is_average else ""
    return FitResult(
        model=result.model,
        params=result.params,
        model_state=result.model_state,
        optimizer=result.optimizer,
        opt_state=None,
        history=History(lines=_lines(result)),
        choice=f"the recipe: {result.explain().splitlines()[0]}",
        cost=result.cost,
        steps=found.step if found else 0,
        kept=f"step {found.step if found else 0}{averaged}",
        predictor=result.predictor,
        search=result,
    )


def _lines(result: Result) -> list[dict[str, float]]:
    """The looks of the winner, as losses over the rows that were looked at."""
    found, start = result.choice.found, result.explanation.seen_start
    looks = result.history[found.arm].looks if found else []
    late = [look for look in looks if not np.isnan(look.raw)]
    return [
        {
            "step": look.step,
            "valid_loss": start + look.raw,
            "averaged_loss": start + look.averaged,
        }
        for look in late
    ]
