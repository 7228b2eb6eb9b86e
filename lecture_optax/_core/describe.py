"""Descriptions of transformations that print as the Python code that builds them."""

import functools
import inspect
import reprlib
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, ParamSpec

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.core import Tracer

from . import validate
from .extras import PACKAGE
from .keywords import OPTIMIZER_SYNONYMS, bind, check_kinds
from .numerics import ScheduleError, without_overflow
from .types import Transformation

_WIDTH = 88
_P = ParamSpec("_P")


@dataclass(frozen=True, eq=False)  # hashed by identity, as the functions that hold it are
class Description:
    """The name, the typed arguments and the members of a transformation.

    `str` of it is Python that builds the transformation again. An optimizer prints as the chain
    that it is; a traced number as `<traced float32>`, a foreign member as `<optax clip>`.

    **Attributes**

    - `name`: the factory's name.
    - `arguments`: every argument by name, as typed, defaults included.
    - `members`: descriptions of the transformations it is made of, in order.
    """

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    members: tuple["Description", ...] = ()
    call: tuple[tuple[str, Any], ...] = field(default=(), repr=False)
    form: "Description | None" = field(default=None, repr=False)
    made: tuple[Callable[..., Any], tuple, dict[str, Any]] | None = field(default=None, repr=False)

    def __str__(self) -> str:
        if self.form is not None:
            return str(self.form)
        if self.name.startswith("<"):
            return self.name
        words = [f"{name}={as_python(x, name)}" if name else as_python(x) for name, x in self.call]
        line = f"{self.name}({', '.join(words)})"
        if len(line) <= _WIDTH and "\n" not in line:
            return line
        body = "".join(f"{word},\n" for word in words).replace("\n", "\n    ").rstrip(" ")
        return f"{self.name}(\n    {body})"

    def walk(self) -> "list[Description]":
        """Return this description and all those below it, in the order in which they act."""
        return [self, *(below for member in self.members for below in member.walk())]


class DescribedTransformation(optax.GradientTransformationExtraArgs):
    """A gradient transformation that prints as the Python that builds it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(describe(self))

    def __reduce__(self) -> tuple[Callable[..., Any], tuple]:
        """Pickle it as the call that builds it, as its functions are local to that call."""
        made = describe(self).made
        if made is None:
            return DescribedTransformation, tuple(self)
        build, args, kwargs = made
        return functools.partial(build, **kwargs), args


def describe(tx: Any) -> Description:
    """Return the name, the arguments and the members of a transformation.

    A transformation of another library has a name only, in angle brackets.

    **Raises** `TypeError` if `tx` is not a gradient transformation.

    ```python
    >>> import lecture_optax as lo
    >>> description = lo.describe(lo.sgd(0.1, momentum=0.9))
    >>> description.name, description.arguments["momentum"], len(description.members)
    ('sgd', 0.9, 2)
    >>> print(description)
    chain(trace(0.9), scale_by_learning_rate(0.1))

    ```
    """
    validate.transformation(tx=tx)
    described = getattr(tx.update, "description", None)
    return described if described is not None else Description(_foreign_name(tx))


def described(
    factory: Callable[_P, Transformation] | None = None, /, *, show: tuple[str, ...] = ()
) -> Any:
    """Let the transformations of a factory carry their description.

    Put it above the factory of your own block. Defaults are left out when printed, unless `show`
    names them.

    ```python
    >>> import lecture_optax as lo, optax
    >>> @lo.described
    ... def sign():
    ...     return lo.block(*optax.scale_by_sign())
    >>> lo.chain(sign(), lo.scale_by_learning_rate(1e-4))
    chain(sign(), scale_by_learning_rate(0.0001))

    ```
    """
    validate.several(show=show)
    if factory is None:
        return functools.partial(described, show=show)
    validate.function(factory=factory)
    signature = inspect.signature(factory)
    name = getattr(factory, "__name__", "transformation")

    @functools.wraps(factory)
    def build(*args: _P.args, **kwargs: _P.kwargs) -> Transformation:
        bound = bind(name, signature, args, kwargs, OPTIMIZER_SYNONYMS)
        check_kinds(bound)
        named = {name: without_overflow(x) for name, x in kwargs.items()}
        tx = factory(*map(without_overflow, args), **named)  # type: ignore[call-arg]
        if not isinstance(tx, optax.GradientTransformation):
            raise TypeError(f"factory must return a gradient transformation, got {tx!r} of {name}.")
        bound.apply_defaults()
        members, inner = _members(bound), getattr(tx.update, "description", None)
        form = None
        if inner is not None and not members:  # a method: a chain with a name of its own
            form = inner.form or inner
            if form.name != "chain":
                return tx  # a block under another name, as trace(nesterov=True) is
            members = form.members
        made = build, args, kwargs
        own = Description(name, dict(bound.arguments), members, _call(bound, show), form, made)
        return carry(tx, own)

    return build


def foreign(factory: Callable[..., optax.GradientTransformation], *args: Any) -> Transformation:
    """Build one of Optax's transformations with a description: it prints as `optax.name(...)`."""
    name = f"optax.{getattr(factory, '__name__', factory)}"
    bound = inspect.signature(factory).bind(*args)
    made = foreign, (factory, *args), {}
    described_as = Description(name, dict(bound.arguments), (), _call(bound, ()), made=made)
    tx = optax.with_extra_args_support(factory(*args))

    @functools.wraps(tx.init)
    def init(params):
        with _naming(described_as):
            return tx.init(params)

    @functools.wraps(tx.update)
    def update(updates, state, params=None, **extra_args):
        with _naming(described_as):
            return tx.update(updates, state, params, **extra_args)

    return carry(DescribedTransformation(init, update), described_as)


