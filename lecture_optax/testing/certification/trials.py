"""Trials of a factory: which of its arguments are data, and what a step needs."""

import math
import re
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.extend.core import jaxprs_in_params

from ..._core.current import states_in
from ...training.checks.optimizer import NEED_MORE
from .._samples import one, paired, pairs
from .._subject import Subject

_DECAYS = re.compile(r"(.*_)?(b[123]|beta_?[123]?|(ema_?)?decay(_rate)?|momentum|mu|nu|rho)")
_NOT_NEGATIVE = re.compile(r"(.*_)?(learning_rate|lr|step_size|eps(_root)?|epsilon|weight_decay)")
_SETS = ((), ("value",), ("obj_fn",), ("value", "grad"), ("value", "grad", "value_fn"))
"""Extra arguments that are tried together before each one alone, and all of them."""

_NO_ARRAY = re.compile(r"returned a value of type <class '(\w+)'> at output component (.+?), which")


_INSTALLED = re.compile(r"[/\\](site-packages|lecture_optax)[/\\]|^<|[/\\]lib[/\\]python")
"""Files whose mistakes are no mistakes of the one who certifies."""


def loss(params: Any) -> jax.Array:
    """Return |θ|²/2, the loss that is told to a transformation that asks for one."""
    squares = [jnp.sum(jnp.abs(jnp.asarray(x)) ** 2, dtype=float) for x in jax.tree.leaves(params)]
    return sum(squares, jnp.zeros(())) / 2


def _offers(params: Any) -> dict[str, Any]:
    """Return every extra argument that is known here, for a quadratic loss."""
    gradient = jax.grad(lambda p: loss(p).real)(params)
    return {
        "value": loss(params),
        "loss": loss(params),
        "grad": gradient,
        "value_fn": loss,
        "obj_fn": loss,
        "loss_fn": loss,
        "grad_fn": lambda p, *_: jax.grad(loss)(p),
        "key": jax.random.key(0),
        "rng": jax.random.key(0),
    }


def needs_of(make: Callable, arguments: Mapping[str, Any], params: Any) -> dict[str, Any]:
    """Return `needs_params` and `extra_args`, found by leaving out what a step can do without.

    **Raises** `ValueError` for a transformation that cannot take a step with all of them.
    """
    tx = optax.with_extra_args_support(_built(make, arguments))
    state = _first_state(tx, params)

    def problem(names: Iterable[str], given: Any) -> Exception | None:
        def step(gradient):
            offers = _offers(params)
            extra = {name: offers[name] for name in names}
            return tx.update(gradient, state, given, **extra)

        return _problem(lambda: jax.eval_shape(step, params))

    sets = [*_SETS, *((name,) for name in _offers(params)), tuple(_offers(params))]
    names = next((list(some) for some in sets if problem(some, params) is None), None)
    error = problem(names or (), params)
    if error is not None or names is None:
        raise ValueError(_why_no_step(state, error)) from error
    for name in list(names):
        fewer = [other for other in names if other != name]
        names = fewer if problem(fewer, params) is None else names
    chosen = tuple(names)
    return {
        "needs_params": problem(names, None) is not None,
        "extra_args": (lambda p: {n: _offers(p)[n] for n in chosen}) if chosen else None,
    }


def _built(make: Callable, arguments: Mapping[str, Any]) -> Any:
    try:
        return make(**arguments)
    except Exception as error:
        if isinstance(error, TypeError) and "make must return" in str(error):
            raise
        raise ValueError(f"{make.__name__} cannot be built: {_words_of(error)}") from error


def _first_state(tx: Any, params: Any) -> Any:
    try:
        return tx.init(params)
    except Exception as error:
        raise ValueError(_why_no_step(None, error)) from error


def _why_no_step(state: Any, error: Exception | None) -> str:
    reasons = [why for kind, why in NEED_MORE.items() if states_in(state, kind)]
    if not reasons and "fast" in str(error):
        reasons = [NEED_MORE[optax.LookaheadState]]
    if reasons:
        return f"it cannot be certified: {reasons[0].split('. ')[0]}."
    if isinstance(error, jax.errors.JAXTypeError):
        return f"its step cannot be compiled, because Python asks for a number: {_words_of(error)}"
    if found := _NO_ARRAY.search(str(error)):
        return f"its state and update must be trees of arrays, but {found[2]} is a {found[1]}."
    return f"it cannot take a step: {_words_of(error)}{_where(error)}"


