"""The stages of a transformation, as far as its closures name them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import FunctionType, MethodType
from typing import Any

import optax

_DEPTH = 30


@dataclass(frozen=True, eq=False)
class Part:
    """A stage of a transformation.

    - `name`: the factory that made it, as "scale_by_adam".
    - `numbers`: what its update has closed over, by name.
    - `within`: the factories around it, from the outermost.
    """

    name: str
    numbers: Mapping[str, Any]
    within: tuple[str, ...]


def parts_of(tx: Any) -> list[Part]:
    """Return the stages of a transformation, in the order in which `chain` applies them.

    It reads the closure of `update`, and of every update function in it. What it does not see, it
    leaves out: a missing stage is a rule without a verdict, never an error.
    """
    return [part for part in _walk(tx.update, (), _DEPTH) if part.numbers or part.name]


def _walk(update: Any, within: tuple[str, ...], depth: int) -> Iterator[Part]:
    name = getattr(update, "__qualname__", type(update).__name__).split(".")[0]
    cells = _cells(update)
    below = [child for value in cells.values() for child in _updates_in(value)]
    if not below or depth == 0:
        yield Part(name, cells, within)
    elif name == "masked" or _has_mask(cells):
        yield Part("masked", cells, within)
    for child in below if depth else ():
        yield from _walk(child, (*within, name), depth - 1)


def _has_mask(cells: Mapping[str, Any]) -> bool:
    return "mask" in cells


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


def _updates_in(value: Any) -> list[Any]:
    if isinstance(value, optax.GradientTransformation):
        return [value.update]
    if isinstance(value, dict):
        return [update for x in value.values() for update in _updates_in(x)]
    if isinstance(value, list | tuple):
        return [update for x in value for update in _updates_in(x)]
    named = getattr(value, "__name__", "")
    is_update = callable(value) and (named.startswith("update") or named.endswith("_update"))
    return [value] if is_update and hasattr(value, "__qualname__") else []
