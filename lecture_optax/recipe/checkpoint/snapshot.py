"""Snapshots of a search, from which it resumes with bit-identical results.

A snapshot holds the replay log (`replay_log.py`) and the weights at its end: of every arm that may
continue, of the middles to branch from, and of the candidates for the result.
"""

import re
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import jax
import numpy as np

from ..._core.describe import describe
from ...training.checkpoint.identity import arrays_of, difference
from ...training.checkpoint.restore import as_saved, place_like
from ...training.checkpoint.saver import SaveTimer
from ...training.compiled.step import Carry
from ..population.arms import Arm, OptimizerFactory, standalone_optimizer
from ..population.curve import Curve
from ..population.population import Member, to_host
from ..search.race import Candidate, Race
from .store import Arrays, SavedSearch, Store

NUMBERS = ("step", "width", "failed", "leaf", "norm_steps", "gradients", "updates")
BLOCKS = ("means", "levels")
"""The parts of a curve that are saved. Its evaluations are in the replay log."""


def snapshot(
    race: Race, identity: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, Callable[[], Arrays]]]:
    """Return the notes, and functions that make the parts: most parts are on the disk already."""
    population = race.population
    parts: dict[str, Callable[[], Arrays]] = {}
    for arm, member in population.members.items():
        parts[_arm_part(arm, member.curve.step)] = partial(_member_part, member)
    for (arm, step), carry in population.saved.items():
        parts[_middle_part(arm, step)] = partial(_packed, carry and carry._replace(key=None))
    for x in race.candidates:
        parts[_candidate_part(x)] = partial(_packed, (x.params, x.model_state))
    curves = {
        arm.name: {name: getattr(member.curve, name) for name in NUMBERS}
        for arm, member in population.members.items()
    }
    log = {"log": population.log.entries, "spent": population.spent}
    return {"identity": identity, **log, "curves": curves}, parts


def restore(race: Race, saved: SavedSearch) -> None:
    """Restore curves and weights of a search that has replayed its log."""
    population = race.population
    population.spent = saved.notes["spent"]
    for arm, member in population.members.items():
        numbers = saved.notes["curves"][arm.name]
        part = saved.parts[_arm_part(arm, numbers["step"])]
        _restore_curve(member.curve, numbers, part)
        member.carry = _carry_in(race, arm, part)
    for arm, step in population.saved:
        part = saved.parts[_middle_part(arm, step)]
        population.saved[arm, step] = _carry_in(race, arm, part)
    like = population.start.params, population.start.model_state
    for i, x in enumerate(race.candidates):
        params, model_state = _unpacked(saved.parts[_candidate_part(x)]["weights"], like)
        race.candidates[i] = x._replace(params=params, model_state=model_state)


def _arm_part(arm: Arm, step: int) -> str:
    return f"{arm.name}@{step}"


def _middle_part(arm: Arm, step: int) -> str:
    return f"{arm.name}@{step}-middle"


def _candidate_part(x: Candidate) -> str:
    return f"{x.arm.name}@{x.step}-{'averaged' if x.is_average else 'raw'}"


def _member_part(member: Member) -> Arrays:
    """Return the blocks of a curve, and the weights if the arm may continue."""
    curve, carry = member.curve, member.carry
    rest = np.concatenate([np.zeros(0, np.float32), *curve.rest])
    blocks = {name: np.asarray(getattr(curve, name), np.float64) for name in BLOCKS}
    weights = _packed(carry._replace(key=None)) if carry and member.is_finite else {}
    return {"rest": rest, **blocks, **weights}


def _packed(tree: Any) -> Arrays:
    """Return the bytes of all leaves, in the order of the tree."""
    leaves = jax.device_get([as_saved(x) for x in jax.tree.leaves(tree)])
    rows = [np.ascontiguousarray(x).reshape(-1).view(np.uint8) for x in leaves]
    return {"weights": np.concatenate([np.zeros(0, np.uint8), *rows])}


