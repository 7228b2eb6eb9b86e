"""How sure is a number that a noisy curve gives? Scatter, means with errors, a trend."""

from typing import NamedTuple

import numpy as np

BLOCKS = 8
"""The error of a mean is told by so many blocks: noise that lasts for steps is in it."""

NORMAL = 1.4826
"""Standard deviations in a median absolute deviation of normal noise."""


class Estimate(NamedTuple):
    """A number and its standard error."""

    value: float
    error: float

    def exceeds(self, least: float, errors: float = 3.0) -> bool:
        """Whether it is above `least`, and above 0 by so many errors."""
        return bool(self.value > max(least, errors * self.error))

    def __str__(self) -> str:
        return f"{self.value:.3g} ± {self.error:.1g}"


def scatter(x: np.ndarray) -> float:
    """The noise of one entry, whatever the trend: 1.4826 MAD(x(k+1) - x(k)) / √2."""
    steps = np.diff(x)
    if not len(steps):
        return np.inf
    return float(NORMAL * np.median(np.abs(steps - np.median(steps))) / np.sqrt(2))


def mean(x: np.ndarray) -> Estimate:
    """The mean, and its error from the scatter of blocks; infinite for fewer than three entries."""
    if len(x) < 3:
        return Estimate(float(np.mean(x)) if len(x) else np.nan, np.inf)
    parts = blocks(x, BLOCKS)
    by_blocks = scatter(parts) / np.sqrt(len(parts))
    return Estimate(float(np.mean(x)), max(by_blocks, scatter(x) / np.sqrt(len(x))))


def blocks(x: np.ndarray, most: int) -> np.ndarray:
    """Means of at most so many equal blocks; what is left over at the front is left out."""
    return cut(x, most).mean(1)


def cut(x: np.ndarray, most: int) -> np.ndarray:
    """The blocks, one a row."""
    width = max(1, -(-len(x) // most))
    whole = len(x) // width
    return x[len(x) - whole * width :].reshape(whole, width)


def slope(x: np.ndarray) -> float:
    """Theil–Sen: the median slope of all pairs, for an entry."""
    i, j = np.triu_indices(len(x), 1)
    return float(np.median((x[j] - x[i]) / (j - i))) if len(i) else 0.0
