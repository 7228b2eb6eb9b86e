"""`lo.lab`: optimizers on a page whose hyperparameters one drags."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, SupportsIndex

import numpy as np
import optax

from ._core import validate
from .interactive.engine import LANDSCAPES, MOST_METHODS, Engine, checked, first_state
from .interactive.expression import build, read, written
from .interactive.landscapes import Landscape
from .interactive.simulation import Programs, Trace

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_PROGRAMS = Programs()
"""What one call has compiled, the next one uses."""


def lab(
    *optimizers: optax.GradientTransformation | str,
    landscape: str = "quadratic",
    steps: int = 200,
    start: Sequence[float] | None = None,
    batch: int | None = None,
    seed: int = 0,
    **controls: float,
) -> "Lab":
    """Show optimizers on a loss of two parameters, with a handle for every number.

        θ(k+1) = θ(k) - τ(k) D(k+1) v(k+1),    k = 0, ..., steps - 1

    In a notebook (extra `lab`) the page runs these transformations again whenever you drag a
    handle: a hyperparameter, the start, or a number of the landscape. Nothing is compiled again.
    Without `anywidget`, and in a notebook without a kernel, it is a picture.

    **Arguments**

    - `optimizers`: one to three. Each is a transformation that was built by factories of this
      library with numbers, `lo.adam(0.01)`, or the same as a text, `"lo.adam(0.01)"`. A text may
      also call some of Optax's: `"optax.lion(0.01)"`. It is parsed, and never executed.
    - `landscape`: "quadratic", "noisy_quadratic", "ravine", "rosenbrock", "saddle", "logistic" (a
      regression on the measurements of 64 patients), or "digits": a network of 1,210 parameters,
      drawn on the plane of its paths.
    - `steps`: the number of steps, from 1 to 2000.
    - `start`: θ(0), two numbers; by default that of the landscape. Not of a network.
    - `batch`: the number of examples of a step, from 1 to 64, where the landscape has examples;
      by default 8.
    - `seed`: which examples a step takes, and the first weights of a network; from 0 to 2³¹ - 1.
    - `controls`: numbers of the landscape: `condition=` and `rotation=` (degrees) of both
      quadratics, `spread=` of the noisy one, `steepness=` of the ravine and of Rosenbrock's.

    **Returns** a `Lab`. Its attributes are about what the page shows now, also after dragging:

    - `state`: all its settings, as a dict; `python()`: the call that makes it again.
    - `runs`: one of each optimizer, by position or by title, with the NumPy arrays `path`
      (steps + 1, 2), `loss` (steps + 1,), `learning_rate`, `update` and `ratio` (steps,), and with
      `measured`, the factor by which the distance to the minimum changes per step.
    - `plot()`: a Matplotlib figure of the paths and losses (extra `plot`).

    **Raises** `ValueError` or `TypeError` for an argument that does not fit, or an optimizer that
    no text can describe, such as one with a function inside.

    ```python
    >>> import lecture_optax as lo
    >>> lab = lo.lab(lo.sgd(1.0, momentum=0.9), "lo.adam(0.1)", condition=10.0)
    >>> lab
    lo.lab(lo.sgd(1.0, momentum=0.9), 'lo.adam(0.1)', condition=10.0)
    >>> lab.runs[0].path.shape, round(float(lab.runs["Heavy ball"].loss[0]), 3)
    ((201, 2), 1.767)

    ```
    """
    if not 1 <= len(optimizers) <= MOST_METHODS:
        raise ValueError(
            f"optimizers must be one to {MOST_METHODS}, got {len(optimizers)}: "
            "lo.lab(lo.sgd(0.1), lo.adam(0.1))."
        )
    validate.one_of(*LANDSCAPES, landscape=landscape)
    chosen = LANDSCAPES[landscape]
    if chosen.is_network and start is not None:
        raise ValueError(f"start must be None for {landscape!r}, got {start!r}: use seed=.")
    _check_names(chosen, controls)
    state = first_state([_text_of(i, x) for i, x in enumerate(optimizers)], landscape)
    state |= {"steps": steps, "seed": seed, "controls": {**state["controls"], **controls}}
    state |= {name: x for name, x in (("start", start), ("batch", batch)) if x is not None}
    return Lab(checked(state))


@dataclass(frozen=True)
class LabRun:
    """What one optimizer did in n steps.

    - `title`, `text`: its name and the call that it is.
    - `path`: θ(0), ..., θ(n), shape (n + 1, 2); of a network in the coordinates of the plane.
    - `average`: what `averaged` returns there, or θ without an average.
    - `loss`, `average_loss`: of all examples at these points, shape (n + 1,).
    - `batch_loss`: of the examples of each step, shape (n,).
    - `learning_rate`: τ(k), shape (n,); NaN where the state names none.
    - `update`: |θ(k+1) - θ(k)|; `ratio`: the same divided by |θ(k)|; shape (n,).
    - `diverged_at`: the first step after which the loss is not finite, or None.
    - `measured`: the factor by which the distance to the minimum changes per step, late in the run;
      `predicted`: what the theory says of it on a quadratic, with the largest stable learning rate
      as "limit"; `symptom`: the "name" that `lo.recipe.diagnose(loss)` has for the curve, and its
      meaning, "text". None without one.
    """

    title: str
    text: str
    path: np.ndarray
    average: np.ndarray
    loss: np.ndarray
    average_loss: np.ndarray
    batch_loss: np.ndarray
    learning_rate: np.ndarray
    update: np.ndarray
    ratio: np.ndarray
    diverged_at: int | None
    measured: float | None
    predicted: dict[str, Any] | None
    symptom: dict[str, Any] | None


class LabRuns(tuple[LabRun, ...]):
    """The runs of a lab, by position or by title."""

    def __getitem__(self, key: SupportsIndex | slice | str) -> Any:
        if not isinstance(key, str):
            return super().__getitem__(key)
        titles = [run.title for run in self]
        if titles.count(key) == 1:
            return self[titles.index(key)]
        problem = "no run has" if key not in titles else "several runs have"
        raise KeyError(f"{problem} the title {key!r}: the titles are {', '.join(titles)}.")


class Lab:
    """Optimizers on a landscape: `lo.lab` builds it and says what it has."""

    def __init__(self, state: dict[str, Any]) -> None:
        self._state = state
        self._engine = Engine(_PROGRAMS)
        self._widget: Any = None

    @property
    def state(self) -> dict[str, Any]:
        """Return what the page shows now."""
        return copy.deepcopy(self._state if self._widget is None else self._widget.state)

    @property
    def runs(self) -> LabRuns:
        """Return the runs of the current state."""
        answer, arrays = self._ask("run", state=self.state)
        runs = []
        for i, record in enumerate(answer["methods"]):
            values = record | {name: arrays[f"{name}.{i}"] for name in Trace._fields}
            runs.append(LabRun(**{field.name: values[field.name] for field in fields(LabRun)}))
        return LabRuns(runs)

    def python(self) -> str:
        """Return the call that makes a lab of the current state."""
        state = self.state
        usual = {**_settings(first_state([], state["landscape"])), "landscape": "quadratic"}
        words = [_as_argument(text) for text in state["methods"]]
        words += [f"{name}={x!r}" for name, x in _settings(state).items() if x != usual[name]]
        return f"lo.lab({', '.join(words)})"

    def plot(self) -> "Figure":
        """Return a Matplotlib figure with the paths and the losses."""
        from .interactive.picture import figure_of

        state = self.state
        landscape, run = LANDSCAPES[state["landscape"]], self._ask("run", state=state)
        if landscape.is_network:  # its plane goes through the paths
            field = run[0]["field"], run[1]
        else:
            field = self._ask("field", landscape=landscape.name, controls=state["controls"])
        return figure_of(landscape.title, state["controls"], run, field)

    def _ask(self, question: str, **request: Any) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        answer, arrays = self._engine.answer({"ask": question, **request})
        if "error" in answer:
            raise ValueError(answer["error"])
        return answer, arrays

    def __repr__(self) -> str:
        return self.python()

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the page and, for where no kernel runs, the picture of the current state."""
        from .interactive.picture import as_png
        from .interactive.widget import view_of, widget_of

        picture = {"text/plain": repr(self), "image/png": as_png(self.plot())}
        if self._widget is None:
            self._widget = widget_of(self._engine, self._state)
        if self._widget is None:
            return picture, {}
        data, metadata = view_of(self._widget)
        return {**data, **picture}, metadata


