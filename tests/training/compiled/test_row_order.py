"""The order of rows: permutations, full batches, and nothing but the seed and the step."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lecture_optax.training.compiled import row_order as order

KEY = jax.random.key(3)
batch_rows = jax.jit(order.batch_rows, static_argnums=(2, 3))


@functools.partial(jax.jit, static_argnums=2)
def permutation(key, epoch, rows):
    """Return all rows in the order of one epoch."""
    words = order._round_keys(key, jnp.asarray(epoch, jnp.uint32))[:, None]
    return order._permute(jnp.arange(rows, dtype=jnp.uint32), words, rows)


@pytest.mark.parametrize("rows", [1, 2, 3, 10, 97, 1437, 4096])
def test_an_epoch_is_a_permutation(rows):
    for epoch in (0, 1, 2**31 - 1):
        shuffled = np.asarray(permutation(KEY, epoch, rows))
        np.testing.assert_array_equal(np.sort(shuffled), np.arange(rows))


@pytest.mark.parametrize(("rows", "batch"), [(10, 4), (7, 7), (64, 16), (9, 5), (1, 1)])
def test_batches_are_full_and_cut_the_epochs_one_after_the_other(rows, batch):
    stream = np.concatenate([permutation(KEY, epoch, rows) for epoch in range(2 * batch + 1)])
    for step in range(2 * rows):
        expected = stream[step * batch : (step + 1) * batch]
        np.testing.assert_array_equal(batch_rows(KEY, jnp.int32(step), rows, batch), expected)


def test_steps_beyond_32_bits_of_rows_are_counted_exactly():
    rows, batch, step = 1437, 64, 2**31 - 1
    epoch, position = divmod(step * batch, rows)
    shuffled = np.asarray(permutation(KEY, epoch, rows))
    expected = shuffled[position : position + batch]
    got = batch_rows(KEY, jnp.int32(step), rows, batch)
    np.testing.assert_array_equal(got[: len(expected)], expected)


def test_every_row_comes_at_every_place_equally_often():
    rows, epochs = 6, 6000
    orders = np.asarray(jax.vmap(lambda e: permutation(KEY, e, rows))(jnp.arange(epochs)))
    counts = np.stack([np.bincount(place, minlength=rows) for place in orders.T])
    chi_square = ((counts - epochs / rows) ** 2 / (epochs / rows)).sum()
    assert chi_square < 25 + 5 * np.sqrt(2 * 25)


def test_all_orders_of_four_rows_come_equally_often():
    epochs = 12_000
    orders = np.asarray(jax.vmap(lambda e: permutation(KEY, e, 4))(jnp.arange(epochs)))
    _, counts = np.unique(orders, axis=0, return_counts=True)
    assert len(counts) == 24
    chi_square = ((counts - epochs / 24) ** 2 / (epochs / 24)).sum()
    assert chi_square < 23 + 5 * np.sqrt(2 * 23)


def test_what_needs_more_than_32_bits_is_refused_with_a_way_out():
    with pytest.raises(ValueError, match=r"100000007 examples in .* iterable of batches"):
        batch_rows(KEY, jnp.int32(0), 100_000_007, 64)


@pytest.mark.parametrize("batch", [0, 11])
def test_a_batch_of_more_rows_than_there_are_is_refused(batch):
    with pytest.raises(ValueError, match=f"a batch must have 1 to 10 examples, .* got {batch}"):
        batch_rows(KEY, jnp.int32(0), 10, batch)
