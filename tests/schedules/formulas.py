"""What the docstrings say, step by step, in the widest float that NumPy has."""

import numpy as np

Wide = np.longdouble  # 64 bits of mantissa on x86, so that the oracle rounds 2,000 times finer
PI = 4 * np.arctan(Wide(1))


def climbing(warmup_steps, decay, peak=None):
    """k -> decay(k - warmup_steps), after a line from 0 to decay(0)."""

    def rate(k):
        if k >= warmup_steps:
            return decay(k - warmup_steps)
        return Wide(decay(0) if peak is None else peak) * k / warmup_steps

    return rate


def constant(init_value, *, warmup_steps=0):
    return climbing(warmup_steps, lambda k: Wide(init_value))


def step(init_value, boundaries, factor=0.1, *, warmup_steps=0):
    def drops(k):
        several = isinstance(boundaries, list)
        return sum(k >= b for b in boundaries) if several else k // boundaries

    return climbing(
        warmup_steps, lambda k: Wide(init_value) * Wide(factor) ** drops(k + warmup_steps)
    )


def exponential(
    init_value, decay_rate, transition_steps=1, *, staircase=False, end_value=None, warmup_steps=0
):
    stop = (min if decay_rate > 1 else max) if end_value is not None else lambda rate, end: rate

    def decay(k):
        exponent = k // transition_steps if staircase else Wide(k) / transition_steps
        power = min(exponent * np.log(Wide(decay_rate)), 700)  # beyond every end_value, and finite
        rate = Wide(init_value) * np.exp(power)
        return stop(rate, end_value)

    return climbing(warmup_steps, decay)


def inverse_time(
    init_value, decay_rate=1.0, power=1.0, *, transition_steps=1, staircase=False, warmup_steps=0
):
    def decay(k):
        units = k // transition_steps if staircase else Wide(k) / transition_steps
        return init_value / (1 + Wide(decay_rate) * units) ** power

    return climbing(warmup_steps, decay)


def left_of(k, start, end):
    """Which part of a phase is left, subtracted in integers."""
    return Wide(max(end - k, 0)) / max(end - start, 1)


def down(left):
    """(1 + cos(π x)) / 2 without its cancellation where little is left."""
    return np.sin(PI / 2 * left) ** 2


def falling(weight):
    """A fall from `init_value` to `end_value` by a weight of the part that is left."""

    def schedule(init_value, total_steps, end_value=0.0, power=2, *, warmup_steps=0):
        def decay(k):
            left = weight(left_of(k, 0, total_steps - warmup_steps), power)
            return end_value + (Wide(init_value) - end_value) * left

        return climbing(warmup_steps, decay, peak=init_value)

    return schedule


polynomial = falling(lambda left, power: left**power)
linear = falling(lambda left, _: left)
cosine = falling(lambda left, _: down(left))


def one_cycle(peak_value, total_steps, warmup_steps=None, *, init_value=None, end_value=None):
    top = int(0.3 * total_steps) if warmup_steps is None else warmup_steps
    first = Wide(peak_value) / 25 if init_value is None else init_value
    last = first / 10_000 if end_value is None else end_value

    def rate(k):
        if k < top:
            return peak_value + (first - peak_value) * down(left_of(k, 0, top))
        return last + (peak_value - last) * down(left_of(k, top, total_steps))

    return rate


def warm_restarts(
    peak_value,
    period,
    *,
    period_factor=1.0,
    peak_factor=1.0,
    end_value=0.0,
    cycles=None,
    warmup_steps=0,
    init_value=0.0,
):
    def rate(k):
        n, length = 0, period
        if period_factor == 1:
            n, k = divmod(k, period)
        else:
            while k >= length:
                n, k, length = n + 1, k - length, round(period * period_factor ** (n + 1))
        if cycles is not None and n >= cycles:
            return Wide(end_value)
        peak = Wide(peak_value) * Wide(peak_factor) ** n
        if k < warmup_steps:
            return init_value + (peak - init_value) * k / warmup_steps
        return end_value + (peak - end_value) * down(left_of(k, warmup_steps, length))

    return rate


def cyclic(init_value, peak_value, period, *, peak_factor=1.0):
    def rate(k):
        n, j = divmod(k, period)
        height = 2 * Wide(min(j, period - j)) / period
        return init_value + (Wide(peak_value) - init_value) * Wide(peak_factor) ** n * height

    return rate


def wsd(
    peak_value,
    total_steps=None,
    warmup_steps=0,
    decay_steps=None,
    *,
    decay_start=None,
    init_value=0.0,
    end_value=0.0,
    shape="linear",
):
    length = total_steps // 5 if decay_steps is None else decay_steps
    start = total_steps - length if decay_start is None else decay_start

    def risen(k):
        part = Wide(min(k, warmup_steps)) / warmup_steps if warmup_steps else 1
        return init_value + (Wide(peak_value) - init_value) * part

    def rate(k):
        if k < start:
            return risen(k)
        left = left_of(k, start, start + length)
        left = down(left) if shape == "cosine" else left
        return end_value + (risen(start) - end_value) * left

    return rate


def momentum_nesterov():
    return lambda k: Wide(k) / (k + 3)


def momentum_constant(condition_number):
    root = np.sqrt(Wide(condition_number))
    return lambda k: (root - 1) / (root + 1)


def silver(smoothness=1.0):
    def rate(k):
        twos = ((k + 1) & -(k + 1)).bit_length() - 1
        return (1 + (1 + np.sqrt(Wide(2))) ** (twos - 1)) / smoothness

    return rate
