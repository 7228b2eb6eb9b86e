"""A small network on handwritten digits, and the plane on which its paths are drawn.

The network is a landscape with 1,210 parameters. Its paths are drawn on the plane of their two
principal axes, which all methods of a run share.
"""

import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .landscapes import Controls, Landscape, grid_on
from .simulation import Trace

INPUTS, HIDDEN, CLASSES = 64, 16, 10
DIGITS = 512
GRID = 61
"""Points of a side of the grid on which the loss is drawn."""

_SHAPES = (INPUTS, HIDDEN), (HIDDEN,), (HIDDEN, CLASSES), (CLASSES,)
_ENDS = np.cumsum([np.prod(shape) for shape in _SHAPES])
_POINTS = 100  # of a path, for its principal axes
_MARGIN = 1.3  # the side of the box, in widths of what it shows
_ASPECT = 4.4 / 3.2  # the same as of the other landscapes


@functools.cache
def _digits() -> tuple[np.ndarray, np.ndarray]:
    """Return images of 8 x 8 pixels in [0, 1], and what they show."""
    from sklearn.datasets import load_digits

    data: Any = load_digits()
    rows = np.random.default_rng(0).permutation(len(data.target))[:DIGITS]
    return (data.data[rows] / 16).astype(np.float32), data.target[rows]


def _layers(θ: jax.Array) -> list[jax.Array]:
    return [x.reshape(s) for x, s in zip(jnp.split(θ, _ENDS[:-1]), _SHAPES, strict=True)]


def _cross_entropy(θ: jax.Array, controls: Controls) -> jax.Array:
    x, y = _digits()
    w1, b1, w2, b2 = _layers(θ)
    logits = jnp.tanh(x @ w1 + b1) @ w2 + b2
    return -jax.nn.log_softmax(logits)[np.arange(DIGITS), y]


@functools.lru_cache(16)
def _initial(seed: int) -> np.ndarray:
    """Return weights of variance 1/inputs, and no biases."""
    draw = np.random.default_rng(seed)
    layers = [
        draw.normal(size=shape) / np.sqrt(shape[0]) if len(shape) == 2 else np.zeros(shape)
        for shape in _SHAPES
    ]
    return np.concatenate([layer.ravel() for layer in layers]).astype(np.float32)


NETWORK = Landscape(
    "digits",
    "Network on digits",
    f"cross-entropy of {DIGITS} digits, {INPUTS}-{HIDDEN}-{CLASSES}: {_ENDS[-1]:,} parameters",
    _cross_entropy,
    lambda controls: np.full(2, np.nan),
    (-1.0, 1.0, -1.0, 1.0),
    (0.0, 0.0),
    has_examples=True,
    examples=DIGITS,
    initial=_initial,
)


def on_a_plane(traces: Sequence[Trace]) -> tuple[list[Trace], dict[str, Any], np.ndarray]:
    """Return the traces with their paths in coordinates of a plane, the plane, and its losses.

    The plane goes through the mean of the paths, along their two principal axes. `explained` is
    the share of the variance of the paths that it shows.
    """
    points = np.concatenate([_usable(trace) for trace in traces])
    center, axes, explained = _principal_axes(points)
    ends = np.mean([_usable(trace)[-1] for trace in traces], 0)
    rightward, upward = axes @ (ends - points[0]), axes @ (points[0] - center)
    axes = axes * np.where([rightward[0] < 0, upward[1] < 0], -1, 1)[:, None]

    def coordinates(path: Any) -> np.ndarray:
        with np.errstate(all="ignore"):  # a path that diverged
            return (np.asarray(path) - center) @ axes.T

    flat = [
        trace._replace(path=coordinates(trace.path), average=coordinates(trace.average))
        for trace in traces
    ]
    box = _box_around(coordinates(points))
    plane = {
        "box": box,
        "grid": GRID,
        "minimum": None,
        "eigenvalues": [],
        "eigenvectors": [],
        "explained": explained,
    }
    return flat, plane, np.asarray(_loss_on(np.array(box, np.float32), center, axes))


def _usable(trace: Trace) -> np.ndarray:
    """Return points of a path, without those of a divergence: they would dwarf the others."""
    loss = np.asarray(trace.loss)
    points = np.asarray(trace.path)[loss <= 2 * loss[0]]
    return points[np.linspace(0, len(points) - 1, min(_POINTS, len(points))).astype(int)]


def _principal_axes(points: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Return the mean, the two principal axes, and the share of the variance along them."""
    center = points.mean(0)
    at_least_two = np.zeros((2, len(center)), np.float32)
    deviations = np.concatenate([points - center, at_least_two])
    _, sizes, axes = np.linalg.svd(deviations, full_matrices=False)
    total = float((sizes**2).sum())
    return center, axes[:2], float((sizes[:2] ** 2).sum()) / total if total else 1.0


def _box_around(coordinates: np.ndarray) -> tuple[float, float, float, float]:
    """Return a box of a fixed aspect, one unit for both axes, with a margin."""
    low, high = coordinates.min(0), coordinates.max(0)
    x, y = map(float, (low + high) / 2)
    width, height = map(float, high - low)
    half = max(width, height * _ASPECT, 1e-3) * _MARGIN / 2
    return x - half, x + half, y - half / _ASPECT, y + half / _ASPECT


@jax.jit
def _loss_on(box: jax.Array, center: jax.Array, axes: jax.Array) -> jax.Array:
    """Return the loss on the grid of the box, row by row from the bottom left."""

    def loss(point):
        return NETWORK.loss(center + point @ axes, {})

    return jax.lax.map(loss, grid_on(box, GRID), batch_size=GRID).reshape(GRID, GRID)
