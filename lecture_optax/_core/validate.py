"""Checks of hyperparameters, made when an optimizer is built.

Each check takes keyword arguments, so that the message can name them: `decay(b1=b1, b2=b2)`.
A message names the argument, the value, what is allowed and the way out. `TypeError` for a wrong
kind, `ValueError` for a wrong value. A tracer is let through: its value is not known before the
program runs.
"""

import difflib
import inspect
import itertools
import math
import os
import sys
from collections.abc import Callable, Hashable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.core import Tracer


class Refusal(Exception):
    """An error in words, which needs no further explanation where it passes."""


def decay(**hyperparameters: Any) -> None:
    """Require decays in [0, 1): with a decay of 1, an average never forgets."""
    for name, value in hyperparameters.items():
        _wide_enough(name, value)
        _number(
            name,
            value,
            lambda x: 0 <= x < 1,
            "in [0, 1)",
            "It is the weight of the past: 0 forgets everything, 0.9 remembers about ten steps.",
        )


def decay_or_schedule(**hyperparameters: Any) -> None:
    """Require decays in [0, 1), or schedules of decays."""
    for name, value in hyperparameters.items():
        if not callable(value):
            decay(**{name: value})


def non_negative(**hyperparameters: Any) -> None:
    """Require finite numbers >= 0."""
    for name, value in hyperparameters.items():
        _number(name, value, lambda x: 0 <= x < math.inf, "a finite number >= 0")


def positive(**hyperparameters: Any) -> None:
    """Require finite numbers > 0."""
    for name, value in hyperparameters.items():
        _number(name, value, lambda x: 0 < x < math.inf, "a finite number > 0")


def finite(**hyperparameters: Any) -> None:
    """Require finite numbers."""
    for name, value in hyperparameters.items():
        _number(name, value, math.isfinite, "a finite number")


def rate(**hyperparameters: Any) -> None:
    """Require finite numbers >= 0, or schedules: functions of the step that return such numbers."""
    for name, value in hyperparameters.items():
        if not callable(value):
            _number(
                name,
                value,
                lambda x: 0 <= x < math.inf,
                "a finite number >= 0 or a schedule (a function of the step)",
                _advice_on_rates(value),
            )


def _advice_on_rates(value: Any) -> str:
    if isinstance(value, int | float) and value < 0:
        return "The step already goes downhill: to climb, negate the loss."
    if isinstance(value, list | tuple) or getattr(value, "ndim", 0):
        return "For several values, vmap over one; for a value that moves, pass a schedule."
    return ""


def at_least(least: float, **hyperparameters: Any) -> None:
    """Require finite numbers >= `least`."""
    for name, value in hyperparameters.items():
        _number(name, value, lambda x: least <= x < math.inf, f"a finite number >= {least}")


def ascending(**hyperparameters: Any) -> None:
    """Require that the numbers do not decrease. Tracers are not compared."""
    for (low, x), (high, y) in itertools.pairwise(hyperparameters.items()):
        known = not isinstance(x, Tracer) and not isinstance(y, Tracer)
        if known and not float(x) <= float(y):
            raise ValueError(f"{low} must be at most {high}, got {x!r} > {y!r}.")


def steps(
    *, least: int = 1, of: str = "steps", traced: bool = True, **hyperparameters: Any
) -> None:
    """Require numbers of steps: whole, at least `least`, and below 2**31."""
    for name, value in hyperparameters.items():
        allowed = f"a whole number of {of} >= {least}"
        if not traced:
            _known(name, value, allowed)
        _number(name, value, lambda x: x >= least and x.is_integer(), allowed)
        _number(name, value, lambda x: x < 2**31, f"below 2**31, where counters of {of} end")


def switch(*, traced: bool = False, or_none: bool = False, **arguments: Any) -> None:
    """Require True or False, or an array of one; a tracer of one only where it may be `traced`."""
    allowed = "True, False or None" if or_none else "True or False"
    for name, value in arguments.items():
        is_array = isinstance(value, jax.Array | np.ndarray) and value.ndim == 0
        is_bool = isinstance(value, bool) or (is_array and value.dtype == np.bool_)
        if not is_bool and not isinstance(value, np.bool_) and not (or_none and value is None):
            raise TypeError(f"{name} must be {allowed}, got {value!r}.")
        if isinstance(value, Tracer) and not traced:
            raise TypeError(
                f"{name} must be {allowed}, got {value!r}. It decides what is compiled: pass a "
                "Python bool from outside of jit and vmap."
            )


