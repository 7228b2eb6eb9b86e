"""The result of a search: the trained model, the reasons, and code that trains it again."""

import functools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np

from .._core import validate
from .._core.types import Finding
from ..training.loop.run import History
from ..training.problem import Problem
from ..training.result import Kept, Result as FitResult, Trained, path_of
from .population.arms import Arm
from .population.curve import Curve
from .reporting.comparisons import evaluations_of, loss_on_all
from .reporting.explanation import ArmRecord, Explanation, of_the_refit
from .reporting.findings import describe_arm, findings_of
from .reporting.text import text_of
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
    - `stopped`: the callback that ended the replay of the selected run, or None.
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
    stopped: str | None = field(repr=False, default=None)

    @functools.cached_property
    def model(self) -> Any:
        """The trained model, of the kind that you passed.

        A linen module bound to its variables, a new Equinox module, or a clone of your nnx model.
        The nnx model of a `Problem.from_nnx` is itself updated when this is first read.
        """
        return self.export(self.params, self.model_state)

    @functools.cached_property
    def selected_run(self) -> "SelectedRun":
        """The records of the selected arm, as `lo.fit` would have made them."""
        return _selected_run(self)

    @property
    def findings(self) -> list[Finding]:
        """What was selected and why: at most five findings, with their names and numbers."""
        return findings_of(self.explanation)

    def explain(self) -> str:
        """Return the sentences of the `findings`, one a line."""
        return "\n".join(finding.sentence for finding in self.findings)

    def report(self, path: Any = None) -> str:
        """Return the reasons and a table of all arms as text; with `path`, also write a page.

        The page is one HTML file with pictures that loads nothing from the network.

        **Raises** `ImportError` with `path` and without Matplotlib, naming the extra.
        """
        from .reporting.page import page_of

        if path is not None:
            path = path_of(path)
            path.write_text(page_of(self.explanation, self.code, self.problem), encoding="utf-8")
        return text_of(self.explanation)

    def plot(self, path: Any = None, ax: Any = None) -> Any:
        """Draw the search: the loss over the learning rate, and all arms over the steps.

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


def fit_result_of(result: Result) -> FitResult:
    """Return a search as the result of a fit, with the evaluations and training losses of its arm.

    `opt_state` is None, because the returned weights may be those of an earlier step.
    """
    e = of_the_refit(result.explanation)
    return FitResult(
        model=result.model,
        params=result.params,
        model_state=result.model_state,
        optimizer=result.optimizer,
        opt_state=None,
        history=result.selected_run.history,
        optimizer_source=f"a search: {describe_arm(e.winner) if e.winner else 'no arm was better'}",
        cost=result.cost,
        steps=e.step,
        kept=Kept(e.step, e.is_average),
        problem=result.problem,
        stopped=result.stopped,
        predictor=result.predictor,
        search=result,
    )


class SelectedRun(NamedTuple):
    """What a search has recorded of the selected arm, and of its parent before a decay.

    - `arm`: None where no arm was better than the start.
    - `losses`, `learning_rates`: of every step; the losses are means over blocks of steps.
    """

    arm: Arm | None
    history: History
    losses: np.ndarray = np.zeros(0)
    learning_rates: np.ndarray = np.zeros(0)


def _selected_run(result: Result) -> SelectedRun:
    e, refit = of_the_refit(result.explanation), result.selection.refit
    found = refit.candidate if refit else result.selection.candidate
    if found is None or e.winner is None:
        return SelectedRun(None, History())
    curves, arm = result.history, found.arm
    begin, end = arm.begin, curves[arm].step
    losses = _losses_by_step(curves[arm], end - begin)
    steps, means = _training_losses(curves[arm], begin, end)
    if begin:
        parent = curves[arm._replace(decay=None)]
        losses = np.append(_losses_by_step(parent, begin), losses)
        steps_before, before = _training_losses(parent, 0, begin)
        steps, means = np.append(steps_before, steps), np.append(before, means)
    rates = _learning_rates(arm, np.arange(end))
    shown = {"step": steps, "loss": means, "learning_rate": _learning_rates(arm, steps)}
    history = History(evaluations=_evaluations(e, e.winner, losses), means=shown)
    if e.cross_validation is None:
        _add_metrics(history, result, e)
    return SelectedRun(arm, history, losses, rates)


def _learning_rates(arm: Arm, steps: np.ndarray) -> np.ndarray:
    """Return the learning rates of an arm after so many steps."""
    if arm.decay is None:
        return np.full(len(steps), arm.rate)
    start, end = arm.decay
    return arm.rate * (1 - np.clip((steps - start) / (end - start), 0, 1))


def _evaluations(e: Explanation, winner: ArmRecord, losses: np.ndarray) -> list[dict[str, float]]:
    """Return the evaluations of an arm on late examples, or its end if there are none."""
    lines, done = [], 0
    late = [x for x in evaluations_of(e, winner) if not np.isnan(x.raw)]
    for x in late:
        train_loss = float(np.mean(losses[done : x.step], dtype=np.float64))
        raw, averaged = (loss_on_all(e, x, change) for change in (x.raw, x.averaged))
        line = {"step": x.step, "train_loss": train_loss}
        line |= {"valid_loss": raw, "averaged_loss": averaged}
        if x.step == e.step:
            line["averaged_loss" if e.is_average else "valid_loss"] = e.loss
        lines.append(line)
        done = x.step
    return lines


def _add_metrics(history: History, result: Result, e: Explanation) -> None:
    """Add the metrics of the returned weights to their evaluation: a search evaluates losses alone.

    If only an early average was evaluated there, the evaluation is added too.
    """
    found = result.evaluate(result.problem.valid)
    kind, lines = "averaged" if e.is_average else "valid", history.evaluations
    if all(line["step"] != e.step for line in lines):
        lines.append({"step": e.step, f"{kind}_loss": e.loss})
        lines.sort(key=itemgetter("step"))
    line = next(line for line in lines if line["step"] == e.step)
    line.update({f"{kind}_{name}": x for name, x in found.items() if name != "loss"})


def _losses_by_step(curve: Curve, length: int) -> np.ndarray:
    """Return the losses of the first steps of a curve, each the mean of its block."""
    width, means = curve.blocks_to(length)
    return np.concatenate([np.repeat(means, width), *curve.rest])[:length]


def _training_losses(curve: Curve, begin: int, end: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the last step and the mean loss of each block of a curve that begins at a step."""
    width, means = curve.blocks_to(end - begin)
    losses = np.array(means[: (end - begin) // width])
    return begin + width * np.arange(1, len(losses) + 1), losses


def reproduction_code(
    e: Explanation,
    call: str,
    batch_size: int | None,
    seed: int,
    own: list[str],
    accumulate: int = 1,
) -> str:
    """Return the `lo.fit` call that trains the selected arm, as you would type it.

    **Arguments**

    - `call`: the problem as code, from `problem_as_code`.
    - `batch_size`: None for an iterable of batches.
    - `own`: the names of the arguments that only you have: `optimizers`, `wrap`, `average`,
      `sample_weight`.
    """
    e = of_the_refit(e)
    winner = e.winner
    if winner is None:
        return "# No arm was better than the start: there is nothing to train.\n"
    rate, shown = _rate_as_code(winner)
    optimizer = f"optimizers[{winner.optimizer!r}]({{}})"
    optimizer = (optimizer if "optimizers" in own else _AS_CALLS[winner.optimizer]).format(rate)
    is_cut = winner.decay is not None and e.step < winner.decay[1]  # fit warns of a cut schedule
    lines = [
        f"tx={f'wrap({optimizer})' if 'wrap' in own else optimizer},{shown}",
        *([f"average={'average' if 'average' in own else 'True'},"] if e.is_average else []),
        f"steps={winner.decay[1] if is_cut and winner.decay else e.step},",
        *([] if batch_size is None else [f"batch_size={batch_size},"]),
        *([] if accumulate == 1 else [f"accumulate={accumulate},"]),
        *(["sample_weight=sample_weight,"] if "sample_weight" in own else []),
        f"seed={seed},",
        f"evaluations=[{e.step}]," if is_cut else 'keep="last",',
    ]
    split, weights = "", "sample_weight" if "sample_weight" in own else ""
    if e.cross_validation:
        split, call = ("", call) if e.held_out_from_train else _joined(call, weights)
    elif e.held_out_from_train and call == "problem" and not weights:
        call = f"lo.recipe.holdout_split(problem, seed={seed})"
    elif e.held_out_from_train:
        data, parts = ("problem", "problem") if call == "problem" else ("(x, y)", "train, valid")
        more, given = (f", {weights}", f", {weights}={weights}") if weights else ("", "")
        split = f"{parts}{more} = lo.recipe.holdout_split({data}, seed={seed}{given})\n"
        if call != "problem":
            call = f"{call.replace('(x, y)', 'train')}\nvalid=valid"
    comment = _LAGS if e.has_statistics and not e.is_average else ""
    body = "\n".join(f"    {line}" for line in [*(f"{x}," for x in call.split("\n")), *lines])
    return f"import lecture_optax as lo\n\n{split}{comment}result = lo.fit(\n{body}\n)\n"


_LAGS = """\
# The running statistics of BatchNorm lag behind these weights and magnify rounding: the training
# losses are those of the search, the validation loss may differ.
"""


def _joined(call: str, weights: str) -> tuple[str, str]:
    """Return code that joins training and validation examples, and the problem with them.

    `weights`: the name of the weights, if there are any. Those of the validation set are 1.
    """
    valid = "jax.tree.leaves(problem.valid)[0]" if call == "problem" else "yv"
    joined = f"{weights} = np.concatenate([{weights}, np.ones(len({valid}))])\n" if weights else ""
    if call == "problem":
        both = "jax.tree.map(lambda *x: np.concatenate(x), problem.train, problem.valid)"
        names = "import dataclasses\n\nimport jax\nimport numpy as np\n\n"
        call = "dataclasses.replace(problem, train=train, valid=None)"
        return f"{names}train = {both}\n{joined}", call
    lines = [line for line in call.split("\n") if not line.startswith("valid=")]
    both = "(np.concatenate([x, xv]), np.concatenate([y, yv]))"
    return f"import numpy as np\n\n{joined}", "\n".join(lines).replace("(x, y)", both)


def problem_as_code(given: Any, **arguments: Any) -> str:
    """Return the arguments of `lo.fit` for a problem, one a line.

    Words are as they are; everything else has the name that its examples have in the README.
    """
    if isinstance(given, Problem):
        return "problem"
    names = {"valid": "(xv, yv)"}
    own = {name: x for name, x in arguments.items() if x is not None}
    named = [f"{name}={_words(x) or names.get(name, name)}" for name, x in own.items()]
    return "\n".join(["model", "(x, y)", *named])


def _words(x: Any) -> str:
    """Return words, or a list of them, as code; "" for anything else."""
    every = x if isinstance(x, list) else [x]
    return json.dumps(x) if all(isinstance(each, str) for each in every) else ""


_AS_CALLS = {"adam": "lo.adam({})", "nesterov": "lo.sgd({}, momentum=0.9, nesterov=True)"}
"""The optimizers of the lecture as you type them."""


def _rate_as_code(winner: ArmRecord) -> tuple[str, str]:
    """Return the exact learning rate of an arm as code, and a comment that shows its value."""
    exact, exponent = repr(winner.rate), np.log10(winner.rate)
    is_short = len(exact) < len("0.00316")
    rate = exact if is_short else f"10**{round(4 * exponent) / 4:g}"
    if winner.decay is not None:
        start, end = winner.decay
        rate = f"lo.schedules.wsd({rate}, decay_start={start}, decay_steps={end - start})"
    return rate, "" if is_short else f"  # {winner.rate:.3g}"
