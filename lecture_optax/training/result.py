"""The result of a run: the trained model and its history."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.core import Tracer

from .._core.extras import warn
from ._trees import by_path, n_rows, shapes_of_rows
from .checks.data import check_rows
from .checks.targets import check_targets
from .compiled.processes import Processes
from .compiled.settings import for_the_caller, own_placement
from .compiled.sharding import home_of, mesh_in, place, with_automatic_axes
from .conversion.arrays import as_arrays
from .conversion.columns import check_columns, columns_of
from .loop.evaluation import averaged_params, evaluate_all, evaluated_weights
from .loop.nonfinite import STATE, NonFiniteError, StateWatch
from .loop.run import History, Run
from .problem import Problem
from .reporting.page import page_of
from .reporting.plots import plot
from .reporting.summary import report


def path_of(path: Any) -> Path:
    """Return where to write a file, which must be in a folder that exists."""
    if not isinstance(path, str | os.PathLike):
        raise TypeError(
            f"path must be a path of a file, got {path!r}. To draw on axes, pass them as ax=."
        )
    found = Path(path).expanduser()
    if not found.name or not found.absolute().parent.is_dir() or found.is_dir():
        raise ValueError(f"path must be a file in a folder that exists, got {str(path)!r}.")
    return found


class Kept(NamedTuple):
    """The step of the returned parameters, and whether they are an average of the iterates."""

    step: int
    is_average: bool = False

    def __str__(self) -> str:
        return f"step {self.step}{', averaged' if self.is_average else ''}"


class NoSearch:
    """What `Result.search` is without a budget: false, and each attribute says how to search."""

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "no search"

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(
            f"result.search has no {name!r}, as this run was no search: pass budget=3 to lo.fit, "
            "without tx, to search for the optimizer and the learning rate."
        )


class Trained:
    """What the results of a run and of a search share: the trained model predicts."""

    params: Any
    model_state: Any
    predictor: Callable[..., Any] | None
    problem: Problem
    run: Run | None = None

    @property
    def variables(self) -> dict[str, Any]:
        """The variables of a linen module: `module.apply(result.variables, x)`."""
        kind = self.problem.adapter.name
        if kind != "linen":
            raise AttributeError(
                f"variables are those of a linen module, and this is a model of {kind}: call "
                "result.model, or result.predict(x)."
            )
        return {"params": self.params, **self.model_state}

    @own_placement()
    def evaluate(self, data: Any) -> dict[str, float]:
        """Return the loss and the metrics on other data, such as a test set.

        **Arguments**

        - `data`: like the training data: (x, y).

        **Raises** `TypeError` or `ValueError` for data that are not like them.
        """
        if data is None:
            raise TypeError("data must be like the training data, (x, y), got None.")
        params, model_state = with_automatic_axes((self.params, self.model_state))
        try:
            problem = replace(self.problem, valid=with_automatic_axes(data))
            check_rows(problem.train, problem.valid, None, pairs=problem.per_example is not None)
            check_targets(problem, params, model_state, n_rows(problem.valid))
        except (TypeError, ValueError) as error:
            raise type(error)(f"data, here called valid: {error}") from None
        home = home_of({"params": params, "the model's state": model_state})
        return evaluate_all(problem, params, model_state, place(problem.valid, home))

    def __getstate__(self) -> dict[str, Any]:
        """Leave out the model, which is built again: a bound linen module cannot be pickled."""
        return {name: value for name, value in vars(self).items() if name != "model"}

    @own_placement()
    def predict(self, x: Any) -> Any:
        """Return the model's output for examples `x`, or for one example, in evaluation mode.

        Tables, tensors and lists are converted as for training; the columns must be the same.
        """
        if self.predictor is None:
            raise TypeError(
                "predict needs a predict function: pass predict=, a function of (params, x), to "
                "Problem.from_functions."
            )
        return for_the_caller(self.predictor(self.params, self.model_state, x))


class Predictor:
    """The compiled predictions of a problem, for examples as users have them.

    One example, without the axis of the examples, is predicted as such.
    """

    def __init__(self, problem: Problem):
        is_of_a_model, predict = problem.per_example is not None, problem.functions.predict
        assert predict is not None
        self.function = predict
        self.like = shapes_of_rows(problem.train[0], 1) if is_of_a_model else None
        self.columns = problem.columns if is_of_a_model else {}

    def __call__(self, params: Any, model_state: Any, x: Any) -> Any:
        check_columns(self.columns, columns_of((x,)), "x")
        x = as_arrays(x, "x")
        like = self.like
        if like is None:
            try:
                return self._predicted(params, model_state, x)
            except (TypeError, ValueError) as error:
                words = f"predict does not take x, {_shapes(x)}: {' '.join(str(error).split())}"
                raise type(error)(words) from error
        if jax.tree.structure(x) != jax.tree.structure(like):
            raise TypeError(
                f"x must be like the training data, {_shapes(like)}, got {_shapes(x)}. "
                "numpy.stack makes one array of a list of examples."
            )
        is_one = _axes(x) == [axes - 1 for axes in _axes(like)]
        rows = jax.tree.map(lambda x: x[None], x) if is_one else x
        try:
            found = self._predicted(params, model_state, rows)
        except Exception as error:  # whatever the model says
            if shapes_of_rows(rows, 1) == like:
                raise
            raise ValueError(
                f"x must be like the training data, {_shapes(like)}, got {_shapes(rows)}, and the "
                f"model does not take it ({type(error).__name__})."
            ) from error
        return jax.tree.map(lambda p: p[0], found) if is_one else found

    def _predicted(self, params: Any, model_state: Any, x: Any) -> Any:
        """Predict where the parameters are; a transformation of JAX places x itself."""
        if not any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves(x)):
            params, model_state = with_automatic_axes((params, model_state))
            x = place(x, home_of({"params": params, "the model's state": model_state}))
        return jax.jit(self.function)(params, model_state, x)


def _axes(tree: Any) -> list[int]:
    return [np.ndim(x) for x in jax.tree.leaves(tree)]


def _shapes(x: Any) -> str:
    found = {path: ["n", *map(str, np.shape(a)[1:])] for path, a in by_path(x, "x").items()}
    return ", ".join(f"{path} of shape ({', '.join(n)})" for path, n in found.items()) or "None"


@dataclass(frozen=True)
class Result(Trained):
    """A trained model, and how it was trained.

    **Attributes**

    - `model`: the linen module bound to its variables, the nnx model itself, updated; the new
      Equinox module; for plain functions the parameters.
    - `params`: the trainable arrays (linen's `params`, nnx's `nnx.Param`); `model_state`: the rest.
      Of a schedule-free method they are the weights for evaluation; `run.carry.params` are those at
      which it takes its gradients.
    - `optimizer`: the transformation, for your own loop; `opt_state`: its last state.
    - `history`: every step, every evaluation (`History`).
    - `optimizer_source`: how the optimizer was selected, in words; `cost`: gradient evaluations
      spent, in units of one run.
    - `stopped`: the callback that ended the run, or None.
    - `steps`: the number of steps; `kept`: the step of the returned parameters, and whether they
      are an average.
    - `search`: the `recipe.Result` of a search (`explain()`, `report()`), or a `NoSearch`, which is
      false.
    - `problem`: what was trained, with its data and its loss.
    - `run`: the state of the run, for `recipe.fork`; None for a search.

    A result can be pickled and copied, if your own functions and classes can.
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
    problem: Problem = field(repr=False)
    stopped: str | None = None
    predictor: Callable[..., Any] | None = field(repr=False, default=None)
    search: Any = field(repr=False, default=NoSearch())
    run: Run | None = field(repr=False, default=None)

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        vars(self)["model"] = self.problem.export(self.params, self.model_state)

    @property
    def _processes(self) -> Processes:
        return Processes(mesh_in(home_of({"params": self.params})))

    @own_placement()
    def report(self, path: Any = None) -> str:
        """Return a summary as plain text: print it. With `path`, also write an HTML page.

        The page is one file with the plot, and loads nothing from the network. That of a search is
        the page of `search.report(path)`.

        **Raises** `ImportError` with `path` and without Matplotlib, naming the extra.

        ```python
        >>> import flax.linen as nn, jax.numpy as jnp, lecture_optax as lo
        >>> x = jnp.linspace(-1.0, 1.0, 64)[:, None]
        >>> result = lo.fit(nn.Dense(1), (x, 3 * x), loss="mse", tx=lo.sgd(0.3), steps=200)
        >>> print(result.report().splitlines()[0])
        chain(scale_by_learning_rate(0.3))
        >>> [str(axes.get_ylabel()) for axes in result.plot()]
        ['loss', 'learning rate τ', '|Δθ| / |θ|']

        ```
        """
        text = report(self)
        if path is not None:
            path = path_of(path)
            if self.search:
                self.search.report(path)
            elif self._processes.is_first:
                path.write_text(page_of(self), encoding="utf-8")
        return text

    def plot(self, path: Any = None, ax: Any = None) -> Any:
        """Draw losses, learning rate and update/weight ratios, and return the axes.

        **Arguments**

        - `path`: a file to save the plot to, as "run.png". By default it is not saved.
        - `ax`: one `Axes`, for the losses alone; or three, for all. By default a new figure, which
          is not shown. A search does not record the ratios.

        **Raises** `ImportError` without Matplotlib, naming the extra.
        """
        path = None if path is None else path_of(path)
        axes = plot(self.history, ax)
        if path is not None and self._processes.is_first:
            np.ravel(axes)[0].figure.savefig(path, dpi=120)
        return axes


