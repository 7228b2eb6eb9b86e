"""The learning rate of a run as it was typed, from the rounded and decayed ones of its log."""

import math

import numpy as np

ROUNDING = 1.2e-7
"""The relative error of a rate that went through float32."""

LINE = 10 * ROUNDING
"""The relative error of a rate that was continued from two rounded ones."""

STRAIGHT = 1e-3
"""Three rates are on a line if the middle one is off by less than .001 of their decay."""

SKIPPED = 0.01
"""A decay continued backwards is too high by less than .01 for the steps that mixed precision
skipped: its schedule did not move then."""

DIGITS = 2
"""The significant digits of a rate that may be guessed between two logged ones."""


def largest_logged(rates: np.ndarray) -> float:
    """Return the largest learning rate in a log, as it was typed, or NaN without one."""
    known = rates[np.isfinite(rates) & (rates > 0)]
    return as_typed(float(known.max())) if len(known) else math.nan


def largest_rate(steps: np.ndarray, rates: np.ndarray) -> float:
    """Return the largest learning rate of a run, or NaN without one.

    A row has the learning rate of the last step of its window, or of the step after it, so the
    largest may be between two rows. The lines through the rows beside it bound it: on a piecewise
    linear schedule it is where they meet. The shortest decimal between the bounds is taken.
    """
    known = np.isfinite(rates) & (rates > 0)
    steps, rates = steps[known], rates[known]
    if not len(rates):
        return math.nan
    top = int(np.argmax(rates))
    largest = as_typed(float(rates[top]))
    if len(rates) < top + 2 or rates[top + 1] == rates[top]:
        return largest  # it was constant, or never decreased
    low, high = _before(steps, rates) if top == 0 else _between(steps, rates, top)
    if _is_straight(steps[top + (top > 0) :], rates[top + (top > 0) :]):
        found = shortest_decimal(low, high) or shortest_decimal(largest, largest)
        return found or shortest_decimal(low * (1 - SKIPPED), high) or as_typed(low)
    return shortest_decimal(largest, high) or largest


def _before(steps: np.ndarray, rates: np.ndarray) -> tuple[float, float]:
    """Continue a decay back to its first step, as that of the first or of the second update."""
    width = steps[1] - steps[0]
    slope = (rates[0] - rates[1]) / width
    first = min(steps[0], width)
    return float(rates[0] + slope * max(first - 1, 0)), float(rates[0] + slope * first)


def _between(steps: np.ndarray, rates: np.ndarray, top: int) -> tuple[float, float]:
    """Return where a warm-up and a decay meet, on either side of the largest logged rate."""
    steps, rates = np.append(0, steps), np.append(0.0, rates)
    found = [float(rates[top + 1])]
    for last in (top, top + 1):  # the last row of the warm-up
        if last > 0 and last + 2 < len(rates):
            meets = _meeting(steps[last - 1 : last + 3], rates[last - 1 : last + 3])
            found += [] if meets is None else [meets]
    return max(found) * (1 - STRAIGHT), max(found) * (1 + STRAIGHT)


def _meeting(k: np.ndarray, rate: np.ndarray) -> float | None:
    """Return where the line up through two rates and the line down through the next two meet."""
    if k[1] == k[0]:
        return None
    up, down = (rate[1] - rate[0]) / (k[1] - k[0]), (rate[3] - rate[2]) / (k[3] - k[2])
    if not up > 0 > down:
        return None
    step = k[1] + (rate[2] - rate[1] - down * (k[2] - k[1])) / (up - down)
    return float(rate[1] + up * (step - k[1])) if k[1] <= step <= k[2] else None


def _is_straight(steps: np.ndarray, rates: np.ndarray) -> bool:
    """Return whether the first three rates are on a line that decreases."""
    if len(rates) < 3 or rates[2] >= rates[0]:
        return False
    middle = np.interp(steps[1], steps[[0, 2]], rates[[0, 2]])
    return bool(abs(middle - rates[1]) <= STRAIGHT * (rates[0] - rates[2]))


def as_typed(rate: float) -> float:
    """Return the number with the fewest digits that rounds to the same one in float32.

    ```python
    >>> import numpy as np
    >>> from lecture_optax.recipe.diagnosis.logs.rates import as_typed
    >>> float(np.float32(1e-4)), as_typed(float(np.float32(1e-4)))
    (9.999999747378752e-05, 0.0001)

    ```
    """
    for digits in range(1, 17):
        short = float(f"{rate:.{digits - 1}e}")
        if abs(short - rate) <= ROUNDING * rate:
            return short
    return rate


def shortest_decimal(low: float, high: float) -> float | None:
    """Return the number of at most two significant digits in [low, high], or None.

    ```python
    >>> from lecture_optax.recipe.diagnosis.logs.rates import shortest_decimal
    >>> shortest_decimal(9.97e-5, 1.004e-4), shortest_decimal(0.123, 0.124)
    (0.0001, None)

    ```
    """
    low, high = low * (1 - LINE), high * (1 + LINE)
    for digits in range(1, DIGITS + 1):
        unit = 10.0 ** (math.floor(math.log10(high)) - digits + 1)
        number = float(f"{math.floor(high / unit * (1 + 1e-12)) * unit:.{digits - 1}e}")
        if low <= number <= high:
            return number
    return None
