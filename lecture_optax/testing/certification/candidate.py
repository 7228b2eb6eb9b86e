"""A factory that is certified, and what a signature and a few trials say about it."""

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import optax

from ..._core import validate
from .._subject import Subject

_SLOW = ("b1", "b2", "b3", "beta", "decay", "momentum", "rho")
_VALUES = {"learning_rate": 1e-3}
"""Values for arguments that have no default."""


@dataclass(frozen=True, eq=False)
class Candidate:
    """A factory, the parameters to try it on, and how it is called.

    - `make`: builds the transformation; `arguments` are given to it besides the hyperparameters.
    - `params`: a small tree in float32.
    - `subject`: the same as the laws take it, with every numeric default as a hyperparameter.
    """

    make: Callable[..., optax.GradientTransformation]
    params: Any
    subject: Subject

    @functools.cached_property
    def tx(self) -> optax.GradientTransformationExtraArgs:
        """The transformation, with its hyperparameters as typed, as a user builds it."""
        return optax.with_extra_args_support(
            self.make(**self.subject.arguments, **self.subject.typed)
        )

    def step(self, gradient: Any, state: Any, params: Any) -> tuple[Any, Any]:
        """Return the update and the state after one step, with the extra arguments it needs."""
        return self.subject.update(self.tx, gradient, state, params)


def candidate_of(make: Callable[..., Any], params: Any = None) -> Candidate:
    """Return a candidate from a factory.

    **Raises** `TypeError` for what is no factory, `ValueError` for a factory that cannot be called.
    """
    if isinstance(make, optax.GradientTransformation):
        transformation = make
        make = functools.wraps(type(transformation))(lambda: transformation)
    validate.function(make=make)
    hyperparameters = _hyperparameters(make)
    params = _PARAMS if params is None else params
    subject = Subject(make, {}, hyperparameters)
    return Candidate(make, jax.tree.map(jnp.asarray, params), subject)


_PARAMS = {"w": [[0.5, -1.25, 2.0], [1.0, -3.0, 0.25]], "b": [0.125, -0.5, 1.5]}


def _hyperparameters(make: Callable[..., Any]) -> Mapping[str, Any]:
    """Return every numeric argument with a value to try and a guess of its interval."""
    found = {}
    for name, parameter in inspect.signature(make).parameters.items():
        value = parameter.default
        if value is parameter.empty:
            value = _VALUES.get(name)
        if isinstance(value, float) and not isinstance(value, bool) and value > 0:
            slow = value < 1 and name.startswith(_SLOW)
            found[name] = (value, "[0, 1)" if slow else "[0, inf)")
    return found
