"""The nine laws, one file each; the first docstring line of a function states its property."""

from .._law import Law
from . import (
    equality,
    extra_args,
    hyperparameters,
    isolation,
    learning_rate,
    precision,
    resume,
    stability,
    trees,
)

_FILES = [stability, precision, hyperparameters, learning_rate, isolation]
_FILES += [trees, extra_args, resume, equality]
LAWS = {law.name: law for file in _FILES for law in vars(file).values() if isinstance(law, Law)}
"""Every law by name, in the order of their numbers. `LAWS[name](subject)` holds one of them."""
