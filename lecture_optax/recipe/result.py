"""The result of a search: the trained model, the reasons, and code that trains it again."""

import functools
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .._core import validate
from ..training.problem import Problem
from ..training.result import Trained
from .population.arms import Arm
from .population.curve import Curve
from .reporting.explanation import Explanation
from .reporting.stability import StabilityReport, sentence
from .reporting.text import sentences, text_of
from .search.select import Selection


@dataclass(frozen=True)
class Result(Trained):
    """A trained model, selected by its validation loss, and the search that found it.

    **Attributes**

    - `params`: the trainable arrays; `model_state`: the rest.
    - `optimizer`: a gradient transformation for your own training loop. It ends in an average of
      the weights: `lo.averaged(state, params)`.
    - `code`: Python that trains the same model without a search.
    - `cost`: the cost of the search, in complete training runs; `gradients`: in gradients.
    - `history`: a `Curve` for every arm: its evaluations, its training loss in blocks, and the
      step at which it diverged.
    - `selection`: the weights that were selected, and the standard error of their gain;
      `explanation`: the reasons, as data.
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
        """The trained model, of the kind that you passed.

        A linen module bound to its variables, a new Equinox module, or a clone of your nnx model.
        The nnx model of a `Problem.from_nnx` is itself updated when this is first read.
        """
        return self.export(self.params, self.model_state)

    @functools.cached_property
    def stability(self) -> StabilityReport | None:
        """The stability of the selected learning rate (`theory.curvature_gauge`), at the end of its
        arm before any decay; None where no arm was better than the start.

        It is measured when it is first read, in a second or two. `report` includes it.
        """
        return self.measure and self.measure()

    def explain(self) -> str:
        """Return the reasons for optimizer, learning rate and weights, a claim a line."""
        return "\n".join(sentences(self.explanation))

    def report(self, path: str | os.PathLike | None = None) -> str:
        """Return the reasons and a table of all arms as text; with `path`, also write a page.

        The page is one HTML file with pictures that loads nothing from the network. The first
        report measures the `stability`.

        **Raises** `ImportError` with `path` and without Matplotlib, naming the extra.
        """
        from .reporting.page import page_of

        if path is not None:
            validate.path(path=path)
        winner = self.explanation.winner
        last = [sentence(self.stability, winner.optimizer)] if winner and self.stability else []
        if path is not None:
            page = page_of(self.explanation, self.code, last)
            Path(path).expanduser().write_text(page, encoding="utf-8")
        return text_of(self.explanation, last)

    def plot(self, ax: Any = None) -> Any:
        """Draw the search: losses over learning rates, all arms over steps, and learning rates.

        **Arguments**

        - `ax`: one `Axes`, on which the arms are drawn over steps. By default a new figure; it is
          not shown.

        **Returns** the axes that you passed, or a list of all.

        **Raises** `ImportError` without Matplotlib, naming the extra.
        """
        from .reporting import plots as draw

        validate.axes(ax=ax)
        if ax is not None:
            return draw.draw_race(self.explanation, ax)
        return draw.draw_search(self.explanation)


def reproduction_code(
    selection: Selection,
    problem: str,
    steps: int,
    batch_size: int,
    seed: int,
    held_out_from_train: bool,
    own: list[str],
) -> str:
    """Return a `lo.fit` call that trains the selected arm with the same bits.

    `own` are the names of the arguments that only you have: `optimizers`, `wrap`.
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
    """Return the problem as code, in the argument names of `recipe.run`."""
    if isinstance(given, Problem):
        return "problem"
    name = repr(loss) if isinstance(loss, str) else "loss"
    held_out = "" if valid is None else ", valid=valid"
    return f"lo.training.Problem.from_{problem.adapter.name}(model, data, loss={name}{held_out})"
