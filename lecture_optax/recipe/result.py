"""What does a search leave? The trained model, how to make it again, and why."""

import functools
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..training.problem import Problem
from .population.arms import Arm
from .population.curve import Curve
from .reporting.explanation import Explanation
from .reporting.stability import StabilityReport, sentence
from .reporting.text import sentences, text_of
from .search.select import Selection


@dataclass(frozen=True)
class Result:
    """A trained model, chosen by its held-out loss, and the search that led to it.

    **Attributes**

    - `params`: the trainable arrays; `model_state`: the rest.
    - `optimizer`: a plain transformation for a loop of one's own. It ends in an average:
      `lo.averaged(state, params)`.
    - `code`: Python that trains the same model without a search.
    - `cost`: what was spent, in runs of `steps` gradients; `gradients`: as a number.
    - `history`: a `Curve` for every arm: its looks, its training loss in blocks, how it failed.
    - `selection`: the evaluation that was handed over, and how sure it is; `explanation`: why, as data.
    """

    export: Callable[[Any, Any], Any] = field(repr=False)
    params: Any = field(repr=False)
    model_state: Any = field(repr=False)
    optimizer: Any
    code: str = field(repr=False)
    cost: float
    gradients: int
    history: Mapping[Arm, Curve] = field(repr=False)
    selection: Selection = field(repr=False)
    explanation: Explanation = field(repr=False)
    predictor: Callable[..., Any] | None = field(repr=False, default=None)
    measure: Callable[[], StabilityReport] | None = field(repr=False, default=None)

    @functools.cached_property
    def model(self) -> Any:
        """The trained model, of the kind that was given.

        A linen module bound to its variables, a new Equinox module, a clone of the nnx model that
        was given; the nnx model of a `Problem.from_nnx` itself, updated when this is first read.
        """
        return self.export(self.params, self.model_state)

    @functools.cached_property
    def gauge(self) -> StabilityReport | None:
        """How near to the edge of stability the chosen rate was (`theory.curvature_gauge`), where
        its arm ended before any fall; None where no arm was better than the start.

        Measured when it is first read, in a second or two; `report` says it.
        """
        return self.measure and self.measure()

    def explain(self) -> str:
        """Why this optimizer, this rate, these weights: a claim a line, each with its numbers."""
        return "\n".join(sentences(self.explanation))

    def report(self, path: str | os.PathLike | None = None) -> str:
        """The reasons and a table of all arms, as text; with `path` also as a page, with pictures.

        The page is one HTML file that opens from a disk and fetches nothing. The first report
        measures the `gauge`.

        **Raises** `ImportError` without Rich, and with `path` without Matplotlib.
        """
        from .reporting.page import write_page

        if path is not None:
            write_page(self.explanation, self.code, path, self._last())
        return text_of(self.explanation, self._last())

    def _last(self) -> list[str]:
        """What a report says after the explanation."""
        winner = self.explanation.winner
        return [sentence(self.gauge, winner.optimizer)] if winner and self.gauge else []

    def plot(self, ax: Any = None) -> Any:
        """Draw the search: losses over rates for each family, the race, the rates below.

        **Arguments**

        - `ax`: one `Axes`, on which the race is drawn. By default a new figure. Nothing is shown.

        **Returns** the axes: the one given, or a list.

        **Raises** `ImportError` without Matplotlib, naming the extra.
        """
        from .reporting import plots as draw

        if ax is not None:
            return draw.draw_race(self.explanation, ax)
        return draw.draw_search(self.explanation)

    def predict(self, x: Any) -> Any:
        """The model's output for rows `x`, in evaluation mode."""
        if self.predictor is None:
            raise TypeError(
                "predict needs to know how plain functions predict: give Problem.from_functions a "
                "predict=, a function of (params, x)."
            )
        return self.predictor(self.params, self.model_state, x)


def code_of(
    selection: Selection,
    problem: str,
    steps: int,
    batch_size: int,
    seed: int,
    held_out_from_train: bool,
    own: list[str],
) -> str:
    """A `lo.fit` call of the program that the search ran, with the numbers that it found.

    `own` are the names of arguments that only the person has: `optimizers`, `wrap`.
    """
    found = selection.candidate
    if found is None:
        return "# No arm was better than the start: there is nothing to train."
    build = f"arm_optimizer({', '.join(f'{name}={name}' for name in own)})"
    given = f"lo.recipe.holdout_split({problem}, seed={seed})" if held_out_from_train else problem
    return f"""import lecture_optax as lo

result = lo.fit(
    {given},
    tx=lo.recipe.{build},
    hyperparams={found.arm.hyperparams(steps)!r},
    steps={found.step},
    batch_size={batch_size},
    seed={seed},
    evaluations=0,
    keep="{"average" if found.is_average else "last"}",
)
"""


def problem_as_code(given: Any, problem: Problem, loss: Any, valid: Any) -> str:
    """How the problem is called, in the names of the arguments of `recipe.run`."""
    if isinstance(given, Problem):
        return "problem"
    name = repr(loss) if isinstance(loss, str) else "loss"
    held_out = "" if valid is None else ", valid=valid"
    return f"lo.training.Problem.from_{problem.kind}(model, data, loss={name}{held_out})"
