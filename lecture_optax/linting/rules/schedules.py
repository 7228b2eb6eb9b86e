"""LO107, LO108, LO112: a schedule that does not fit the run.

All three read τ(k) from the updates: see `linting.curve`. The first also reads the
boundaries of `optax.join_schedules` in the closure of a schedule.
"""

from collections.abc import Iterator

import numpy as np

from ..._core.types import Finding
from ..curve import FAR, Curve
from ..parts import functions_in
from ..rule import Case, Rule, number

_SLACK = 0.01
"""The part of the run, and at least one step, by which a horizon may differ from its length."""

_MATTERS = 0.05
"""The part of a decay that a run must lose for its end to matter."""

_GONE = 1e-6
"""An end value, as a part of the peak, with which the rest of a run is wasted."""


def _no_warmup(case: Case) -> Iterator[Finding]:
    for curve in case.curves:
        _, rates = _in_the_run(curve, case.steps)
        if np.isnan(rates[0]) and np.isfinite(rates[1:]).any():
            yield Finding(
                "LO107",
                {"first": float(rates[0])},
                "the first learning rate is not a number, the next one is finite: the warm-up "
                "divides 0 by its 0 steps.",
                "Make the warm-up at least one step long, or leave it out.",
            )
        elif not rates.any():
            run = f"each of the {case.steps} steps" if case.steps else "every step"
            yield Finding(
                "LO107",
                {"first": 0.0},
                f"the learning rate{_named(curve)} is 0 in {run}: nothing is trained.",
                "A warm-up of 0 steps keeps its first value: give it at least one step, or leave "
                "it out.",
            )
    for part in case.parts:
        for function in functions_in(part.numbers):
            yield from _skipped(function)


def _skipped(function) -> Iterator[Finding]:
    """Find a first phase of `optax.join_schedules` that is over before the first step."""
    if function.name != "join_schedules":
        return
    try:
        boundary = int(function.numbers["boundaries"][0])
        first, second = (float(s(0)) for s in function.numbers["schedules"][:2])
    except Exception:  # boundaries that are traced, schedules of more than a count
        return
    if boundary <= 0 and first < second:
        yield Finding(
            "LO107",
            {"first": second, "meant": first, "boundary": boundary},
            f"the warm-up from {number(first)} has {boundary} steps: the first learning rate is "
            f"{number(second)}.",
            "Make the warm-up at least one step long, or leave it out: has a part of a short run "
            "been rounded to 0?",
        )


