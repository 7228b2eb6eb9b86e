"""What must be saved of a search to go on bitwise?

What it was told (`journal.py`), and the weights at that moment: of every arm that may run on, of
the middles to branch from, of the looks that may be handed over.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import numpy as np

from ..training.checkpoint.restore import as_saved, placed
from ..training.compiled.step import Carry
from .curves import Curve
from .population import Arm, Member
from .race import Found, Race
from .store import Part, Saved
from .waiting import outside

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


def _found_part(found: Found) -> str:
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
