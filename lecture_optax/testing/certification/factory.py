"""Anybody's factory, as one that is called by names and returns a transformation of Optax."""

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import optax

_NOT_NAMED = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
_RATES = ("learning_rate", "lr", "step_size", "stepsize")
_RATE = 1e-3


class Factory(NamedTuple):
    """A factory that is called by names.

    - `given`: what the user passed. `make`: the same, but called by names, and what it returns is
      a transformation of Optax.
    - `defaults`: every argument with its default, or a value to try for a learning rate without.
    - `rate`: the argument that is the learning rate, or None.
    - `notes`: what could not be found out, in sentences.
    """

    given: Any
    make: Callable[..., optax.GradientTransformation]
    defaults: Mapping[str, Any]
    rate: str | None = None
    notes: tuple[str, ...] = ()


def factory_of(given: Any) -> Factory:
    """Return the factory in anything that builds a transformation, or is one.

    **Raises** `TypeError` for what is neither, `ValueError` for a factory with required arguments
    other than a learning rate.
    """
    if _is_transformation(given):
        tx = _transformation(given)
        note = (
            "A transformation was given in place of its factory: its hyperparameters were not "
            "checked, because only the factory can build it again with other values."
        )
        return Factory(given, _named("the given transformation", lambda: tx), {}, notes=(note,))
    if not callable(given):
        raise TypeError(
            f"make must be a function that builds a transformation, got {given!r}. "
            "Pass the function itself, as optax.adam, or lambda: ..."
        )
    parameters = _parameters(given)
    rate = next((name for name in _RATES if name in parameters), None)
    defaults = {name: parameter.default for name, parameter in parameters.items()}
    if rate is not None and defaults[rate] is inspect.Parameter.empty:
        defaults[rate] = _RATE
    missing = [name for name, value in defaults.items() if value is inspect.Parameter.empty]
    if missing:
        raise ValueError(_what_is_missing(_name_of(given), missing))
    return Factory(given, _called_by_names(given, parameters), defaults, rate)


def _what_is_missing(name: str, missing: list[str]) -> str:
    values = ", ".join(f"{argument}=..." for argument in missing)
    return (
        f"make must be callable without arguments or with a learning rate, but {name} also "
        f"requires {', '.join(missing)}: pass lambda: make({values})."
    )


def _parameters(given: Callable) -> dict[str, inspect.Parameter]:
    try:
        signature = inspect.signature(given)
    except (TypeError, ValueError):  # a builtin says nothing of its arguments
        return {}
    return {n: p for n, p in signature.parameters.items() if p.kind not in _NOT_NAMED}


def _called_by_names(given: Callable, parameters: Mapping[str, inspect.Parameter]) -> Callable:
    by_place = [n for n, p in parameters.items() if p.kind is inspect.Parameter.POSITIONAL_ONLY]
    defaults = {n: parameters[n].default for n in by_place}

    def make(**arguments: Any) -> optax.GradientTransformation:
        last = max((i for i, name in enumerate(by_place) if name in arguments), default=-1)
        placed = [arguments.pop(n, defaults[n]) for n in by_place[: last + 1]]
        return _transformation(given(*placed, **arguments))

    return _named(_name_of(given), make)


def _named(name: str, make: Callable) -> Callable:
    make.__name__ = make.__qualname__ = name
    return make


def _name_of(given: Callable) -> str:
    inner = given
    while isinstance(inner, functools.partial):
        inner = inner.func
    return getattr(inner, "__name__", type(inner).__name__)


def _is_transformation(thing: Any) -> bool:
    if isinstance(thing, tuple) and len(thing) == 2:
        return all(map(callable, thing))
    is_object = not inspect.isclass(thing) and not inspect.isroutine(thing)
    return is_object and all(callable(getattr(thing, n, None)) for n in ("init", "update"))


def _transformation(thing: Any) -> optax.GradientTransformation:
    """Return a transformation of Optax with the two functions of `thing`.

    It may be a pair, or an object of any class with `init` and `update`.
    """
    if isinstance(thing, optax.GradientTransformation):
        return thing
    if not _is_transformation(thing):
        raise TypeError(
            f"make must return a transformation with init and update, got {_short(thing)}."
        )
    init, update = thing if isinstance(thing, tuple) else (thing.init, thing.update)
    kinds = [p.kind for p in _all_parameters(update)]
    if inspect.Parameter.VAR_KEYWORD in kinds:
        return optax.GradientTransformationExtraArgs(init, update)
    places = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    if len(kinds) == 2 and all(kind in places for kind in kinds):
        return optax.GradientTransformation(
            init, lambda updates, state, params=None: update(updates, state)
        )
    return optax.GradientTransformation(init, update)


def _all_parameters(function: Callable) -> list[inspect.Parameter]:
    try:
        return list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        return []


def _short(thing: Any) -> str:
    words = repr(thing)
    return words if len(words) <= 60 else f"{words[:57]}..."
