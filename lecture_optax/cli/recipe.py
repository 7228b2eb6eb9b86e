"""The verb `recipe`: search for an optimizer and its learning rate."""

import json as json_module
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._core import validate
from .arguments import usage_errors
from .options import PathOrNone, RunOptions
from .train import number

if TYPE_CHECKING:
    from ..recipe import Result


@dataclass
class Recipe(RunOptions):
    """Search for the optimizer and its learning rate, and explain the selection."""

    budget: float = 3.0
    """Cost limit of the whole search, in training runs; at least 0.5."""
    checkpoint: PathOrNone = None
    """Checkpoint directory. If the search was interrupted, the same command resumes it."""
    report: PathOrNone = None
    """Write an HTML page with the explanation, plots, all arms and the code to this file."""

    def run(self) -> int:
        from .. import recipe

        problem, options = self.checked()
        with usage_errors():
            validate.at_least(0.5, budget=self.budget)
            folder = self.report.expanduser().parent if self.report else Path()
            if not folder.is_dir():  # the page could not be written after the search
                raise ValueError(
                    f"report must be a file in a folder that exists, got {self.report}."
                )
        options |= {"budget": self.budget, "checkpoint": self.checkpoint}
        result = recipe.run(problem.build(), **options)
        if self.report:
            result.report(self.report)
        if self.json:
            print(json_module.dumps({"problem": self.problem, **record_of(result)}))
        else:
            print(f"{result.explain()}\n\n{result.code}", end="")
        return 0


def record_of(result: "Result") -> dict[str, Any]:
    """Return a search as JSON values."""
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
        "error": number(why.error),
        "validation_examples": why.rows,
        "gradients": why.gradients,
        "cost": result.cost,
        "code": result.code,
    }
