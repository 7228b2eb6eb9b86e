"""The types in every signature, named so that `help` prints their names; findings; `deprecated`."""

import sys
from collections.abc import Mapping
from typing import Any, NamedTuple

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


class Finding(NamedTuple):
    """What a check, a report or an explanation says.

    - `name`: the kind of finding, like "overfitting", or the identifier of a rule, like "LO101".
    - `numbers`: the numbers behind the sentence, by name.
    - `sentence`: the finding in words, with the numbers.
    - `remedy`: what to do about it, where the sentence does not say it.
    """

    name: str
    numbers: Mapping[str, Any]
    sentence: str
    remedy: str = ""

    def __str__(self) -> str:
        return f"{self.sentence} {self.remedy}".strip()
