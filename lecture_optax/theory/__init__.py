"""The lecture's claims as executable statements, and probes that measure any Optax transformation.

A probe measures one property of a transformation: a step matrix, a stability edge. A statement
compares measured numbers with the numbers that the theory predicts. `lecture-optax theory` checks
all statements and prints a table.
"""

from .._core import exported as _exported
from . import pictures as pictures
from .claims.registry import statements as statements
from .claims.run import run as run
from .claims.statement import Finding as Finding, Statement as Statement, statement as statement
from .gauge import (
    CurvatureWatch as CurvatureWatch,
    Gauge as Gauge,
    curvature_gauge as curvature_gauge,
)
from .identification.identify import identify as identify
from .identification.result import Identification as Identification
from .probes import (
    contraction as contraction,
    iteration_matrix as iteration_matrix,
    largest_stable_curvature as largest_stable_curvature,
    lower_bound as lower_bound,
    response as response,
    stability_edge as stability_edge,
    stationary_variance as stationary_variance,
    step_matrix as step_matrix,
    worst_case as worst_case,
)


def __dir__() -> list[str]:
    return _exported(globals(), "pictures")
