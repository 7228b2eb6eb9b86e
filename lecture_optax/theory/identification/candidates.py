"""The table of methods that can be named."""

import functools
import itertools
from collections.abc import Iterator
from dataclasses import replace

from .structure import Structure

_DECAYS = (None, "coupled", "decoupled")


@functools.cache
def candidates(decay: str | None = None, clip: str | None = None) -> tuple[Structure, ...]:
    """Return all methods with one kind of weight decay and one of clipping, the simplest first."""
    every = [*_descents(), *_adams(), *_root_means(), *_sums(), *_largest()]
    if clip is not None:
        every = [s for s in every if _is_common(s)]
    every = [replace(s, decay=decay, clip=clip) for s in every]
    if decay == "decoupled":  # without a D and a velocity the two decays are one
        every = [s for s in every if s.magnitude or s.velocity != "gradient" or s.momentum]
    return tuple(sorted(every, key=lambda s: s.parts))


def _is_common(s: Structure) -> bool:
    """Return whether a library has the method by a name of its own."""
    usual = s.eps in (None, "outside") or s.name in ("rmsprop", "adagrad")
    odd = s.rate_inside or s.magnitude == "variance" or s.velocity in ("dampened", "nadam_keras")
    uncorrected = s.name != "rmsprop" and "average" in s.velocity
    return usual and not (odd or uncorrected or (s.name == "rmsprop" and (s.momentum or s.initial)))


def _descents() -> Iterator[Structure]:
    for velocity in ("gradient", "trace", "nesterov", "dampened", "corrected"):
        yield Structure("sgd", velocity)
    for kind in ("trace", "nesterov"):
        yield Structure("sgd", momentum=kind, rate_inside=True)


def _adams() -> Iterator[Structure]:
    for velocity, correction in (("corrected", True), ("average", False)):
        for eps in ("outside", "inside"):
            yield Structure("adam", velocity, "square", correction, None, eps)
            yield Structure("amsgrad", velocity, "square", correction, "after", eps)
    for eps in ("hat", "hat_inside"):
        yield Structure("adam", "corrected", "square", True, None, eps)
        yield Structure("amsgrad", "corrected", "square", True, "before", eps)
    for eps in ("outside", "inside"):
        yield Structure("amsgrad", "corrected", "square", True, "before", eps)
        yield Structure("adam", "corrected", "square", False, None, eps)
        yield Structure("adam", "average", "square", True, None, eps)
        for velocity in ("nadam", "nadam_torch", "nadam_keras"):
            yield Structure("nadam", velocity, "square", True, None, eps)
    yield Structure("nadam", "nadam_keras", "square", True, None, "hat")
    yield Structure("adam", "average", "square", False, None, "average")


def _root_means() -> Iterator[Structure]:
    plain = ((None, False),)
    momenta = (("trace", True), ("trace", False), ("nesterov", True), ("nesterov", False))
    for magnitude, eps in itertools.product(("square", "variance"), ("inside", "outside")):
        one = Structure("rmsprop", "gradient", magnitude, eps=eps)
        for momentum, inside in (*plain, *momenta):
            yield replace(one, momentum=momentum, rate_inside=inside)
        for momentum, inside in (*plain, *momenta[:2]):
            yield replace(one, correction=True, momentum=momentum, rate_inside=inside)
            if magnitude == "square":
                yield replace(one, initial=True, momentum=momentum, rate_inside=inside)


def _sums() -> Iterator[Structure]:
    for eps, initial in itertools.product(("inside", "outside"), (False, True)):
        if (eps, initial) != ("inside", True):
            yield Structure("adagrad", "gradient", "sum", eps=eps, initial=initial)


def _largest() -> Iterator[Structure]:
    for velocity, eps in itertools.product(("corrected", "average"), ("inside", "outside")):
        yield Structure("adamax", velocity, "largest", eps=eps)
