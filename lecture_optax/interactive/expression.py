"""Optimizers that are typed as Python, parsed and never executed.

A text such as `lo.sgd(0.1, momentum=0.9)` is a tree of calls of public names with numbers. The
numbers are data: texts that differ in their numbers only have the same *structure*, and share one
compiled program.
"""

import ast
import functools
import inspect
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
import optax

from .. import schedules
from .._average import average_iterates
from .._bias_correction import bias_correction
from .._core import validate
from .._core.chain import chain
from .._core.describe import describe, is_default
from .._first_moment import first_moment
from .._full_matrix import full_matrix
from .._inverse_root import inverse, inverse_root
from .._learning_rate import scale_by_learning_rate
from .._magnitudes import infinity_moment, running_max, second_moment, sum_of_squares
from .._nesterov import nesterov_first_moment, nesterov_trace
from .._newton import newton
from .._optimized_trace import optimized_trace
from .._precondition import precondition
from .._restart import restart
from .._trace import trace
from .._variance import variance
from ..optimizers import adagrad, adam, adamax, adamw, amsgrad, nadam, rmsprop, sgd
from .gallery import AVERAGE, METHODS, RATE, SCHEDULES
from .handles import Handle, handle_for

MOST_CHARACTERS, MOST_NUMBERS, MOST_CALLS, MOST_LEVELS = 1_000, 40, 40, 40
"""Limits of a text: more than any optimizer of the library needs."""

LARGEST, LARGEST_INTEGER, MOST_SOLVER_STEPS = 3e38, 2**31 - 1, 1_000
"""What float32 and int32 hold, and what a solver may take in one step."""

DTYPES = "float32", "bfloat16", "float16"
WORDS = "on", "shape"
"""The arguments that are words: of a restart, and of a schedule. A dtype is another."""

_SCHEDULES = {
    name: getattr(schedules, name)
    for name in (
        *("clip", "constant", "cosine", "cyclic", "exponential", "inverse_time", "join", "linear"),
        *("momentum_constant", "momentum_fista", "momentum_nesterov", "one_cycle", "polynomial"),
        *("scale", "silver", "step", "warm_restarts", "warmup", "wsd"),
    )
}
_BLOCKS = (
    *(trace, nesterov_trace, first_moment, nesterov_first_moment, optimized_trace, restart),
    *(sum_of_squares, second_moment, infinity_moment, variance, running_max),
    *(inverse_root, inverse, full_matrix, newton, precondition, chain),
    *(scale_by_learning_rate, bias_correction, average_iterates),
)
_OPTIMIZERS = sgd, adam, adamw, nadam, adamax, amsgrad, rmsprop, adagrad
_LIBRARY = {factory.__name__: factory for factory in (*_OPTIMIZERS, *_BLOCKS)}
_FOREIGN = {
    name: getattr(optax, name)
    for name in (
        *("sgd", "adam", "adamw", "rmsprop", "adagrad", "lion"),
        *("add_decayed_weights", "clip", "clip_by_global_norm"),
    )
}
_FACTORIES: dict[str, Callable[..., Any]] = {
    **{f"lo.{name}": factory for name, factory in _LIBRARY.items()},
    **{f"lo.schedules.{name}": factory for name, factory in _SCHEDULES.items()},
    **{f"optax.{name}": factory for name, factory in _FOREIGN.items()},
}
"""Every name that a text may call. Each makes a transformation or a schedule, and does no more."""

_STRUCTURE = {"diagonal_above", "iterative_above"}  # sizes that decide which program is built


@dataclass(frozen=True)
class Expression:
    """A parsed text.

    - `text`: the normalized text: `lo.` and `optax.` in front of each name.
    - `structure`: the text with `#` in place of every number that is data.
    - `handles`: one for each of these numbers, with its place in `text`.
    - `calls`: the full name of each call, in the order of the text.
    """

    text: str
    structure: str
    handles: tuple[Handle, ...]
    calls: tuple[str, ...]

    @property
    def numbers(self) -> tuple[float, ...]:
        """The numbers as data: a whole number is an int only where it counts steps."""
        return tuple(
            int(handle.value) if "integer" in handle.scale else float(handle.value)
            for handle in self.handles
        )

    @property
    def has_schedule(self) -> bool:
        return any(call.startswith("lo.schedules.") for call in self.calls)

    @property
    def has_average(self) -> bool:
        return "lo.average_iterates" in self.calls


