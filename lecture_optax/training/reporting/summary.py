"""What came of a run? A summary to read: what ran, what it reached, and what stands out."""

import io
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from ..._core.describe import describe
from ..loop.run import columns_of

if TYPE_CHECKING:
    from ..result import Result

WIDTH = 88
ROWS = 10
"""The most looks in the table."""


def report(result: "Result") -> str:
    """A summary of a run as plain text: print it.

    ```python
    >>> import flax.linen as nn, jax.numpy as jnp, lecture_optax as lo
    >>> x = jnp.linspace(-1.0, 1.0, 64)[:, None]
    >>> result = lo.fit(nn.Dense(1), (x, 3 * x), loss="mse", tx=lo.sgd(0.3), steps=200)
    >>> print(result.report().splitlines()[0])
    chain(scale_by_learning_rate(0.3))

    ```
    """
    try:
        from rich.console import Console
        from rich.table import Table
    except ImportError as error:
        raise ImportError('a report needs Rich: pip install "lecture_optax[train]".') from error
    facts = Table.grid(padding=(0, 3))
    for name, text in _facts(result):
        facts.add_row(name, text)
    evaluations = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
    names, rows = _evaluations(result)
    for name in names:
        evaluations.add_column(name.replace("_", " "), justify="right")
    for row in rows:
        evaluations.add_row(*row)
    page = io.StringIO()
    console = Console(
        file=page, width=WIDTH, color_system=None, markup=False, highlight=False, emoji=False
    )
    console.print(str(describe(result.optimizer)), "", soft_wrap=True, sep="\n")
    console.print(
        facts, "", evaluations, *(["", *remarks(result)] if remarks(result) else []), sep="\n"
    )
    return "\n".join(line.rstrip() for line in page.getvalue().splitlines())


def _facts(result: "Result") -> Iterator[tuple[str, str]]:
    history = result.history
    yield "chosen", result.optimizer_source
    arrays = jax.tree.leaves(result.params)
    yield "parameters", f"{sum(x.size for x in arrays):,} in {len(arrays)} arrays"
    yield "steps", f"{result.steps:,}; the parameters are of {result.kept}"
    if not len(history):
        return
    steps = history.per_step
    tail = max(1, len(history) // 20)
    first, last = steps["loss"][:tail].mean(), steps["loss"][-tail:].mean()
    yield "loss", f"{first:.4g} at first, {last:.4g} at the end (means of {tail} steps)"
    if "learning_rate" in steps:
        yield "rate", _rates(steps["learning_rate"])
    yield "|Δθ|/|θ|", _ratios(result)


def _rates(rates: np.ndarray) -> str:
    begin, top, end = rates[0], rates.max(), rates[-1]
    if rates.min() == top:
        return f"{top:.3g}"
    over = f" over {top:.3g} at step {int(rates.argmax()) + 1:,}" if top > max(begin, end) else ""
    return f"from {begin:.3g}{over} to {end:.3g}"


def _ratios(result: "Result") -> str:
    """How far a step goes, in sizes of what it moves: of all, and of single arrays."""
    ratios = result.history.per_step["update_ratio"]
    words = f"{np.median(ratios):.1e}, the median of all steps"
    names, seen = leaf_names(result.params), result.history.ratios
    if len(names) < 2 or not seen:
        return words
    with np.errstate(divide="ignore", invalid="ignore"):  # a rate that ends at 0 moves nothing
        parts = np.array([leaves / ratios[step - 1] for step, leaves in seen])
    times = np.nanmedian(parts, axis=0)
    far, near = int(times.argmax()), int(times.argmin())
    return f"{words}; {names[far]} {times[far]:.2g} times that, {names[near]} {times[near]:.2g}"


def leaf_names(params: Any) -> list[str]:
    """hidden.kernel, out.bias: the path of every array."""
    paths = [path for path, _ in jax.tree_util.tree_leaves_with_path(params)]
    return [jax.tree_util.keystr(path, simple=True, separator=".") or "θ" for path in paths]


def _evaluations(result: "Result") -> tuple[list[str], list[list[str]]]:
    """Some looks, evenly, the last and the one that is kept among them, which is marked."""
    evaluations, lines = columns_of(result.history.evaluations), result.history.evaluations
    if not lines:
        return [], []
    kept = next((i for i, x in enumerate(lines) if int(x["step"]) == result.kept.step), None)
    shown = {round(i) for i in np.linspace(0, len(lines) - 1, min(ROWS, len(lines)))}
    names = ["step", *(name for name in evaluations if name != "step")]
    rows = [
        [
            f"{int(lines[i]['step']):,}",
            *(f"{lines[i][name]:.4g}" if name in lines[i] else "" for name in names[1:]),
            "← kept" if i == kept else "",
        ]
        for i in sorted(shown | ({kept} if kept is not None else set()))
    ]
    return [*names, ""], rows


def remarks(result: "Result") -> list[str]:
    """What a practised eye would say of the curves, with the numbers."""
    evaluations, losses = (
        columns_of(result.history.evaluations),
        result.history.per_step.get("loss", np.zeros(0)),
    )
    found = []
    if result.stopped:
        found.append(f"Ended at step {result.steps:,} by {result.stopped}.")
    averaged = result.kept.is_average and "averaged_loss" in evaluations
    held_out = (
        evaluations["averaged_loss"] if averaged else evaluations.get("valid_loss", np.zeros(0))
    )
    if len(held_out) and np.isfinite(held_out).all():
        best, last = held_out.min(), held_out[-1]
        if last > best + 0.05 * abs(best):
            step, rise = int(evaluations["step"][held_out.argmin()]), (last - best) / abs(best or 1)
            found.append(
                f"The held-out loss{' of the average' if averaged else ''} was lowest at step "
                f"{step:,} and has risen by {rise:.0%} since: the model overfits from there."
            )
    if (drop := _last_drop(losses)) > 0.1 and not result.stopped:
        found.append(
            f"The loss fell by {drop:.0%} in the last tenth of the steps: more of them may pay."
        )
    return found


def _last_drop(losses: np.ndarray) -> float:
    """By which part the loss fell from the last tenth but one to the last, if that is no noise."""
    tenth = len(losses) // 10
    if tenth < 10:
        return 0.0
    before, last = losses[-2 * tenth : -tenth], losses[-tenth:]
    noise = math.hypot(before.std(), last.std()) / math.sqrt(tenth)
    drop = before.mean() - last.mean()
    return drop / before.mean() if before.mean() > 0 and drop > 3 * noise else 0.0
