"""Which statements are there? Every module that makes some, listed once."""

from importlib import import_module

from .statement import STATEMENTS, Statement

GROUPS: tuple[str, ...] = (
    "literal_slides",
    "nesterov_form",
    "worst_cases",
    "certificates",
    "acceleration",
    "quadratic_rates",
    "stability_limits",
    "heavy_ball_counterexample",
    "ode_limit",
    "bessel_solution",
    "stochastic_moments",
    "annealing",
    "rates_over_time",
    "adam",
    "adaptive_convergence",
    "symmetry",
    "conjugate_gradients",
    "full_matrix",
    "newton",
    "hypergradients",
    "edge_of_stability",
)
"""The modules of statements, in the order in which they are told."""


def statements() -> dict[str, Statement]:
    """Every statement by name, in the order of the groups."""
    for group in GROUPS:
        import_module(f"{__package__}.{group}")
    return STATEMENTS
