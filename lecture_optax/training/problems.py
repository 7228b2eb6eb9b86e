"""The built-in problems: small, real, and available without a network.

Each is a function that returns a `Problem`. Its validation set is "valid", which a selection may
use, or "test", for one last evaluation of what was selected.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from .._core import validate
from .._core.extras import require
from .losses import cross_entropy
from .problem import Problem

SEED = 42
"""The seed of the splits and of random data: a part of a problem, not of a run."""


class BuiltIn(NamedTuple):
    """A built-in problem, with the usual number of steps and batch size."""

    build: Callable[..., Problem]
    steps: int
    batch_size: int | None

    @property
    def about(self) -> str:
        """A description in one line."""
        return (self.build.__doc__ or "").splitlines()[0].rstrip(".")


def problem_named(problem: str) -> BuiltIn:
    """Return the built-in problem of that name.

    **Raises** `ValueError` for another name, with the nearest one.

    ```python
    >>> from lecture_optax.training.problems import problem_named
    >>> print(problem_named("quadratic_deep").about)
    A noisy quadratic in 100 dimensions, a tenth of them steep

    ```
    """
    validate.one_of(*PROBLEMS, problem=problem)
    return PROBLEMS[problem]


def _named(build: Callable[..., Problem]) -> Callable[..., Problem]:
    """Return a function whose problem has its name."""

    @functools.wraps(build)
    def named(*arguments: Any, **keywords: Any) -> Problem:
        return dataclasses.replace(build(*arguments, **keywords), name=build.__name__)

    return named


@_named
def quadratic_deep(held_out: str = "valid") -> Problem:
    """A noisy quadratic in 100 dimensions, a tenth of them steep.

        ℓ(θ, x) = (θ - x)ᵀ H (θ - x) / 2,    x ~ N(0, 0.6² I),    θ(1) = (1, ..., 1)

    90 eigenvalues of H are from U(0, 1), 10 from U(30, 60), in a random basis. The loss is at least
    that of the noise, 0.18 tr H, which is about 90.

    Source: Schneider, Balles and Hennig (2019), "DeepOBS", problem `quadratic_deep`.
    """
    x = 0.6 * np.random.default_rng(SEED).normal(size=(3000, 100))
    train, valid = _split(held_out, x.astype(np.float32))
    return Problem.from_functions(init=_ones, loss=_bowl, train=train[0], valid=valid[0])


@_named
def logistic(held_out: str = "valid") -> Problem:
    """Logistic regression on breast-cancer: 30 measurements, 2 classes."""
    return _classifier("breast_cancer", (_dense(2),), held_out)


@_named
def softmax(held_out: str = "valid") -> Problem:
    """Softmax regression on digits: 64 pixels, 10 classes."""
    return _classifier("digits", (_dense(10),), held_out)


@_named
def mlp_digits(held_out: str = "valid") -> Problem:
    """A network with 64 hidden units on digits."""
    return _classifier("digits", (_dense(64), jax.nn.relu, _dense(10)), held_out)


@_named
def cnn_digits(held_out: str = "valid") -> Problem:
    """Two convolutions, 3 × 3 with 8 and 16 features, on digits."""
    convolutions = (patches, _dense(8), jax.nn.relu, _pool, patches, _dense(16), jax.nn.relu, _pool)
    return _classifier("digits", (_image, *convolutions, _flat, _dense(10)), held_out)


@_named
def mlp_diabetes(held_out: str = "valid") -> Problem:
    """Regression with 32 hidden units on diabetes; it overfits."""
    x, y = _bundled("diabetes")
    y = ((y - y.mean()) / y.std()).astype(np.float32)[:, None]
    train, valid = _standardised(*_split(held_out, x, y))
    model = _sequential(_dense(32), jax.nn.relu, _dense(1))
    return Problem.from_linen(model, train, loss=_squared_error, valid=valid)


@_named
def char_rnn(held_out: str = "valid") -> Problem:
    """The next character of Python's own documentation, by a GRU with 64 units."""
    from flax import linen as nn

    rows = _text()[: 33 * 6000].reshape(-1, 33)
    # every row once: a repeated phrase could be trained on and validated on
    once = np.sort(np.unique(rows, axis=0, return_index=True)[1])
    (train,), (valid,) = _split(held_out, rows[once])
    model = _sequential(_one_hot, nn.RNN(nn.GRUCell(64)), _dense(CHARACTERS))
    pairs = [(x[:, :-1], x[:, 1:]) for x in (train, valid)]
    return Problem.from_linen(model, pairs[0], loss=_mean_over_sequence, valid=pairs[1])


