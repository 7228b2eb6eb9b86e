"""The stages of a transformation, as far as its closures name them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from inspect import Parameter, signature
from types import FunctionType, MethodType
from typing import Any

import optax

_DEPTH = 30


@dataclass(frozen=True, eq=False)
class Part:
    """A stage of a transformation.

    - `name`: the factory that made it, as "scale_by_adam".
    - `numbers`: what its update has closed over, by name.
    - `leaves`: the masks and the groups around it, from the outermost: two stages act on the same
      leaves only where one has all of the other's.
    """

    name: str
    numbers: Mapping[str, Any]
    leaves: tuple[Any, ...] = ()


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


def _walk(update: Any, leaves: tuple[Any, ...], depth: int) -> Iterator[Part]:
    name = getattr(update, "__qualname__", type(update).__name__).split(".")[0]
    cells = _cells(update)
    if name == "inject_hyperparams":
        cells = {**cells, "inner": _built(cells)}
    below = [x for key, value in cells.items() for x in _updates_in(key, value)]
    if "mask" in cells:
        leaves = (*leaves, id(cells["mask"]))
    if not below or depth == 0:
        yield Part(name, cells, leaves)
        return
    yield Part("", {k: x for k, x in cells.items() if k in ("mask", "sched_hps")}, leaves)
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
