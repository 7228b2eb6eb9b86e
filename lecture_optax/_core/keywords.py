"""Explanations of calls that do not fit a signature: the intended argument, a correct call.

The kinds of arguments are read from the annotations. So a factory checks ranges only: a switch is
True or False, a dtype is one of floats, a transformation is a pair, and a function of annotated
arguments takes as many. Numbers are left to the body (`validate`), which says their range; so is
what has no annotation of a kind listed here.
"""

import functools
import inspect
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple, ParamSpec, TypeVar

import optax

from . import validate
from .types import DTypeLike, TypeAliasType
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

SCHEDULE_SYNONYMS: Mapping[str, str] = {
    **dict.fromkeys(("t_max", "total_iters", "num_steps", "n_steps", "steps"), "total_steps"),
    **dict.fromkeys(("eta_min", "lr_min", "min_lr", "final_value", "end_lr"), "end_value"),
    **dict.fromkeys(("max_lr", "peak_lr"), "peak_value"),
    **dict.fromkeys(("base_lr", "initial_learning_rate", "start_value"), "init_value"),
    **dict.fromkeys(("num_warmup_steps", "warmup", "n_warmup"), "warmup_steps"),
    **dict.fromkeys(("t_0", "first_decay_steps", "t_initial"), "period"),
    **dict.fromkeys(("milestones", "step_size"), "boundaries"),
    "gamma": "factor",
}
"""The names of schedule arguments in Keras, PyTorch, timm and Transformers."""


