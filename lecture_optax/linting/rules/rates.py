"""LO101, LO102, LO103: a transformation that goes uphill, and why.

All three read the same response, to gradients and parameters of ones, for 64 updates. A leaf goes
uphill if its first update has the sign of the gradient, and nine tenths of the later ones too, so
that noise does not decide. Only then is the reason asked for.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import optax

from ..._core.current import current, states_in
from ..._core.describe import describe
from ..._core.extras import PACKAGE
from ..._core.types import Finding
from ..parts import is_rate
from ..probe import Lanes
from ..rule import Case, Rule, is_known, number, some

_STEADY = 0.9
"""The part of the updates that go uphill, from which on it is no noise."""

_UNIT = (0.5, 4.0)
"""The size of a direction of no learning rate: 1, or 3.2 of an RMSprop with decay 0.9."""

_MASKED = (
    "optax.masked, and optax.identity() in optax.multi_transform, pass the gradients of these "
    "parameters on as they are: to freeze them, take optax.multi_transform with "
    "optax.set_to_zero(); to train them, give them a learning rate."
)


def learning_rates(state: Any) -> Mapping[str, Any]:
    """Return the learning rates that a state names, by name."""
    try:
        return current(state).learning_rates
    except ValueError:  # nothing in it counts
        return {}


def is_foreign(part: Any) -> bool:
    """Return whether another library made a part of a description."""
    return part.name.startswith("<") and not part.name.startswith(f"<{PACKAGE}")


def goes_downhill(case: Case) -> bool:
    """Return whether it is a usual chain, or of this library with a learning rate and its sign."""
    if case.usual:
        return True
    parts = describe(case.tx).walk()
    if any(map(is_foreign, parts)):
        return False
    rates = [p for p in parts if p.name == "scale_by_learning_rate"]
    opaque = any(p.name.startswith(f"<{PACKAGE}") for p in parts)
    return any(p.arguments["flip_sign"] for p in rates) or opaque


def _uphill(case: Case) -> np.ndarray:
    """Return which leaves go uphill."""
    if goes_downhill(case):
        return np.zeros(len(case.paths), bool)
    found = case.first
    steady = found.uphill[0] >= _STEADY * np.maximum(found.seen[0], 1)
    return steady & (found.first[0] > 0) & (found.total[0] > 0)


def _several_rates(case: Case) -> list[str]:
    """Return the learning rates, or the minus signs, of an optimizer that has more than one."""
    rates = learning_rates(case.state)
    if len(rates) > 1:
        return [f"{name} = {number(x) if is_known(x) else '?'}" for name, x in rates.items()]
    signs = [part.name for part in case.parts if is_rate(part)]
    return signs if len(signs) > 1 else []


def _reason(case: Case) -> str:
    """Return which of the three rules has the finding, or "" for none."""
    uphill = _uphill(case)
    if uphill.any():  # by its gradient, and not by a weight decay alone
        uphill = uphill & (case.respond(Lanes(parameter=0.0)).first[0] >= 0)
    if not uphill.any():
        return ""
    if uphill.all() and _several_rates(case):
        return "LO101"
    sizes = np.abs(case.first.first[0][uphill])
    is_unit = ((_UNIT[0] <= sizes) & (sizes <= _UNIT[1])).all()
    masked = not uphill.all() and states_in(case.state, optax.MaskedState)
    return "LO102" if is_unit and (masked or not learning_rates(case.state)) else "LO103"


def _two(case: Case) -> Iterator[Finding]:
    if _reason(case) == "LO101":
        rates = _several_rates(case)
        yield Finding(
            "LO101",
            {"learning_rates": rates},
            "the optimizer goes uphill: it applies several learning rates, "
            f"{' and '.join(rates)}. Their product is the step size, and two minus signs cancel.",
            "Keep one of them; to weigh a part of the chain, use optax.scale.",
        )


def _climb(case: Case) -> tuple[float, list[str], str]:
    """Return the largest update that goes uphill, its leaves, and these in words if not all do."""
    uphill = _uphill(case)
    where = [path for path, up in zip(case.paths, uphill, strict=True) if up]
    size = float(np.abs(case.first.first[0][uphill]).max())
    return size, where, "" if uphill.all() else f" for {some(where)}"


def _none(case: Case) -> Iterator[Finding]:
    if _reason(case) == "LO102":
        size, where, whole = _climb(case)
        masked = states_in(case.state, optax.MaskedState)
        yield Finding(
            "LO102",
            {"size": size, "leaves": where},
            f"the optimizer goes uphill: it has no learning rate{whole}. For a gradient of 1 the "
            f"first update is +{number(size)}.",
            _MASKED
            if masked
            else "Chain lo.scale_by_learning_rate(1e-3) behind it, which has the minus sign.",
        )


def _ascent(case: Case) -> Iterator[Finding]:
    if _reason(case) == "LO103":
        size, where, whole = _climb(case)
        yield Finding(
            "LO103",
            {"size": size, "leaves": where},
            f"the optimizer goes uphill{whole}: its first update has the sign of the gradient, "
            f"+{number(size)} for a gradient of 1.",
            "Is the learning rate negative, or is optax.scale(rate) meant to be "
            "optax.scale_by_learning_rate(rate)? To climb on purpose, negate the loss.",
        )


TWO_RATES = Rule("LO101", "two learning rates", (), _two)
NO_RATE = Rule("LO102", "no learning rate", (), _none)
ASCENT = Rule("LO103", "ascent", (), _ascent)