def hyperparameters_of(
    subject: Subject, defaults: Mapping[str, Any], params: Any
) -> tuple[dict[str, tuple], dict[str, str]]:
    """Return the arguments that may be arrays, `{name: (value, allowed, schedule)}`, and the rest.

    The rest are numbers that the factory or a step needs to know as Python numbers, each with the
    error that says so.
    """
    found, not_data = {}, {}
    for name, default in defaults.items():
        value = _number(name, default)
        if value is None:
            continue
        error = _problem(lambda n=name, v=value: _traced(subject, n, v, params))
        if error is not None:
            not_data[name] = f"{_words_of(error)}"
            continue
        schedule = optax.constant_schedule(value)
        moves = _problem(lambda n=name, s=schedule: _step(subject, {n: s}, params)) is None
        found[name] = (value, _interval(subject.make, subject.arguments, name, value), moves)
    return found, not_data


def _number(name: str, default: Any) -> float | None:
    """Return the default of a hyperparameter, None for what is another kind of argument."""
    is_rate = _DECAYS.fullmatch(name) or _NOT_NEGATIVE.fullmatch(name)
    is_whole = isinstance(default, int | np.integer) and is_rate  # momentum=0
    is_float = isinstance(default, float | np.floating) or (
        isinstance(default, jax.Array | np.ndarray)
        and not default.ndim
        and default.dtype.kind == "f"
    )
    if isinstance(default, bool) or not (is_whole or is_float):
        return None
    value = float(default)
    return value if math.isfinite(value) and value >= 0 else None


def _traced(subject: Subject, name: str, value: float, params: Any) -> None:
    number = jnp.asarray(value, jnp.float32)
    jax.eval_shape(lambda x: _first_step(subject, {name: x}, params), number)
    _step(subject, {name: number}, params)


def _step(subject: Subject, values: Mapping[str, Any], params: Any) -> Any:
    return jax.eval_shape(lambda: _first_step(subject, values, params))


def _first_step(subject: Subject, values: Mapping[str, Any], params: Any) -> Any:
    tx = optax.with_extra_args_support(subject.make(**{**subject.arguments, **values}))
    return subject.update(tx, params, tx.init(params), params)


def _interval(make: Callable, arguments: Mapping[str, Any], name: str, value: float) -> str:
    """Return a guess of the interval, by its name and by what the factory refuses.

    Of an argument with an unknown name nothing is assumed that the factory does not say.
    """

    def takes(x: float) -> bool:
        return _problem(lambda: make(**{**arguments, name: x})) is None

    is_positive = _NOT_NEGATIVE.fullmatch(name) is not None
    is_decay = _DECAYS.fullmatch(name) is not None and value < 1 and not is_positive
    known = is_positive or is_decay
    least = "(-inf" if takes(-1.5) and not known else "[0" if takes(0.0) else "(0"
    if is_decay:
        return f"{least}, 1)"
    above = [x for x in (1.0, 1.5) if x > value and not takes(x)]
    return f"{least}, {'1)' if 1.0 in above else '1]' if above and value <= 1 else 'inf)'}"


def has_loops(subject: Subject, params: Any) -> bool:
    """Return whether a step has a loop, which JAX compiles anew at each step without `jit`."""
    jaxpr = jax.make_jaxpr(lambda: _first_step(subject, {}, params))()
    return any(name in ("scan", "while") for name in _primitives(jaxpr.jaxpr))


def _primitives(jaxpr: Any) -> Iterator[str]:
    for equation in jaxpr.eqns:
        yield equation.primitive.name
        for inner in jaxprs_in_params(equation.params):
            yield from _primitives(inner)


