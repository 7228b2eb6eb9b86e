"""Snapshots of a search, from which it resumes with bit-identical results.

A snapshot holds the replay log (`replay_log.py`) and the weights at its end: of every arm that may
continue, of the middles to branch from, and of the candidates for the result. Weights that are
missing or damaged are computed again: they follow from the arm and the step.
"""

import re
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import jax
import numpy as np

from ..._core.describe import describe
from ..._core.extras import warn
from ...training._trees import MOST
from ...training.checkpoint.identity import (
    arrays_of,
    check_identity,
    identity_of_program,
    is_identity,
)
from ...training.checkpoint.notes import (
    Form,
    check_notes,
    dict_of,
    is_anything,
    is_count,
    is_number,
    is_text,
    list_of,
    optional,
    record_of,
    row_of,
)
from ...training.checkpoint.restore import as_saved, place_like
from ...training.checkpoint.saver import SaveTimer
from ...training.compiled.step import Carry
from ...training.loop.evaluation import averaged_params
from ..population.arms import Arm, OptimizerFactory, standalone_optimizer
from ..population.curve import Curve
from ..population.population import Member, to_host
from ..search.race import Candidate, Race
from .store import Arrays, SavedSearch, Store

_failed = optional(row_of(is_count, is_text))

NUMBERS: dict[str, Form] = {
    "step": is_count,
    "width": is_count,
    "failed": _failed,
    "leaf": is_text,
    "norm_steps": is_count,
    "gradients": is_number,
    "updates": is_number,
}
BLOCKS = ("means", "levels")
"""The parts of a curve that are saved. Its evaluations are in the replay log."""

_advanced = row_of(is_count, _failed, is_text, is_number, is_number, is_count)
_losses = row_of(lambda x: is_number(x) or row_of(is_number, is_number)(x), is_count)


def _is_measurement(x: Any) -> bool:
    """Whether a value is an entry of the replay log: a name, and the result that belongs to it."""
    if not row_of(is_text, is_anything)(x):
        return False
    return _advanced(x[1]) if " to step " in x[0] else _losses(x[1])


NOTES: dict[str, Form] = {
    "identity": is_identity,
    "log": list_of(_is_measurement),
    "spent": is_count,
    "curves": dict_of(record_of(NUMBERS)),
}
"""The notes of a snapshot."""


def snapshot(
    race: Race, identity: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, Callable[[], Arrays]]]:
    """Return the notes, and functions that make the parts: most parts are on the disk already."""
    population = race.population
    parts: dict[str, Callable[[], Arrays]] = {}
    for arm, member in population.members.items():
        parts[_arm_part(arm, member.curve.step)] = partial(_member_part, member, member.is_finite)
    for (arm, step), carry in population.saved.items():
        parts[_middle_part(arm, step)] = partial(_packed_carry, carry)
    for x in race.candidates:
        parts[_candidate_part(x)] = partial(_packed, (x.params, x.model_state))
    curves = {
        arm.name: {name: getattr(member.curve, name) for name in NUMBERS}
        for arm, member in population.members.items()
    }
    log = {"log": population.log.entries, "spent": population.spent}
    return {"identity": identity, **log, "curves": curves}, parts


def restore(race: Race, saved: SavedSearch) -> None:
    """Restore curves and weights of a search that has replayed its log.

    What is missing or damaged is computed again.
    """
    population = race.population
    population.spent = saved.notes["spent"]
    for arm, member in population.members.items():
        numbers = saved.notes["curves"][arm.name]
        part = saved.parts.get(_arm_part(arm, numbers["step"])) or _member_part(
            population.retrace(arm, min(numbers["step"], race.steps)), numbers["failed"] is None
        )
        _restore_curve(member.curve, numbers, part)
        member.carry = _carry_in(race, arm, part)
    for arm, step in population.saved:
        part = saved.parts.get(_middle_part(arm, step)) or _packed_carry(
            population.retrace(arm, step).carry
        )
        population.saved[arm, step] = _carry_in(race, arm, part)
    like = population.start.params, population.start.model_state
    for i, x in enumerate(race.candidates):
        part = saved.parts.get(_candidate_part(x)) or _candidate_again(race, x)
        params, model_state = _unpacked(part["weights"], like)
        race.candidates[i] = x._replace(params=params, model_state=model_state)


