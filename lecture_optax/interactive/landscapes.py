"""Losses of two parameters whose paths can be drawn.

Every landscape is a function of its parameters θ and of its controls, which are data: a condition
number or a rotation that changes needs no new program.
"""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ..theory.probes.replay import float64
from .handles import Handle

EXAMPLES = 64
"""The number of examples of most landscapes that have examples, and the largest batch."""

Controls = Mapping[str, Any]


@dataclass(frozen=True)
class Landscape:
    """A loss to descend.

    - `title`, `formula`: for the page.
    - `losses(θ, controls) -> (n,)`: the loss of each example; n = 1 without examples.
    - `minimum(controls) -> (2,)`: where the loss is lowest, or the saddle point.
    - `lowest`: the lowest loss, where `minimum` is a saddle point.
    - `box`: the part of the plane that is drawn: left, right, bottom, top.
    - `start`: where a path begins.
    - `controls`: the handles of the landscape itself.
    - `has_examples`: whether a step takes a batch of them; `examples`: their number.
    - `is_quadratic`: whether the predictions of the theory for quadratics hold.
    - `initial(seed)`: the parameters of a network; the plane is then drawn through the paths, and
      `minimum`, `box` and `start` do not matter.
    """

    name: str
    title: str
    formula: str
    losses: Callable[[jax.Array, Controls], jax.Array]
    minimum: Callable[[Controls], np.ndarray]
    box: tuple[float, float, float, float]
    start: tuple[float, float]
    controls: tuple[Handle, ...] = ()
    has_examples: bool = False
    is_quadratic: bool = False
    examples: int = EXAMPLES
    lowest: float | None = None
    initial: Callable[[int], np.ndarray] | None = None

    @property
    def is_network(self) -> bool:
        return self.initial is not None

    def loss(self, θ: jax.Array, controls: Controls) -> jax.Array:
        """Return the loss of all examples."""
        return self.losses(θ, controls).mean()


def grid_on(box: Any, side: int) -> jax.Array:
    """Return the points of a grid on a box, row by row from the bottom left: (side², 2)."""
    left, right, bottom, top = box
    x, y = jnp.linspace(left, right, side), jnp.linspace(bottom, top, side)
    return jnp.stack(jnp.meshgrid(x, y), -1).reshape(-1, 2)


class Curvature(NamedTuple):
    """The minimum, and the eigenvalues and eigenvectors (columns) of the Hessian, ascending."""

    minimum: np.ndarray
    values: np.ndarray
    vectors: np.ndarray


@float64()
def curvature_at_minimum(landscape: Landscape, controls: Controls) -> Curvature:
    """Return the curvature of a landscape at its minimum, in float64."""
    numbers = {name: float(value) for name, value in controls.items()}
    minimum = np.asarray(landscape.minimum(numbers), float)
    return Curvature(minimum, *np.linalg.eigh(_hessian_of(landscape)(minimum, numbers)))


@functools.cache
def _hessian_of(landscape: Landscape) -> Callable[..., jax.Array]:
    return jax.jit(jax.hessian(landscape.loss))


_CONDITION = Handle("condition", "condition number κ", "log", 1.0, 1000.0, 100.0)
_ROTATION = Handle("rotation", "rotation, degrees", "linear", 0.0, 90.0, 30.0)
_SPREAD = Handle("spread", "spread of the examples", "linear", 0.0, 2.0, 0.5)


def _turned(θ: jax.Array, controls: Controls) -> jax.Array:
    """Return the coordinates of θ along the eigenvectors: flat first, then steep."""
    angle = jnp.deg2rad(controls["rotation"])
    cos, sin = jnp.cos(angle), jnp.sin(angle)
    return jnp.stack([cos * θ[..., 0] + sin * θ[..., 1], cos * θ[..., 1] - sin * θ[..., 0]], -1)


def _parabola(θ: jax.Array, controls: Controls) -> jax.Array:
    flat, steep = jnp.moveaxis(_turned(θ, controls), -1, 0)
    return (flat**2 / controls["condition"] + steep**2) / 2


def _quadratic(θ, controls):
    return _parabola(θ, controls)[None]


@functools.cache
def _centers() -> np.ndarray:
    """Return the minima of the examples of the noisy quadratic; their mean is 0."""
    draws = np.random.default_rng(0).normal(size=(EXAMPLES, 2)).astype(np.float32)
    return (draws - draws.mean(0)) / draws.std(0)