def float_dtype(**arguments: Any) -> None:
    """Require dtypes of numbers that have gradients, or their names."""
    for name, value in arguments.items():
        problem = (
            f"{name} must be a floating-point or complex dtype, as jnp.bfloat16, got {value!r}."
        )
        try:
            dtype = jnp.dtype(value)
        except Exception:
            raise TypeError(problem) from None
        is_array = isinstance(value, np.ndarray | np.generic | jax.Array)  # numpy takes its dtype
        if value is None or is_array or not jnp.issubdtype(dtype, jnp.inexact):
            raise TypeError(problem)


def text(**arguments: Any) -> None:
    """Require strings."""
    for name, value in arguments.items():
        if not isinstance(value, str):
            raise TypeError(f"{name} must be a string, got {value!r}.")


def several(**arguments: Any) -> None:
    """Require lists, tuples or arrays of one axis."""
    for name, value in arguments.items():
        if not isinstance(value, list | tuple) and getattr(value, "ndim", 0) != 1:
            raise TypeError(f"{name} must be a list, got {value!r}.")


def mapping(**arguments: Any) -> None:
    """Require dicts, or other mappings."""
    for name, value in arguments.items():
        if not isinstance(value, Mapping):
            raise TypeError(f"{name} must be a dict, got {value!r}.")


def function(*, takes: int | None = None, or_more: bool = False, **arguments: Any) -> None:
    """Require functions that can be called with so many arguments, or more; None is any number."""
    for name, value in arguments.items():
        if not callable(value):
            raise TypeError(f"{name} must be a function, got {value!r}.")
        if takes is None:
            continue
        if isinstance(value, type):
            raise TypeError(f"{name} must be a function, got the class {value.__name__}.")
        try:
            signature = inspect.signature(value)
            (signature.bind_partial if or_more else signature.bind)(*[None] * takes)
        except TypeError:
            raise TypeError(
                f"{name} must be a function of {takes} argument{'s' * (takes != 1)}, got {value!r} "
                f"of {inspect.signature(value)}."
            ) from None
        except ValueError:  # a builtin without a signature
            continue


def instance(kind: type, advice: str = "", **arguments: Any) -> None:
    """Require objects of a class of this library, and say where they come from."""
    for name, value in arguments.items():
        if not isinstance(value, kind):
            problem = f"{name} must be a {kind.__name__}, got {value!r}."
            raise TypeError(f"{problem} {advice}".rstrip())


def path(**arguments: Any) -> None:
    """Require paths that are not empty."""
    for name, value in arguments.items():
        if not isinstance(value, str | os.PathLike):
            raise TypeError(f"{name} must be a path, got {value!r}.")
        if not os.fspath(value):
            raise ValueError(f"{name} must be a path, got {value!r}: '.' is the current folder.")
        try:
            os.lstat(value)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except (OSError, ValueError) as error:  # too long, or with a null
            raise ValueError(f"{name} must be a path, got {str(value)[:80]!r}: {error}") from None


def axes(**arguments: Any) -> None:
    """Require axes of Matplotlib, or None for new ones."""
    for name, value in arguments.items():
        if value is not None and not (hasattr(value, "get_xlabel") and hasattr(value, "plot")):
            raise TypeError(
                f"{name} must be the axes of a Matplotlib figure, got {value!r}: "
                f"{name} = matplotlib.pyplot.subplots()[1]."
            )


def number(**arguments: Any) -> None:
    """Require numbers, also those that are not finite."""
    for name, value in arguments.items():
        known = isinstance(value, _NUMBERS) and not isinstance(value, bool | Tracer)
        known = known and jnp.issubdtype(getattr(value, "dtype", float), np.number)  # no key
        if not known or np.ndim(value) or (isinstance(value, int) and abs(value) > _LARGEST):
            raise TypeError(f"{name} must be a number, got {value!r}.")


_NUMBERS = int, float, np.integer, np.floating, np.ndarray, jax.Array
_LARGEST = sys.float_info.max