PROBLEMS: dict[str, BuiltIn] = {
    built_in.build.__name__: built_in
    for built_in in (
        BuiltIn(quadratic_deep, 600, 128),
        BuiltIn(logistic, 600, 32),
        BuiltIn(softmax, 600, 64),
        BuiltIn(mlp_digits, 2400, 64),
        BuiltIn(cnn_digits, 600, 64),
        BuiltIn(mlp_diabetes, 600, 32),
        BuiltIn(char_rnn, 800, 32),
    )
}
"""Every built-in problem by name."""


def __dir__() -> list[str]:
    return ["PROBLEMS", "BuiltIn", "problem_named", *PROBLEMS]


def patches(x: jax.Array) -> jax.Array:
    """Return the 3 × 3 neighbourhood of every pixel of (examples, height, width, features).

    It is 0 outside of the image. A convolution is then one matrix product, which a compiled loop on
    a CPU runs at full speed; `lax.conv` runs there at a tenth of it (jax#12868).
    """
    height, width = x.shape[1:3]
    padded = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    shifts = [padded[:, i : i + height, j : j + width] for i in range(3) for j in range(3)]
    return jnp.concatenate(shifts, -1)


def _pool(x: jax.Array) -> jax.Array:
    """Return the largest of 2 × 2 pixels."""
    rows, height, width, features = x.shape
    return x.reshape(rows, height // 2, 2, width // 2, 2, features).max((2, 4))


def _image(x: jax.Array) -> jax.Array:
    return x.reshape(-1, 8, 8, 1)


def _flat(x: jax.Array) -> jax.Array:
    return x.reshape(len(x), -1)


def _dense(features: int) -> Any:
    from flax import linen as nn

    return nn.Dense(features)


def _sequential(*layers: Any) -> Any:
    """Return layers in sequence; a tuple has a hash, so that equal models share a program."""
    from flax import linen as nn

    return nn.Sequential(layers)


def _classifier(data: str, layers: tuple[Any, ...], held_out: str) -> Problem:
    x, y = _bundled(data)
    train, valid = _standardised(*_split(held_out, x, y.astype(np.int32)))
    return Problem.from_linen(_sequential(*layers), train, loss="cross_entropy", valid=valid)


def _ones(key: jax.Array) -> jax.Array:
    return jnp.ones(100)


def _bowl(params: jax.Array, batch: jax.Array) -> jax.Array:
    d = params - batch
    return 0.5 * jnp.sum((d @ jnp.asarray(_hessian())) * d, -1)


def _squared_error(prediction: jax.Array, target: jax.Array) -> jax.Array:
    return jnp.sum((prediction - target) ** 2, -1)


def _mean_over_sequence(prediction: jax.Array, target: jax.Array) -> jax.Array:
    return jnp.mean(cross_entropy(prediction, target), -1)


def _one_hot(x: jax.Array) -> jax.Array:
    return jax.nn.one_hot(x, CHARACTERS)


@functools.cache
def _hessian() -> np.ndarray:
    """Return Rᵀ diag(λ) R, with R a rotation."""
    random = np.random.default_rng(SEED)
    eigenvalues = np.concatenate([random.uniform(0, 1, 90), random.uniform(30, 60, 10)])
    rotation = np.linalg.qr(random.normal(size=(100, 100)))[0]
    return (rotation.T * eigenvalues @ rotation).astype(np.float32)


CHARACTERS = 96
"""The end of a line, and ASCII from the blank to the tilde; others are read as blanks."""


@functools.cache
def _text() -> np.ndarray:
    """Return what `help("lambda")` and others print, as numbers below `CHARACTERS`."""
    from pydoc_data.topics import topics

    text = "\n".join(topics[name] for name in sorted(topics)).encode("ascii", "replace")
    code = np.frombuffer(text, np.uint8).astype(np.int32) - 31
    return np.where(code == ord("\n") - 31, 0, np.where(code > 0, code, 1))


def _bundled(name: str) -> tuple[np.ndarray, np.ndarray]:
    datasets = require("sklearn.datasets", extra="train", what="the data of built-in problems")
    return getattr(datasets, f"load_{name}")(return_X_y=True)


def _split(held_out: str, *arrays: np.ndarray) -> Any:
    """Split into training (70 %), and validation or test data (15 % each), always the same."""
    validate.one_of("valid", "test", held_out=held_out)
    rows = np.random.default_rng(SEED).permutation(len(arrays[0]))
    first, second = int(0.7 * len(rows)), int(0.85 * len(rows))
    chosen = rows[first:second] if held_out == "valid" else rows[second:]
    return tuple(x[rows[:first]] for x in arrays), tuple(x[chosen] for x in arrays)


def _standardised(train: Any, held_out: Any) -> Any:
    """Scale inputs to mean 0 and deviation 1 over the training data; constants become 0."""
    center, scale = train[0].mean(0), train[0].std(0)
    scale[scale == 0] = 1

    def standardise(data):
        return ((data[0] - center) / scale).astype(np.float32), *data[1:]

    return standardise(train), standardise(held_out)
