"""What was certified: the call, the update rule as a program, its hash, and the versions."""

import functools
import hashlib
import inspect
import re
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np
import optax
from jax.extend.core import Literal, jaxprs_in_params

from ..._core import __version__
from ..._core.describe import describe
from .candidate import Candidate


def description_of(candidate: Candidate) -> dict[str, Any]:
    """Return what was certified as JSON values; `hash` changes with the update rule only."""
    leaves = jax.tree_util.tree_leaves_with_path(candidate.params)
    found = {
        "factory": _typed_name(candidate),
        "arguments": {k: repr(v) for k, v in candidate.subject.arguments.items()},
        "hyperparameters": dict(candidate.subject.typed),
        "code": str(describe(candidate.tx)),
        "params": {jax.tree_util.keystr(p): f"{x.dtype}{list(x.shape)}" for p, x in leaves},
    }
    rule = _program(candidate)
    text = repr((found["hyperparameters"], found["arguments"], found["params"], rule))
    return {**found, "hash": hashlib.sha256(text.encode()).hexdigest()[:16]}


def versions() -> dict[str, str]:
    """Return the versions of the libraries that measured."""
    return {"jax": jax.__version__, "optax": optax.__version__, "lecture_optax": __version__}


def _typed_name(candidate: Candidate) -> str:
    """Return the name of a factory, or the one that was typed for a transformation."""
    is_named = hasattr(candidate.given, "__qualname__") or not candidate.name
    return name_of(candidate.given) if is_named else candidate.name


def name_of(make: Any) -> str:
    """Return `module:name` of a factory, of what it is made of if that has a name only."""
    while isinstance(make, functools.partial):
        make = make.func
    name = getattr(make, "__qualname__", type(make).__qualname__)
    return f"{getattr(make, '__module__', None) or 'unknown'}:{name}"


def _program(candidate: Candidate) -> str:
    """Return `init` and two steps as JAX traces them, or the source of what JAX cannot trace."""
    try:
        state = jax.eval_shape(candidate.tx.init, candidate.params)
        init = jax.make_jaxpr(candidate.tx.init)(candidate.params)
        step = jax.make_jaxpr(candidate.step)(candidate.params, state, candidate.params)
    except Exception:  # it runs in Python only
        return _source(candidate.given)
    return "".join(map(_text, (init, step)))


def _text(program: Any) -> str:
    """Return a program as text, with its constants."""
    constants = [np.asarray(x).tobytes().hex() for x in program.consts if hasattr(x, "dtype")]
    return "\n".join([*_equations(program.jaxpr), *constants])


def _equations(jaxpr: Any) -> Iterator[str]:
    """Yield a line for each equation; JAX's own text names variables by what was traced before."""
    names: dict[Any, str] = {}

    def name(x: Any) -> str:
        if isinstance(x, Literal):
            return repr(np.asarray(x.val).tolist())
        return names.setdefault(x, f"x{len(names)}")

    yield f"from {[f'{name(x)}: {x.aval}' for x in (*jaxpr.constvars, *jaxpr.invars)]}"
    for equation in jaxpr.eqns:
        options = {k: v for k, v in equation.params.items() if not [*jaxprs_in_params({k: v})]}
        shown = re.sub(r" at 0x[0-9a-f]+", "", str(sorted(options.items(), key=lambda x: x[0])))
        yield f"{equation.primitive} {[name(x) for x in equation.invars]} {shown}"
        for inner in jaxprs_in_params(equation.params):
            yield from _equations(inner)
        yield f"to {[f'{name(x)}: {x.aval}' for x in equation.outvars]}"
    yield f"return {[name(x) for x in jaxpr.outvars]}"


def _source(make: Any) -> str:
    try:
        return inspect.getsource(inspect.unwrap(make))
    except (OSError, TypeError):
        return name_of(make)
