"""Train one problem from a shell."""

import json as json_module
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from tyro.conf import Positional, arg

from .._core import validate
from .arguments import MistypedError, optimizer_of, problem_of, typed

if TYPE_CHECKING:
    from ..training import Result


@dataclass
class Train:
    """Train a problem, and say what came of it."""

    problem: Annotated[Positional[str], arg(metavar="PROBLEM")]
    """A built-in problem (see `lecture-optax problems`), or module:function, a function that
    returns a training.Problem."""
    optimizer: str | None = None
    """sgd, momentum, nesterov, adagrad, rmsprop, adam, adamw, nadam, amsgrad or adamax. By default
    the library chooses, and says how."""
    rate: float | None = None
    """The learning rate at its highest; by default one that is usual for the optimizer."""
    schedule: str | None = None
    """constant, linear, cosine, inverse_time, one_cycle or wsd; linear by default."""
    warmup: int = 0
    """Steps in which the rate climbs from 0."""
    steps: int | None = None
    """How many steps; by default what is usual for the problem."""
    batch_size: int | None = None
    """The rows of a batch; by default what is usual for the problem."""
    seed: int = 0
    """Of the initial parameters and the order of the rows."""
    checkpoint: Path | None = None
    """A folder to save the run in. The same command goes on from it when it was killed."""
    log: str | None = None
    """A path ending in .jsonl, or a folder for TensorBoard."""
    picture: Path | None = None
    """Draw the run into this file."""
    json: bool = False
    """One JSON object in place of the report."""

    def run(self) -> int:
        from .._fit import fit

        problem = problem_of(self.problem)
        steps = problem.steps if self.steps is None else self.steps
        size = problem.batch_size if self.batch_size is None else self.batch_size
        with typed():
            validate.steps(steps=steps)
            if size is not None:
                validate.steps(of="rows", batch_size=size)
            validate.steps(least=0, warmup=self.warmup)
            check_picture(self.picture)
        result = fit(
            problem.build(),
            tx=self._optimizer(steps),
            steps=steps,
            batch_size=size,
            seed=self.seed,
            log=self.log,
            checkpoint=self.checkpoint,
        )
        if self.picture is not None:
            result.plot()[0].figure.savefig(self.picture, dpi=120)
        if self.json:
            print(json_module.dumps({"problem": self.problem, **record_of(result)}))
        else:
            print(result.report())
        return 0

    def _optimizer(self, steps: int) -> Any:
        if self.optimizer is not None:
            return optimizer_of(self.optimizer, self.rate, self.schedule, steps, self.warmup)
        if self.rate is not None or self.schedule is not None or self.warmup:
            raise MistypedError(
                "rate, schedule and warmup need an optimizer: try --optimizer adam; without one, "
                "the library chooses all of them."
            )
        return None


def record_of(result: "Result") -> dict[str, Any]:
    """What a program wants to know of a run, in numbers and words that JSON has."""
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
    """JSON has no NaN."""
    return x if x == x and abs(x) != float("inf") else None


def check_picture(path: Path | None) -> None:
    """Refuse a picture that could not be written, before the training and not after it."""
    if path is None:
        return
    try:
        from matplotlib.backend_bases import FigureCanvasBase
    except ImportError as error:
        raise ImportError('pictures need Matplotlib: pip install "lecture_optax[plot]".') from error
    kinds = FigureCanvasBase.get_supported_filetypes()
    validate.one_of(*sorted(kinds), **{"the ending of picture": path.suffix.removeprefix(".")})
    if not path.absolute().parent.is_dir():
        raise ValueError(f"picture must be in a folder that exists, got {str(path)!r}.")
