"""What does a run leave? The trained model, and everything that was seen on the way."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax

from .loop.evaluation import averaged_params
from .loop.run import History, Run


class Kept(NamedTuple):
    """The step of the returned parameters, and whether they are an average of the iterates."""

    step: int
    is_average: bool = False

    def __str__(self) -> str:
        return f"step {self.step}{', averaged' if self.is_average else ''}"


@dataclass(frozen=True)
class Result:
    """A trained model, and how it was trained.

    **Attributes**

    - `model`: the linen module bound to its variables, the nnx model itself, updated; the new
      Equinox module; for plain functions the parameters.
    - `params`: the trainable arrays (linen's `params`, nnx's `nnx.Param`); `model_state`: the rest.
    - `optimizer`: the transformation, for a loop of one's own; `opt_state`: its last state.
    - `history`: every step, every evaluation (`History`).
    - `optimizer_source`: how the optimizer was chosen, in words; `cost`: gradient evaluations
      spent, in units of one run.
    - `stopped`: the callback that ended the run, or None.
    - `steps`: how many were made; `kept`: the step of the returned parameters, and whether they are
      an average.
    - `search`: what the recipe found, when it chose (`recipe.Result`: `explain()`, `report()`).
    - `run`: where the run stands, for what goes on from there (`recipe.fork`); None for a search.
    """

    model: Any = field(repr=False)
    params: Any = field(repr=False)
    model_state: Any = field(repr=False)
    optimizer: Any
    opt_state: Any = field(repr=False)
    history: History = field(repr=False)
    optimizer_source: str
    cost: float
    steps: int
    kept: Kept
    stopped: str | None = None
    predictor: Callable[..., Any] | None = field(repr=False, default=None)
    search: Any = field(repr=False, default=None)
    run: Run | None = field(repr=False, default=None)

    def predict(self, x: Any) -> Any:
        """The model's output for rows `x`, in evaluation mode, with the parameters kept."""
        if self.predictor is None:
            raise TypeError(
                "predict needs to know how plain functions predict: give Problem.from_functions a "
                "predict=, a function of (params, x)."
            )
        return self.predictor(self.params, self.model_state, x)

    def report(self) -> str:
        """A summary to read, as plain text: see `report.py`."""
        from .reporting.summary import report

        return report(self)

    def plot(self, ax: Any = None) -> Any:
        """Draw losses, rate and update/weight ratios, and return the axes: see `plot.py`.

        **Arguments**

        - `ax`: one `Axes`, for the losses alone; or three. A new figure when not given.
        """
        from .reporting.plots import plot

        return plot(self.history, ax)


def result_of(
    run: Run,
    keep: str,
    optimizer_source: str,
    cost: float,
    settle: Callable[[Any], Any] | None = None,
) -> Result:
    """Read a finished run: the best weights of all looks, or the last.

    `settle`, the model state that belongs to averaged weights, makes an average of the last.
    """
    problem, best = run.program.problem, run.best
    if keep == "best" and best is not None:
        params, model_state = best.params, best.model_state
        kept = Kept(best.step, best.is_average)
    elif settle is not None:
        params = averaged_params(run.carry)
        model_state, kept = settle(params), Kept(run.step, is_average=True)
    else:
        params, model_state = run.carry.params, run.carry.model_state
        kept = Kept(run.step)
    predict = problem.functions.predict
    return Result(
        model=problem.export(params, model_state),
        params=params,
        model_state=model_state,
        optimizer=run.program.optimizer,
        opt_state=run.carry.opt_state,
        history=run.history,
        optimizer_source=optimizer_source,
        cost=cost,
        steps=run.step,
        kept=kept,
        stopped=run.stopped,
        predictor=predict and jax.jit(predict),
        run=run,
    )
