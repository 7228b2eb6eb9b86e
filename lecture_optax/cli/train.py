"""The verb `train`: train one problem."""

import json as json_module
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from tyro.conf import arg

from .._core import validate
from .._core.extras import require
from .arguments import UsageError, optimizer_of, usage_errors
from .options import FloatOrNone, NameOrNone, PathOrNone, RunOptions

if TYPE_CHECKING:
    from ..training import Result


@dataclass
class Train(RunOptions):
    """Train a problem and print a report."""

    optimizer: NameOrNone = None
    """sgd, momentum, nesterov, adagrad, rmsprop, adam, adamw, nadam, amsgrad or adamax. By default
    the library chooses, and the report says how."""
    rate: FloatOrNone = None
    """The largest learning rate; by default one that is usual for the optimizer."""
    schedule: NameOrNone = None
    """constant, linear, cosine, inverse_time, one_cycle or wsd; linear by default."""
    warmup: int = 0
    """Steps in which the learning rate increases from 0."""
    checkpoint: PathOrNone = None
    """Checkpoint directory. If the run was interrupted, the same command resumes it."""
    log: Annotated[str | None, arg(metavar="PATH", help_behavior_hint="")] = None
    """A path ending in .jsonl, or a directory for TensorBoard."""
    picture: PathOrNone = None
    """Save a plot of the run to this file."""

    def run(self) -> int:
        from .._fit import fit

        problem, options = self.checked()
        with usage_errors():
            validate.steps(least=0, warmup=self.warmup)
            check_picture(self.picture)
        tx = self._optimizer(options["steps"])
        result = fit(problem.build(), tx=tx, log=self.log, checkpoint=self.checkpoint, **options)
        if self.picture is not None:
            result.plot(self.picture)
        if self.json:
            print(json_module.dumps({"problem": self.problem, **record_of(result)}))
        else:
            print(result.report())
        return 0

    def _optimizer(self, steps: int) -> Any:
        if self.optimizer is not None:
            return optimizer_of(self.optimizer, self.rate, self.schedule, steps, self.warmup)
        if self.rate is not None or self.schedule is not None or self.warmup:
            raise UsageError(
                "rate, schedule and warmup need an optimizer: try --optimizer adam. Without one, "
                "the library chooses all of them."
            )
        return None


def record_of(result: "Result") -> dict[str, Any]:
    """Return a run as JSON values."""
    from .._core.describe import describe

    return {
        "optimizer": str(describe(result.optimizer)),
        "optimizer_source": result.optimizer_source,
        "steps": result.steps,
        "stopped": result.stopped,
        "kept": str(result.kept),
        "evaluations": [
            {name: number(x) for name, x in line.items()} for line in result.history.evaluations
        ],
    }


def number(x: float) -> float | int | None:
    """Return the number, or None for NaN and infinity, which JSON does not have."""
    return x if x == x and abs(x) != float("inf") else None


def check_picture(path: Path | None) -> None:
    """Raise before the training if the plot could not be saved after it."""
    if path is None:
        return
    backends = require("matplotlib.backend_bases", extra="plot", what="plots")
    kinds = backends.FigureCanvasBase.get_supported_filetypes()
    validate.one_of(*sorted(kinds), **{"the ending of picture": path.suffix.removeprefix(".")})
    if not path.absolute().parent.is_dir():
        raise ValueError(f"picture must be in a folder that exists, got {str(path)!r}.")
