"""Ten problems that were chosen by somebody else, with an exhaustive grid.

They were held out from the first edition of the search. All random numbers of their data are those
of NumPy's `RandomState`, which no longer changes. The text is Python's own documentation, in lower
case (`data/corpus.txt.gz`, Python Software Foundation License). `fashion_mlp` needs the Debian
package dataset-fashion-mnist, or its files in the folder that FASHION_MNIST names.
"""

import gzip
import os
import subprocess
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from sklearn import datasets

from lecture_optax.training import Problem

from .parts import Case, Task, binary, classes, layers, network, normal, squared

CORPUS = Path(__file__).parent / "data" / "corpus.txt.gz"
IMAGES, LABELS = "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"


def cancer_raw() -> Task:
    """Logistic regression on breast-cancer as measured: columns from 1e-3 to 4e3."""
    data = datasets.load_breast_cancer()

    def init(key):
        return [(1e-4 * jax.random.normal(key, (30, 1)), jnp.zeros(1))]

    return _supervised((data.data, data.target), 341, 114, 11, init, network(), binary)


def tanh_deep() -> Task:
    """Eight narrow tanh layers whose weights are far too small: signal and gradient vanish."""
    init = layers(64, *[24] * 8, 10, gain=0.55)
    return _supervised(_digits(), 1200, 297, 12, init, network(), classes)


def fashion_mlp() -> Task:
    """Two SiLU layers on 12,000 images, with pixels in [0, 1]."""
    init = layers(784, 48, 32, 10, gain=np.sqrt(2))
    return _supervised(_fashion(12_000), 10_000, 1_000, 13, init, network(jax.nn.silu), classes)


