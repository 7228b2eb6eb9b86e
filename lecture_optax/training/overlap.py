"""Which held-out rows are rows that the model is trained on?"""

from typing import Any

import jax
import numpy as np

from .data_checks import on_host

_FEW = 32
"""Entries of a row that tell most rows apart."""


def shared_rows(train: Any, valid: Any) -> list[tuple[int, int]]:
    """Pairs (row of `valid`, row of `train`) that hold the same bits, one for each row of `valid`.

    By hashes, first of a few entries of each row, then of all entries of the rows that those do
    not tell apart: one pass over a thirtieth of an image.
    """
    ours, theirs = _columns(valid), _columns(train)
    if ours is None or theirs is None:
        return []
    mine, other = np.arange(len(ours[0])), np.arange(len(theirs[0]))
    h = k = np.zeros(0, np.uint64)
    for most in (_FEW, None):
        h, k = _hashes(ours, mine, most), _hashes(theirs, other, most)
        also = _are_among(k, h)  # the many among the few: a sort of the few
        other, k = other[also], k[also]
        keep = _are_among(h, k)
        mine, h = mine[keep], h[keep]
    by_hash = dict(zip(k.tolist(), other.tolist(), strict=True))
    return [(row, by_hash[value]) for row, value in zip(mine.tolist(), h.tolist(), strict=True)]


def overlap_message(shared: list[tuple[int, int]], rows: int) -> str:
    """What a person should know of them."""
    first = shared[0]
    return (
        f"{len(shared)} of {rows} rows of valid are rows of the training data too (the first: row "
        f"{first[0]} is row {first[1]}): what is held out should not have been seen, or it "
        "flatters. Split before you augment or sort, and leave duplicates out."
    )


def _columns(rows: Any) -> list[np.ndarray] | None:
    """The bits of every array, as unsigned integers, one row an example."""
    columns = []
    for leaf in jax.tree.leaves(rows):
        x = on_host(leaf)
        if x is None:
            return None
        flat = np.ascontiguousarray(x).reshape(len(x), -1)
        columns.append(flat.view(f"u{min(flat.dtype.itemsize, 8)}"))
    return columns


def _hashes(columns: list[np.ndarray], rows: np.ndarray, most: int | None) -> np.ndarray:
    """One number a row, of `most` of its entries or of all."""
    total = np.zeros(len(rows), np.uint64)
    for x in columns:
        width = x.shape[1]
        chosen = range(width) if most is None else range(0, width, -(-width // most) or 1)
        for column in chosen:
            total = (total ^ x[rows, column]) * np.uint64(0x9E3779B97F4A7C15)
            total ^= total >> np.uint64(29)
    return total


def _are_among(values: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Which of the values are among the others."""
    if not len(others):
        return np.zeros(len(values), bool)
    ordered = np.sort(others)
    place = np.minimum(np.searchsorted(ordered, values), len(ordered) - 1)
    return ordered[place] == values