def _candidate_again(race: Race, x: Candidate) -> Arrays:
    carry = race.population.retrace(x.arm, x.step).carry
    assert carry is not None  # it has been trained
    return _packed((averaged_params(carry) if x.is_average else carry.params, carry.model_state))


def _arm_part(arm: Arm, step: int) -> str:
    return f"{arm.name}@{step}"


def _middle_part(arm: Arm, step: int) -> str:
    return f"{arm.name}@{step}-middle"


def _candidate_part(x: Candidate) -> str:
    return f"{x.arm.name}@{x.step}-{'averaged' if x.is_average else 'raw'}"


def _member_part(member: Member, is_finite: bool) -> Arrays:
    """Return the blocks of a curve, and the weights if the arm may continue."""
    curve, carry = member.curve, member.carry
    rest = np.concatenate([np.zeros(0, np.float32), *curve.rest])
    blocks = {name: np.asarray(getattr(curve, name), np.float64) for name in BLOCKS}
    return {"rest": rest, **blocks, **(_packed_carry(carry) if carry and is_finite else {})}


def _packed_carry(carry: Carry | None) -> Arrays:
    return _packed(carry and carry._replace(key=None))


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
    """Saves a search and resumes it. If a save fails, it warns and the search continues.

    `is_saved`: whether the last save succeeded.
    """

    def __init__(self, race: Race, store: Store, identity: dict[str, Any]):
        self.race, self.store, self.identity = race, store, identity
        self._timer = SaveTimer(store.path)
        self._saved = 0
        self.is_saved = False

    def resume(self) -> None:
        """Let the search replay its last save, or else make the folder and save the start.

        **Raises** `ValueError` for a folder of another search, one with other files, or one that
        another version of the library has written; `OSError` if the folder cannot be made, or if
        another search uses it.
        """
        self.store.claim()
        saved = self.store.newest(lambda notes: check_notes(notes, NOTES))
        if saved is None:
            self.store.make()
        if saved is None or not saved.notes["spent"]:  # nothing that another search could lose
            self.save()
            return
        where = str(self.store.path)
        check_identity(where, self.identity, saved.notes["identity"], "search")
        log = self.race.population.log
        log.entries, log.restore = saved.notes["log"], partial(self._restore, saved)
        self._saved, self.is_saved = len(log.entries), True
        if saved.lost:
            names = ", ".join(saved.lost[:MOST]) + (", ..." if saved.lost[MOST:] else "")
            warn(
                f"{len(saved.lost)} of {len(saved.notes['parts'])} parts of the search in "
                f"{where!r} are missing or damaged ({names}): they are computed again."
            )

    def _restore(self, saved: SavedSearch) -> None:
        restore(self.race, saved)
        if saved.lost:
            self._saved = -1  # save again what was lost, even at the end

    def poll(self) -> None:
        """Save, if it is time."""
        if self.race.population.spent and self._timer.is_due():
            self.save()

    def end(self) -> None:
        """Save the end of the search, unless it was saved before."""
        if len(self.race.population.log.entries) > self._saved:
            self.save()

    def save(self) -> None:
        """Save now, unless the search is still being restored from what is on the disk."""
        if self.race.population.log.is_replaying:
            return
        began = time.perf_counter()
        try:
            self.store.write(*snapshot(self.race, self.identity))
        except OSError as error:
            self.is_saved = False
            self._timer.failed(error, "the search", "the search continues and tries again later")
            return
        self._saved, self.is_saved = len(self.race.population.log.entries), True
        if self.race.population.spent:  # the start takes no time to save
            self._timer.saved(time.perf_counter() - began)


def identity_of_search(
    race: Race, optimizers: Mapping[str, OptimizerFactory], wrap: Any, seed: int
) -> dict[str, Any]:
    """Return everything that determines a search."""
    population, held_out = race.population, race.held_out
    arrays = {"train": population.source.data, "valid": held_out.all}
    return {
        "seed": int(seed),
        "steps": population.steps,
        "budget": race.budget,
        **{f"optimizer {name}": _words_of(x, wrap) for name, x in optimizers.items()},
        **dict(arrays_of(arrays)),
        **identity_of_program(population.program, population.start, held_out.all),
    }


def _words_of(optimizer: OptimizerFactory, wrap: Any) -> str:
    """Return the description of an optimizer, without the addresses of functions."""
    text = re.sub(r" at 0x[0-9a-f]+", "", str(describe(standalone_optimizer(optimizer, wrap, 1.0))))
    return " ".join(text.split())
