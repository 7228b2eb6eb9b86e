"""The words of every signature."""

from typing import TypeAlias

import jax
import numpy as np
import optax
from jax.typing import DTypeLike as DTypeLike

Transformation: TypeAlias = optax.GradientTransformationExtraArgs
"""What every public factory of this library returns: a pair of pure functions, init and update."""

Scalar: TypeAlias = float | int | jax.Array | np.ndarray | np.floating | np.integer
"""A hyperparameter: a Python number, a scalar array or a tracer."""

Schedule: TypeAlias = optax.Schedule
"""A hyperparameter that is a function of the step count, 0, 1, ..."""
