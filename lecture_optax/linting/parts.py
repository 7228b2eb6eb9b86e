"""The stages of a transformation, as far as its closures name them."""

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from inspect import Parameter, signature
from types import FunctionType, MethodType
from typing import Any

import jax
import numpy as np
import optax

_DEPTH = 30


@dataclass(frozen=True, eq=False)
class Part:
    """A stage of a transformation.

    - `name`: the factory that made it, as "scale_by_adam".
    - `numbers`: what its update has closed over, by name.
    - `leaves`: the masks and the groups around it, from the outermost: two stages act on the same
      leaves only where one has all of the other's.
    - `around`: the factory of a wrapper, as "chain"; its own name then is "".
    - `module`: where its update is defined.
    """

    name: str
    numbers: Mapping[str, Any]
    leaves: tuple[Any, ...] = ()
    around: str = ""
    module: str = ""


@dataclass(frozen=True, eq=False)
class Closure:
    """A function in a closure: the factory that made it, and what it has closed over.

    - `is_constant`: it is a lambda, where the factory usually returns a named function.
    """

    name: str
    numbers: Mapping[str, Any]
    is_constant: bool


def parts_of(tx: Any) -> list[Part]:
    """Return the stages of a transformation, in the order in which `chain` applies them.

    It reads the closure of `update`, and of every update function in it. What it does not see, it
    leaves out: a missing stage is a rule without a verdict, never an error.
    """
    return list(_walk(tx.update, (), _DEPTH))


def functions_in(numbers: Mapping[str, Any], depth: int = 6) -> Iterator[Closure]:
    """Return the functions that a closure holds, and those that these hold."""
    for value in numbers.values() if depth else ():
        value = getattr(value, "schedule_fn", value)  # optax.inject_hyperparams wraps it
        if isinstance(value, dict):
            yield from functions_in(value, depth - 1)
        elif isinstance(value, list | tuple):
            yield from functions_in(dict(enumerate(value)), depth - 1)  # type: ignore[arg-type]
        elif isinstance(value, FunctionType) and "." in value.__qualname__:
            below = _cells(value)
            is_constant = value.__name__ == "<lambda>"
            yield Closure(value.__qualname__.split(".")[0], below, is_constant)
            yield from functions_in(below, depth - 1)


def is_rate(part: Part) -> bool:
    """Return whether a stage multiplies by a negative number: a learning rate and its sign."""
    factor = part.numbers.get("step_size", part.numbers.get("sign"))
    if part.name == "scale_by_schedule":
        factor = _at_one(part.numbers.get("step_size_fn"))
    known = isinstance(factor, int | float | np.ndarray | np.generic)
    return bool(known and np.all(np.less(factor, 0)))


WIDTH = 64
"""The steps for which a schedule is called: one program serves every number of them."""


@functools.lru_cache(maxsize=8)
def vectorized(schedule: Callable[..., Any]) -> Callable[..., Any]:
    """Return a schedule for arrays of steps, compiled."""
    return jax.jit(jax.vmap(schedule))


def _at_one(schedule: Any) -> Any:
    try:
        return np.asarray(vectorized(schedule)(np.full(WIDTH, 1)))[0]
    except Exception:  # a schedule of more than a count
        return None


_USUAL = (
    {"clip", "clip_by_global_norm", "clip_by_block_rms", "adaptive_grad_clip", "zero_nans"},
    {"scale_by_adam", "scale_by_amsgrad", "scale_by_lion", "scale_by_rms", "trace"},
    {"add_decayed_weights"},
    {"scale", "scale_by_schedule"},
)
"""Stages of Optax in the order that has no mistake: nothing has to be tried."""


def usual(parts: Sequence[Part]) -> list[Part]:
    """Return the stages of a chain of Optax in the usual order, and an empty list for any other.

    It clips, has at most one preconditioner, decays, and ends with one learning rate and its sign.
    """
    wrappers = {part.around for part in parts if not part.name}
    stages = [part for part in parts if part.name not in ("", "identity")]
    ranks = [i for part in stages for i, names in enumerate(_USUAL) if part.name in names]
    once = ranks.count(1) <= 1 and ranks.count(3) == 1
    known = len(ranks) == len(stages) and wrappers <= {"chain", "with_extra_args_support"}
    of_optax = all(part.module.startswith("optax.") for part in stages)
    if known and once and of_optax and ranks == sorted(ranks) and is_rate(stages[-1]):
        return stages
    return []


def _walk(update: Any, leaves: tuple[Any, ...], depth: int) -> Iterator[Part]:
    name = getattr(update, "__qualname__", type(update).__name__).split(".")[0]
    cells = _cells(update)
    if name == "inject_hyperparams":
        cells = {**cells, "inner": _built(cells)}
    below = [x for key, value in cells.items() for x in _updates_in(key, value)]
    if "mask" in cells:
        leaves = (*leaves, id(cells["mask"]))
    if not below or depth == 0:
        yield Part(name, cells, leaves, module=getattr(update, "__module__", ""))
        return
    numbers = {k: x for k, x in cells.items() if k in ("mask", "sched_hps")}
    yield Part("", numbers, leaves, around=name)
    in_groups = name in ("partition", "multi_transform")
    for i, child in enumerate(below):
        group = (*leaves, (id(update), i)) if in_groups else leaves
        yield from _walk(child, group, depth - 1)


def _built(cells: Mapping[str, Any]) -> Any:
    """Return what `optax.inject_hyperparams` builds, to see its stages: its numbers are made up."""
    try:
        make, others = cells["inner_factory"], cells["other_hps"]
        wanted = signature(make).parameters.values()
        numbers = {
            p.name: 1e-3
            for p in wanted
            if p.name not in others
            and (p.default is Parameter.empty or p.name in cells["sched_hps"])
            and p.kind not in (Parameter.VAR_KEYWORD, Parameter.VAR_POSITIONAL)
        }
        return make(**others, **numbers)
    except Exception:  # a factory that takes no number of ours
        return None


def _cells(function: Any) -> dict[str, Any]:
    if isinstance(function, MethodType):
        return dict(getattr(function.__self__, "__dict__", {}))
    if not isinstance(function, FunctionType):
        return dict(getattr(function, "__dict__", {}))
    found = {}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=False):
        try:
            found[name] = cell.cell_contents
        except ValueError:  # not yet assigned
            continue
    return found


def _updates_in(key: Any, value: Any) -> list[Any]:
    if isinstance(value, optax.GradientTransformation):
        return [value.update]
    if isinstance(value, dict):
        return [update for k, x in value.items() for update in _updates_in(k, x)]
    if isinstance(value, list | tuple):
        return [update for x in value for update in _updates_in(key, x)]
    named = f"{getattr(value, '__name__', '')} {key}"
    return [value] if isinstance(value, FunctionType | MethodType) and "update" in named else []
