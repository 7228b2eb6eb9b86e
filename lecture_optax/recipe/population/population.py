"""The arms of a search, run as one compiled program.

All arms start from the same parameters and see the same minibatches with the same noise: they
differ in numbers, and the numbers are data. So one program serves every arm and length, and
differences between arms are paired.
"""

import dataclasses
import functools
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ...training._trees import as_data, copied
from ...training.compiled.program import Program
from ...training.compiled.sharding import place_like
from ...training.compiled.step import Carry
from ...training.loop.advance import advance_until
from ...training.loop.batch_statistics import recompute_batch_statistics
from ...training.loop.loop import next_length
from ...training.loop.nonfinite import STATE, StateWatch, first_nonfinite_leaf
from ...training.loop.sources import ArraySource
from .arms import Arm
from .curve import Curve
from .folds import Folds

RECORDED = ("loss", "grad_norm", "update_norm")
"""What a curve records of every step."""


@dataclass
class Member:
    """An arm: all that its next step needs, and its record.

    The carry is None before the first step.
    """

    carry: Carry | None = field(default=None, repr=False)
    curve: Curve = field(default_factory=Curve)

    @property
    def is_finite(self) -> bool:
        return self.curve.failed is None


@dataclass
class Population:
    """The arms of a search, and the steps that all of them together have taken.

    - `folds`: the examples of arms with a fold, if there are any.
    - `saved`: carries to branch from.
    - `poll`: called between chunks of steps: to save, to show, to stop.
    - `offload`: whether all arms but `on_device_arm` wait in the memory of the host.
    """

    program: Program
    source: ArraySource
    start: Carry = field(repr=False)
    steps: int
    limit: int
    folds: Folds | None = None
    members: dict[Arm, Member] = field(default_factory=dict)
    saved: dict[tuple[Arm, int], Carry | None] = field(default_factory=dict, repr=False)
    poll: Callable[[], None] = field(default=lambda: None, repr=False)
    chunk: int = 1
    offload: bool = False
    on_device_arm: Arm | None = None

    @property
    def spent(self) -> int:
        """The gradients of all arms together."""
        return sum(member.curve.taken - arm.begin for arm, member in self.members.items())

    def step(self, arm: Arm) -> int:
        return self.members[arm].curve.step if arm in self.members else arm.begin

    def source_of(self, arm: Arm) -> ArraySource:
        """Return the examples that an arm trains on."""
        if self.folds is None or arm.fold is None:
            return self.source
        return dataclasses.replace(self.source, data=self.folds.trained_on(arm.fold))

    def statistics(self, arm: Arm, step: int, params: Any, model_state: Any) -> Any:
        """Return the model state of averaged weights, with its batch statistics as in `lo.fit`."""
        carry = self.start._replace(model_state=model_state, step=jnp.asarray(step, jnp.int32))
        data = self.source_of(arm).data
        return recompute_batch_statistics(self.program, carry, params, data)

    def advance(self, arm: Arm, until: int) -> bool:
        """Run an arm to a step, in chunks. Return False if it diverged."""
        member = self._member(arm)
        if not member.is_finite:
            return False
        curve = member.curve
        program = dataclasses.replace(self.program, hyperparams=self._hyperparams(arm))
        self._swap_in(arm)
        curve.norm_steps = curve.norm_steps or until
        member.carry, source = member.carry or self.first(arm), self.source_of(arm)
        while member.is_finite and curve.step < until:
            steps, began = min(self.chunk, until - curve.step), time.perf_counter()
            self._chunk(program, source, member, steps)
            self.chunk = next_length(steps, self.chunk, time.perf_counter() - began)
            self.poll()
        if member.is_finite and (leaf := self._watch.fault(member.carry.model_state)):
            curve.failed, curve.leaf = (curve.step, STATE), leaf  # as the loss was finite
        return member.is_finite

    def _member(self, arm: Arm) -> Member:
        """Return an arm, which begins as a copy of another if its learning rate decays."""
        if arm not in self.members:
            begin = arm.begin
            saved = self.saved.get((arm._replace(decay=None), begin)) if arm.decay else None
            carry = self.copy_of(saved) if saved else None
            self.members[arm] = Member(carry, Curve(step=begin, norm_steps=begin))
        return self.members[arm]

    def save(self, arm: Arm) -> None:
        """Keep a copy of an arm, to branch from later."""
        self.saved[arm, self.step(arm)] = self.copy_of(self.members[arm].carry)

    def copy_of(self, tree: Any) -> Any:
        """Return a copy, on the host where arms are offloaded."""
        return to_host(tree) if self.offload else copied(tree)

    def on_device(self, tree: Any, like: Any) -> Any:
        """Return a tree on the device, where the arrays of a tree like it are."""
        return to_device(tree, like) if self.offload and tree is not None else tree

    def first(self, arm: Arm) -> Carry:
        """Return the carry of an arm before its first step."""
        params, model_state = copied((self.start.params, self.start.model_state))
        opt_state = self.program.compiled.start(params, self._hyperparams(arm))
        return Carry(params, model_state, opt_state, *copied((self.start.key, self.start.step)))

    def retrace(self, arm: Arm, step: int) -> Member:
        """Return an arm at a step as it was, trained again from the start: its save is lost.

        The gradients are not counted, as the search has paid for them.
        """
        program = dataclasses.replace(self.program, hyperparams=self._hyperparams(arm))
        carry, begin = self.first(arm), arm.begin
        member = Member(curve=Curve(step=begin, norm_steps=begin))
        done = 0
        source = self.source_of(arm)
        while done < step:
            until = min(step, done + self.chunk, begin if done < begin else step)
            began = time.perf_counter()
            carry, records, failure, _ = advance_until(program, source, carry, until)
            if done >= begin:
                member.curve.record(*(records[name] for name in RECORDED))
            self.chunk = next_length(until - done, self.chunk, time.perf_counter() - began)
            done = until if failure is None else step
            self.poll()
        return dataclasses.replace(member, carry=carry)

    @functools.cached_property
    def _watch(self) -> StateWatch:
        return StateWatch(self.start.model_state)

    def _swap_in(self, arm: Arm) -> None:
        """Move the last arm to the host and this one to the device, where arms are offloaded."""
        last, self.on_device_arm = self.on_device_arm, arm
        if self.offload and last != arm:
            if last is not None:
                self.members[last].carry = to_host(self.members[last].carry)
            self.members[arm].carry = self.on_device(self.members[arm].carry, self.start)

    def _chunk(self, program: Program, source: ArraySource, member: Member, steps: int) -> None:
        curve = member.curve
        assert member.carry is not None  # `advance` has made it
        member.carry, records, failure, _ = advance_until(
            program, source, member.carry, curve.step + steps
        )
        curve.record(*(records[name] for name in RECORDED))
        if failure is not None:
            curve.failed = failure.step, failure.quantity
            if failure.quantity != "loss":  # after a loss that is not finite, no parameter is
                curve.leaf = first_nonfinite_leaf(member.carry.params)

    def _hyperparams(self, arm: Arm) -> dict[str, Any]:
        return as_data(arm.hyperparams(self.steps))


