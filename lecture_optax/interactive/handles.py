"""The range and the scale of each number that a handle changes."""

import math
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

Scale = Literal["linear", "log", "decay", "integer", "log integer"]
"""How a slider moves: "decay" is logarithmic in 1 - x, from 0 to 0.9999; "log" begins with 0 where
`low` is 0."""


@dataclass(frozen=True)
class Handle:
    """A number with its range.

    - `name`: the argument, as it is typed; `label`: in words, with the symbol of the lecture.
    - `begin`, `end`: the place of the number in the text of an optimizer, or 0.
    """

    name: str
    label: str
    scale: Scale
    low: float
    high: float
    value: float
    begin: int = 0
    end: int = 0

    def at(self, begin: int, end: int) -> "Handle":
        return replace(self, begin=begin, end=end)

    def record(self) -> dict[str, Any]:
        return asdict(self)


_RANGES: dict[str, tuple[str, Scale, float, float]] = {
    "learning_rate": ("learning rate τ", "log", 1e-5, 10.0),
    "init_value": ("first learning rate τ₀", "log", 1e-5, 10.0),
    "peak_value": ("largest learning rate", "log", 1e-5, 10.0),
    "end_value": ("last learning rate", "log", 0.0, 10.0),
    "min_value": ("smallest learning rate", "log", 0.0, 10.0),
    "max_value": ("largest learning rate", "log", 1e-5, 10.0),
    "momentum": ("momentum μ", "decay", 0.0, 0.9999),
    "decay": ("decay β", "decay", 0.0, 0.9999),
    "b1": ("β₁", "decay", 0.0, 0.9999),
    "b2": ("β₂", "decay", 0.0, 0.99999),
    "eps": ("ε", "log", 0.0, 1.0),
    "eps_root": ("ε inside the root", "log", 0.0, 1.0),
    "weight_decay": ("weight decay", "log", 0.0, 10.0),
    "damping": ("damping δ", "log", 0.0, 10.0),
    "eta": ("η of the average", "linear", 0.0, 32.0),
    "period": ("period", "log integer", 2.0, 2000.0),
    "period_factor": ("factor of the period", "linear", 1.0, 4.0),
    "peak_factor": ("factor of the largest rate", "linear", 0.1, 1.0),
    "total_steps": ("length of the schedule", "log integer", 2.0, 2000.0),
    "transition_steps": ("steps for one decay", "log integer", 1.0, 2000.0),
    "warmup_steps": ("warm-up steps", "integer", 0.0, 500.0),
    "decay_steps": ("decay steps", "log integer", 1.0, 2000.0),
    "decay_start": ("first step of the decay", "log integer", 1.0, 2000.0),
    "boundaries": ("step of a change", "log integer", 1.0, 2000.0),
    "decay_rate": ("decay rate d", "log", 1e-4, 10.0),
    "power": ("power", "linear", 0.25, 4.0),
    "factor": ("factor", "log", 0.01, 10.0),
    "max_norm": ("largest norm", "log", 1e-3, 1e3),
    "max_delta": ("largest entry", "log", 1e-3, 1e3),
}


_DECAYS = {
    "trace": "momentum μ",
    "nesterov_trace": "momentum μ",
    "first_moment": "β₁",
    "nesterov_first_moment": "β₁",
    "second_moment": "β₂",
    "infinity_moment": "β₂",
    "variance": "β₂",
}
"""The label of `decay` in the blocks of which the optimizers consist."""


def handle_for(argument: str, value: float, factory: str = "") -> Handle:
    """Return the handle of an argument of a factory; its range includes `value`."""
    label, scale, low, high = _RANGES.get(argument) or _guess(argument, value)
    if argument == "decay":
        label = _DECAYS.get(factory, label)
    return Handle(argument, label, scale, min(low, value), max(high, value), value)


def _guess(argument: str, value: float) -> tuple[str, Scale, float, float]:
    """Return a range for an argument of another library: two powers of ten on both sides."""
    label = argument.replace("_", " ")
    if isinstance(value, int):
        return label, "log integer", 0.0, 2000.0
    if value <= 0:
        return label, "linear", value - 1.0, value + 1.0
    middle = 10.0 ** round(math.log10(value))
    return label, "log", middle / 100, middle * 100