class ForeignError(validate.Refusal, ValueError):
    """A transformation of another library has failed on the arguments that it was given."""


@contextmanager
def _naming(described_as: Description) -> Iterator[None]:
    """Name the call in an error of another library, which does not know what was typed."""
    try:
        yield
    except Exception as error:
        if not described_as.arguments:
            raise
        raise ForeignError(
            f"{described_as} does not fit the gradient and the parameters: {error}"
        ) from error


def carry(tx: optax.GradientTransformation, description: Description) -> Transformation:
    """Return `tx` with a description attached to its `update`."""

    inner = tx.update  # not tx: who walks through closures (Optimistix) would meet init in each

    @functools.wraps(inner)
    def update(updates, state, params=None, **extra_args):
        try:
            return inner(updates, state, params, **extra_args)
        except ScheduleError as error:  # by the name under which this factory was given it
            for name, value in description.arguments.items():
                if value is error.schedule:
                    raise ScheduleError(name, value, error.value) from None
            raise

    vars(update)["description"] = description
    return DescribedTransformation(tx.init, update)


def call_as_python(name: str, signature: inspect.Signature, arguments: Mapping[str, Any]) -> str:
    """Return the call of `name` with `arguments`, as it would be typed."""
    bound = inspect.BoundArguments(signature, OrderedDict(arguments))
    return str(Description(name, arguments, (), _call(bound, ())))


def picklable(
    tx: optax.GradientTransformation, build: Callable[..., Any], *args: Any
) -> Transformation:
    """Return `tx` with its description, to be pickled as the call `build(*args)`."""
    return carry(tx, replace(describe(tx), made=(build, args, {})))


def _members(bound: inspect.BoundArguments) -> tuple[Description, ...]:
    kind, found = optax.GradientTransformation, []
    for value in bound.arguments.values():
        several = value if isinstance(value, tuple) and not isinstance(value, kind) else (value,)
        found += [describe(x) for x in several if isinstance(x, kind)]
    return tuple(found)


def _call(bound: inspect.BoundArguments, show: tuple[str, ...]) -> tuple[tuple[str, Any], ...]:
    """Return the arguments to print, the leading ones by position."""
    call: list[tuple[str, Any]] = []
    in_order = True
    for name, parameter in bound.signature.parameters.items():
        value = bound.arguments.get(name, parameter.default)
        if parameter.kind is parameter.VAR_POSITIONAL:
            call += [("", x) for x in value]
            continue
        if name not in show and is_default(value, parameter.default):
            in_order = False
            continue
        by_position = in_order and parameter.default is parameter.empty
        by_position = by_position and parameter.kind is not parameter.KEYWORD_ONLY
        call.append(("" if by_position else name, value))
    return tuple(call)


def is_default(value: Any, default: Any) -> bool:
    """Return whether a value was left at its default, as far as one can tell."""
    return value is default or (isinstance(value, (int, float, str)) and value == default)


def as_python(value: Any, name: str = "") -> str:
    """Return a value as it would be typed, where that is possible."""
    if isinstance(value, optax.GradientTransformation):
        return str(describe(value))
    if isinstance(value, Tracer):
        return f"<traced {value.dtype}>"
    if name.endswith("dtype") and value is not None:
        return repr(jnp.dtype(value).name)
    if isinstance(value, np.ndarray | np.generic | jax.Array) and value.ndim == 0:
        return str(np.asarray(value))  # the shortest digits of its own precision
    if isinstance(value, list | tuple):
        return f"[{', '.join(as_python(x) for x in value)}]"
    if callable(value) and not _is_ours(value):
        return f"<function {getattr(value, '__name__', type(value).__name__)}>"
    is_whole = isinstance(value, (int, float, str)) or _is_ours(value)
    return repr(value) if is_whole else reprlib.repr(value)


def _is_ours(value: Any) -> bool:
    return type(value).__module__.partition(".")[0] == PACKAGE


def _foreign_name(tx: optax.GradientTransformation) -> str:
    module = (getattr(tx.update, "__module__", None) or "").split(".")[0]
    name = getattr(tx.update, "__qualname__", type(tx.update).__name__).split(".")[0]
    return f"<{module} {name}>" if module else f"<{name}>"