def _noisy_quadratic(θ, controls):
    """Quadratics with different minima, less their values at 0: the lowest mean is 0."""
    centers = controls["spread"] * jnp.asarray(_centers())
    return _parabola(θ - centers, controls) - _parabola(centers, controls)


def _ravine(θ, controls):
    """A straight valley whose walls rise linearly: the gradient across says little of the way."""
    walls = jnp.sqrt(1 + (controls["steepness"] * θ[1]) ** 2) - 1
    return (θ[0] ** 2 / 20 + walls / 4)[None]


def _rosenbrock(θ, controls):
    return ((1 - θ[0]) ** 2 / 20 + controls["steepness"] * (θ[1] - θ[0] ** 2) ** 2 / 20)[None]


def _saddle(θ, controls):
    return ((θ[0] ** 2 - θ[1] ** 2) / 2 + θ[1] ** 4 / 4 + 0.25)[None]


def _zero(controls):
    return np.zeros(2)


@functools.cache
def _patients() -> tuple[np.ndarray, np.ndarray]:
    """Return two standardized measurements of 64 patients, and whether the tumour is benign."""
    from sklearn.datasets import load_breast_cancer

    data: Any = load_breast_cancer()
    rows = np.random.default_rng(0).permutation(len(data.target))[:EXAMPLES]
    x = data.data[rows][:, [1, 4]]  # mean texture and mean smoothness
    x = (x - x.mean(0)) / x.std(0)
    return x.astype(np.float32), data.target[rows].astype(np.float32)


def _logistic(θ, controls):
    x, y = _patients()
    margin = (2 * y - 1) * (x @ θ)
    return jnp.logaddexp(0.0, -margin) + 1e-2 * (θ**2).sum() / 2


@functools.cache
def _logistic_minimum() -> np.ndarray:
    (x, y), θ = _patients(), np.zeros(2)
    signed = x.astype(float) * (2 * y - 1)[:, None]
    for _ in range(20):  # Newton's method, in NumPy: a program that is being traced may ask
        p = 1 / (1 + np.exp(signed @ θ))
        slope = 1e-2 * θ - p @ signed / EXAMPLES
        curvature = 1e-2 * np.eye(2) + (signed.T * (p * (1 - p))) @ signed / EXAMPLES
        θ = θ - np.linalg.solve(curvature, slope)
    return θ


LANDSCAPES: dict[str, Landscape] = {
    landscape.name: landscape
    for landscape in (
        Landscape(
            "quadratic",
            "Quadratic",
            "(x²/κ + y²)/2, rotated",
            _quadratic,
            _zero,
            (-2.2, 2.2, -1.6, 1.6),
            (-1.8, 1.1),
            (_CONDITION, _ROTATION),
            is_quadratic=True,
        ),
        Landscape(
            "noisy_quadratic",
            "Noisy quadratic",
            "the mean of 64 quadratics with different minima",
            _noisy_quadratic,
            _zero,
            (-2.2, 2.2, -1.6, 1.6),
            (-1.8, 1.1),
            (
                Handle("condition", "condition number κ", "log", 1.0, 1000.0, 10.0),
                _ROTATION,
                _SPREAD,
            ),
            has_examples=True,
            is_quadratic=True,
        ),
        Landscape(
            "ravine",
            "Ravine",
            "x²/20 + (√(1 + (s y)²) - 1)/4",
            _ravine,
            _zero,
            (-2.2, 2.2, -1.6, 1.6),
            (-2.0, 1.2),
            (Handle("steepness", "steepness s", "log", 1.0, 100.0, 10.0),),
        ),
        Landscape(
            "rosenbrock",
            "Rosenbrock",
            "((1 - x)² + s (y - x²)²)/20",
            _rosenbrock,
            lambda controls: np.ones(2),
            (-2.0, 2.0, -0.9, 2.0),
            (-1.5, 1.5),
            (Handle("steepness", "steepness s", "log", 1.0, 100.0, 20.0),),
        ),
        Landscape(
            "saddle",
            "Saddle",
            "(x² - y²)/2 + y⁴/4 + 1/4",
            _saddle,
            _zero,
            (-2.2, 2.2, -1.6, 1.6),
            (-1.8, 0.001),
            lowest=0.0,
        ),
        Landscape(
            "logistic",
            "Logistic regression",
            "benign or malignant, of two measurements of 64 patients",
            _logistic,
            lambda controls: _logistic_minimum(),
            (-2.5, 1.0, -2.0, 1.0),
            (0.6, 0.6),
            has_examples=True,
        ),
    )
}
