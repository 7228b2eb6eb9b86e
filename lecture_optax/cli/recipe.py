"""Let the recipe find the optimizer and its rate, from a shell."""

import json as json_module
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from tyro.conf import Positional, arg

from .._core import validate
from .arguments import problem_of, typed

if TYPE_CHECKING:
    from ..recipe import Result


@dataclass
class Recipe:
    """Find the optimizer and its learning rate for a problem, and say why."""

    problem: Annotated[Positional[str], arg(metavar="PROBLEM")]
    """A built-in problem (see `lecture-optax problems`), or module:function, a function that
    returns a training.Problem."""
    budget: float = 3.0
    """How many runs' worth of gradients may be spent, everything included; at least 0.5."""
    steps: int | None = None
    """How long a run is; by default what is usual for the problem."""
    batch_size: int | None = None
    """The rows of a batch; by default what is usual for the problem."""
    seed: int = 0
    """Of the initial parameters and the order of the rows."""
    checkpoint: Path | None = None
    """A folder to save the search in. The same command goes on from it when it was killed."""
    json: bool = False
    """One JSON object in place of the sentences."""
    report: Path | None = None
    """An HTML file to write: the sentences, the pictures, all arms, the code."""

    def run(self) -> int:
        from .. import recipe

        problem = problem_of(self.problem)
        steps = problem.steps if self.steps is None else self.steps
        size = problem.batch_size if self.batch_size is None else self.batch_size
        with typed():
            validate.steps(steps=steps)
            validate.at_least(0.5, budget=self.budget)
            if size is not None:
                validate.steps(of="rows", batch_size=size)
            self._check_report()
        options = {"steps": steps, "batch_size": size, "seed": self.seed, "budget": self.budget}
        result = recipe.run(problem.build(), checkpoint=self.checkpoint, **options)
        if self.report:
            result.report(self.report)
        if self.json:
            print(json_module.dumps({"problem": self.problem, **record_of(result)}))
        else:
            print(f"{result.explain()}\n\n{result.code}", end="")
        return 0

    def _check_report(self) -> None:
        """Before the search: a page that cannot be written is noticed after it otherwise."""
        folder = self.report.expanduser().parent if self.report else Path()
        if not folder.is_dir():
            raise ValueError(f"report must be a file in a folder that exists, got {self.report}.")


def record_of(result: "Result") -> dict[str, Any]:
    """What a program wants to know of a search, in numbers and words that JSON has."""
    why = result.explanation
    winner = why.winner
    return {
        "optimizer": winner and winner.optimizer,
        "learning_rate": winner and winner.rate,
        "decay": winner and winner.decay,
        "step": why.step,
        "averaged": why.is_average,
        "start": why.start,
        "loss": why.loss,
        "error": why.error if why.error == why.error else None,
        "held_out_rows": why.rows,
        "gradients": why.gradients,
        "cost": result.cost,
        "code": result.code,
    }