EXPECTED_COPIES = 20
"""The carries that a search holds at a time: arms, middles to branch from, the best weights."""

SHARE = 0.7
"""The part of the device's free memory that they may take; steps and evaluations need the rest."""


COPIES_OF_A_FOLD = 6
"""The carries of a fold: two arms with constant learning rates, their middles, and the decays."""


def must_offload(carry: Any, folds: int = 0) -> bool:
    """Return whether the arms of a search do not fit on the device, before the first is made."""
    copies = EXPECTED_COPIES + COPIES_OF_A_FOLD * folds
    return copies * bytes_of(carry) > SHARE * free_bytes(carry.key.devices())


def bytes_of(tree: Any) -> int:
    return sum(x.size * x.dtype.itemsize for x in jax.tree.leaves(tree))


def free_bytes(devices: Iterable[Any]) -> float:
    """Return the free memory of the fullest device; infinite where none is known, as on a CPU."""
    every = [device.memory_stats() or {} for device in devices]
    free = [x["bytes_limit"] - x.get("bytes_in_use", 0) for x in every if "bytes_limit" in x]
    return float(min(free, default=np.inf))


def to_host(tree: Any) -> Any:
    """Return a copy whose large arrays are NumPy's.

    Not JAX's in `pinned_host` memory: those cannot be evaluated together with arrays on the device.
    """
    return jax.tree.map(lambda x: np.array(x) if _is_large(x) else jnp.copy(x), tree)


def to_device(tree: Any, like: Any) -> Any:
    """Return large arrays as JAX's, on the devices of those of `like` that were chosen for them."""
    return jax.tree.map(
        lambda x, y: jnp.asarray(place_like(x, y)) if _is_large(x) else x, tree, like
    )


def _is_large(x: Any) -> bool:
    return x.ndim > 0 and not jnp.issubdtype(x.dtype, jax.dtypes.prng_key)
