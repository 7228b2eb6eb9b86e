"""A transformation that the laws check: its factory and its options."""

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import jax
import numpy as np
import optax

from .._core import validate

_FUNCTIONS = ("value_fn", "obj_fn", "loss_fn", "grad_fn")
"""Extra arguments that are functions, which `jit` takes as constants."""


class Hyperparameter(NamedTuple):
    """A numeric argument of a factory: a value to try, its interval, and if it takes schedules.

    `allowed` is an interval: `"[0, 1)"`, `"[0, inf)"`, `"(0, inf)"`.
    """

    value: float
    allowed: str = "[0, inf)"
    schedule: bool = False

    @property
    def bounds(self) -> tuple[float, float]:
        """The two ends of the interval."""
        low, high = self.allowed[1:-1].split(",")
        return float(low), float(high)

    @property
    def lowest(self) -> float:
        """The lower end if it is allowed, as for β = 0 and ε = 0; else the value to try."""
        return self.bounds[0] if self.allowed.startswith("[") else self.value

    def spread(self, number: int) -> np.ndarray:
        """Return allowed values from near the lower end up to the value to try, in float32."""
        low = max(self.bounds[0], 0.0) if math.isinf(self.bounds[0]) else self.bounds[0]
        return np.asarray(low + (self.value - low) * np.linspace(0, 1, number + 1)[1:], "float32")

    def outside(self) -> list[float]:
        """Return values that are not allowed: one beyond each end, and NaN."""
        low, high = self.bounds
        below = [low - 1.5 if self.allowed.startswith("[") else low] * math.isfinite(low)
        above = [high if self.allowed.endswith(")") else high + 1.5]
        unknown = math.isinf(low) and math.isinf(high)  # an interval that nobody stated
        return [math.nan] if unknown else [*below, *above, math.nan]


@dataclass(frozen=True, eq=False, repr=False)
class Subject:
    """A factory and the options of `check` as attributes."""

    make: Callable[..., optax.GradientTransformation]
    arguments: Mapping[str, Any] = field(default_factory=dict)
    hyperparameters: Mapping[str, Any] = field(default_factory=dict)
    needs_params: bool = False
    run_compiled: bool = False
    extra_args: Callable[[Any], Mapping[str, Any]] | None = None
    takes: Literal["gradient", "magnitude"] = "gradient"
    gives: Literal["update", "magnitude", "matrix"] = "update"
    accumulators: Mapping[str, str] = field(default_factory=dict)
    unmixed: Sequence[str] = ()
    around: Callable[[optax.GradientTransformation], optax.GradientTransformation] | None = None
    reference: Callable[..., Any] | None = None
    condition: Callable[..., Any] | None = None
    peer: Callable[..., optax.GradientTransformation] | None = None
    exceptions: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self):
        validate.function(make=self.make)
        validate.mapping(arguments=self.arguments, hyperparameters=self.hyperparameters)
        for name, given in self.hyperparameters.items():
            if not isinstance(given, tuple | list) or not 1 <= len(given) <= 3:
                raise TypeError(
                    f"hyperparameters must be {{name: (value, allowed)}}, got {name!r}: {given!r}. "
                    'Try (0.9, "[0, 1)").'
                )
        named = {name: Hyperparameter(*given) for name, given in self.hyperparameters.items()}
        object.__setattr__(self, "hyperparameters", named)

    def __repr__(self) -> str:
        words = [f"{name}={value!r}" for name, value in self.arguments.items()]
        return f"{getattr(self.make, '__name__', self.make)}({', '.join(words)})"

    @property
    def values(self) -> dict[str, float]:
        """The value to try of each hyperparameter, as float32 holds it."""
        return {name: float(np.float32(h.value)) for name, h in self.hyperparameters.items()}

    @property
    def typed(self) -> dict[str, float]:
        """The value to try of each hyperparameter, as it was typed: 0.999, not float32's."""
        return {name: h.value for name, h in self.hyperparameters.items()}

    @property
    def lowest(self) -> dict[str, float]:
        """The smallest value allowed of each hyperparameter: β = 0, ε = 0, τ = 0."""
        return {name: h.lowest for name, h in self.hyperparameters.items()}

    def build(self, **values: Any) -> optax.GradientTransformationExtraArgs:
        """Build the transformation with `values`, and for the others with the values to try."""
        tx = self.make(**{**self.arguments, **self.values, **values})
        if not self.run_compiled:
            return optax.with_extra_args_support(tx)
        given = {**self.values, **values}
        fixed = {name: x for name, x in given.items() if not _is_number(x)}
        numbers = {name: x for name, x in given.items() if name not in fixed}
        step = self._whole_step if not fixed else self._step_with(fixed)
        return optax.GradientTransformationExtraArgs(tx.init, functools.partial(step, numbers))

    def update(self, tx: Any, gradients: Any, state: Any, params: Any, **extra_args: Any) -> Any:
        """Take one step with the extra arguments that the options name."""
        needed = self.extra_args(params) if self.extra_args is not None else {}
        return optax.with_extra_args_support(tx).update(
            gradients, state, params, **{**needed, **extra_args}
        )

    def run(self, tx: Any, params: Any, gradients: Any, state: Any = None) -> tuple[list, Any]:
        """Return the updates for some gradients at fixed parameters, and the last state."""
        state = tx.init(params) if state is None else state
        updates = []
        for gradient in gradients:
            update, state = self.update(tx, gradient, state, params)
            updates.append(update)
        return updates, state

    @functools.cached_property
    def compiled(self) -> tuple[Callable, list]:
        """A jitted step, hyperparameters as data and the state donated, and the list of traces."""
        traces: list[None] = []

        @functools.partial(jax.jit, donate_argnums=2, keep_unused=True)
        def step(values, gradients, state, params):
            traces.append(None)
            return self.update(self.build(**values), gradients, state, params)

        return step, traces

    @functools.cached_property
    def _whole_step(self) -> Callable:
        """A jitted step, because without `jit` every loop inside would be compiled anew."""
        return self._step_with({})

    def _step_with(self, fixed: Mapping[str, Any]) -> Callable:
        """Return a jitted step with arguments that are no data: schedules and dtypes."""

        @functools.partial(jax.jit, static_argnames=_FUNCTIONS)
        def step(values, gradients, state, params=None, **extra_args):
            tx = optax.with_extra_args_support(self.make(**{**self.arguments, **fixed, **values}))
            return tx.update(gradients, state, params, **extra_args)

        return step


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | complex | np.generic | np.ndarray | jax.Array)
