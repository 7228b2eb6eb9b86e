"""Schedules: functions of the step count, and trees whose leaves are their numbers."""

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ParamSpec

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jax.typing import ArrayLike

from .._core import validate
from .._core.describe import as_python, call_as_python
from .._core.dtypes import default_float
from .._core.keywords import SCHEDULE_SYNONYMS, bind, check_kinds
from .._core.numerics import called, without_overflow

_P = ParamSpec("_P")


def _endless(**arguments: Any) -> None:
    return None


@dataclass(frozen=True, eq=False, repr=False)
class Schedule:
    """A formula τ(k; numbers), called with the step count k = 0, 1, ...

    As a callable it goes wherever Optax takes a schedule. As a tree its numbers (and the schedules
    it is made of) are data: it can be an argument of a compiled function, which then serves every
    value; `jax.vmap` maps over them, `jax.grad` differentiates by them. A step is counted in
    integers and the value computed in float32, or in float64 where x64 is enabled: everywhere by
    the same instructions, so that a step has the same bits eagerly, compiled, mapped and scanned.

    **Attributes**

    - `formula`: `(k, **arguments) -> rate`, for a scalar k.
    - `arguments`: what the factory was given, by name. Numbers are leaves, words are not.
    - `ends`: `(**arguments) -> step`, from which on the value is constant, or None.
    - `factory`: what it prints as a call of; a foreign function has none.

    ```python
    >>> import jax, jax.numpy as jnp, lecture_optax as lo
    >>> rate = lo.schedules.cosine(0.5, total_steps=100)
    >>> rate, rate.horizon, float(rate(0))
    (schedules.cosine(0.5, 100), 100, 0.5)
    >>> jax.vmap(lambda peak: lo.schedules.linear(peak, 4)(1))(jnp.array([1.0, 2.0])).tolist()
    [0.75, 1.5]

    ```
    """

    formula: Callable[..., ArrayLike]
    arguments: Mapping[str, Any] = field(default_factory=dict)
    ends: Callable[..., Any] = _endless
    factory: Callable[..., Any] | None = None

    def __post_init__(self) -> None:
        validate.function(formula=self.formula, ends=self.ends)
        validate.mapping(arguments=self.arguments)
        validate.text(**{f"the key {key!r} of arguments": key for key in self.arguments})

    def __call__(self, count: ArrayLike) -> jax.Array:
        """Return τ(count) in the shape of `count`. A count below 0 is taken for 0."""
        evaluate = _compiled if _is_ours(self) else _evaluate
        return evaluate(self, _as_count(count))

    @property
    def horizon(self) -> Any:
        """Return the step after which the value is constant; None for an endless schedule."""
        known = jax.tree.map(_as_number, dict(self.arguments), is_leaf=_is_schedule)
        end = _as_number(self.ends(**known))
        return int(end) if isinstance(end, int | float) else end

    def __repr__(self) -> str:
        if self.factory is None:
            return as_python(self.formula)
        signature = inspect.signature(self.factory)
        shown = {name: self.arguments[name] for name in signature.parameters}
        return call_as_python(f"schedules.{self.factory.__name__}", signature, shown)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Schedule):
            return NotImplemented
        (mine, structure), (theirs, other_structure) = map(jax.tree.flatten, (self, other))
        return structure == other_structure and all(map(_same, mine, theirs))

    def __hash__(self) -> int:  # of the kind, not of its numbers: an array or a tracer has no hash
        return hash((self.formula, self.factory))


def factory(build: Callable[_P, Schedule]) -> Callable[_P, Schedule]:
    """Decorate `build`: its schedule holds the arguments and prints as the call.

    `build` checks them and chooses the formula. What it gives the schedule itself, it has prepared:
    that comes on top. A call that does not fit is explained.
    """
    signature = inspect.signature(build)
    name = f"schedules.{getattr(build, '__name__', 'schedule')}"

    @functools.wraps(build)
    def make(*args: _P.args, **kwargs: _P.kwargs) -> Schedule:
        bound = bind(name, signature, args, kwargs, SCHEDULE_SYNONYMS)
        check_kinds(bound)
        schedule = build(*args, **kwargs)
        bound.apply_defaults()
        given = {name: without_overflow(x) for name, x in bound.arguments.items()}
        arguments = {**given, **schedule.arguments}
        return replace(schedule, arguments=arguments, factory=make)

    return make


