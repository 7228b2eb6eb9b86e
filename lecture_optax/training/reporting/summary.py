"""A text summary of a run: what ran, what it reached, and what stands out."""

import textwrap
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np

from ..._core.describe import describe
from ..._core.tables import text_table
from ..compiled.memory import bytes_of, in_bytes
from ..loop.run import columns_of
from .remarks import remarks

WIDTH = 88
ROWS = 10
"""The most evaluations in the table."""


def report(result: Any) -> str:
    """Return a summary of a `training.Result` as plain text."""
    names, rows = evaluations_of(result)
    findings = result.search.findings if result.search else remarks(result)
    heads, align = [name.replace("_", " ") for name in names], "r" * (len(names) - 1) + "l"
    parts = [
        str(describe(result.optimizer)),
        text_table(list(facts_of(result)), "ll", width=WIDTH, gap=3),
        text_table([heads, *rows], align, width=WIDTH, gap=3) if rows else "",
        "\n".join(textwrap.fill(found.sentence, WIDTH) for found in findings),
    ]
    return "\n\n".join(filter(None, parts))


def facts_of(result: Any) -> Iterator[tuple[str, str]]:
    """Yield names and values: optimizer, parameters, steps, and ranges over the steps."""
    history = result.history
    yield "optimizer", result.optimizer_source
    arrays = jax.tree.leaves(result.params)
    yield "parameters", f"{sum(x.size for x in arrays):,} in {len(arrays)} arrays"
    yield "steps", f"{result.steps:,}; the parameters are of {result.kept}"
    if not len(history):
        return
    if history.interval > 1 and result.run:
        yield "memory", _memory(result.run)
    steps = history.per_step
    tail = max(1, len(history) // 20)
    first, last = steps["loss"][:tail].mean(), steps["loss"][-tail:].mean()
    yield "loss", f"{first:.4g} at first, {last:.4g} at the end (means of {tail} steps)"
    if "learning_rate" in steps:
        yield "learning rate", _rates(steps["learning_rate"])
    yield "|Δθ|/|θ|", _ratios(result)


def _rates(rates: np.ndarray) -> str:
    known = rates[~np.isnan(rates)]  # another optimizer of the same run may not record it
    if len(known) < len(rates):
        return f"{_rates(known)}, known for {len(known):,} of {len(rates):,} steps"
    begin, top, end = rates[0], rates.max(), rates[-1]
    if rates.min() == top:
        return f"{top:.3g}"
    over = f" over {top:.3g} at step {int(rates.argmax()) + 1:,}" if top > max(begin, end) else ""
    return f"from {begin:.3g}{over} to {end:.3g}"


def _memory(run: Any) -> str:
    """Return what a large model takes beside its data: a carry, and perhaps its backup."""
    size = in_bytes(bytes_of(run.carry._replace(key=None)))
    backup = "as much for the backup" if run.backup else "no backup"
    each = f"{size} on each device" if run.program.mesh else size
    return f"{each} for parameters, model state and optimizer state; {backup}"


def _ratios(result: Any) -> str:
    """Return the size of a step relative to the parameters: of all, and of single arrays."""
    history = result.history
    ratios = history.per_step["update_ratio"]
    of = f"every {history.interval}th step" if history.interval > 1 else "all steps"
    words = f"{np.nanmedian(ratios):.1e}, the median of {of}"
    names, seen = leaf_names(result.params), history.ratios
    if len(names) < 2 or not seen:
        return words
    with np.errstate(divide="ignore", invalid="ignore"):  # a learning rate of 0 moves nothing
        parts = np.array([leaves / ratios[step - 1] for step, leaves in seen])
    times = np.nanmedian(parts, axis=0)
    far, near = int(times.argmax()), int(times.argmin())
    return f"{words}; {names[far]} {times[far]:.2g} times that, {names[near]} {times[near]:.2g}"


def leaf_names(params: Any) -> list[str]:
    """Return the path of every array: hidden.kernel, out.bias."""
    paths = [path for path, _ in jax.tree_util.tree_leaves_with_path(params)]
    return [jax.tree_util.keystr(path, simple=True, separator=".") or "θ" for path in paths]


def evaluations_of(result: Any) -> tuple[list[str], list[list[str]]]:
    """Return evenly spaced evaluations, with the last one and the kept one, which is marked."""
    lines = result.history.evaluations
    kept = {i for i, line in enumerate(lines) if line["step"] == result.kept.step}
    shown = {round(i) for i in np.linspace(0, len(lines) - 1, min(ROWS, len(lines)))}
    names = ["step", *(name for name in columns_of(lines) if name != "step")]
    rows = [
        [
            f"{int(lines[i]['step']):,}",
            *(f"{lines[i][name]:.4g}" if name in lines[i] else "" for name in names[1:]),
            "← kept" if i in kept else "",
        ]
        for i in sorted(shown | kept)
    ]
    return [*names, ""], rows
