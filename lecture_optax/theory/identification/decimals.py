"""The shortest decimal inside an interval."""

import math


def shortest(low: float, high: float) -> float:
    """Return the number of the fewest digits in [low, high], the nearest to the middle of them."""
    middle = (low + high) / 2
    if not (math.isfinite(low) and math.isfinite(high)) or low <= 0 <= high or low > high:
        return 0.0 if low <= 0 <= high else middle
    if max(abs(low), abs(high)) < 1e-290:  # 10^-17 of it is 0
        return middle
    exponent = math.floor(math.log10(max(abs(low), abs(high))))
    for digits in range(17):
        found = [
            value for value in _multiples(low, high, exponent - digits) if low <= value <= high
        ]
        if found:
            return min(found, key=lambda value: abs(value - middle))
    return middle


def _multiples(low: float, high: float, exponent: int) -> list[float]:
    """Return multiples of 10^exponent near both ends and the middle, as Python reads them."""
    unit = 10.0**exponent
    near = {round(x / unit) + i for x in (low, (low + high) / 2, high) for i in (-1, 0, 1)}
    return [float(f"{n}e{exponent}") for n in near]


def shortest_decay(low: float, high: float) -> float:
    """Return the decay β of the fewest digits with 1 - β in [low, high]."""
    return 1 - high if high <= low else shortest(1 - high, 1 - low)


def digits(value: float) -> int:
    """Return the number of significant decimal digits of a number."""
    mantissa = f"{value!r}".lower().split("e")[0].replace(".", "").replace("-", "")
    return len(mantissa.strip("0")) or 1