def as_schedule(name: str, function: Callable) -> Schedule:
    """Return a `Schedule` unchanged; turn a function of the step into one without numbers.

    Only so can it be part of a tree: a function is no leaf.
    """
    if isinstance(function, Schedule):
        return function
    if not callable(function):
        raise TypeError(
            f"{name} must be a schedule (a function of the step), got {function!r}. For a number, "
            "there is schedules.constant."
        )
    named: dict[str, Any] = {name: function}
    validate.function(takes=1, **named)
    return Schedule(function)


def _evaluate(schedule: Schedule, count: jax.Array) -> jax.Array:
    # Behind a barrier, a number that is known and one that is data are compiled alike; otherwise
    # XLA folds and rewrites what it knows, and the last bit depends on where the call stands.
    schedule = jax.lax.optimization_barrier(schedule)

    def at(k):
        if schedule.factory is None:
            value = called("schedule", schedule.formula, k, **schedule.arguments)
        else:
            value = schedule.formula(k, **schedule.arguments)
        return jnp.asarray(value, default_float())

    for _ in count.shape:
        at = jax.vmap(at)
    return at(jnp.maximum(_as_steps(count), 0))


_compiled = jax.jit(_evaluate)


def _as_count(count: Any) -> jax.Array:
    try:
        array = jnp.asarray(count)
        known = jnp.issubdtype(array.dtype, np.number) and not jnp.iscomplexobj(array)
    except Exception:  # whatever JAX says of what is no array
        array, known = None, False
    if array is None or not known:
        raise TypeError(f"count must be a number of steps, or an array of them, got {count!r}.")
    return array


def _is_ours(schedule: Schedule) -> bool:
    """Return whether it has no foreign function: a cache would keep the tracers in one."""
    members = filter(_is_schedule, jax.tree.leaves(schedule.arguments, is_leaf=_is_schedule))
    return schedule.factory is not None and all(map(_is_ours, members))


def _as_steps(count: jax.Array) -> jax.Array:
    """Return `count` in the default integers, saturated; between steps, in floats."""
    if not jnp.issubdtype(count.dtype, jnp.integer):
        return jnp.asarray(count, default_float())
    last = jnp.iinfo(jnp.result_type(int)).max
    if jnp.iinfo(count.dtype).max > last:
        count = jnp.minimum(count, last)
    return count.astype(int)


def _flatten(schedule: Schedule) -> tuple[list, tuple]:
    words = {n: x for n, x in schedule.arguments.items() if isinstance(x, str)}
    names = tuple(n for n in schedule.arguments if n not in words)
    leaves = [(jax.tree_util.DictKey(n), schedule.arguments[n]) for n in names]
    kind = schedule.formula, schedule.ends, schedule.factory
    return leaves, (kind, names, tuple(words.items()))


def _unflatten(static: tuple, values: Any) -> Schedule:
    (formula, ends, made_by), names, words = static
    arguments = {**dict(zip(names, values, strict=True)), **dict(words)}
    return Schedule(formula, arguments, ends, made_by)  # never checked: leaves may be anything


jax.tree_util.register_pytree_with_keys(Schedule, _flatten, _unflatten)


def _is_schedule(x: Any) -> bool:
    return isinstance(x, Schedule)


def _as_number(x: Any) -> Any:
    """Return a concrete scalar as a Python number."""
    is_array = isinstance(x, jax.Array | np.ndarray | np.generic) and not isinstance(x, Tracer)
    return x.item() if is_array and x.ndim == 0 else x


def _same(x: Any, y: Any) -> bool:
    if x is y or isinstance(x, Tracer) or isinstance(y, Tracer):
        return x is y
    return bool(np.array_equal(x, y))
