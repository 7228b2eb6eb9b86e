"""What must be saved to go on bitwise?

    carry      parameters, model state, optimizer state, step. The key is that of the seed, and the
               rows follow from it and the step.
    best       the weights with the lowest held-out loss, and where they were found
    history    every record and every look, as the result will show them
    source     where an iterator of batches stands, if there is one

Orbax writes it (`folder.py`), by path and name (`restore.py`), when `saves.py` says so.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import jax
import numpy as np

from ..._core.describe import describe
from ..._core.extras import warn
from .._trees import checksum, kind_of
from ..compiled.step import Carry
from ..loop.evaluation import Best
from ..loop.run import History, Run
from .folder import Saved
from .restore import Leaf, as_saved, leaves_of, restored, state_leaves_of, table


def snapshot(run: Run, source: Any, identity: dict[str, Any]) -> Saved:
    """Copy what must be saved to the host: the next chunk is given the arrays themselves."""
    leaves = carry_leaves(run.carry)
    best: Any = None
    if run.best is not None:
        best = {name: getattr(run.best, name) for name in ("loss", "step", "is_average")}
    arrays = _on_host([*leaves, *(best_leaves(run.best) if run.best is not None else [])])
    notes = {
        "identity": identity,
        "optimizer": optimizer_of(run),
        "names": {leaf.path: leaf.name for leaf in leaves if leaf.value.size},
        "best": best,
        "evaluations": run.history.evaluations,
        "columns": list(run.history.per_step),
        "source": source.get_state() if hasattr(source, "get_state") else None,
        "step": run.step,
        "stopped": run.stopped,
        # a run that was asked to stop within its last evaluation has that one to do
        "finished": run.stopped is not None or (run.step >= run.steps and run.is_evaluated),
    }
    arrays |= _history_arrays(run.history)
    written = {path: x for path, x in arrays.items() if x.size}  # Orbax refuses what is empty
    return Saved(written, json.loads(json.dumps(notes)))  # a copy, as the history grows


def put_back(run: Run, source: Any, saved: Saved, strict: bool, where: str) -> None:
    """Let a new run stand where the saved one stood.

    **Warns** with a table of what did not fit by name.

    **Raises** `ValueError` with it, if `strict`.
    """
    arrays, notes = saved
    wanted = carry_leaves(run.carry)
    present = [leaf for leaf in wanted if leaf.value.size]
    found = restored(arrays, notes["names"], present, notes["step"])
    values = dict(zip((leaf.path for leaf in present), found.values, strict=True))
    carry = _unflatten(run.carry, [values.get(leaf.path, leaf.value) for leaf in wanted])
    best, misfits = _best(carry, saved, run.valid is not None)
    _report(run, notes, found.misfits + misfits, strict, where)
    run.carry, run.best, run.stopped = carry, best, notes["stopped"]
    run.history = _history(saved)
    if notes["source"] is not None and not notes["finished"]:
        source.set_state(notes["source"])


def carry_leaves(carry: Carry) -> list[Leaf]:
    """All leaves but the key, in the order of `_unflatten`."""
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


def _best(carry: Carry, saved: Saved, wanted: bool) -> tuple[Best | None, list[tuple[str, str]]]:
    """The best weights so far, unless another model's."""
    if saved.notes["best"] is None or not wanted:
        return None, []
    best = Best(carry.params, carry.model_state, **saved.notes["best"])
    leaves = [leaf for leaf in best_leaves(best) if leaf.value.size]
    names = {path: path for path in saved.arrays if path.startswith("best.")}
    found = restored(saved.arrays, names, leaves, 0)
    if any("converted" not in words for _, words in found.misfits):
        return None, [("best", "of another model: left out")]
    values = dict(zip((leaf.path for leaf in leaves), found.values, strict=True))
    filled = [values.get(leaf.path, leaf.value) for leaf in best_leaves(best)]
    trees = jax.tree.structure((best.params, best.model_state))
    params, model_state = jax.tree.unflatten(trees, filled)
    return best._replace(params=params, model_state=model_state), found.misfits


def _report(
    run: Run, notes: dict[str, Any], misfits: list[tuple[str, str]], strict: bool, where: str
) -> None:
    now, before = optimizer_of(run), notes["optimizer"]
    changed = [] if now == before else [("the optimizer", f"is {now}"), ("", f"was {before}")]
    if strict and misfits:
        raise ValueError(
            table(f"the checkpoint in {where!r} does not fit, and strict=True:", changed + misfits)
            + "\nGo on as it was saved, or pass strict=False to restore what fits."
        )
    if notes["finished"]:
        _report_finished(where, now, before, misfits)
    elif misfits:
        header = f"the checkpoint in {where!r} fits in part; everything else was restored:"
        warn(table(header, changed + misfits))


def _report_finished(where: str, now: str, before: str, misfits: list[tuple[str, str]]) -> None:
    """Nothing will be trained: another optimizer is left unused, another model has no result."""
    model = [(path, words) for path, words in misfits if not path.startswith("opt_state")]
    if model:
        raise ValueError(
            table(f"the run in {where!r} is finished, and its model is another one:", model)
            + "\nGive another folder to train this one."
        )
    if now != before:
        warn(
            f"the run in {where!r} is finished: this is the result of {before}, and {now} was not "
            "used. Give another folder to train with it."
        )


def optimizer_of(run: Run) -> str:
    """What the optimizer says of itself, on one line."""
    text = " ".join(str(describe(run.program.optimizer)).split())
    return text.replace("( ", "(").replace(", )", ")").replace(",)", ")")


def _on_host(leaves: list[Leaf]) -> dict[str, np.ndarray]:
    """Copies, all on their way at once; on a CPU, what is got is the donated memory itself."""
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


def identity_of(run: Any, source: Any, seed: int) -> dict[str, Any]:
    """All that the numbers of a run follow from, beside the model and the optimizer.

    Model and optimizer may change while a run is interrupted: they are restored by name.
    """
    arrays = {
        "data": getattr(source, "data", None),
        "sample_weight": getattr(source, "sample_weight", None),
    }
    return {
        "seed": int(seed),
        "steps": int(run.steps),
        "batch_size": run.program.batch_size,
        "accumulate": run.program.accumulate,
        **getattr(source, "kinds", {}),
        **dict(arrays_of({**arrays, "valid": run.valid})),
    }


def difference(now: Mapping[str, Any], before: Mapping[str, Any]) -> str | None:
    """In words, in what two runs differ."""
    names = [name for name in {**now, **before} if now.get(name) != before.get(name)]
    if not names:
        return None
    return ", ".join(f"{x} is {now.get(x, 'absent')}, was {before.get(x, 'absent')}" for x in names)


def arrays_of(trees: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The kind of every array, and a sum over its bytes: rows split by another seed are others."""
    for name, tree in trees.items():
        for path, x in jax.tree_util.tree_leaves_with_path(tree):
            if not hasattr(x, "dtype"):
                continue
            yield f"{name}{jax.tree_util.keystr(path)}", f"{kind_of(x)} #{checksum(x):08x}"
