"""The arms of a search, run as one compiled program.

All arms start from the same parameters and see the same minibatches with the same noise: they
differ in numbers, and the numbers are data. So one program serves every arm and length, and
differences between arms are paired.
"""

import functools
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import SingleDeviceSharding

from ...training._trees import as_data, copied
from ...training.compiled.program import Program, first_opt_state
from ...training.compiled.step import Carry
from ...training.loop.advance import Advanced, advance_until
from ...training.loop.batch_statistics import ROWS, recompute_batch_statistics
from ...training.loop.loop import next_length
from ...training.loop.nonfinite import STATE, StateWatch, first_nonfinite_leaf
from ...training.loop.sources import ArraySource
from ...training.loop.streams import SharedStream
from .arms import Arm
from .curve import Curve
from .folds import Folds
from .member import Member
from .memory import to_device, to_host

Weights = tuple[Any, Any]
"""Parameters and a model state."""

RECORDED = ("loss", "grad_norm", "update_norm")
"""What a curve records of every step."""


@dataclass
class Population:
    """The arms of a search, as one worker trains them.

    - `start`: the carry of all arms before the first step; `steps`: of a complete run.
    - `folds`: the examples of arms with a fold, if there are any.
    - `offload`: whether arms wait in the memory of the host.
    """

    program: Program
    source: ArraySource | SharedStream
    start: Carry = field(repr=False)
    steps: int
    folds: Folds | None = None
    offload: bool = False
    chunk: int = 1

    def placed_on(self, device: Any) -> "Population":
        """Return a population with all its arrays on a device."""
        program, source = on_device(self.program, self.source, device)
        return replace(
            self,
            program=program,
            source=source,
            start=jax.device_put(self.start, device),
            folds=self.folds and self.folds.placed_on(device),
        )

    @property
    def stream(self) -> SharedStream | None:
        """The source, if the data stream."""
        return self.source if isinstance(self.source, SharedStream) else None

    def source_of(self, arm: Arm) -> ArraySource | SharedStream:
        """Return the examples that an arm trains on."""
        if self.folds is None or arm.fold is None or isinstance(self.source, SharedStream):
            return self.source
        data, weights = self.folds.trained_on(arm.fold)
        return replace(self.source, data=data, sample_weight=weights)

    def statistics(self, arm: Arm, step: int, weights: Weights) -> Weights:
        """Return averaged weights with their own batch statistics, as in `lo.fit`."""
        params, model_state = weights
        carry = self.start._replace(model_state=model_state, step=jnp.asarray(step, jnp.int32))
        program, data, batches = self.program, self.source_of(arm).data, None
        if self.stream:
            count = max(1, ROWS // program.batch_size)
            batches = self.stream.batches(step, count, program.home)
        return params, recompute_batch_statistics(program, carry, params, data, batches=batches)

    def carry_of(self, arm: Arm, state: Any) -> Carry:
        """Return the carry of an arm from a state, or before its first step from None."""
        if state is not None:
            return self.awake(state)._replace(key=jnp.copy(self.start.key))
        params, model_state = copied((self.start.params, self.start.model_state))
        opt_state = first_opt_state(self.program, params, self.hyperparams(arm))
        return Carry(params, model_state, opt_state, *copied((self.start.key, self.start.step)))

    def advance(self, arm: Arm, member: Member, until: int, poll: Callable[[], None]) -> None:
        """Run an arm to a step, in chunks, or until it diverges."""
        program = replace(self.program, hyperparams=self.hyperparams(arm))
        source = self.source_of(arm)
        while member.is_finite and member.curve.step < until:
            step = min(member.curve.step + self.chunk, until)
            steps, began = step - member.curve.step, time.perf_counter()
            self.record(member, advance_until(program, source, member.carry, step))
            self.chunk = next_length(steps, self.chunk, time.perf_counter() - began)
            poll()

    def record(self, member: Member, found: Advanced) -> None:
        """Enter a chunk of steps."""
        curve, member.carry = member.curve, found.carry
        curve.record(*(found.records[name] for name in RECORDED))
        if found.failure is not None:
            curve.failed = found.failure.step, found.failure.quantity
            if found.failure.quantity != "loss":  # after a loss that is not finite, no parameter is
                curve.leaf = first_nonfinite_leaf(member.carry.params)

    def check_state(self, member: Member) -> None:
        """Enter a model state that is not finite: the loss may be."""
        if member.is_finite and (leaf := self._watch.fault(member.carry.model_state)):
            member.curve.failed, member.curve.leaf = (member.curve.step, STATE), leaf

    def copy_of(self, tree: Any) -> Any:
        """Return a copy, on the host where arms are offloaded."""
        return to_host(tree) if self.offload else copied(tree)

    def waiting(self, carry: Carry) -> Carry:
        """Return a carry as it waits for the next segment of its arm."""
        carry = carry._replace(key=None)
        return to_host(carry) if self.offload else carry

    def awake(self, carry: Carry) -> Carry:
        """Return a carry that has waited, without the key, on the device."""
        return to_device(carry._replace(key=None), self.start._replace(key=None))

    def retrace(self, arm: Arm, step: int, poll: Callable[[], None]) -> Member:
        """Return an arm at a step as it was, trained again from the start: its save is lost.

        The gradients are not counted, as the search has paid for them.
        """
        program = replace(self.program, hyperparams=self.hyperparams(arm))
        carry, begin = self.carry_of(arm, None), arm.begin
        curve = Curve(step=begin, norm_steps=begin)
        done = 0
        source = self.source_of(arm)
        while done < step:
            until = min(step, done + self.chunk, begin if done < begin else step)
            began = time.perf_counter()
            carry, records, failure, _ = advance_until(program, source, carry, until)
            if done >= begin:
                curve.record(*(records[name] for name in RECORDED))
            self.chunk = next_length(until - done, self.chunk, time.perf_counter() - began)
            done = until if failure is None else step
            poll()
        return Member(curve, self.waiting(carry))

    @functools.cached_property
    def _watch(self) -> StateWatch:
        return StateWatch(self.start.model_state)

    def hyperparams(self, arm: Arm) -> dict[str, Any]:
        """Return the numbers of an arm, as data of its program."""
        return as_data(arm.hyperparams(self.steps))


def on_device(program: Program, source: Any, device: Any) -> tuple[Program, Any]:
    """Return a program and its source with all arrays on a device."""
    train = jax.device_put(program.problem.train, device)
    program = replace(
        program, problem=replace(program.problem, train=train), home=SingleDeviceSharding(device)
    )
    return program, source.placed_on(device)
