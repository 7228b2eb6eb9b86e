"""Names of problems, optimizers and schedules on the command line."""

import contextlib
import importlib
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from .. import optimizers as o, schedules as s
from .._core import validate

if TYPE_CHECKING:
    from ..training.problems import BuiltIn


class UsageError(ValueError):
    """An invalid command line: exit status 2."""


class Method(NamedTuple):
    """An optimizer and its default learning rate."""

    build: Callable[[Any], Any]
    rate: float


OPTIMIZERS = {
    "sgd": Method(o.sgd, 1e-1),
    "momentum": Method(lambda rate: o.sgd(rate, momentum=0.9), 1e-2),
    "nesterov": Method(lambda rate: o.sgd(rate, momentum=0.9, nesterov=True), 1e-2),
    "adagrad": Method(o.adagrad, 1e-2),
    "rmsprop": Method(o.rmsprop, 1e-3),
    "adam": Method(o.adam, 1e-3),
    "adamw": Method(o.adamw, 1e-3),
    "nadam": Method(o.nadam, 1e-3),
    "amsgrad": Method(o.amsgrad, 1e-3),
    "adamax": Method(o.adamax, 2e-3),
}

SCHEDULES: dict[str, Callable[[float, int, int], Any]] = {
    "constant": lambda rate, steps, warmup: s.constant(rate, warmup_steps=warmup),
    "linear": lambda rate, steps, warmup: s.linear(rate, steps, warmup_steps=warmup),
    "cosine": lambda rate, steps, warmup: s.cosine(rate, steps, warmup_steps=warmup),
    # a tenth of the learning rate is left at the end
    "inverse_time": lambda rate, steps, warmup: s.inverse_time(
        rate, 9 / max(steps - warmup, 1), warmup_steps=warmup
    ),
    "one_cycle": lambda rate, steps, warmup: s.one_cycle(rate, steps, warmup_steps=warmup or None),
    "wsd": lambda rate, steps, warmup: s.wsd(rate, steps, warmup_steps=warmup),
}


def optimizer_of(
    name: str, rate: float | None, schedule: str | None, steps: int, warmup: int = 0
) -> Any:
    """Return the optimizer of that name; its learning rate decays linearly without a `schedule`."""
    method = OPTIMIZERS[one_of("optimizer", name, OPTIMIZERS)]
    decays = SCHEDULES[one_of("schedule", schedule or "linear", SCHEDULES)]
    rate = method.rate if rate is None else rate
    with usage_errors():
        validate.non_negative(rate=rate)
        return method.build(decays(rate, steps, warmup))


def problem_of(name: str) -> "BuiltIn":
    """Return a built-in problem, or that of `module:function`, which returns a `Problem`."""
    from ..training.problems import PROBLEMS, BuiltIn

    if ":" in name:
        return BuiltIn(lambda: _called(name), 1000, None)
    return PROBLEMS[one_of("problem", name.replace("-", "_"), PROBLEMS)]


def one_of(what: str, word: str, words: Iterable[str]) -> str:
    """Return the word if it is one of `words`."""
    with usage_errors():
        validate.one_of(*words, **{what: word})
    return word


@contextlib.contextmanager
def usage_errors() -> Iterator[None]:
    """Raise a `UsageError` for a `TypeError` or `ValueError`."""
    try:
        yield
    except (TypeError, ValueError) as error:
        raise UsageError(str(error)) from error


def _called(name: str) -> Any:
    """Call `module:function`, which returns a problem."""
    from ..training import Problem

    function = object_of(name)
    if not callable(function):
        raise UsageError(f"{name} must be a function that returns a problem, got {function!r}.")
    problem = function()
    if not isinstance(problem, Problem):
        raise UsageError(
            f"{name} must return a training.Problem, got {type(problem).__name__}: "
            "build it with Problem.from_linen, from_nnx, from_equinox or from_functions."
        )
    return problem


def object_of(name: str) -> Any:
    """Return the object `module:name`; the name may have dots, as a method of a class has.

    Like `python -m`, it finds modules in the working directory too.
    """
    module_name, _, path = name.partition(":")
    if not all(word.isidentifier() for word in f"{module_name}.{path}".split(".")):
        raise UsageError(f"{name!r} must be module:name, as optax:adam.")
    if "" not in sys.path:
        sys.path.insert(0, "")
    try:
        found: Any = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise  # the module exists, and another one that it imports does not
        raise UsageError(f"there is no module {module_name!r}, in {name!r}.") from error
    for word in path.split("."):
        if not hasattr(found, word):
            raise UsageError(_no_attribute(found, word, name))
        found = getattr(found, word)
    return found


def _no_attribute(owner: Any, word: str, name: str) -> str:
    words = [name for name in dir(owner) if not name.startswith("_")]
    near = validate.nearest(word, words)
    guess = f" Did you mean {near!r}?" if near else ""
    where = getattr(owner, "__name__", type(owner).__name__)
    return f"there is no {word!r} in {where}, in {name!r}.{guess}"
