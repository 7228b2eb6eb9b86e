"""In which order do the rows come? A pure function of the seed and the step; nothing is stored.

The epochs are permutations, one after the other, cut into full batches: what is left of an epoch
opens the first batch of the next. So every row is seen equally often and every batch is full.

A permutation of a million rows is not kept or sorted: it is computed where it is needed, as a
cipher on the row's position. Resuming at step k needs k and nothing else.

Source: Black and Rogaway (2002), "Ciphers with arbitrary finite domains", method 3; for shuffling:
Mitchell, Stokes, Frank and Holmes (2022), "Bandwidth-optimal random shuffling for GPUs".
"""

import math

import jax
import jax.numpy as jnp

_ROUNDS = 12


def batch_rows(key: jax.Array, step: jax.Array, rows: int, batch: int) -> jax.Array:
    """The `batch` rows, out of `rows`, that step 0, 1, ... is trained on."""
    first = _first_position(step, rows, batch)
    positions = first[1] + jnp.arange(batch, dtype=jnp.uint32)
    # a batch may be longer than what is left of this epoch, but not than a whole one
    late = positions >= rows
    epochs = first[0] + jnp.arange(2, dtype=jnp.uint32)
    words = jax.vmap(lambda epoch: _round_keys(key, epoch))(epochs)
    word = jnp.where(late, words[1][:, None], words[0][:, None])
    return _permute(jnp.where(late, positions - jnp.uint32(rows), positions), word, rows)


def permutation(key: jax.Array, epoch: jax.Array | int, rows: int) -> jax.Array:
    """All rows in the order of one epoch."""
    word = _round_keys(key, jnp.asarray(epoch, jnp.uint32))[:, None]
    return _permute(jnp.arange(rows, dtype=jnp.uint32), word, rows)


def _first_position(step: jax.Array, rows: int, batch: int) -> tuple[jax.Array, jax.Array]:
    """The epoch and the position in it at which a step begins, in 32 bits.

    Steps and epochs come into line again after rows/gcd steps: only the steps since then are
    multiplied by the batch.
    """
    if not 0 < batch <= rows:
        raise ValueError(f"a batch must have 1 to {rows} rows, all that there are, got {batch}.")
    common = math.gcd(rows, batch)
    lap = rows // common
    if lap * batch >= 2**32:
        raise ValueError(
            f"{rows} rows in batches of {batch} need more than 32 bits to count: choose a "
            "batch_size that divides the number of rows, or pass an iterable of batches."
        )
    step = jnp.asarray(step).astype(jnp.uint32)
    since = (step % lap) * jnp.uint32(batch)
    epoch = (step // lap) * jnp.uint32(batch // common) + since // rows
    return epoch, since % rows


def _round_keys(key: jax.Array, epoch: jax.Array) -> jax.Array:
    return jax.random.bits(jax.random.fold_in(key, epoch), (_ROUNDS,), jnp.uint32)


def _permute(positions: jax.Array, words: jax.Array, rows: int) -> jax.Array:
    """A bijection of 0 ... rows - 1: on the smallest rectangle of them, walked until inside.

    At most √rows places of the rectangle lie outside, so a second walk is rare.
    """
    if rows == 1:
        return positions.astype(jnp.int32)
    width = math.isqrt(rows - 1) + 1
    height = -(-rows // width)

    def outside(x):
        return jnp.any(x >= rows)

    def walk(x):
        return jnp.where(x >= rows, _rounds(x, words, width, height), x)

    found = jax.lax.while_loop(outside, walk, _rounds(positions, words, width, height))
    return found.astype(jnp.int32)


def _rounds(x: jax.Array, words: jax.Array, width: int, height: int) -> jax.Array:
    """Move by a hash of the other coordinate, in turn: each half round can be undone."""
    column, row = x % width, x // width
    for i in range(0, _ROUNDS, 2):
        column = (column + _hash(row ^ words[i]) % width) % width
        row = (row + _hash(column ^ words[i + 1]) % height) % height
    return row * jnp.uint32(width) + column


def _hash(x: jax.Array) -> jax.Array:
    """The finaliser of MurmurHash3."""
    x = (x ^ (x >> 16)) * jnp.uint32(0x85EBCA6B)
    x = (x ^ (x >> 13)) * jnp.uint32(0xC2B2AE35)
    return x ^ (x >> 16)