def _text_of(i: int, optimizer: optax.GradientTransformation | str) -> str:
    try:
        if not isinstance(optimizer, str):
            validate.transformation(optimizer=optimizer)
            optimizer = written(optimizer)
        return read(optimizer).text
    except (TypeError, ValueError) as error:
        raise type(error)(f"optimizers[{i}]: {error}") from None


def _as_argument(text: str) -> str:
    """Return a call if its text is the same again, and else the text in quotes."""
    expression = read(text)
    try:
        numbers = [handle.value for handle in expression.handles]  # as they are typed
        is_the_same = written(build(expression.structure, numbers)) == text
    except TypeError:  # it is of another library
        is_the_same = False
    return text if is_the_same else repr(text)


def _settings(state: dict[str, Any]) -> dict[str, Any]:
    """Return the arguments of `lab` by keyword."""
    names = "landscape", "steps", "start", "batch", "seed"
    now = {**state, "start": [float(x) for x in state["start"]]}
    return {name: now[name] for name in names} | state["controls"]


def _check_names(landscape: Landscape, controls: Mapping[str, float]) -> None:
    names = [handle.name for handle in landscape.controls]
    for name in controls:
        if name not in names:
            near = validate.nearest(name, [*names, "landscape", "steps", "start", "batch", "seed"])
            guess = f" Did you mean {near}=?" if near else ""
            raise TypeError(
                f"the landscape {landscape.name!r} has no {name}=: "
                f"it has {', '.join(names) or 'none'}.{guess}"
            )
