"""The learning curve of an arm of a search, of a log file, or of a run in any other form."""

from pathlib import Path
from typing import Any

import numpy as np

from ...training.curves.learning_curve import (
    FailedStep,
    LearningCurve,
    finite_evaluations,
    learning_curve_of,
    min_loss,
)
from ..population.curve import Curve
from .logs.read_log import LoggedRun, read_log


def curve_of(run: Any) -> LearningCurve:
    """Return the learning curve of an arm, of a log of one run, or of `learning_curve_of`."""
    if isinstance(run, str | Path):
        return _only(run, read_log(existing(run)))
    if not isinstance(run, Curve):
        return learning_curve_of(run)
    failed = run.failed and FailedStep(*run.failed, run.leaf)
    evaluations = [(0, 0.0), *((x.step, min_loss(x.raw, x.averaged)) for x in run.evaluations)]
    found = finite_evaluations(*zip(*evaluations, strict=True))
    found = found and found._replace(are_changes=True)
    means = np.asarray(run.means, np.float64)
    return LearningCurve(means, run.width, failed=failed, evaluations=found)


def existing(path: str | Path) -> Path:
    """Return the path of a log if there is a file or a folder."""
    if not str(path) or not Path(path).exists():
        raise ValueError(f"curves must be runs or paths of logs, got {str(path)!r}: no such file.")
    return Path(path)


def _only(path: str | Path, runs: list[LoggedRun]) -> LearningCurve:
    if len(runs) > 1:
        names = ", ".join(run.name for run in runs[:4])
        raise ValueError(f"{path} must hold one run, got {len(runs)}: {names}.")
    return runs[0].curve
