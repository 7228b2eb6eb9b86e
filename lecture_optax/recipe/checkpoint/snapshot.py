"""Snapshots of a search, from which it resumes with bit-identical results.

A snapshot holds the segments that have ended, in their order (`search/journal.py`), the curves, and
the weights: of every arm that may continue, of the points to branch from, and of the candidates.
Weights that are missing or damaged are computed again: they follow from the arm and the step.
"""

import re
import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

import jax
import numpy as np

from ..._core.describe import describe
from ..._core.extras import warn
from ...training._trees import MOST
from ...training.checkpoint.folder import first_line
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
    is_flag,
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
from ...training.loop.sources import Place, checksum_of
from ...training.loop.streams import SharedStream
from ..population.arms import Arm, OptimizerFactory, standalone_optimizer
from ..population.curve import Curve, Evaluation
from ..population.member import Candidate, Member
from ..population.worker import weights_of
from ..search.journal import Outcome, Segment, outcome_of
from ..search.runner import Runner
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
    "rows_evaluated": is_count,
}
BLOCKS = ("means", "levels")
"""The parts of a curve that are saved. Its evaluations are in the notes."""

UNREADABLE = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What restoring raises for notes of another version, or that were changed."""

_losses = optional(row_of(list_of(is_number), list_of(is_number)))
_evaluation = row_of(is_count, is_number, is_number, is_number, _losses)

NOTES: dict[str, Form] = {
    "identity": is_identity,
    "lanes": optional(is_count),
    "segments": list_of(row_of(is_text, is_count)),
    "curves": dict_of(record_of({**NUMBERS, "evaluations": list_of(_evaluation)})),
    "candidates": list_of(row_of(is_text, is_count, is_flag, is_number)),
    "branches": list_of(row_of(is_text, is_count)),
    "places": list_of(row_of(is_text, is_count, is_anything, optional(is_count))),
}
"""The notes of a snapshot."""


def snapshot(
    runner: Runner, identity: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, Callable[[], Arrays]]]:
    """Return the notes, and functions that make the parts: most parts are on the disk already."""
    parts: dict[str, Callable[[], Arrays]] = {}
    branches = [(arm, step) for arm, x in runner.members.items() for step in x.branches]
    for arm, member in runner.members.items():
        parts[_arm_part(arm, member.curve.step)] = partial(_member_part, runner, arm, member)
    for arm, step in branches:
        parts[_branch_part(arm, step)] = partial(_branch, runner, arm, step)
    for x in runner.candidates:
        parts[_candidate_part(x)] = partial(_candidate, runner, x)
    notes = {
        "identity": identity,
        "lanes": runner.lanes,
        "segments": [[arm.name, end] for arm, end in runner.outcomes],
        "curves": {arm.name: _notes_of(x.curve) for arm, x in runner.members.items()},
        "branches": [[arm.name, step] for arm, step in branches],
        "places": [
            [arm.name, step, *place]
            for arm, member in runner.members.items()
            for step, place in member.places.items()
        ],
        "candidates": [
            [x.arm.name, x.step, x.is_average, x.loss_change] for x in runner.candidates
        ],
    }
    return notes, parts


def _notes_of(curve: Curve) -> dict[str, Any]:
    numbers = {name: getattr(curve, name) for name in NUMBERS}
    return {**numbers, "evaluations": [list(x) for x in curve.evaluations]}


def restore(runner: Runner, saved: SavedSearch) -> None:
    """Restore a search. Weights that are missing or damaged are computed again.

    **Raises** `ValueError` for a search that this version of the policy does not continue.
    """
    notes = saved.notes
    curves = {Arm.named(name): _curve_of(numbers) for name, numbers in notes["curves"].items()}
    segments = [Segment(Arm.named(name), end) for name, end in notes["segments"]]
    runner.lanes = notes["lanes"]
    runner.resume(_outcomes_of(segments, curves))

    def again(arm: Arm, step: int) -> Member:
        return runner.population.retrace(arm, step, runner.poll)

    for arm, curve in curves.items():
        part = saved.parts.get(_arm_part(arm, curve.step))
        if part is None:
            made = again(arm, curve.step)
            part = _parts_of(made.curve, made.carry if curve.failed is None else None)
        curve.rest = [part["rest"]]
        for name in BLOCKS:
            setattr(curve, name, part[name].tolist())
        runner.members[arm] = Member(curve, _carry_in(runner, arm, part))
    for name, step, *place in notes["places"]:
        runner.members[Arm.named(name)].places[step] = Place(*place)
    for name, step in notes["branches"]:
        arm = Arm.named(name)
        part = saved.parts.get(_branch_part(arm, step)) or _packed_carry(again(arm, step).carry)
        runner.members[arm].branches[step] = _carry_in(runner, arm, part)
    start = runner.population.start
    for name, step, is_average, loss_change in notes["candidates"]:
        x = Candidate(loss_change, step, Arm.named(name), is_average)
        part = saved.parts.get(_candidate_part(x)) or _packed(
            weights_of(runner.population.awake(again(x.arm, step).carry), is_average)
        )
        weights = _unpacked(part["weights"], (start.params, start.model_state))
        weights = runner.population.copy_of(weights)
        runner.members[x.arm].best[is_average] = x._replace(weights=weights)


def _outcomes_of(
    segments: Iterable[Segment], curves: Mapping[Arm, Curve]
) -> dict[Segment, Outcome]:
    """Return the outcomes of segments that have ended, given in the order of their ends."""
    outcomes, reached = {}, {}
    for segment in segments:
        arm, end = segment
        outcomes[segment] = outcome_of(curves[arm], reached.get(arm, arm.begin), end)
        reached[arm] = end
    return outcomes


def _curve_of(numbers: dict[str, Any]) -> Curve:
    failed = numbers["failed"] and tuple(numbers["failed"])
    evaluations = [
        Evaluation(*row[:-1], losses=row[-1] and (tuple(row[-1][0]), tuple(row[-1][1])))
        for row in numbers["evaluations"]
    ]
    return Curve(**{**numbers, "failed": failed, "evaluations": evaluations})


def _arm_part(arm: Arm, step: int) -> str:
    return f"{arm.name}@{step}"


def _branch_part(arm: Arm, step: int) -> str:
    return f"{arm.name}@{step}-branch"


def _candidate_part(x: Candidate) -> str:
    return f"{x.arm.name}@{x.step}-{'averaged' if x.is_average else 'raw'}"


def _member_part(runner: Runner, arm: Arm, member: Member) -> Arrays:
    """Return the blocks of a curve, and the weights if the arm may continue."""
    is_to_continue = member.carry is not None and member.is_finite
    return _parts_of(member.curve, runner.carry_of(arm) if is_to_continue else None)


def _branch(runner: Runner, arm: Arm, step: int) -> Arrays:
    return _packed_carry(runner.branch_of(arm, step))


def _candidate(runner: Runner, x: Candidate) -> Arrays:
    return _packed(runner.weights_of(x))


def _parts_of(curve: Curve, carry: Any) -> Arrays:
    rest = np.concatenate([np.zeros(0, np.float32), *curve.rest])
    blocks = {name: np.asarray(getattr(curve, name), np.float64) for name in BLOCKS}
    return {"rest": rest, **blocks, **(_packed_carry(carry) if carry else {})}


def _packed_carry(carry: Any) -> Arrays:
    return _packed(carry._replace(key=None))


def _packed(tree: Any) -> Arrays:
    """Return the bytes of all leaves, in the order of the tree."""
    leaves = jax.device_get([as_saved(x) for x in jax.tree.leaves(tree)])
    rows = [np.ascontiguousarray(x).reshape(-1).view(np.uint8) for x in leaves]
    return {"weights": np.concatenate([np.zeros(0, np.uint8), *rows])}


def _carry_in(runner: Runner, arm: Arm, part: Arrays) -> Carry | None:
    if "weights" not in part:
        return None
    population = runner.population
    like = population.carry_of(arm, None)._replace(key=None)
    return population.waiting(_unpacked(part["weights"], like))


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

    def __init__(self, runner: Runner, store: Store, identity: dict[str, Any]):
        self.runner, self.store, self.identity = runner, store, identity
        self._timer = SaveTimer(store.path)
        self._saved = 0
        self.is_saved = False

    def resume(self) -> None:
        """Restore the last save, or else make the folder and save the start.

        **Raises** `ValueError` for a folder of another search, one with other files, or one that
        another version of the library has written; `OSError` if the folder cannot be made, or if
        another search uses it.
        """
        self.store.claim()
        saved = self.store.newest(lambda notes: check_notes(notes, NOTES))
        if saved is None:
            self.store.make()
        if saved is None or not saved.notes["curves"]:  # nothing that another search could lose
            self.save()
            return
        where = str(self.store.path)
        check_identity(where, self.identity, saved.notes["identity"], "search")
        try:
            restore(self.runner, saved)
        except UNREADABLE as error:
            raise ValueError(
                f"checkpoint={where!r} holds a search that this version cannot resume "
                f"({first_line(error)}). Nothing was changed in it: give another folder, or remove "
                "this one to start again."
            ) from error
        self._saved, self.is_saved = self._position, True
        if saved.lost:
            names = ", ".join(saved.lost[:MOST]) + (", ..." if saved.lost[MOST:] else "")
            warn(
                f"{len(saved.lost)} of {len(saved.notes['parts'])} parts of the search in "
                f"{where!r} are missing or damaged ({names}): they are computed again."
            )
            self._saved = -1  # save again what was lost, even at the end

    @property
    def _position(self) -> int:
        """The segments that have ended."""
        return len(self.runner.outcomes)

    def poll(self) -> None:
        """Save, if it is time."""
        if self.runner.spent and self._timer.is_due():
            self.save()

    def end(self) -> None:
        """Save the end of the search, unless it was saved before."""
        if self._position > self._saved:
            self.save()

    def save(self) -> None:
        """Save now."""
        began = time.perf_counter()
        try:
            self.store.write(*snapshot(self.runner, self.identity))
        except OSError as error:
            self.is_saved = False
            self._timer.failed(error, "the search", "the search continues and tries again later")
            return
        self._saved, self.is_saved = self._position, True
        if self.runner.spent:  # the start takes no time to save
            self._timer.saved(time.perf_counter() - began)


def identity_of_search(
    runner: Runner, optimizers: Mapping[str, OptimizerFactory], wrap: Any, average: Any, seed: int
) -> dict[str, Any]:
    """Return everything that determines a search."""
    population, held_out, folds = runner.population, runner.held_out, runner.folds
    source, average = population.source, None if isinstance(average, bool) else average
    arrays = {"train": source.data, "sample_weight": source.sample_weight, "valid": held_out.all}
    return {
        "seed": int(seed),
        "lanes": runner.lanes,
        "steps": population.steps,
        "budget": runner.budget,
        "folds": folds.count if folds else 0,
        **({"keep": str(folds.keep)} if folds else {}),
        "evaluations": list(held_out.plan.own),
        "accumulate": population.program.accumulate,
        **{f"optimizer {name}": _words_of(x, wrap, average) for name, x in optimizers.items()},
        **_identity_of_stream(source),
        **dict(arrays_of(arrays)),
        **identity_of_program(population.program, population.start, held_out.all),
    }


def _identity_of_stream(source: Any) -> dict[str, str]:
    """Return the kinds and a checksum of the first batch of an iterable."""
    if not isinstance(source, SharedStream):
        return {}
    return {**source.kinds, "the first batch": f"#{checksum_of(source.first):08x}"}


def _words_of(optimizer: OptimizerFactory, wrap: Any, average: Any) -> str:
    """Return the description of an optimizer, without the addresses of functions."""
    words = str(describe(standalone_optimizer(optimizer, wrap, 1.0, average)))
    return " ".join(re.sub(r" at 0x[0-9a-f]+", "", words).split())
