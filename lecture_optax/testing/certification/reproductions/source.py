"""A factory as code: what a user writes to build its transformation."""

import ast
import functools
import inspect
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping
from types import CodeType, ModuleType
from typing import Any, NamedTuple

_PLAIN = (bool, int, float, str, type(None))


class Source(NamedTuple):
    """A factory as code.

    - `lines`: imports and definitions; `expression`: the factory itself, as `optax.adam`.
    - `given`: objects that no code builds, by name. A reader must put them there.
    """

    lines: tuple[str, ...]
    expression: str
    given: Mapping[str, Any] = {}

    def call(self, placed: tuple = (), **arguments: Any) -> str:
        """Return the code of a call."""
        words = [*map(repr, placed), *(f"{name}={value!r}" for name, value in arguments.items())]
        return f"{self.expression}({', '.join(words)})"


def source_of(given: Any, make: Callable[..., Any]) -> Source:
    """Return the code of a factory, or a name for it where no code is known."""
    try:
        return _source_of(given)
    except (LookupError, OSError, SyntaxError, TypeError):
        comment = "# make is the factory that was certified: put your own here"
        return Source((comment,), "make", {"make": make})


def _source_of(given: Any) -> Source:
    if isinstance(given, functools.partial):
        inner, values = _source_of(given.func), (*given.args, *given.keywords.values())
        if not all(isinstance(value, _PLAIN) for value in values):
            raise LookupError
        placed, named = map(repr, given.args), (f"{n}={v!r}" for n, v in given.keywords.items())
        words = ", ".join((inner.expression, *placed, *named))
        return Source(("import functools", *inner.lines), f"functools.partial({words})")
    if _is_injected(given):
        inner = _source_of(given.__wrapped__)
        lines = _once("import optax", *inner.lines)
        return Source(lines, f"optax.inject_hyperparams({inner.expression})")
    return _imported(given) or _typed(given)


def _is_injected(given: Any) -> bool:
    code = getattr(given, "__code__", None)
    return hasattr(given, "__wrapped__") and getattr(code, "co_name", "") == "wrapped_transform"


def _imported(given: Any) -> Source | None:
    """Return the code of what a module has by name; the shortest public name of its package."""
    home, name = getattr(given, "__module__", None), getattr(given, "__qualname__", "<")
    if home in (None, "__main__") or "<" in name or "." in name:
        return None
    package = home.split(".")[0]
    names = [n for n in list(sys.modules) if n == package or n.startswith(f"{package}.")]
    public = [n for n in names if not any(part.startswith("_") for part in n.split("."))]
    for module in sorted([*public, home], key=lambda n: (n == home, n.count("."), n)):
        if getattr(sys.modules.get(module), name, None) is given:
            if module in ("optax", "optax.contrib"):
                return Source((f"import {module}",), f"{module}.{name}")
            return Source((f"from {module} import {name}",), name)
    return None


def _typed(given: Any) -> Source:
    """Return the code of a function or a class from the file where it was typed."""
    text = textwrap.dedent(inspect.getsource(given))
    name = given.__name__
    if name == "<lambda>":
        name, text = "make", f"make = {_lambda_in(text, given)}"
    needed = _names_in(given)
    lines = [line for word, value in needed.items() for line in _line_of(word, value)]
    return Source(_once(*lines, text.rstrip()), name)


def _lambda_in(text: str, given: Any) -> str:
    found = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Lambda)]
    arguments = list(inspect.signature(given).parameters)
    alike = [node for node in found if [a.arg for a in node.args.args] == arguments]
    if len(alike) != 1:
        raise LookupError
    return ast.unparse(alike[0])


def _names_in(given: Any) -> dict[str, Any]:
    """Return every global and every variable of an outer function that the code reads."""
    functions = [given] if inspect.isfunction(given) else _methods(given)
    found: dict[str, Any] = {}
    for function in functions:
        outer = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
        for word in _words(function.__code__):
            if word in outer:
                found[word] = outer[word].cell_contents
            elif word in function.__globals__:
                found[word] = function.__globals__[word]
    return found


def _methods(given: Any) -> list[Any]:
    return [member for member in vars(given).values() if inspect.isfunction(member)]


def _words(code: CodeType) -> Iterator[str]:
    yield from (*code.co_names, *code.co_freevars)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _words(constant)


def _line_of(word: str, value: Any) -> tuple[str, ...]:
    if isinstance(value, ModuleType):
        return (f"import {value.__name__}" + ("" if value.__name__ == word else f" as {word}"),)
    if isinstance(value, _PLAIN):
        return (f"{word} = {value!r}",)
    if not (inspect.isfunction(value) or inspect.isclass(value)):
        raise LookupError(word)
    imported = _imported(value)
    if imported is None:
        return _typed(value).lines
    home = imported.lines[0].removeprefix("import ").removeprefix("from ").split(" ")[0]
    renamed = "" if value.__name__ == word else f" as {word}"
    return (f"from {home} import {value.__name__}{renamed}",)


def _once(*lines: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(lines))