def _horizon(case: Case) -> Iterator[Finding]:
    for curve in case.curves:
        run = -(-(case.steps or 1) // curve.every)
        end, slack = curve.end, max(1.0, _SLACK * run)
        if end and end > run + slack and _is_cut(curve, end, run):
            now = float(curve.rates(np.array([run]))[0] / _peak(curve))
            yield Finding(
                "LO108",
                {"horizon": end, "steps": run, "part_of_the_peak": now},
                f"the run ends at step {run}{_in_updates(curve)}, its learning rate"
                f"{_named(curve)} at step {end}: the schedule is cut short, at {number(now)} of "
                "its peak.",
                f"Make it for {run} steps, or make the run as long.",
            )
        elif end and end < run - slack and _is_gone(curve):
            yield Finding(
                "LO108",
                {"horizon": end, "steps": run, "wasted": run - end},
                f"the learning rate{_named(curve)} ends at step {end}, the run at step {run}"
                f"{_in_updates(curve)}: the last {run - end} steps use its end value, "
                f"{number(_last(curve))} of its peak.",
                f"Make the schedule for {run} steps.",
            )


def _is_cut(curve: Curve, end: int, run: int) -> bool:
    """Return whether a run loses a part of a schedule that was made for more steps.

    A schedule that was made for a number of steps moves until then, and not by a constant factor:
    an exponential has no end but rounding, and a staircase has none but its last stair.
    """
    apart = max(1, end // 64)
    at = np.array([end - 3 * apart, end - 2 * apart, end - apart, end, run])
    third, second, first, last, now = curve.rates(np.maximum(at, 0))
    if not np.isfinite([third, second, first, last, now]).all():
        return False
    moves = first != last and second != first
    whole = np.ptp(curve.rates(np.linspace(0, end, 32).astype(int)))
    if end < 4:
        return bool(first != last and abs(now - last) > _MATTERS * whole)
    ratios = np.log(np.maximum([third, second], 1e-45) / np.maximum([second, first], 1e-45))
    geometric = abs(ratios[0] - ratios[1]) <= 0.01 * abs(ratios[1])
    return bool(moves and not geometric and abs(now - last) > _MATTERS * whole)


def _is_gone(curve: Curve) -> bool:
    return _last(curve) <= _GONE


def _last(curve: Curve) -> float:
    return float(curve.around[1][-1] / _peak(curve))


def _peak(curve: Curve) -> float:
    """Return the largest rate that is seen."""
    end = curve.end or FAR
    return float(max(curve.rates(np.linspace(0, end, 32).astype(int)).max(), 1e-300))


def _never_moves(case: Case) -> Iterator[Finding]:
    for curve in case.curves:
        steps, rates = _in_the_run(curve, case.steps)
        constant = bool(rates[0]) and (rates == rates[0]).all()
        later, later_rates = curve.around
        moved = later[(later > steps[-1]) & (later_rates != rates[0])]
        if constant and case.steps and len(moved):
            yield Finding(
                "LO112",
                {"steps": int(steps[-1]) + 1, "moves_by": int(moved[0])},
                f"the schedule{_named(curve)} never moves in the {case.steps} steps of this run: "
                f"its first change is after step {steps[-1]}.",
                "Count its boundaries in updates of this run, not in epochs or examples.",
            )
        elif constant and curve.end == 0 and (name := _degenerate(case)):
            yield Finding(
                "LO112",
                {"factory": name},
                f"the schedule optax.{name} never moves: it was given no steps or no decay, and "
                "returns its first value at every step.",
                "Give it transition_steps of at least 1, or pass the learning rate as a number.",
            )
    if not case.usual and case.curves and not case.curves[0].name and _stands_still(case):
        yield Finding(
            "LO112",
            {"counted": 0},
            "the schedule never moves: its counter stays as it is in each of 64 updates.",
            "Return a state whose count is one more after each update.",
        )


def _degenerate(case: Case) -> str:
    """Return which factory of Optax has made a schedule that cannot move, or "" for none.

    A phase of `optax.join_schedules` may be constant.
    """
    functions = [f for part in case.parts for f in functions_in(part.numbers)]
    if any(f.name == "join_schedules" for f in functions):
        return ""
    names = {f.name for f in functions if f.is_constant}
    return min(names & {"polynomial_schedule", "exponential_decay"}, default="")


def _stands_still(case: Case) -> bool:
    moving = any(np.ptp(curve.around[1]) > 0 for curve in case.curves)
    return bool(moving and case.first.seen.any() and not case.first.counted.any())


def _in_the_run(curve: Curve, steps: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Return steps of the run, with the first and the last, and their rates."""
    if steps is None:
        return curve.around
    run = -(-steps // curve.every)
    at = np.unique(
        np.concatenate([np.arange(min(run, 8)), np.linspace(0, run - 1, 56)]).astype(int)
    )
    return at, curve.rates(at)


def _in_updates(curve: Curve) -> str:
    return f" (of updates, {curve.every} gradients each)" if curve.every > 1 else ""


def _named(curve: Curve) -> str:
    return f" {curve.name}" if curve.name else ""


NO_WARMUP = Rule("LO107", "a warm-up of no steps", (), _no_warmup)
HORIZON = Rule("LO108", "a horizon other than the run's", ("steps",), _horizon)
NEVER_MOVES = Rule("LO112", "a schedule that never moves", (), _never_moves)
