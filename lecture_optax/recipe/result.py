"""The result of a search: the trained model, the reasons, and code that trains it again."""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .._core import validate
from ..training.problem import Problem
from ..training.result import Trained, path_of
from .population.arms import Arm
from .population.curve import Curve
from .reporting.explanation import Explanation
from .reporting.stability import StabilityReport
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
    problem: Problem = field(repr=False)
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

        It is measured when it is first read, in a second or two.
        """
        return self.measure and self.measure()

    def explain(self) -> str:
        """Return what was selected and why, in at most five sentences, one a line."""
        return "\n".join(sentences(self.explanation))

    def report(self, path: Any = None) -> str:
        """Return the reasons and a table of all arms as text; with `path`, also write a page.

        The page is one HTML file with pictures that loads nothing from the network.

        **Raises** `ImportError` with `path` and without Matplotlib, naming the extra.
        """
        from .reporting.page import page_of

        if path is not None:
            path = path_of(path)
            path.write_text(page_of(self.explanation, self.code), encoding="utf-8")
        return text_of(self.explanation)

    def plot(self, path: Any = None, ax: Any = None) -> Any:
        """Draw the search: losses over learning rates, all arms over steps, and learning rates.

        **Arguments**

        - `path`: a file to save the plot to, as "search.png". By default it is not saved.
        - `ax`: one `Axes`, on which the arms are drawn over steps. By default a new figure; it is
          not shown.

        **Returns** the axes that you passed, or a list of all.

        **Raises** `ImportError` without Matplotlib, naming the extra.
        """
        from .reporting import plots as draw

        validate.axes(ax=ax)
        path = None if path is None else path_of(path)
        e = self.explanation
        axes: Any = draw.draw_search(e) if ax is None else draw.draw_race(e, ax)
        if path is not None:
            (axes[0] if ax is None else axes).figure.savefig(path, dpi=120)
        return axes


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
{"" if own else _in_short(found.arm, found.is_average)}"""


def problem_as_code(given: Any, problem: Problem, **arguments: Any) -> str:
    """Return the problem as code: words as they are, everything else by the argument's name."""
    if isinstance(given, Problem):
        return "problem"
    own = {name: x for name, x in arguments.items() if x is not None}
    named = (f"{name}={repr(x) if isinstance(x, str) else name}" for name, x in own.items())
    return f"lo.training.Problem.from_{problem.adapter.name}(model, data, {', '.join(named)})"


_AS_CALLS = ("lo.adam({})", "lo.sgd({}, momentum=0.9, nesterov=True)")
"""The optimizers of the lecture as you type them, in the order of `OPTIMIZERS`."""


def _in_short(arm: Arm, is_average: bool) -> str:
    """Return what trains with the same optimizer as you would type it, as a comment."""
    rate = f"{arm.rate:.4g}"
    if arm.decay is not None:
        start, end = arm.decay
        rate = f"lo.schedules.wsd({rate}, decay_start={start}, decay_steps={end - start})"
    average = ", average=True" if is_average else ""
    return (
        "# The same optimizer as you would type it, in place of tx and hyperparams (it rounds "
        f"differently):\n# tx={_AS_CALLS[arm.optimizer].format(rate)}{average}\n"
    )