def explain_calls(
    example: str, synonyms: Mapping[str, str]
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Decorate a function: its error names the intended argument when a call does not fit.

    The signature and the documentation stay those of the function.

    **Arguments**

    - `example`: a correct call.
    - `synonyms`: from names that users of other libraries know to an argument, `"steps"`, or to
      an argument with its value, `"valid=(x, y)"`.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        signature, name = inspect.signature(function), example.partition("(")[0]

        @functools.wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            bind(name, signature, args, kwargs, synonyms, example)
            return function(*args, **kwargs)

        return call

    return decorate


def checked(function: Callable[P, R]) -> Callable[P, R]:
    """Decorate a function: its arguments are of the kinds that its annotations say."""
    signature, name = inspect.signature(function), getattr(function, "__name__", "function")

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        check_kinds(bind(name, signature, args, kwargs))
        return function(*args, **kwargs)

    return call


def bind(
    name: str,
    signature: inspect.Signature,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    synonyms: Mapping[str, str] = types.MappingProxyType({}),
    example: str = "",
) -> inspect.BoundArguments:
    """Return the arguments of a call by name.

    **Raises** `TypeError` that explains a call that does not fit the signature.
    """
    try:
        return signature.bind(*args, **kwargs)
    except TypeError as error:
        problem = _mistake(name, signature, args, kwargs, synonyms, example, str(error))
        raise TypeError(problem) from None


def _mistake(
    name: str,
    signature: inspect.Signature,
    args: tuple[Any, ...],
    kwargs: Mapping[str, Any],
    synonyms: Mapping[str, str],
    example: str,
    problem: str,
) -> str:
    """Return an explanation of a call that does not fit the signature."""
    parameters = [p for p in signature.parameters.values() if p.kind not in _VARIADIC]
    known = [p.name for p in parameters]
    most = sum(p.kind is p.POSITIONAL_OR_KEYWORD for p in parameters)
    unknown = {word: _meant(word, known, synonyms) for word in kwargs if word not in known}
    if unknown:
        problem = " It ".join(_no_argument(word, meant, known) for word, meant in unknown.items())
    elif len(args) > most:
        named = in_words([p.name for p in parameters if p.kind is p.KEYWORD_ONLY] or ["none"])
        advice = synonyms.get("", f"pass the others by name ({named})")
        problem = f"takes {most} arguments by position, got {len(args)}: {advice}."
    else:
        problem = f"cannot be called so: {problem}."
    if not example:
        shown = {p.name: _SHOWN.get(p.name, p.name) for p in parameters if p.default is p.empty}
        meant = filter(None, unknown.values())
        shown |= {word: _value(word, signature) for word in meant if word not in shown}
        example = f"{name}({', '.join(shown.values())})"
    return f"{name} {problem} A correct call: {example}"


_VARIADIC = inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD
_SHOWN = {"learning_rate": "learning_rate=1e-3"}


ELSEWHERE: Mapping[str, str] = {
    **dict.fromkeys(
        ("weight_decay", "wd", "l2"),
        "adamw has one: lo.adamw(1e-3, weight_decay=1e-4). Elsewhere it is a member of the chain: "
        "optax.add_decayed_weights(1e-4).",
    ),
    "amsgrad": "It is an optimizer: lo.amsgrad(1e-3).",
    "maximize": "To climb, negate the loss.",
    **dict.fromkeys(
        ("clipnorm", "global_clipnorm"),
        "It is a member of the chain: lo.chain(optax.clip_by_global_norm(1.0), lo.adam(1e-3)).",
    ),
}
"""Where the arguments are that optimizers of other libraries have."""


def _no_argument(word: str, meant: str | None, known: list[str]) -> str:
    if meant is None and "learning_rate" in known and word in ELSEWHERE:
        return f"has no argument {word!r}. {ELSEWHERE[word]}"
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


_Check = Callable[..., None]


def check_kinds(bound: inspect.BoundArguments) -> None:
    """Check the kinds of the arguments of a call.

    **Raises** `TypeError` or `ValueError` for an argument of another kind than its annotation says.
    """
    for name, value in bound.arguments.items():
        parameter = bound.signature.parameters[name]
        if value is parameter.default or parameter.kind is parameter.VAR_KEYWORD:
            continue
        kind = _kind_of(parameter.annotation)
        if kind is None:
            continue
        if parameter.kind is parameter.VAR_POSITIONAL:
            for i, each in enumerate(value):
                kind.check(f"{name}[{i}]", each)
        else:
            kind.check(name, value)


class _Kind(NamedTuple):
    """What an annotation allows: None, functions of so many arguments, or what a check allows."""

    allows_none: bool
    function: Any = None
    checks: tuple[_Check, ...] = ()
    leaves_the_rest: bool = False

    def check(self, name: str, value: Any) -> None:
        if value is None and self.allows_none:
            return
        others, named = self.checks or self.leaves_the_rest, dict[str, Any]({name: value})
        if self.function is not None and (callable(value) or not others):
            validate.function(takes=_parameters(self.function), **named)
        elif len(self.checks) == 1 and not self.leaves_the_rest:
            self.checks[0](**named)


@functools.cache
def _kind_of(annotation: Any) -> _Kind | None:
    members = _members(annotation)
    functions = [each for each in members if _origin(each) is Callable and typing.get_args(each)]
    checks = [_check_of(each) for each in members if each not in functions and each is not None]
    known = tuple(check for check in checks if check is not None)
    rest = len(known) < len(checks)
    kind = _Kind(None in members, functions[0] if functions else None, known, rest)
    return kind if functions or (known and not rest) else None


def _members(annotation: Any) -> list[Any]:
    """Return the members of a union, with None for NoneType."""
    if isinstance(annotation, TypeAliasType) and annotation is not DTypeLike:
        annotation = annotation.__value__
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return [each for part in typing.get_args(annotation) for each in _members(part)]
    return [None if annotation is types.NoneType else annotation]


def _origin(annotation: Any) -> Any:
    origin = typing.get_origin(annotation) or annotation
    return Callable if origin in (Callable, typing.Callable) else origin


def _check_of(annotation: Any) -> _Check | None:
    origin = _origin(annotation)
    if annotation is bool:
        return validate.switch
    if annotation is DTypeLike:
        return validate.float_dtype
    if annotation is str:
        return validate.text
    if origin is Literal:
        return functools.partial(validate.one_of, *typing.get_args(annotation))
    if isinstance(origin, type) and issubclass(origin, optax.GradientTransformation):
        return validate.transformation
    return validate.mapping if origin in (Mapping, dict) else None


def _parameters(function: Any) -> int | None:
    """Return the number of arguments of a `Callable`, None for any."""
    given = typing.get_args(function)
    return len(given[0]) if given and isinstance(given[0], list) else None
