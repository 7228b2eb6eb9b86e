"""A reproduction: written from a template, run, and kept if it shows the fault."""

import contextlib
import inspect
import io
import re
import textwrap
import time
from collections.abc import Iterator, Mapping
from string import Template
from typing import Any, NamedTuple

from ..candidate import Candidate, ordinary_session
from .source import Source, source_of

_MOST = 24
_SECONDS = 5.0
"""A law tries at most so many cases, and begins none after so many seconds."""
_LONGEST = 400
_EXTRA = {
    "value": "value=loss({p})",
    "loss": "loss=loss({p})",
    "grad": "grad=jax.grad(loss)({p})",
    "value_fn": "value_fn=loss",
    "obj_fn": "obj_fn=loss",
    "loss_fn": "loss_fn=loss",
    "grad_fn": "grad_fn=lambda p, *_: jax.grad(loss)(p)",
    "key": "key=jax.random.key(0)",
    "rng": "rng=jax.random.key(0)",
}
_LOSS = """
def loss(params):
    squares = [jnp.sum(jnp.abs(x) ** 2, dtype=float) for x in jax.tree.leaves(params)]
    return sum(squares) / 2
"""


class Code(str):
    """A value of an argument as it stands in the code."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


class Case(NamedTuple):
    """A way to fill a template.

    - `words`: what stands for each `$name`; `values`: hyperparameters other than the defaults.
    - `x64`: whether the script switches float64 on.
    """

    words: Mapping[str, str] = {}
    values: Mapping[str, Any] = {}
    x64: bool = False


class Reproduction(NamedTuple):
    """A script that shows a fault, and what it prints when it is run."""

    code: str
    output: str


def reproduce(
    candidate: Candidate, template: str, cases: Iterator[Case], expected: set[str]
) -> Reproduction | None:
    """Return the first script that shows the fault, or None if none of them does.

    **Arguments**

    - `template`: the code after `tx = ...`, with `$names` that a case fills.
    - `cases`: from the smallest to the largest.
    - `expected`: names of the errors that show the fault.
    """
    source = source_of(candidate.given, candidate.make)
    end = time.process_time() + _SECONDS
    for _, case in zip(range(_MOST), cases, strict=False):
        if time.process_time() > end:
            break
        code = script(candidate, source, template, case)
        raised, output = run(code, source.given)
        if raised in expected:
            return Reproduction(code, output)
    return None


def script(candidate: Candidate, source: Source, template: str, case: Case) -> str:
    """Return the code: imports, the transformation as its user builds it, and the experiment."""
    tx = build(candidate, source, case.values)
    words = {"tx": tx, **case.words, **_calls(candidate, source, case)}
    body = Template(textwrap.dedent(template).strip()).substitute(words)
    if re.search(r"\btx\b", body) and not re.search(r"^tx = ", body, re.MULTILINE):
        body = f"tx = {tx}\n{body}"
    body = _with_extra_arguments(candidate, body)
    if case.x64:
        body = f"with jax.enable_x64(True):\n{textwrap.indent(body, '    ')}"
    loss = [_LOSS.strip()] if re.search(r"\bloss\b", body) else []
    used = [f"import {name}" for name in ("optax",) if re.search(rf"\b{name}\.", body)]
    imports = ["import jax", "import jax.numpy as jnp"]
    imports += ["import numpy as np"] if re.search(r"\bnp\.", body) else []
    lines = [*imports, *used, *source.lines]
    head = sorted({line for line in lines if line.startswith(("import ", "from "))})
    rest = [line for line in lines if line not in head]
    return "\n\n".join(["\n".join(head), *rest, *loss, body]) + "\n"


def _calls(candidate: Candidate, source: Source, case: Case) -> dict[str, str]:
    """Return the calls of the factory with another value of the hyperparameter `$name`."""
    words, name = case.words, case.words.get("name", "")
    values = {
        "value": words.get("value", ""),
        "few": words.get("few", ""),
        "array": words.get("array", ""),
        "kind_of_few": f"{words.get('kind')}({words.get('few')})",
        "dtype": f"jnp.{words.get('told')}",
        "traced": "value",
    }
    others = {n: x for n, x in case.values.items() if n != name}
    calls = {
        f"with_{key}": build(candidate, source, {**others, name: Code(value)})
        for key, value in values.items()
        if name and value
    }
    with_schedule = {**case.values, "learning_rate": Code("schedule")}
    wrapped = words.get("wrapped", "$tx").replace("$tx", build(candidate, source, case.values))
    return {
        **calls,
        "with_schedule": build(candidate, source, with_schedule),
        "wrapped": wrapped,
    }


def build(candidate: Candidate, source: Source, values: Mapping[str, Any]) -> str:
    """Return the call of the factory with `values`, and what it requires."""
    try:
        parameters = inspect.signature(candidate.given).parameters
    except (TypeError, ValueError):
        parameters = {}
    subject = candidate.subject
    typed = {**subject.arguments, **subject.typed}
    required = {n: x for n, x in typed.items() if n in parameters and _is_required(parameters[n])}
    values = {**required, **values}
    if source.given:
        return source.call(**values)
    by_place = [n for n, p in parameters.items() if p.kind is p.POSITIONAL_ONLY]
    last = max((i for i, n in enumerate(by_place) if n in values), default=-1)
    placed = tuple(values.get(n, parameters[n].default) for n in by_place[: last + 1])
    return source.call(placed, **{n: x for n, x in values.items() if n not in by_place})


def run(code: str, given: Mapping[str, Any]) -> tuple[str, str]:
    """Run a script in a namespace of its own; return the name of its error and what it prints."""
    printed, raised, words = io.StringIO(), "", ""
    with ordinary_session(), contextlib.redirect_stdout(printed):
        try:
            exec(compile(code, "<reproduction>", "exec"), {"__name__": "reproduction", **given})
        except Exception as error:
            raised = type(error).__name__
            line = next(iter(str(error).strip().splitlines()), "")
            words = f"{raised}: {line}".strip().removesuffix(":")
    lines = (_short(printed.getvalue()), _short(words))  # the error stands below a long output too
    return raised, "\n".join(filter(None, lines))


def _is_required(parameter: inspect.Parameter) -> bool:
    return parameter.default is inspect.Parameter.empty


def _short(text: str) -> str:
    text = re.sub(r" at 0x[0-9a-f]+", "", text.strip())
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def _with_extra_arguments(candidate: Candidate, body: str) -> str:
    if candidate.subject.extra_args is None:
        return body
    names = list(candidate.subject.extra_args(candidate.params))

    def call(match: re.Match) -> str:
        extra = ", ".join(_EXTRA[name].format(p=match[3]) for name in names)
        return f".update({match[1]}, {match[2]}, {match[3]}, {extra}"

    return re.sub(r"\.update\(([^(),]+), ([^(),]+), ([^(),]+)", call, body)
