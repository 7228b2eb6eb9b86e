"""The types in every signature, named so that `help` prints their names; and `deprecated`."""

import sys

import jax
import numpy as np
import optax
from jax.typing import DTypeLike as _DTypeLike

if sys.version_info >= (3, 12):
    from typing import TypeAliasType
else:
    from typing_extensions import TypeAliasType
if sys.version_info >= (3, 13):
    from warnings import deprecated as deprecated
else:
    from typing_extensions import deprecated as deprecated

Transformation = optax.GradientTransformationExtraArgs
"""The result of every public factory: a pair of pure functions, init and update."""

Scalar = TypeAliasType("Scalar", float | int | jax.Array | np.ndarray | np.floating | np.integer)
"""A hyperparameter: a Python number, a scalar array or a tracer."""

Schedule = TypeAliasType("Schedule", optax.Schedule)
"""A hyperparameter that is a function of the step count, 0, 1, ..."""

DTypeLike = TypeAliasType("DTypeLike", _DTypeLike)
"""A dtype or its name."""

OptState = TypeAliasType("OptState", optax.OptState)
"""The state of an optimizer, ours or Optax's."""