def accumulators_of(subject: Subject, defaults: Mapping[str, Any], params: Any) -> dict[str, str]:
    """Return which argument sets the dtype of which field of the state."""
    found = {}
    for name in defaults:
        if "dtype" not in name:
            continue
        fields = [_fields(subject, {name: dtype}, params) for dtype in ("bfloat16", "float32")]
        changed = {path for path in fields[0] if fields[0][path] != fields[1].get(path)}
        names = {part for path in changed for part in _attributes(path)[-1:]}
        if len(names) == 1:
            found[name] = names.pop()
    return found


def _fields(subject: Subject, values: Mapping[str, Any], params: Any) -> dict[Any, Any]:
    def init():
        return subject.make(**{**subject.arguments, **values}).init(params)

    if _problem(lambda: jax.eval_shape(init)) is not None:
        return {}
    return {p: x.dtype for p, x in jax.tree_util.tree_leaves_with_path(jax.eval_shape(init))}


def _attributes(path: Any) -> list[str]:
    return [key.name for key in path if isinstance(key, jax.tree_util.GetAttrKey)]


def kinds_of(subject: Subject, params: Any) -> dict[str, Any]:
    """Return `takes` and `gives` of what acts on magnitudes, or returns something else."""
    tx = optax.with_extra_args_support(subject.make(**subject.arguments))

    def update(gradient):
        return subject.update(tx, gradient, tx.init(params), params)[0]

    shapes = [
        [x.shape for x in jax.tree.leaves(tree)]
        for tree in (params, jax.eval_shape(update, params))
    ]
    if shapes[0] != shapes[1]:
        return {"gives": "matrix"}
    gradient = jax.tree.map(lambda p: jnp.ones_like(p) * _signs(p), params)
    mirrored, positive = (jax.tree.map(f, gradient) for f in (jnp.negative, jnp.abs))
    one, other, safe = (
        [np.asarray(x, float) for x in jax.tree.leaves(jax.jit(update)(g)) if jnp.isrealobj(x)]
        for g in (gradient, mirrored, positive)
    )
    is_even = bool(one) and all(
        np.array_equal(x, y) and (x >= 0).all() and x.any() for x, y in zip(one, other, strict=True)
    )
    is_nan = any(np.isnan(x).any() for x in one) and all(np.isfinite(x).all() for x in safe)
    kinds = {"takes": "magnitude"} if is_nan else {}
    return {**kinds, "gives": "magnitude"} if is_even or is_nan else {}


def _signs(p: Any) -> jax.Array:
    return (1 - 2 * (jnp.arange(p.size) % 2)).reshape(p.shape).astype(p.dtype)


def refusal_of_other_trees(subject: Subject) -> str:
    """Return why the trees of the laws do not fit, as for a mask over named leaves, or ""."""
    for params, gradients in (one(subject), paired(subject, like="float32")):
        error = _problem(lambda p=params, g=gradients: _first_of(subject, p, g))
        if error is not None:
            return f"{_words_of(error)}"
    return ""


def unmixed_of(subject: Subject) -> tuple[tuple[str, ...], str]:
    """Return the dtypes that it refuses beside others in one tree, and in which words."""
    words = ""
    for few in ((), ("float16",), ("float16", "bfloat16")):
        mixed = [x for x in pairs() if not {*x} & {*few}]
        error = _problem(lambda mixed=mixed: _first_of(subject, *paired(subject, among=mixed)))
        if error is None:
            return few, words
        words = words or _words_of(error)
    return few, words


def _first_of(subject: Subject, params: Any, gradients: list[Any]) -> Any:
    tx = subject.build()
    return jax.eval_shape(lambda: subject.update(tx, gradients[0], tx.init(params), params))


def _problem(attempt: Callable[[], Any]) -> Exception | None:
    """Return what an attempt raises, whatever a transformation of another author raises."""
    try:
        attempt()
    except Exception as error:
        return error
    return None


def _where(error: Exception | None) -> str:
    """Return the file and line of a mistake in the code of its author, or ""."""
    frames = traceback.extract_tb(error.__traceback__) if error is not None else []
    theirs = [x for x in frames if not _INSTALLED.search(x.filename)]
    return f" ({theirs[-1].filename}, line {theirs[-1].lineno})" if theirs else ""


def _words_of(error: Exception | None) -> str:
    words = str(error).strip().splitlines()
    return ": ".join([type(error).__name__, *words[:1]])
