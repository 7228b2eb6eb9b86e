"""What does a transformation do? Measured on the transformation itself, ours or anybody's.

A probe feeds gradients, and reads what comes back; it never looks inside. It switches float64 on
by itself, compiles a step only where that is possible (a state may hold Python flags), and
where it cannot apply it says why, and which probe can.
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
