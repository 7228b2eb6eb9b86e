"""The parameters and gradients with which the laws are checked."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ._subject import Subject

# Every number has few bits, so that float16, bfloat16 and float32 hold it exactly. The last two
# entries are the far ones: squared, they leave the range of float16 at both ends.
_PARAMETERS = np.array([0.5, -1.25, 2.0, 1.0, -3.0])
_GRADIENTS = np.array(
    [
        [1.0, -0.75, 0.0625, 2.0**-13, 512.0],
        [0.25, 1.5, -2.0, -(2.0**-12), 384.0],
        [-1.75, 0.5, 0.375, 2.0**-13, -640.0],
    ]
)


def dtypes() -> list[str]:
    """Return the names of the real dtypes to test; float64 only if x64 is enabled."""
    wide = ["float64"] if jnp.result_type(float) == jnp.float64 else []
    return ["float16", "bfloat16", "float32", *wide]


def complex_dtypes() -> list[str]:
    """Return the names of the complex dtypes to test."""
    return ["complex64", "complex128"][: len(dtypes()) - 2]


def pairs() -> list[tuple[str, str]]:
    """Return every pair of a parameter's dtype and its gradient's."""
    return [(p, g) for p in dtypes() for g in dtypes()]


def wider(dtype: str, other: str) -> jnp.dtype:
    """Return the dtype that holds both: float32 for float16 and bfloat16."""
    with jax.numpy_dtype_promotion("standard"):
        return jnp.promote_types(dtype, other)


def name_of(parameter: str, gradient: str) -> str:
    """Return the name of a pair of dtypes, as errors print it."""
    return f"{parameter} parameters, {gradient} gradients"


def paired(
    subject: Subject,
    *,
    among: list[tuple[str, str]] | None = None,
    far: bool = False,
    like: str | None = None,
) -> tuple[Any, list]:
    """Return a tree with a leaf for every pair, named for it, and three gradients.

    `among` picks pairs; those that the subject does not mix are left out. With `far`, also entries
    whose squares leave float16. `like` puts all leaves in one dtype.
    """
    among = [x for x in among or pairs() if not {*x} & {*subject.unmixed}]
    number = 5 if far else 3
    params = {name_of(p, g): jnp.asarray(_PARAMETERS[:number], like or p) for p, g in among}
    gradients = [
        {name_of(p, g): jnp.asarray(row, like or g) for p, g in among}
        for row in _sign(subject, _GRADIENTS[:, :number])
    ]
    return params, gradients


def one(subject: Subject, dtype: str = "float32") -> tuple[jax.Array, list[jax.Array]]:
    """Return a single leaf and three gradients."""
    gradients = [jnp.asarray(row, dtype) for row in _sign(subject, _GRADIENTS[:, :3])]
    return jnp.asarray(_PARAMETERS[:3], dtype), gradients


def still(gradients: list[Any]) -> list[Any]:
    """Return gradients that are zero at the start, and once more between two others."""
    zero = jax.tree.map(jnp.zeros_like, gradients[0])
    return [zero, zero, gradients[0], zero, gradients[1]]


def _sign(subject: Subject, numbers: np.ndarray) -> np.ndarray:
    return np.abs(numbers) if subject.takes == "magnitude" else numbers
