"""The order of the rows: a pure function of the seed and the step, without any state.

Epochs are permutations, one after the other, cut into full batches: the rest of an epoch begins the
first batch of the next. So all rows are used equally often, and every batch is full.

A permutation of a million rows is not stored or sorted: it is computed where it is needed, as a
cipher on the row's position. Resuming at step k needs only k.

Source: Black and Rogaway (2002), "Ciphers with arbitrary finite domains", method 3; for shuffling:
Mitchell, Stokes, Frank and Holmes (2022), "Bandwidth-optimal random shuffling for GPUs".
"""

import math

import jax
import jax.numpy as jnp

_ROUNDS = 12


def batch_rows(key: jax.Array, step: jax.Array, rows: int, batch: int) -> jax.Array:
    """Return the `batch` rows, out of `rows`, of step 0, 1, ..."""
    first = _first_position(step, rows, batch)
    positions = first[1] + jnp.arange(batch, dtype=jnp.uint32)
    # a batch may be longer than the rest of this epoch, but not than a whole one
    late = positions >= rows
    epochs = first[0] + jnp.arange(2, dtype=jnp.uint32)
    words = jax.vmap(lambda epoch: _round_keys(key, epoch))(epochs)
    word = jnp.where(late, words[1][:, None], words[0][:, None])
    return _permute(jnp.where(late, positions - jnp.uint32(rows), positions), word, rows)


def _first_position(step: jax.Array, rows: int, batch: int) -> tuple[jax.Array, jax.Array]:
    """Return the epoch of a step and the position in it, in 32 bits.

    A step and an epoch begin together every rows/gcd steps: only the steps since then are
    multiplied by the batch.
    """
    if not 0 < batch <= rows:
        raise ValueError(f"a batch must have 1 to {rows} examples, the number of all, got {batch}.")
    common = math.gcd(rows, batch)
    lap = rows // common
    if lap * batch >= 2**32:
        raise ValueError(
            f"{rows} examples in batches of {batch} need more than 32 bits to count: choose a "
            "batch_size that divides the number of examples, or pass an iterable of batches."
        )
    step = jnp.asarray(step).astype(jnp.uint32)
    since = (step % lap) * jnp.uint32(batch)
    epoch = (step // lap) * jnp.uint32(batch // common) + since // rows
    return epoch, since % rows


def _round_keys(key: jax.Array, epoch: jax.Array) -> jax.Array:
    return jax.random.bits(jax.random.fold_in(key, epoch), (_ROUNDS,), jnp.uint32)


def _permute(positions: jax.Array, words: jax.Array, rows: int) -> jax.Array:
    """Return a bijection of 0 ... rows - 1: on the smallest rectangle, repeated until inside.

    At most √rows places of the rectangle lie outside, so a repetition is rare.
    """
    if rows == 1:
        return positions.astype(jnp.int32)
    width = math.isqrt(rows - 1) + 1
    height = -(-rows // width)
    found = jax.lax.while_loop(
        lambda x: jnp.any(x >= rows),
        lambda x: jnp.where(x >= rows, _rounds(x, words, width, height), x),
        _rounds(positions, words, width, height),
    )
    return found.astype(jnp.int32)


def _rounds(x: jax.Array, words: jax.Array, width: int, height: int) -> jax.Array:
    """Move each coordinate by a hash of the other, in turn: each half round is invertible."""
    column, row = x % width, x // width
    for i in range(0, _ROUNDS, 2):
        column = (column + _hash(row ^ words[i]) % width) % width
        row = (row + _hash(column ^ words[i + 1]) % height) % height
    return row * jnp.uint32(width) + column


def _hash(x: jax.Array) -> jax.Array:
    """Return the finaliser of MurmurHash3."""
    x = (x ^ (x >> 16)) * jnp.uint32(0x85EBCA6B)
    x = (x ^ (x >> 13)) * jnp.uint32(0xC2B2AE35)
    return x ^ (x >> 16)
