"""Explanations of calls that do not fit a signature: the intended argument, a correct call."""

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, TypeVar

from .validate import in_words, nearest

P = ParamSpec("P")
R = TypeVar("R")

OPTIMIZER_SYNONYMS: Mapping[str, str] = {
    **dict.fromkeys(("lr", "rate", "step_size", "stepsize"), "learning_rate"),
    **dict.fromkeys(("beta", "beta1", "beta_1"), "b1"),
    **dict.fromkeys(("beta2", "beta_2"), "b2"),
    "betas": "b1=0.9, b2=0.999",
    "epsilon": "eps",
    **dict.fromkeys(("wd", "l2"), "weight_decay"),
}
"""The names of optimizer arguments in Keras and PyTorch."""


def explain_calls(
    example: str, synonyms: Mapping[str, str]
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorate a function: its error names the intended argument when a call does not fit.

    The signature and the documentation stay those of the function; a call that fits costs nothing.

    **Arguments**

    - `example`: a correct call.
    - `synonyms`: from names that users of other libraries know to an argument, `"steps"`, or to
      an argument with its value, `"valid=(x, y)"`.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        signature, name = inspect.signature(function), example.partition("(")[0]

        @functools.wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                return function(*args, **kwargs)
            except TypeError:
                problem = mistake(name, signature, args, kwargs, synonyms, example)
                if problem is None:
                    raise
                raise TypeError(problem) from None

        return call

    return decorate


def mistake(
    name: str,
    signature: inspect.Signature,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    synonyms: Mapping[str, str],
    example: str = "",
) -> str | None:
    """Return an explanation of a wrong call, or None if the call fits the signature."""
    try:
        signature.bind(*args, **kwargs)
        return None
    except TypeError as error:
        problem = str(error)
    parameters = [p for p in signature.parameters.values() if p.kind not in _VARIADIC]
    known = [p.name for p in parameters]
    most = sum(p.kind is p.POSITIONAL_OR_KEYWORD for p in parameters)
    unknown = {word: _meant(word, known, synonyms) for word in kwargs if word not in known}
    if unknown:
        problem = " It ".join(_no_argument(word, meant, known) for word, meant in unknown.items())
    elif len(args) > most:
        problem = (
            f"takes {most} arguments by position, got {len(args)}: {synonyms.get('', _NAMED)}."
        )
    else:
        problem = f"cannot be called so: {problem}."
    if not example:
        shown = {p.name: _SHOWN.get(p.name, p.name) for p in parameters if p.default is p.empty}
        meant = filter(None, unknown.values())
        shown |= {word: _value(word, signature) for word in meant if word not in shown}
        example = f"{name}({', '.join(shown.values())})"
    return f"{name} {problem} A correct call: {example}"


_VARIADIC = inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD
_NAMED = "pass the others by name"
_SHOWN = {"learning_rate": "learning_rate=1e-3"}


def _no_argument(word: str, meant: str | None, known: list[str]) -> str:
    others = f"Its arguments are {in_words(known)}." if known else "It has none."
    advice = f"Did you mean {meant}?" if meant else others
    return f"has no argument {word!r}. {advice}"


def _value(meant: str, signature: inspect.Signature) -> str:
    return meant if "=" in meant else f"{meant}={signature.parameters[meant].default!r}"


def _meant(word: str, known: list[str], synonyms: Mapping[str, str]) -> str | None:
    """Return the argument that was meant, where it is one of `known`."""
    synonym = synonyms.get(word.lower())
    if synonym is not None and synonym.partition("=")[0] in known:
        return synonym
    return nearest(word, known)