def result_of(
    run: Run,
    keep: str,
    optimizer_source: str,
    cost: float,
    statistics_for: Callable[[Any], Any],
    *,
    is_averaged: bool,
) -> Result:
    """Return the result of a finished run: the weights that `keep` names.

    - `statistics_for`: returns the model state that belongs to other parameters than the last.
    - `is_averaged`: whether the average stands for the last parameters.
    """
    problem, best = run.program.problem, run.best
    if keep == "best" and best is None:
        warn(
            f"the validation loss was not finite at any of {len(run.history.evaluations)} "
            f"evaluations, so no parameters are the best ones: those of step {run.step}, the last "
            "one, are returned. Look for validation examples on which the model or the loss "
            "overflows, or takes a logarithm of 0."
        )
    if keep == "best" and best is not None:
        params, model_state = best.params, best.model_state
        kept = Kept(best.step, best.is_average)
    elif keep == "average" or is_averaged:
        params = averaged_params(run.carry)
        model_state, kept = statistics_for(params), Kept(run.step, is_average=True)
    else:
        params, model_state = evaluated_weights(run.carry, statistics_for)
        kept = Kept(run.step)
    if leaf := StateWatch(run.carry.model_state).fault(model_state):
        words = f"{STATE} {leaf} is not finite for the parameters of {kept}. Try keep='last'."
        raise NonFiniteError(words, run, run.step, STATE)
    params, model_state = for_the_caller((params, model_state))
    return Result(
        model=problem.export(params, model_state),
        params=params,
        model_state=model_state,
        optimizer=run.program.optimizer,
        opt_state=for_the_caller(run.carry.opt_state),
        history=run.history,
        optimizer_source=optimizer_source,
        cost=cost,
        steps=run.step,
        kept=kept,
        stopped=run.stopped,
        predictor=problem.functions.predict and Predictor(problem),
        problem=problem,
        run=run,
    )