def read(text: str) -> Expression:
    """Parse a text, or raise a `ValueError` that says what is not allowed.

    ```python
    >>> from lecture_optax.interactive.expression import read
    >>> read("sgd(0.1, momentum=.9)").text
    'lo.sgd(0.1, momentum=0.9)'
    >>> read("os.system('ls')")
    Traceback (most recent call last):
    ...
    ValueError: `os.system` is not an optimizer, a block or a schedule that may stand here.

    ```
    """
    validate.text(text=text)
    return _read(text)


@functools.lru_cache(256)
def _read(text: str) -> Expression:
    writer = _Writer()
    writer.transformation(parsed(text))
    for what, limit, found in (
        ("numbers", MOST_NUMBERS, writer.handles),
        ("calls", MOST_CALLS, writer.calls),
    ):
        if len(found) > limit:
            raise ValueError(f"an optimizer may have at most {limit} {what}, got {len(found)}.")
    expression = Expression(
        "".join(writer.words), writer.structure, tuple(writer.handles), tuple(writer.calls)
    )
    _refuse_long(expression.text)  # with full names
    try:  # the checks of the factories, of the numbers as they are typed
        build(expression.structure, [handle.value for handle in expression.handles])
    except (ValueError, TypeError):
        raise
    except Exception as error:
        raise ValueError(
            f"`{expression.text}` is not an optimizer: {type(error).__name__}: {error}"
        ) from None
    return expression


def build(structure: str, numbers: Sequence[Any]) -> optax.GradientTransformationExtraArgs:
    """Build the transformation of a structure with these numbers, which may be traced."""
    return optax.with_extra_args_support(value_of(structure, numbers))


def value_of(structure: str, numbers: Sequence[Any]) -> Any:
    """Return what a structure makes of these numbers: a transformation or a schedule."""
    return _built(parsed(structure.replace("#", "_")), iter(numbers))


_PARSES = threading.Lock()
"""Python 3.11 counts the depth of a tree once for all threads, and raises a `SystemError` where two
of them parse."""


def parsed(text: str) -> ast.expr:
    """Return the tree of an expression."""
    _refuse_long(text)
    try:
        with _PARSES:
            node = ast.parse(text.strip(), mode="eval").body
        if _levels(node) > MOST_LEVELS:
            raise RecursionError
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        what = "it is nested too deeply"
        if isinstance(error, SyntaxError | ValueError):
            what = getattr(error, "msg", str(error))
        raise ValueError(f"`{_short(text.strip())}` is not an optimizer: {what}.") from None
    return node


def _refuse_long(text: str) -> None:
    if len(text) > MOST_CHARACTERS:
        raise ValueError(
            f"an optimizer may have at most {MOST_CHARACTERS} characters, got {len(text)}."
        )


def _levels(node: ast.AST) -> int:
    """Return the depth of a tree, without recursion."""
    level, depth = [node], 0
    while level:
        level, depth = [child for n in level for child in ast.iter_child_nodes(n)], depth + 1
    return depth


def _short(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:79]}…"


