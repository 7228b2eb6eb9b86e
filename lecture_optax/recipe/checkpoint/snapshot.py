"""What must be saved of a search to go on bitwise?

What it was told (`journal.py`), and the weights at that moment: of every arm that may run on, of
the middles to branch from, of the looks that may be handed over.
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
from ...training.checkpoint.folder import sentence
from ...training.checkpoint.restore import as_saved, placed
from ...training.checkpoint.snapshot import arrays_of, difference
from ...training.compiled.step import Carry
from ..population.arms import Arm, OptimizerFactory, plain
from ..population.curve import Curve
from ..population.population import Member, outside
from ..search.race import Candidate, Race
from .store import Part, Saved, Store

NUMBERS = ("step", "width", "failed", "leaf", "opening", "gradients", "updates")
BLOCKS = ("means", "lows", "highs", "levels")
"""What a curve keeps beside its looks, which the search is told again."""


def snapshot(
    race: Race, identity: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, Callable[[], Part]]]:
    """The notes, and what makes the parts: most of them are on the disk already."""
    population = race.population
    parts: dict[str, Callable[[], Part]] = {}
    for arm, member in population.members.items():
        parts[_arm_part(arm, member.curve.step)] = partial(_part_of_member, member)
    for (arm, step), carry in population.saved.items():
        parts[_middle_part(arm, step)] = partial(_part_of, carry and carry._replace(key=None))
    for found in race.found:
        parts[_found_part(found)] = partial(_part_of, (found.params, found.model_state))
    curves = {
        arm.name: {name: getattr(member.curve, name) for name in NUMBERS}
        for arm, member in population.members.items()
    }
    told = {"told": population.journal.told, "spent": population.spent}
    return {"identity": identity, **told, "curves": curves}, parts


def put_back(race: Race, saved: Saved) -> None:
    """Give a search that was told everything the curves and weights that it had then."""
    population = race.population
    population.spent = saved.notes["spent"]
    for arm, member in population.members.items():
        numbers = saved.notes["curves"][arm.name]
        part = saved.parts[_arm_part(arm, numbers["step"])]
        _put_curve_back(member.curve, numbers, part)
        member.carry = _carry_in(race, arm, part)
    for arm, step in population.saved:
        part = saved.parts[_middle_part(arm, step)]
        population.saved[arm, step] = _carry_in(race, arm, part)
    like = population.start.params, population.start.model_state
    for i, found in enumerate(race.found):
        params, model_state = _unpacked(saved.parts[_found_part(found)]["weights"], like)
        race.found[i] = found._replace(params=params, model_state=model_state)


def _arm_part(arm: Arm, step: int) -> str:
    return f"{arm.name}@{step}"


def _middle_part(arm: Arm, step: int) -> str:
    return f"{arm.name}@{step}-middle"


def _found_part(found: Candidate) -> str:
    return f"{found.arm.name}@{found.step}-{'averaged' if found.is_average else 'raw'}"


def _part_of_member(member: Member) -> Part:
    """The blocks of a curve; the weights if a step may follow."""
    curve, carry = member.curve, member.carry
    rest = np.concatenate([np.zeros(0, np.float32), *curve.rest])
    blocks = {name: np.asarray(getattr(curve, name), np.float64) for name in BLOCKS}
    weights = _part_of(carry._replace(key=None)) if carry and member.alive else {}
    return {"rest": rest, **blocks, **weights}


def _part_of(tree: Any) -> Part:
    """The bytes of all leaves, in the order of the tree."""
    leaves = jax.device_get([as_saved(x) for x in jax.tree.leaves(tree)])
    rows = [np.ascontiguousarray(x).reshape(-1).view(np.uint8) for x in leaves]
    return {"weights": np.concatenate([np.zeros(0, np.uint8), *rows])}


def _put_curve_back(curve: Curve, numbers: dict[str, Any], part: Part) -> None:
    """In place: who asked holds it. The looks are those that were told."""
    blocks = {name: part[name].tolist() for name in BLOCKS}
    failed = numbers["failed"] and tuple(numbers["failed"])
    for name, value in {**numbers, **blocks, "failed": failed, "rest": [part["rest"]]}.items():
        setattr(curve, name, value)


def _carry_in(race: Race, arm: Arm, part: Part) -> Carry | None:
    if "weights" not in part:
        return None
    first = race.population.first(arm)
    carry = _unpacked(part["weights"], first._replace(key=None))._replace(key=first.key)
    return outside(carry) if race.population.tight else carry


def _unpacked(data: np.ndarray, like: Any) -> Any:
    """Leaves of the shapes, dtypes and places of those of `like`."""
    leaves, structure = jax.tree.flatten(like)
    plain = [as_saved(x) for x in leaves]
    ends = np.cumsum([x.nbytes for x in plain])
    if len(data) != sum(x.nbytes for x in plain):
        raise ValueError(
            "the checkpoint holds another search: its weights and optimizer states have another "
            "size. Give each search a folder of its own, or remove this one to start anew."
        )
    parts = [data[end - x.nbytes : end] for x, end in zip(plain, ends, strict=True)]
    values = [
        placed(part.view(x.dtype).reshape(x.shape), leaf)
        for part, x, leaf in zip(parts, plain, leaves, strict=True)
    ]
    return jax.tree.unflatten(structure, values)


FIRST = 1.0
"""The first save comes so many seconds after the first chunk (which compiles)."""

SHARE = 0.02
"""The part of the time that saves may take."""


class Saves:
    """The saves of one search. A disk that fails costs a warning, not the search."""

    def __init__(self, race: Race, store: Store, identity: dict[str, Any]):
        self.race, self.store, self.identity = race, store, identity
        self._due: float | None = None
        self._told = 0

    def resume(self) -> None:
        """Let the search be told what the last save holds.

        **Raises** `ValueError` for the folder of another search; `OSError` if it cannot be made.
        """
        saved = self.store.newest()
        if saved is not None:
            if words := difference(self.identity, saved.notes["identity"]):
                raise ValueError(
                    f"checkpoint={str(self.store.path)!r} holds another search: {words}. Nothing "
                    "was changed in it. Give each search a folder of its own, or remove this one "
                    "to start anew."
                )
            journal = self.race.population.journal
            journal.told, journal.arrive = saved.notes["told"], partial(put_back, self.race, saved)
            self._told = len(journal.told)
        else:
            self.store.make()

    def pause(self) -> None:
        """Save, if it is time."""
        now = time.perf_counter()
        if self._due is None and self.race.population.spent:
            self._due = now + FIRST
        if self._due is not None and now >= self._due:
            self.save()

    def end(self) -> None:
        """Save what the search ended with, unless that was all told before."""
        if len(self.race.population.journal.told) > self._told:
            self.save()

    def save(self) -> bool:
        """Save now; whether that went well."""
        began = time.perf_counter()
        try:
            self.store.write(*snapshot(self.race, self.identity))
        except OSError as error:
            warn(
                f"the search could not be saved in {str(self.store.path)!r} ({sentence(error)}): "
                "it goes on, and saving is tried again later."
            )
            self._due = time.perf_counter() + 1 / SHARE
            return False
        now, self._told = time.perf_counter(), len(self.race.population.journal.told)
        self._due = now + (now - began) / SHARE
        return True


def identity_of(
    race: Race, optimizers: Mapping[str, OptimizerFactory], wrap: Any, seed: int
) -> dict[str, Any]:
    """All that a search follows from, but the code of model and loss: those by what they give."""
    population, held_out = race.population, race.held_out
    arrays = {"train": population.rows.data, "valid": held_out.all}
    start = population.start
    return {
        "seed": int(seed),
        "steps": population.steps,
        "batch_size": population.program.batch_size,
        "budget": race.budget,
        "the loss at the start": f"{held_out.start['all']:.3g}",
        **{f"family {name}": _words_of(x, wrap) for name, x in optimizers.items()},
        **dict(arrays_of({**arrays, "params": start.params})),
    }


def _words_of(optimizer: OptimizerFactory, wrap: Any) -> str:
    """A family as it describes itself, without the addresses of functions."""
    text = re.sub(r" at 0x[0-9a-f]+", "", str(describe(plain(optimizer, wrap, 1.0))))
    return " ".join(text.split())
