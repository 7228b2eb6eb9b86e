"""Which arms run, and how do they run as one compiled program?

All arms start from the same parameters and see the same rows in the same order with the same
noise: they differ in numbers, and the numbers are data. So one program serves every arm, rung and
length, and differences between arms are paired.
"""

import dataclasses
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ...training._trees import as_data, copied
from ...training.compiled.program import Program, table_of
from ...training.compiled.step import Carry
from ...training.loop.loop import next_length
from ...training.loop.nonfinite import leaf_not_finite
from ...training.loop.sources import Rows
from .arms import Arm
from .curve import Curve
from .journal import Journal


@dataclass
class Member:
    """An arm as it stands: all that its next step needs, and what it recorded.

    There is no carry before the first step, and while a journal is read.
    """

    carry: Carry | None = field(default=None, repr=False)
    curve: Curve = field(default_factory=Curve)

    @property
    def alive(self) -> bool:
        return self.curve.failed is None


@dataclass
class Population:
    """The members of a search, and the steps that all of them together have taken.

    `saved` are carries to branch from. `tight`: whether all but the `running` arm wait outside the
    device.
    """

    program: Program
    rows: Rows
    start: Carry = field(repr=False)
    steps: int
    limit: int
    spent: int = 0
    members: dict[Arm, Member] = field(default_factory=dict)
    saved: dict[tuple[Arm, int], Carry | None] = field(default_factory=dict, repr=False)
    journal: Journal = field(default_factory=Journal, repr=False)
    chunk: int = 1
    tight: bool = False
    running: Arm | None = None

    def step(self, arm: Arm) -> int:
        return self.members[arm].curve.step if arm in self.members else 0

    def advance(self, arm: Arm, until: int) -> bool:
        """Take an arm to a step, as far as the gradients last. False if it is not finite."""
        member = self.members.setdefault(arm, Member())
        curve, until = member.curve, min(until, self.step(arm) + self.limit - self.spent)
        if member.alive and curve.step < until:
            curve.opening = curve.opening or until
            told = self.journal.ask(
                f"{arm.name} to step {until}", lambda: self._steps(arm, member, until)
            )
            curve.step, failed, curve.leaf, curve.gradients, curve.updates, self.spent = told
            curve.failed = failed and tuple(failed)
        return member.alive

    def save(self, arm: Arm) -> None:
        """Keep an arm as it is now, to branch from later."""
        self.saved[arm, self.step(arm)] = self.kept(self.members[arm].carry)

    def branch(self, arm: Arm, step: int, end: int) -> Arm:
        """The arm whose rate falls to 0 from a step on; it has its parent's past."""
        child = arm._replace(decay=(step, end))
        if child not in self.members:
            carry = self.saved.get((arm, step)) or self.members[arm].carry
            self.members[child] = Member(self.kept(carry), Curve(step=step, opening=step))
        return child

    def kept(self, tree: Any) -> Any:
        """A copy that is not run on now."""
        return outside(tree) if self.tight else copied(tree)

    def on_device(self, tree: Any) -> Any:
        return inside(tree, self.start.params) if self.tight else tree

    def again(self, arm: Arm) -> Arm:
        """The same arm from the start, under a name of its own: it falls after the last step."""
        return arm._replace(decay=(self.steps, self.steps + 1))

    def first(self, arm: Arm) -> Carry:
        """An arm before its first step."""
        params, model_state = copied((self.start.params, self.start.model_state))
        opt_state = self.program.compiled.start(params, self._numbers(arm))
        return Carry(params, model_state, opt_state, *copied((self.start.key, self.start.step)))

    def _steps(self, arm: Arm, member: Member, until: int) -> list[Any]:
        """Take them, in chunks: the step, how it failed and of which leaf, sums of |g| and |Δθ|,
        gradients spent."""
        program = dataclasses.replace(self.program, hyperparams=self._numbers(arm))
        self._change_places(arm)
        curve, member.carry = member.curve, member.carry or self.first(arm)
        while member.alive and curve.step < until:
            steps, began = min(self.chunk, until - curve.step), time.perf_counter()
            self._chunk(program, member, member.carry, steps)
            self.chunk = next_length(steps, self.chunk, time.perf_counter() - began)
            self.journal.pause()
        sums = [curve.gradients, curve.updates]
        return [curve.step, curve.failed, curve.leaf, *sums, self.spent]

    def _change_places(self, arm: Arm) -> None:
        """Where memory is tight: the arm that ran last leaves the device, the next comes in."""
        last, self.running = self.running, arm
        if self.tight and last != arm:
            if last is not None:
                self.members[last].carry = outside(self.members[last].carry)
            self.members[arm].carry = self.on_device(self.members[arm].carry)

    def _chunk(self, program: Program, member: Member, carry: Carry, steps: int) -> None:
        carry, table, *_ = self.rows.advance(program, carry, steps)
        done = int(np.asarray(carry.step)) - member.curve.step
        member.carry, self.spent = carry, self.spent + done
        records = table_of(np.asarray(table), done)
        finite = records["finite"].astype(bool)
        good = done if finite.all() else int(np.argmin(finite))
        names = ("loss", "grad_norm", "update_norm")
        member.curve.record(*(records[name][:good] for name in names))
        if good < done:
            bad = [name for name in names if not np.isfinite(records[name][good])]
            member.curve.failed = member.curve.step + 1, (bad or names[-1:])[0]
            if "loss" not in bad:  # after a loss that is no number, none of them is
                member.curve.leaf = leaf_not_finite(carry.params)

    def _numbers(self, arm: Arm) -> dict[str, Any]:
        return as_data(arm.hyperparams(self.steps))


ARMS = 20
"""A search holds about so many at a time: arms, middles to branch from, the best looks."""

SHARE = 0.7
"""They may take so much of what is left on the device: a step and a look need the rest."""


def is_tight(carry: Any) -> bool:
    """Whether all arms of a search would not fit: asked before the first of them is made."""
    return ARMS * bytes_of(carry) > SHARE * free_bytes(carry.key.devices())


def bytes_of(tree: Any) -> int:
    return sum(x.size * x.dtype.itemsize for x in jax.tree.leaves(tree))


def free_bytes(devices: Iterable[Any]) -> float:
    """On the one with the least; no limit where none is told, as on a CPU."""
    every = [device.memory_stats() or {} for device in devices]
    free = [x["bytes_limit"] - x.get("bytes_in_use", 0) for x in every if "bytes_limit" in x]
    return float(min(free, default=np.inf))


def outside(tree: Any) -> Any:
    """The large arrays as NumPy's, of their own."""
    return jax.tree.map(lambda x: np.array(x) if _is_large(x) else jnp.copy(x), tree)


def inside(tree: Any, like: Any) -> Any:
    """On the device again, on which the arrays of `like` are, if one was chosen for them."""
    first = jax.tree.leaves(like)[0]
    place = first.sharding if getattr(first, "committed", False) else None
    return jax.tree.map(lambda x: jax.device_put(x, place) if _is_large(x) else x, tree)


def _is_large(x: Any) -> bool:
    return x.ndim > 0 and not jnp.issubdtype(x.dtype, jax.dtypes.prng_key)