def _restore_curve(curve: Curve, numbers: dict[str, Any], part: Arrays) -> None:
    """Restore a curve in place, as others refer to it. Its evaluations come from the log."""
    blocks = {name: part[name].tolist() for name in BLOCKS}
    failed = numbers["failed"] and tuple(numbers["failed"])
    for name, value in {**numbers, **blocks, "failed": failed, "rest": [part["rest"]]}.items():
        setattr(curve, name, value)


def _carry_in(race: Race, arm: Arm, part: Arrays) -> Carry | None:
    if "weights" not in part:
        return None
    first = race.population.first(arm)
    carry = _unpacked(part["weights"], first._replace(key=None))._replace(key=first.key)
    return to_host(carry) if race.population.offload else carry


def _unpacked(data: np.ndarray, like: Any) -> Any:
    """Return leaves with the shapes, dtypes and devices of those of `like`."""
    leaves, structure = jax.tree.flatten(like)
    plain = [as_saved(x) for x in leaves]
    ends = np.cumsum([x.nbytes for x in plain])
    if len(data) != sum(x.nbytes for x in plain):
        raise ValueError(
            "the checkpoint holds another search: its parameters and optimizer states have another "
            "size. Give each search its own folder, or remove this one to start again."
        )
    parts = [data[end - x.nbytes : end] for x, end in zip(plain, ends, strict=True)]
    values = [
        place_like(part.view(x.dtype).reshape(x.shape), leaf)
        for part, x, leaf in zip(parts, plain, leaves, strict=True)
    ]
    return jax.tree.unflatten(structure, values)


class SearchSaver:
    """Saves a search and resumes it. If a save fails, it warns and the search continues."""

    def __init__(self, race: Race, store: Store, identity: dict[str, Any]):
        self.race, self.store, self.identity = race, store, identity
        self._timer = SaveTimer(store.path)
        self._saved = 0

    def resume(self) -> None:
        """Let the search replay its last save, if there is one.

        **Raises** `ValueError` for a folder of another search, or one that another version of the
        library has written; `OSError` if the folder cannot be made.
        """
        saved = self.store.newest()
        if saved is None:
            self.store.make()
            return
        if words := difference(self.identity, saved.notes["identity"]):
            raise ValueError(
                f"checkpoint={str(self.store.path)!r} holds another search: {words}. Nothing was "
                "changed in it. Give each search its own folder, or remove this one to start again."
            )
        log = self.race.population.log
        log.entries, log.restore = saved.notes["log"], partial(restore, self.race, saved)
        self._saved = len(log.entries)

    def poll(self) -> None:
        """Save, if it is time."""
        if self.race.population.spent and self._timer.is_due():
            self.save()

    def end(self) -> None:
        """Save the end of the search, unless it was saved before."""
        if len(self.race.population.log.entries) > self._saved:
            self.save()

    def save(self) -> bool:
        """Save now. Return whether the save succeeded."""
        began = time.perf_counter()
        try:
            self.store.write(*snapshot(self.race, self.identity))
        except OSError as error:
            self._timer.failed(error, "the search", "the search continues and tries again later")
            return False
        self._saved = len(self.race.population.log.entries)
        self._timer.saved(time.perf_counter() - began)
        return True


def fingerprint(
    race: Race, optimizers: Mapping[str, OptimizerFactory], wrap: Any, seed: int
) -> dict[str, Any]:
    """Return everything that determines a search.

    The code of model and loss is represented by the loss at the start.
    """
    population, held_out = race.population, race.held_out
    params = population.start.params
    arrays = {"train": population.source.data, "valid": held_out.all, "params": params}
    return {
        "seed": int(seed),
        "steps": population.steps,
        "batch_size": population.program.batch_size,
        "budget": race.budget,
        "the loss at the start": f"{held_out.start['all']:.3g}",
        **{f"optimizer {name}": _words_of(x, wrap) for name, x in optimizers.items()},
        **dict(arrays_of(arrays)),
    }


def _words_of(optimizer: OptimizerFactory, wrap: Any) -> str:
    """Return the description of an optimizer, without the addresses of functions."""
    text = re.sub(r" at 0x[0-9a-f]+", "", str(describe(standalone_optimizer(optimizer, wrap, 1.0))))
    return " ".join(text.split())
