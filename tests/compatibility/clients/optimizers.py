"""The optimizers a client is given: ours, and Optax's of the same name and arguments."""

from types import ModuleType

import optax
import pytest

ARGUMENTS = {
    "adagrad": {},
    "adam": {},
    "adamax": {},
    "adamw": {"weight_decay": 1e-2},
    "amsgrad": {},
    "nadam": {},
    "rmsprop": {"momentum": 0.9},
    "sgd": {"momentum": 0.9, "nesterov": True},
}

each_optimizer = pytest.mark.parametrize("name", ARGUMENTS)
three_optimizers = pytest.mark.parametrize("name", ["adamw", "rmsprop", "sgd"])


def build(library: ModuleType, name: str, rate: float = 0.03) -> optax.GradientTransformation:
    """`library`'s optimizer of that name, `library` being Optax or ours."""
    return getattr(library, name)(rate, **ARGUMENTS[name])
