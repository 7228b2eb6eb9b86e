"""The verb `compare`: train one problem with several optimizers."""

import itertools
import json as json_module
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import numpy as np
from tyro.conf import Positional, arg

from .._core import validate
from .._core.tables import text_table
from .arguments import OPTIMIZERS, UsageError, one_of, optimizer_of, usage_errors
from .options import NameOrNone, PathOrNone, RunOptions
from .train import check_picture, number, record_of

if TYPE_CHECKING:
    from ..training import Result


class Entry(NamedTuple):
    """An optimizer, its learning rate, and its result, or the reason why it failed.

    `seconds`: the time of a step, without compilation: in the fastest chunk of steps.
    """

    name: str
    rate: float
    result: "Result | None"
    reason: str
    seconds: float

    @property
    def best(self) -> float:
        """The lowest validation loss, or training loss without a validation set, or infinity."""
        if self.result is None:
            return np.inf
        return float(np.nanmin(_losses(self.result)))


@dataclass
class Compare(RunOptions):
    """Train a problem with several optimizers, from the same start and on the same batches."""

    optimizers: Annotated[Positional[tuple[str, ...]], arg(metavar="[NAME[=RATE]] ...")] = (
        "nesterov",
        "rmsprop",
        "adam",
    )
    """Names, each with an optional learning rate: adam=1e-3 adam=1e-2 nesterov=0.1."""
    schedule: NameOrNone = None
    """constant, linear, cosine, inverse_time, one_cycle or wsd; linear by default."""
    warmup: int = 0
    """Steps in which the learning rate increases from 0."""
    picture: PathOrNone = None
    """Save a plot of the runs to this file."""

    def run(self) -> int:
        problem, options = self.checked()
        with usage_errors():
            validate.steps(least=0, warmup=self.warmup)
            check_picture(self.picture)
        named = [_name_and_rate(word) for word in self.optimizers]
        plan = self.schedule, options["steps"], self.warmup
        optimizers = [optimizer_of(*each, *plan) for each in named]
        task = problem.build()
        entries = [
            _entry(*each, task, tx, options) for each, tx in zip(named, optimizers, strict=True)
        ]
        if self.json:
            for entry in entries:
                print(json_module.dumps({"problem": self.problem, **_record(entry)}))
        else:
            print(table(entries))
        ran = [entry for entry in entries if entry.result is not None]
        if self.picture is not None and ran:
            draw(ran, self.problem, self.picture)
            if not self.json:
                print(self.picture)
        return 0 if ran else 1


def _name_and_rate(word: str) -> tuple[str, float]:
    name, equals, rate = word.partition("=")
    method = OPTIMIZERS[one_of("optimizer", name, OPTIMIZERS)]
    try:
        return name, float(rate) if equals else method.rate
    except ValueError:
        raise UsageError(
            f"the learning rate in {word!r} must be a number, as in {name}={method.rate:g}."
        ) from None


def _entry(name: str, rate: float, task: Any, tx: Any, options: dict[str, Any]) -> Entry:
    from .._fit import fit
    from ..training import NonFiniteError

    if not os.environ.get("CI"):  # where the progress below it is shown
        print(f"{name}, learning rate {rate:g}:", file=sys.stderr)
    times: list[tuple[float, int]] = []

    def clock(event: Any) -> None:
        times.append((time.perf_counter(), event.step))

    try:
        result, reason = fit(task, tx=tx, hooks=[clock], **options), ""
    except NonFiniteError as error:
        result, reason = None, f"diverged at step {error.run.step + 1:,}"
    chunks = [(t - s) / (j - i) for (s, i), (t, j) in itertools.pairwise(times) if j > i]
    return Entry(name, rate, result, reason, min(chunks, default=np.nan))


def table(entries: list[Entry]) -> str:
    """Return a line for each optimizer; the lowest validation loss is marked."""
    best = min(entries, key=lambda entry: entry.best)
    metrics = _metrics(entries)
    heads = ["optimizer", "learning rate", *(name.replace("_", " ") for name in metrics), "at step"]
    rows = [[*heads, "training loss", "time of a step", ""]]
    for entry in entries:
        mark = "← best" if entry is best and entry.result is not None else entry.reason
        rows.append([entry.name, f"{entry.rate:g}", *_cells(entry, metrics)])
        rows[-1] += [f"{1e3 * entry.seconds:.2g} ms", mark]
    return text_table(rows, f"l{'r' * (len(rows[0]) - 2)}l")


def _cells(entry: Entry, metrics: list[str]) -> list[str]:
    """Return the metrics of the best evaluation, its step, and the training loss at the end."""
    if entry.result is None:
        return [""] * (len(metrics) + 2)
    history, at = entry.result.history, int(np.nanargmin(_losses(entry.result)))
    best = [f"{history[name][at]:.4g}" for name in metrics]
    return [*best, f"{int(history['step'][at]):,}", f"{history['train_loss'][-1]:.4g}"]


def _losses(result: "Result") -> np.ndarray:
    """Return the validation loss of every evaluation, or the training loss without a `valid`."""
    return result.history["valid_loss" if "valid_loss" in result.history else "train_loss"]


def _metrics(entries: list[Entry]) -> list[str]:
    ran = [entry.result.history for entry in entries if entry.result is not None]
    lines = [line for history in ran for line in history.evaluations]
    names = {name for line in lines for name in line if name.startswith("valid_")}
    return sorted(names, key=lambda name: (name != "valid_loss", name))


def _record(entry: Entry) -> dict[str, Any]:
    ran = {"reason": entry.reason} if entry.result is None else record_of(entry.result)
    return {"name": entry.name, "learning_rate": entry.rate, "best": number(entry.best), **ran}


def draw(entries: list[Entry], title: str, path: Path) -> None:
    """Draw all losses, and the learning rates below them."""
    from matplotlib.figure import Figure

    from ..training.reporting.plots import draw_losses, draw_rate

    figure = Figure(figsize=(8, 6), layout="constrained")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    for i, entry in enumerate(entries):
        if entry.result is not None:
            draw_losses(entry.result.history, above, f"{entry.name}, τ = {entry.rate:g}", i)
            draw_rate(entry.result.history, below, i)
    below.set_yscale("log")  # usual learning rates of two optimizers lie decades apart
    below.set_ylim(bottom=max(1e-4 * below.get_ylim()[1], below.get_ylim()[0]))
    above.set(title=f"{title}: validation (marks) and training (faint)")
    above.get_legend().remove()
    figure.legend(*above.get_legend_handles_labels(), loc="outside right upper", frameon=False)
    below.set_xlabel("step")
    figure.savefig(path, dpi=120)