def char_transformer() -> Task:
    """A causal block, width 24, two heads, context 32, on characters."""
    width, heads, context = 24, 2, 32
    text = gzip.decompress(CORPUS.read_bytes()).decode()
    alphabet = sorted(set(text))
    codes = np.searchsorted(alphabet, list(text)).astype(np.int32)
    windows = codes[: len(codes) // (context + 1) * (context + 1)].reshape(-1, context + 1)
    mask = np.tril(np.ones((context, context), bool))

    def init(key):
        k = jax.random.split(key, 6)
        return {
            "token": 0.1 * jax.random.normal(k[0], (len(alphabet), width)),
            "place": 0.1 * jax.random.normal(k[1], (context, width)),
            "qkv": (normal(k[2], width, 3 * width), jnp.zeros(3 * width)),
            "merge": (normal(k[3], width, width), jnp.zeros(width)),
            "mlp": layers(width, 2 * width, width)(k[4]),
            "head": (normal(k[5], width, len(alphabet)), jnp.zeros(len(alphabet))),
            "gain": jnp.ones((3, width)),
        }

    def norm(x, gain):
        return gain * x * jax.lax.rsqrt(jnp.mean(x * x, -1, keepdims=True) + 1e-6)

    def affine(layer, x):
        return x @ layer[0] + layer[1]

    def attention(params, x):
        parts = jnp.split(affine(params["qkv"], norm(x, params["gain"][0])), 3, -1)
        q, k, v = (a.reshape(*a.shape[:-1], heads, width // heads) for a in parts)
        scores = jnp.einsum("bqhd,bkhd->bhqk", q, k) / np.sqrt(width // heads)
        weights = jax.nn.softmax(jnp.where(mask, scores, -1e9))
        return affine(params["merge"], jnp.einsum("bhqk,bkhd->bqhd", weights, v).reshape(x.shape))

    def loss(params, batch):
        x = jax.nn.one_hot(batch[:, :-1], len(alphabet)) @ params["token"] + params["place"]
        x = x + attention(params, x)
        x = x + network(jax.nn.gelu)(params["mlp"], norm(x, params["gain"][1]))
        logits = affine(params["head"], norm(x, params["gain"][2]))
        return jnp.mean(classes(logits, batch[:, 1:]))

    return _task(windows, 2400, 300, 17, init, loss)


def spirals_resmlp() -> Task:
    """Five residual blocks without normalisation on three spirals that overlap. It overfits."""
    random = np.random.RandomState(18)
    label, radius = random.randint(0, 3, 2200), np.sqrt(random.uniform(0.02, 1, 2200))
    angle = 2 * np.pi * (label / 3 + 1.25 * radius) + 0.8 * random.randn(2200)
    x = radius[:, None] * np.stack([np.cos(angle), np.sin(angle)], 1)

    def init(key):
        k = jax.random.split(key, 7)
        return {
            "in": (normal(k[0], 2, 32), jnp.zeros(32)),
            "out": (0.2 * normal(k[1], 32, 3), jnp.zeros(3)),
            "blocks": [layers(32, 32, 32, gain=np.sqrt(2))(b) for b in k[2:]],
        }

    def apply(params, x):
        h = x @ params["in"][0] + params["in"][1]
        for block in params["blocks"]:
            h = h + network(jax.nn.relu)(block, jax.nn.relu(h))
        return h @ params["out"][0] + params["out"][1]

    return _supervised((x, label), 1000, 600, 19, init, apply, classes)


def valleys() -> Task:
    """Twelve Rosenbrock valleys with walls from 1 to 300, in one batch: no noise at all."""
    rows = np.arange(12, dtype=np.int32), np.float32(np.logspace(0, np.log10(300), 12))

    def init(key):
        x = -1.0 + 0.2 * jax.random.normal(key, (12,))
        return jnp.stack([x, x * x], 1)

    def loss(params, batch):
        row, wall = batch
        x, y = jnp.moveaxis(jax.nn.one_hot(row, 12) @ params, -1, 0)
        return jnp.mean((1 - x) ** 2 + wall * (y - x * x) ** 2)

    return Task(Problem.from_functions(init=init, loss=loss, train=rows, valid=rows), rows)


def lsq_kappa1e5() -> Task:
    """Least squares in a rotated basis, eigenvalues from 1e-2 to 1e-7, each as important."""
    random, size, count = np.random.RandomState(20), 64, 2000
    spread = np.sqrt(np.logspace(-2, -7, size))
    basis = np.linalg.qr(random.randn(size, size))[0]
    z = random.randn(count, size)
    y = z @ random.choice([-1.0, 1.0], size) / np.sqrt(size) + 0.03 * random.randn(count)

    def init(key):
        return 0.01 * jax.random.normal(key, (size, 1))

    return _supervised(
        (z * spread @ basis, y), 1000, 500, 21, init, lambda params, x: x @ params, squared
    )


def friedman_huber() -> Task:
    """Friedman's first function with Student-t(1.5) errors; Huber loss, 300 examples."""
    x, y = datasets.make_friedman1(1100, n_features=12, noise=0.0, random_state=22)
    y = y - 14 + np.random.RandomState(23).standard_t(1.5, len(y))

    def huber(prediction, y):
        error = jnp.abs(prediction[:, 0] - y)
        return jnp.where(error < 1, 0.5 * error**2, error - 0.5)

    init, scaled = layers(12, 48, 48, 1), (x - 0.5) * np.sqrt(12)
    return _supervised((scaled, y), 300, 400, 24, init, network(jax.nn.relu), huber)


def imbalanced() -> Task:
    """One positive in ten, some labels drawn at random; it starts at the base rate."""
    x, y = datasets.make_classification(
        6000,
        20,
        n_informative=6,
        n_redundant=4,
        n_clusters_per_class=2,
        weights=[0.92],
        flip_y=0.04,
        class_sep=1.2,
        random_state=25,
    )
    odds = np.log(y.mean() / (1 - y.mean()))

    def init(key):
        hidden, (weights, bias) = layers(20, 64, 1)(key)
        return [hidden, (0.1 * weights, bias + jnp.float32(odds))]

    return _supervised((x, y), 2000, 2000, 26, init, network(jax.nn.relu), binary)


def embedding_bag() -> Task:
    """The mean of 20 word vectors; 1,500 words, most of which are rare; six classes."""
    random, words, kinds, count = np.random.RandomState(27), 1500, 6, 4200
    base = 1 / np.arange(1, words + 1) ** 0.9
    tilt = np.exp(1.0 * random.randn(kinds, words) * (np.arange(words) > 30))
    chance = base * tilt / (base * tilt).sum(1, keepdims=True)
    label = random.randint(0, kinds, count)
    bags = np.stack([random.choice(words, 20, p=chance[c]) for c in label]).astype(np.int32)

    def init(key):
        k = jax.random.split(key)
        table = 0.1 * jax.random.normal(k[0], (words, 12))
        return {"table": table, "out": (normal(k[1], 12, kinds), jnp.zeros(kinds))}

    def loss(params, batch):
        vector = jnp.mean(params["table"][batch[0]], 1)
        return jnp.mean(classes(vector @ params["out"][0] + params["out"][1], batch[1]))

    return _task((bags, label.astype(np.int32)), 3000, 600, 28, init, loss)


def _supervised(rows, train, valid, seed, init, apply, per_row) -> Task:
    x, y = rows
    target = np.asarray(y, np.int32 if per_row is classes else np.float32)

    def loss(params, batch):
        return jnp.mean(per_row(apply(params, batch[0]), batch[1]))

    return _task((np.float32(x), target), train, valid, seed, init, loss)


def _task(rows: Any, train: int, valid: int, seed: int, init: Any, loss: Any) -> Task:
    """Return a task of examples in the order of a seed: for training, validation and the test."""
    order = np.random.RandomState(seed).permutation(len(jax.tree.leaves(rows)[0]))
    cuts = np.split(order, [train, train + valid])
    first, second, third = (jax.tree.map(lambda a, cut=cut: a[cut], rows) for cut in cuts)
    return Task(Problem.from_functions(init=init, loss=loss, train=first, valid=second), third)


def _digits() -> tuple[np.ndarray, np.ndarray]:
    x, y = datasets.load_digits(return_X_y=True)
    return x / 16.0, y


def _fashion(count: int) -> tuple[np.ndarray, np.ndarray]:
    folder = _fashion_folder()
    images, labels = (gzip.decompress((folder / name).read_bytes()) for name in (IMAGES, LABELS))
    x = np.frombuffer(images, np.uint8, offset=16).reshape(-1, 784)[:count]
    return x / 255.0, np.frombuffer(labels, np.uint8, offset=8)[:count]


def _fashion_folder() -> Path:
    given = os.environ.get("FASHION_MNIST")
    folder = Path(given) if given else _installed()
    if folder is None or not (folder / IMAGES).exists():
        raise FileNotFoundError(
            f"Fashion-MNIST is missing, FASHION_MNIST is {given!r}: run `apt-get install "
            f"dataset-fashion-mnist`, or set FASHION_MNIST to a folder with {IMAGES} and {LABELS}."
        )
    return folder


def _installed() -> Path | None:
    """Return the folder in which Debian's package has the data."""
    try:
        command = ["dpkg", "-L", "dataset-fashion-mnist"]
        listing = subprocess.run(command, capture_output=True, text=True).stdout
    except FileNotFoundError:
        return None
    return next((Path(line).parent for line in listing.split() if line.endswith(IMAGES)), None)


REGRET_SET = {
    "cancer_raw": Case(cancer_raw, 1000, 64),
    "tanh_deep": Case(tanh_deep, 600, 64),
    "fashion_mlp": Case(fashion_mlp, 500, 48),
    "char_transformer": Case(char_transformer, 400, 8),
    "spirals_resmlp": Case(spirals_resmlp, 400, 32),
    "valleys": Case(valleys, 500, 12),
    "lsq_kappa1e5": Case(lsq_kappa1e5, 1000, 100),
    "friedman_huber": Case(friedman_huber, 800, 32),
    "imbalanced": Case(imbalanced, 600, 32),
    "embedding_bag": Case(embedding_bag, 600, 32),
}
