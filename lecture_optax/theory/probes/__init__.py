"""Probes: functions that measure a property of any Optax transformation.

A probe passes gradients to the transformation and reads the updates; it needs no formula. It
computes in float64 and compiles a step where that is possible (a state may contain Python flags).
If it does not apply to a transformation, it raises an error that says why and names a probe that
may apply.
"""

from .certificate import lower_bound as lower_bound, worst_case as worst_case
from .iteration import (
    contraction as contraction,
    iteration_matrix as iteration_matrix,
    largest_stable_curvature as largest_stable_curvature,
    stability_edge as stability_edge,
)
from .noise import stationary_variance as stationary_variance
from .superposition import response as response, step_matrix as step_matrix
