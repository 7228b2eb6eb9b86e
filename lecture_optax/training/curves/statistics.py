"""Noise, means with standard errors, and blocks of a curve."""

from typing import NamedTuple

import numpy as np

BLOCKS = 8
"""The error of a mean comes from this many blocks, so that noise that lasts for steps counts."""

NORMAL = 1.4826
"""Standard deviations in a median absolute deviation of normal noise."""


class Estimate(NamedTuple):
    """A number and its standard error."""

    value: float
    error: float

    def exceeds(self, least: float, errors: float = 3.0) -> bool:
        """Return whether it is above `least`, and above 0 by `errors` standard errors."""
        return bool(self.value > max(least, errors * self.error))

    def __str__(self) -> str:
        return f"{self.value:.3g} ± {self.error:.1g}"


def scatter(x: np.ndarray) -> float:
    """Return the noise of one entry without the trend: 1.4826 MAD(x(k+1) - x(k)) / √2."""
    steps = np.diff(x)
    if not len(steps):
        return np.inf
    return float(NORMAL * np.median(np.abs(steps - np.median(steps))) / np.sqrt(2))


def mean(x: np.ndarray) -> Estimate:
    """Return the mean and its error from blocks; the error of fewer than 3 entries is infinite."""
    if len(x) < 3:
        return Estimate(float(np.mean(x)) if len(x) else np.nan, np.inf)
    parts = blocks(x, BLOCKS)
    by_blocks = scatter(parts) / np.sqrt(len(parts))
    return Estimate(float(np.mean(x)), max(by_blocks, scatter(x) / np.sqrt(len(x))))


def blocks(x: np.ndarray, most: int) -> np.ndarray:
    """Return the means of at most `most` equal blocks, without a remainder at the front."""
    return cut(x, most).mean(1)


def cut(x: np.ndarray, most: int) -> np.ndarray:
    """Return the blocks, one per row."""
    width = max(1, -(-len(x) // most))
    whole = len(x) // width
    return x[len(x) - whole * width :].reshape(whole, width)