class _Writer:
    """Writes a tree as normalized text, and notes the place of each number."""

    def __init__(self) -> None:
        self.words: list[str] = []
        self.holes: list[int] = []
        self.handles: list[Handle] = []
        self.calls: list[str] = []

    @property
    def structure(self) -> str:
        return "".join("#" if i in self.holes else word for i, word in enumerate(self.words))

    def transformation(self, node: ast.expr) -> None:
        if not isinstance(node, ast.Call):
            raise ValueError(
                "an optimizer must be a call such as lo.adam(0.1), got "
                f"`{_short(ast.unparse(node))}`."
            )
        self.call(node)
        if self.calls[0].startswith("lo.schedules."):
            schedule = "".join(self.words)
            raise ValueError(
                "an optimizer must be a call such as lo.adam(0.1), got a schedule: "
                f"lo.sgd({schedule}) uses it."
            )

    def value(self, node: ast.expr, argument: str, factory: str) -> None:
        """Write the value of an argument of a factory: a call, a list, a constant or a number."""
        if isinstance(node, ast.Call):
            self.call(node)
        elif isinstance(node, ast.List | ast.Tuple):
            self.words.append("[")
            for i, item in enumerate(node.elts):
                self.words.append(", " if i else "")
                self.value(item, argument, factory)
            self.words.append("]")
        elif (number := _number(node)) is not None:
            self.number(number, argument, factory)
        elif isinstance(node, ast.Constant) and isinstance(node.value, bool | str | None):
            if argument.endswith("dtype") and node.value is not None:
                validate.one_of(*DTYPES, **{argument: node.value})
            elif isinstance(node.value, str) and argument not in WORDS:
                raise _not_allowed(node)
            self.words.append(repr(node.value))
        else:
            raise _not_allowed(node)

    def call(self, node: ast.Call) -> None:
        name, factory = _factory(node.func)
        names = _argument_names(name, factory, node)
        self.calls.append(name)
        self.words.append(f"{name}(")
        for i, (argument, keyword, item) in enumerate(names):
            self.words.append(", " * bool(i) + (f"{argument}=" if keyword else ""))
            self.value(item, argument, factory.__name__)
        self.words.append(")")

    def number(self, value: float, argument: str, factory: str) -> None:
        word, handle = repr(value), handle_for(argument, value, factory)
        most = LARGEST_INTEGER if "integer" in handle.scale else LARGEST
        most = MOST_SOLVER_STEPS if argument == "max_steps" else most
        if not abs(value) <= most:
            raise ValueError(f"{argument} must be at most {most} here, got {_short(word)}.")
        if argument not in _STRUCTURE:
            begin = sum(map(len, self.words))
            self.holes.append(len(self.words))
            self.handles.append(handle.at(begin, begin + len(word)))
        self.words.append(word)


def _factory(node: ast.expr) -> tuple[str, Callable[..., Any]]:
    """Return the full name of a public factory, and the factory."""
    name = ast.unparse(node)
    full = name if name.startswith(("lo.", "optax.")) else f"lo.{name}"
    if full in _FACTORIES:
        return full, _FACTORIES[full]
    if not isinstance(node, ast.Name | ast.Attribute):
        raise _not_allowed(node)
    raise ValueError(f"`{_short(name)}` is not an optimizer, a block or a schedule{_near(full)}")


def _near(full: str) -> str:
    """Return the end of a sentence: the name that was probably meant, if one is near."""
    *packages, name = full.split(".")
    package = ".".join(packages)
    if (schedule := f"lo.schedules.{name}") in _FACTORIES:
        return f": did you mean {schedule}?"
    names = [each.rpartition(".")[2] for each in _FACTORIES if each.rpartition(".")[0] == package]
    near = validate.nearest(name, names)
    return f": did you mean {package}.{near}?" if near else " that may stand here."


def _argument_names(
    name: str, factory: Callable[..., Any], node: ast.Call
) -> Iterator[tuple[str, bool, ast.expr]]:
    """Return the name of each argument, whether it is written by keyword, and its value."""
    parameters = list(inspect.signature(factory).parameters.values())
    rest = [p.name for p in parameters if p.kind is p.VAR_POSITIONAL]
    positional = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
    known = [p.name for p in parameters if p.kind is not p.VAR_POSITIONAL]
    if not rest and len(node.args) > len(positional):
        raise ValueError(
            f"{name} takes at most {len(positional)} arguments by position, got {len(node.args)}."
        )
    for i, item in enumerate(node.args):
        if isinstance(item, ast.Starred):
            raise _not_allowed(item)
        yield (rest[0] if rest else positional[i]), False, item
    for keyword in node.keywords:
        if keyword.arg is None or keyword.arg not in known:
            raise ValueError(
                f"{name} has no argument `{keyword.arg or '**'}`: it has {', '.join(known)}."
            )
        known.remove(keyword.arg)  # once
        yield keyword.arg, True, keyword.value


def _built(node: ast.expr, numbers: Iterator[Any]) -> Any:
    """Build what a node of a checked structure stands for; `_` is the next number."""
    if isinstance(node, ast.Call):
        factory = _factory(node.func)[1]
        args = [_built(item, numbers) for item in node.args]
        return factory(*args, **{str(k.arg): _built(k.value, numbers) for k in node.keywords})
    if isinstance(node, ast.List):
        return [_built(item, numbers) for item in node.elts]
    if isinstance(node, ast.Name) and node.id == "_":
        return next(numbers)
    if isinstance(node, ast.Constant | ast.UnaryOp):
        return ast.literal_eval(node)
    raise _not_allowed(node)


