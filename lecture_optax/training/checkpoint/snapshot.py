"""The content of a checkpoint: all that a run needs to resume with the same bits.

    carry      parameters, model state, optimizer state, step. The key is that of the seed, and the
               batches follow from it and the step.
    best       the parameters with the lowest validation loss, and their step
    history    every record and every evaluation, as in the result
    source     the place of an iterator of batches, if there is one

`folder.py` writes it, by the paths and names of `restore.py`, when `saver.py` decides.
"""

import json
from collections.abc import Collection, Mapping
from typing import Any

import jax
import numpy as np

from ..._core.validate import in_words
from ..compiled.sharding import on_host
from ..compiled.step import Carry
from ..loop.evaluation import Best
from ..loop.run import History, Run
from .folder import FORMAT, Saved
from .identity import PARTS, is_identity
from .notes import (
    Form,
    check_notes,
    dict_of,
    is_anything,
    is_count,
    is_flag,
    is_number,
    is_text,
    list_of,
    optional,
    record_of,
)
from .restore import Leaf, Misfits, as_saved, leaves_of, restored, state_leaves_of


def snapshot(
    run: Run, source: Any, identity: Mapping[str, Any], optimizer: Mapping[str, Any]
) -> Saved:
    """Copy what must be saved to the host: the next chunk donates the arrays.

    `identity` and `optimizer` are notes of `identity.py` and `optimizer_change.py`.
    """
    leaves = carry_leaves(run.carry)
    best: Any = None
    if run.best is not None:
        best = {name: getattr(run.best, name) for name in ("loss", "step", "is_average")}
    arrays = _on_host([*leaves, *(best_leaves(run.best) if run.best is not None else [])])
    notes = {
        "format": FORMAT,
        "identity": identity,
        "optimizer": optimizer,
        "names": {leaf.path: leaf.name for leaf in leaves if leaf.value.size},
        "best": best,
        "evaluations": run.history.evaluations,
        "columns": list(run.history.per_step),
        "interval": run.history.interval,
        "source": source.get_state() if hasattr(source, "get_state") else None,
        "step": run.step,
        "stopped": run.stopped,
        # a run that was stopped within its last evaluation repeats it
        "finished": run.stopped is not None or (run.step >= run.steps and run.is_evaluated),
    }
    arrays |= _history_arrays(run.history)
    written = {path: x for path, x in arrays.items() if x.size}  # Orbax refuses what is empty
    return Saved(written, json.loads(json.dumps(notes)))  # a copy, as the history grows


def check_saved(step: int, saved: Saved) -> None:
    """Check that a checkpoint is one that `snapshot` has made.

    **Raises** `ValueError` for anything else.
    """
    arrays, notes = saved
    check_notes(notes, FORMS)
    identity, best, lines = notes["identity"], notes["best"], notes["evaluations"]
    columns = [arrays.get(f"history.{name}", ()) for name in notes["columns"]]
    right = {
        "identity": identity.keys() >= {*PARTS} and is_count(identity.get("steps")),
        "names": arrays.keys() >= notes["names"].keys(),
        "columns": {len(x) for x in columns} <= {step},
        "evaluations": all(0 <= line.get("step", -1) <= step for line in lines),
        "best": best is None or best["step"] <= step,
        "step": notes["step"] == step,
    }
    if wrong := [name for name, is_right in right.items() if not is_right]:
        raise ValueError(f"{in_words(wrong)} in its notes is not as this library writes it")


FORMS: Mapping[str, Form] = {
    "identity": is_identity,
    "optimizer": record_of(
        {"text": is_text, "hash": optional(is_text), "injected": dict_of(is_anything)}
    ),
    "names": dict_of(is_text),
    "best": optional(record_of({"loss": is_number, "step": is_count, "is_average": is_flag})),
    "evaluations": list_of(dict_of(is_number)),
    "columns": list_of(is_text),
    "interval": lambda x: is_count(x) and x > 0,
    "source": optional(record_of({"taken": is_count, "place": is_anything, "last": is_anything})),
    "step": is_count,
    "stopped": optional(is_text),
    "finished": is_flag,
}
"""What the notes hold. An iterator of batches is saved as `IterableSource.get_state` returns it."""


def restore_run(run: Run, source: Any, saved: Saved, renewed: Collection[str] = ()) -> Misfits:
    """Put a new run to the place of the saved one, and return what does not match by name.

    `renewed`: the paths of the numbers of an optimizer's state that are given anew.
    """
    arrays, notes = saved
    names = {path: name for path, name in notes["names"].items() if path not in renewed}
    found = restored(arrays, names, carry_leaves(run.carry), notes["step"])
    run.carry, run.stopped = _unflatten(run.carry, found.values), notes["stopped"]
    run.best, run.history = _best(run.carry, saved), _history(saved)
    return [line for line in found.misfits if line[0] not in renewed]


def restored_carry(like: Carry, saved: Saved) -> Carry:
    """Return the carry of a checkpoint that a run has made itself, with `like`."""
    notes = saved.notes
    found = restored(saved.arrays, notes["names"], carry_leaves(like), notes["step"])
    return _unflatten(like, found.values)


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


def _best(carry: Carry, saved: Saved) -> Best | None:
    """Return the best parameters so far."""
    if saved.notes["best"] is None:
        return None
    best = Best(carry.params, carry.model_state, **saved.notes["best"])
    names = {path: path for path in saved.arrays if path.startswith("best.")}
    found = restored(saved.arrays, names, best_leaves(best), 0)
    trees = jax.tree.structure((best.params, best.model_state))
    params, model_state = jax.tree.unflatten(trees, found.values)
    return best._replace(params=params, model_state=model_state)


def _on_host(leaves: list[Leaf]) -> dict[str, np.ndarray]:
    """Return copies, transferred together; on a CPU, `device_get` returns the donated memory."""
    values = on_host([as_saved(leaf.value) for leaf in leaves])
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
    blocks = [block] if block else []
    return History(blocks, list(notes["evaluations"]), ratios, interval=notes["interval"])
