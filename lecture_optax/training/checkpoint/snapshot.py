"""The content of a checkpoint: all that a run needs to resume with the same bits.

    carry      parameters, model state, optimizer state, step. The key is that of the seed, and the
               batches follow from it and the step.
    best       the parameters with the lowest validation loss, and their step
    history    every record and every evaluation, as in the result
    source     the place of an iterator of batches, if there is one

`folder.py` writes it, by the paths and names of `restore.py`, when `saver.py` decides.
"""

import json
from typing import Any

import jax
import numpy as np

from ..._core.describe import describe
from ..._core.extras import warn
from ..compiled.step import Carry
from ..loop.evaluation import Best
from ..loop.run import History, Run
from .folder import FORMAT, Saved
from .restore import Leaf, Misfits, as_saved, leaves_of, restored, state_leaves_of, table


def snapshot(run: Run, source: Any, identity: dict[str, Any]) -> Saved:
    """Copy what must be saved to the host: the next chunk donates the arrays."""
    leaves = carry_leaves(run.carry)
    best: Any = None
    if run.best is not None:
        best = {name: getattr(run.best, name) for name in ("loss", "step", "is_average")}
    arrays = _on_host([*leaves, *(best_leaves(run.best) if run.best is not None else [])])
    notes = {
        "format": FORMAT,
        "identity": identity,
        "optimizer": optimizer_of(run),
        "names": {leaf.path: leaf.name for leaf in leaves if leaf.value.size},
        "best": best,
        "evaluations": run.history.evaluations,
        "columns": list(run.history.per_step),
        "source": source.get_state() if hasattr(source, "get_state") else None,
        "step": run.step,
        "stopped": run.stopped,
        # a run that was stopped within its last evaluation repeats it
        "finished": run.stopped is not None or (run.step >= run.steps and run.is_evaluated),
    }
    arrays |= _history_arrays(run.history)
    written = {path: x for path, x in arrays.items() if x.size}  # Orbax refuses what is empty
    return Saved(written, json.loads(json.dumps(notes)))  # a copy, as the history grows


def restore_run(run: Run, source: Any, saved: Saved, strict: bool, where: str) -> None:
    """Put a new run to the place of the saved one.

    **Warns** with a table of what does not match by name.

    **Raises** `ValueError` with the table, if `strict`.
    """
    arrays, notes = saved
    found = restored(arrays, notes["names"], carry_leaves(run.carry), notes["step"])
    carry = _unflatten(run.carry, found.values)
    best, misfits = _best(carry, saved, run.valid is not None)
    _report(run, notes, found.misfits + misfits, strict, where)
    run.carry, run.best, run.stopped = carry, best, notes["stopped"]
    run.history = _history(saved)
    if notes["source"] is not None and not notes["finished"]:
        source.set_state(notes["source"])


def carry_leaves(carry: Carry) -> list[Leaf]:
    """Return all leaves but the key, in the order of `_unflatten`."""
    return [
        *leaves_of(carry.params, "params"),
        *leaves_of(carry.model_state, "model_state"),
        *state_leaves_of(carry.opt_state, carry.params, "opt_state"),
        Leaf("step", "step", carry.step),
    ]


def best_leaves(best: Best) -> list[Leaf]:
    return [
        *leaves_of(best.params, "best.params"),
        *leaves_of(best.model_state, "best.model_state"),
    ]


def _unflatten(carry: Carry, values: list[Any]) -> Carry:
    parts = (carry.params, carry.model_state, carry.opt_state, carry.step)
    params, model_state, opt_state, step = jax.tree.unflatten(jax.tree.structure(parts), values)
    return Carry(params, model_state, opt_state, carry.key, step)


def _best(carry: Carry, saved: Saved, wanted: bool) -> tuple[Best | None, Misfits]:
    """Return the best parameters so far, unless they are those of another model."""
    if saved.notes["best"] is None or not wanted:
        return None, []
    best = Best(carry.params, carry.model_state, **saved.notes["best"])
    names = {path: path for path in saved.arrays if path.startswith("best.")}
    found = restored(saved.arrays, names, best_leaves(best), 0)
    if any("converted" not in words for _, words in found.misfits):
        return None, [("best", "of another model: not restored")]
    trees = jax.tree.structure((best.params, best.model_state))
    params, model_state = jax.tree.unflatten(trees, found.values)
    return best._replace(params=params, model_state=model_state), found.misfits


def _report(run: Run, notes: dict[str, Any], misfits: Misfits, strict: bool, where: str) -> None:
    now, before = optimizer_of(run), notes["optimizer"]
    changed = [] if now == before else [("the optimizer", f"is {now}"), ("", f"was {before}")]
    if strict and misfits:
        header = f"the checkpoint in {where!r} does not match, and strict=True:"
        raise ValueError(
            table(header, changed + misfits)
            + "\nResume with the model and optimizer that were saved, or pass strict=False to "
            "restore what matches."
        )
    if notes["finished"]:
        _report_finished(where, now, before, misfits)
    elif misfits:
        header = f"checkpoint={where!r} matches in part. Everything else was restored:"
        warn(table(header, changed + misfits))


def _report_finished(where: str, now: str, before: str, misfits: Misfits) -> None:
    """Raise for another model than that of the finished run, and warn of another optimizer."""
    model = [(path, words) for path, words in misfits if not path.startswith("opt_state")]
    if model:
        raise ValueError(
            table(f"the run in {where!r} is finished, and had another model:", model)
            + "\nGive another folder to train this model."
        )
    if now != before:
        warn(
            f"the run in {where!r} is finished: its result is that of {before}, and {now} is not "
            "used. Give another folder to train with it."
        )


def optimizer_of(run: Run) -> str:
    """Return the description of the optimizer, on one line."""
    text = " ".join(str(describe(run.program.optimizer)).split())
    return text.replace("( ", "(").replace(", )", ")").replace(",)", ")")


def _on_host(leaves: list[Leaf]) -> dict[str, np.ndarray]:
    """Return copies, transferred together; on a CPU, `device_get` returns the donated memory."""
    values = jax.device_get([as_saved(leaf.value) for leaf in leaves])
    return {leaf.path: np.array(x) for leaf, x in zip(leaves, values, strict=True)}


def _history_arrays(history: History) -> dict[str, np.ndarray]:
    arrays = {f"history.{name}": x for name, x in history.per_step.items()}
    if history.ratios:
        steps, ratios = zip(*history.ratios, strict=True)
        arrays["ratios.steps"], arrays["ratios"] = np.array(steps), np.stack(ratios)
    return arrays


def _history(saved: Saved) -> History:
    arrays, notes = saved
    block = {name: arrays[f"history.{name}"] for name in notes["columns"]}
    pairs = zip(arrays.get("ratios.steps", ()), arrays.get("ratios", ()), strict=True)
    ratios = [(int(step), ratio) for step, ratio in pairs]
    return History([block] if block else [], list(notes["evaluations"]), ratios)