def numbers(**arguments: Any) -> None:
    """Require finite numbers or arrays of them."""
    for name, value in arguments.items():
        problem = f"{name} must be a finite number or an array of finite numbers, got {value!r}."
        try:
            array = np.asarray(value)
        except Exception:
            raise TypeError(problem) from None
        if array.dtype.kind not in "iuf":
            raise TypeError(problem)
        if not array.size or not np.isfinite(array).all():
            raise ValueError(problem)


def transformation(**arguments: Any) -> None:
    """Require gradient transformations."""
    for name, value in arguments.items():
        if not isinstance(value, optax.GradientTransformation):
            if hasattr(value, "gradient_transformation"):
                advice = f"Pass {type(value).__name__}(...).gradient_transformation()."
            elif callable(value):
                advice = "Is a factory missing its call, as in adam instead of adam(1e-3)?"
            else:
                advice = "Build one: lo.adam(1e-3), say."
            raise TypeError(
                f"{name} must be a gradient transformation, a pair (init, update), got {value!r}. "
                f"{advice}"
            )


def sizes(**arguments: Any) -> None:
    """Require numbers of entries, on which shapes depend: whole, at least 0, and no tracers."""
    for name, value in arguments.items():
        allowed = "a whole number of entries >= 0"
        _known(name, value, allowed)
        _number(name, value, lambda x: x >= 0 and float(x).is_integer(), allowed)


def one_of(*choices: Any, **arguments: Any) -> None:
    """Require one of `choices`. The error suggests the choice that is most similar."""
    for name, value in arguments.items():
        if not isinstance(value, Hashable) or value not in choices:
            words = ", ".join(repr(choice) for choice in choices)
            near = nearest(str(value), [str(choice) for choice in choices])
            guess = f" Did you mean {near!r}?" if near else ""
            raise ValueError(f"{name} must be one of {words}, got {value!r}.{guess}")


def nearest(word: str, words: list[str]) -> str | None:
    """Return the word that was probably meant: for "adma" it is "adam", not "adamax"."""

    def likeness(other: str) -> float:
        pairs = (word, other), (sorted(word), sorted(other))
        return sum(difflib.SequenceMatcher(None, *pair).ratio() for pair in pairs)

    return max(difflib.get_close_matches(word, words), key=likeness, default=None)


def _wide_enough(name: str, value: Any) -> None:
    """Require at least float32: bfloat16 rounds 0.999 to 1, which makes updates NaN or 0."""
    dtype = getattr(value, "dtype", None)
    if isinstance(dtype, np.dtype) and dtype.itemsize < 4 and dtype.kind not in "iub":
        raise TypeError(
            f"{name} must be at least float32, got {dtype}: it rounds 0.999 to {_rounded(dtype)}. "
            "optax.inject_hyperparams casts to the dtype of the parameters: give it "
            "hyperparam_dtype=jnp.float32."
        )


def _known(name: str, value: Any, allowed: str) -> None:
    if isinstance(value, Tracer):
        raise TypeError(
            f"{name} must be {allowed}, got {value!r}. It decides what is compiled: pass a "
            "Python int from outside of jit and vmap."
        )


def _rounded(dtype: Any) -> float:
    return float(np.asarray(0.999).astype(dtype))


def _number(
    name: str, value: Any, allows: Callable[[Any], bool], allowed: str, advice: str = ""
) -> None:
    problem = " ".join(filter(None, (f"{name} must be {allowed}, got {value!r}.", advice)))
    if isinstance(value, Tracer):
        if value.ndim or not jnp.issubdtype(value.dtype, np.number) or jnp.iscomplexobj(value):
            raise TypeError(problem)
        return
    try:
        number = np.asarray(value)
    except Exception:  # a ragged list, a random key, whatever else an object says
        raise TypeError(problem) from None
    real = number.dtype.kind in "iuf" or number.dtype.name.startswith(("bfloat", "float"))
    if number.ndim or not real or np.ma.is_masked(value):  # also True, "fast", None, 1j, lists
        raise TypeError(problem)
    if not allows(float(number)):  # NaN is refused too: every comparison with it is false
        raise ValueError(problem)
    if abs(float(number)) > (largest := float(jnp.finfo(jnp.result_type(float)).max)):
        raise ValueError(f"{name} must be at most {largest:.3g}, the largest float, got {value!r}.")


def in_words(names: list[str]) -> str:
    """Join names as a sentence does: "a, b and c"."""
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