def _number(node: ast.expr) -> float | None:
    """Return the number that a node is, or None."""
    sign = 1
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        sign, node = -1, node.operand
    if not isinstance(node, ast.Constant) or isinstance(node.value, bool):
        return None
    return sign * node.value if isinstance(node.value, int | float) else None


def _not_allowed(node: ast.AST) -> ValueError:
    if isinstance(node, ast.BinOp):
        return ValueError(
            f"a calculation is not allowed here, got `{_short(ast.unparse(node))}`: write the "
            "number, such as 0.1."
        )
    return ValueError(
        f"only calls of public names with numbers are allowed, got `{_short(ast.unparse(node))}`."
    )


def written(tx: optax.GradientTransformation) -> str:
    """Write a transformation as a text that `read` parses to the same transformation.

    The text has the arguments that were given, and those that the gallery shows: Adam's β₁, β₂ and
    ε are handles, also where they have their defaults.

    **Raises** `TypeError` if a part of it cannot be written as a call of a public name with
    numbers.

    ```python
    >>> import lecture_optax as lo
    >>> from lecture_optax.interactive.expression import written
    >>> written(lo.adam(0.1, b1=0.5))
    'lo.adam(0.1, b1=0.5, b2=0.999, eps=1e-08)'

    ```
    """
    description = describe(tx)
    for name in (f"lo.{description.name}", description.name):
        if name in _FACTORIES:
            return _written_call(name, description.arguments)
    raise _not_written(description)


def _written_call(name: str, arguments: Mapping[str, Any]) -> str:
    parameters, words = inspect.signature(_FACTORIES[name]).parameters, []
    given = {
        p.name: p.default is not p.empty or p.kind is p.KEYWORD_ONLY
        for p in parameters.values()
        if p.kind is p.VAR_POSITIONAL or not is_default(arguments[p.name], p.default)
    }
    for argument, by_keyword in _shown(name, given).items():
        value = arguments.get(argument, ())
        if parameters[argument].kind is inspect.Parameter.VAR_POSITIONAL:
            words += map(_written_value, value)
        else:
            words.append(f"{argument}=" * by_keyword + _written_value(value))
    return f"{name}({', '.join(words)})"


def _written_value(value: Any) -> str:
    if isinstance(value, optax.GradientTransformation):
        return written(value)
    if isinstance(value, schedules.Schedule) and value.factory is not None:
        return _written_call(f"lo.schedules.{value.factory.__name__}", value.arguments)
    if isinstance(value, np.ndarray | np.generic | jax.Array) and np.ndim(value) == 0:
        value = np.asarray(value)
        value = float(str(value)) if value.dtype.kind == "f" else value.item()
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_written_value, value))}]"
    if isinstance(value, bool | int | float | str | None):
        return repr(value)
    raise _not_written(value)


def _shown(name: str, given: dict[str, bool]) -> dict[str, bool]:
    """Return the arguments to write, and whether by keyword: as in the gallery, if it has all."""
    calls = (call for call in _gallery_calls() if call[0] == name)
    return min((shown for _, shown in calls if {*given} <= {*shown}), key=len, default=given)


@functools.cache
def _gallery_calls() -> list[tuple[str, dict[str, bool]]]:
    """Return the name and the arguments of each call in the gallery."""
    texts = (*METHODS.values(), *SCHEDULES.values(), AVERAGE)
    nodes = [node for text in texts for node in ast.walk(parsed(text.replace(RATE, "1")))]
    calls = [(*_factory(node.func), node) for node in nodes if isinstance(node, ast.Call)]
    return [
        (name, {argument: keyword for argument, keyword, _ in _argument_names(name, factory, node)})
        for name, factory, node in calls
    ]


def _not_written(value: Any) -> TypeError:
    return TypeError(
        f"a text needs calls of public names with numbers, such as lo.adam(0.01), got {value}. "
        'Of another library, pass a text: "optax.lion(0.01)".'
    )
