"""Functions that are built once for the same arguments, so that JAX finds their programs."""

import functools
from collections.abc import Callable
from typing import TypeVar

F = TypeVar("F", bound=Callable)


def cached(build: F) -> F:
    """Remember the last 32 results of `build`; arguments without a hash are built anew.

    JAX keeps what it compiled by the identity of the function. An adapter that returned a new
    closure for the same module would compile at every call of `fit`.
    """
    remember = functools.lru_cache(maxsize=32)(build)

    @functools.wraps(build)
    def built(*arguments):
        try:
            hash(arguments)
        except TypeError:  # a module with a dict in a field, say
            return build(*arguments)
        return remember(*arguments)

    return built  # type: ignore[return-value]
