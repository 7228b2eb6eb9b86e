"""Characters and words: a recurrent net, a transformer, word vectors.

The text is this project's licence: 11,000 characters that do not change.
"""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from .parts import Case, Task, binary, classes, layer_norm, normal, supervised, task

TEXT = Path(__file__).parents[2] / "LICENSE"
LETTERS = 28


def _text(length: int) -> np.ndarray:
    """Windows of the text, as numbers: the 27 commonest characters, and all others."""
    text = " ".join(TEXT.read_text().lower().split())
    common = sorted(set(text), key=lambda c: (-text.count(c), c))[: LETTERS - 1]
    numbers = np.int32([common.index(c) if c in common else LETTERS - 1 for c in text])
    starts = np.random.default_rng(31).integers(0, len(numbers) - length, 4000)
    return numbers[starts[:, None] + np.arange(length + 1)]


def recurrent_text() -> Task:
    """A gated recurrent unit of 16, over 10 characters."""
    size = 16

    def init(key):
        one, two, three = jax.random.split(key, 3)
        return {
            "in": 0.3 * jax.random.normal(one, (LETTERS, 3 * size)),
            "hidden": normal(two, size, 3 * size),
            "out": normal(three, size, LETTERS),
            "bias": (jnp.zeros(3 * size), jnp.zeros(LETTERS)),
        }

    def unit(params, hidden, letter):
        given = params["in"][letter] + params["bias"][0]
        update, reset, new = jnp.split(given, 3, -1)
        past = jnp.split(hidden @ params["hidden"], 3, -1)
        update, reset = jax.nn.sigmoid(update + past[0]), jax.nn.sigmoid(reset + past[1])
        return update * hidden + (1 - update) * jnp.tanh(new + reset * past[2])

    def loss(params, batch):
        hidden, losses = jnp.zeros((len(batch), size)), []
        for t in range(10):
            hidden = unit(params, hidden, batch[:, t])
            guess = hidden @ params["out"] + params["bias"][1]
            losses.append(classes(guess, batch[:, t + 1]))
        return jnp.mean(jnp.stack(losses))

    return task(_text(10), 300, init, loss)


def transformer_text() -> Task:
    """Two blocks of attention, 24 wide, over 12 characters."""
    width, length = 24, 12
    mask = jnp.tril(jnp.ones((length, length))) > 0

    def init(key):
        keys = iter(jax.random.split(key, 11))
        blocks = [
            {
                "qkv": normal(next(keys), width, 3 * width),
                "mix": normal(next(keys), width, width),
                "up": normal(next(keys), width, 2 * width),
                "down": normal(next(keys), 2 * width, width),
            }
            for _ in range(2)
        ]
        letters = 0.3 * jax.random.normal(next(keys), (LETTERS, width))
        places = 0.3 * jax.random.normal(next(keys), (length, width))
        out = normal(next(keys), width, LETTERS)
        return {"letters": letters, "places": places, "blocks": blocks, "out": out}

    def attention(block, x):
        q, k, v = jnp.split(layer_norm(x) @ block["qkv"], 3, -1)
        scores = jnp.where(mask, jnp.einsum("bsd,btd->bst", q, k) / np.sqrt(width), -1e9)
        return jnp.einsum("bst,btd->bsd", jax.nn.softmax(scores), v) @ block["mix"]

    def loss(params, batch):
        x = params["letters"][batch[:, :-1]] + params["places"]
        for block in params["blocks"]:
            x = x + attention(block, x)
            x = x + jax.nn.relu(layer_norm(x) @ block["up"]) @ block["down"]
        return jnp.mean(classes(layer_norm(x) @ params["out"], batch[:, 1:]))

    return task(_text(length), 300, init, loss)


def word_vectors() -> Task:
    """Vectors of words whose frequencies fall like 1/rank: rare words are seldom sampled."""
    random, words = np.random.default_rng(32), 120
    often = 1 / np.arange(1, words + 1)
    pairs = random.choice(words, (6600, 2), p=often / often.sum())
    true = random.normal(size=(words, 3))
    chance = 1 / (1 + np.exp(-np.sum(true[pairs[:, 0]] * true[pairs[:, 1]], 1)))
    together = random.random(6600) < chance

    def init(key):
        return [0.01 * jax.random.normal(k, (words, 8)) for k in jax.random.split(key)]

    def apply(vectors, x):
        one, other = (vectors[i][x[:, i].astype(jnp.int32)] for i in (0, 1))
        return jnp.sum(one * other, -1, keepdims=True)

    return supervised(pairs, together, 600, init, apply, binary)


SEQUENCES = {
    "recurrent_text": Case(recurrent_text, 500, 16),
    "transformer_text": Case(transformer_text, 800, 16),
    "word_vectors": Case(word_vectors, 1000, 32),
}
