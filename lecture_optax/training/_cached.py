"""Functions that are built once for the same arguments, so that JAX finds their programs."""

import functools
from collections.abc import Callable
from types import FunctionType
from typing import Any, TypeVar

import optax

F = TypeVar("F", bound=Callable)


class Built:
    """A function that `cached` has built; it is pickled as the call that builds it.

    - `field`: its name in what that call returns, if it returns several functions.
    """

    def __init__(self, function: Callable, build: Callable, arguments: tuple, field: str = ""):
        functools.update_wrapper(self, function)
        self._function, self._call = function, (build, arguments, field)

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        return self._function(*arguments, **keywords)

    def __reduce__(self) -> tuple[Callable, tuple]:
        return _build_again, self._call


def _build_again(build: Callable, arguments: tuple, field: str) -> Any:
    found = build(*arguments)
    return getattr(found, field) if field else found


def cached(build: F) -> F:
    """Remember the last 32 results of `build`; arguments without a hash are built anew.

    JAX keeps what it compiled by the identity of the function. An adapter that returned a new
    closure for the same module would compile at every call of `fit`.
    """

    def build_picklable(*arguments):
        return _picklable(build(*arguments), built, arguments)

    remember = functools.lru_cache(maxsize=32)(build_picklable)

    @functools.wraps(build)
    def built(*arguments):
        try:
            hash(arguments)
        except TypeError:  # a module with a dict in a field, say
            return build_picklable(*arguments)
        return remember(*arguments)

    return built  # type: ignore[return-value]


def _picklable(found: Any, build: Callable, arguments: tuple) -> Any:
    """Return a function, or a named tuple of functions, that can be pickled."""
    if any(found is argument for argument in arguments):
        return found
    if isinstance(found, FunctionType):
        return Built(found, build, arguments)
    if not hasattr(found, "_fields") or isinstance(found, optax.GradientTransformation):
        return found
    fields = {name: x for name, x in found._asdict().items() if isinstance(x, FunctionType)}
    return found._replace(**{name: Built(x, build, arguments, name) for name, x in fields.items()})
