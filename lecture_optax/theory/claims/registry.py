"""The table of all statements: the only list of the files of claims."""

from .statement import STATEMENTS, Statement


def statements() -> dict[str, Statement]:
    """Return every statement by name, in the order of the lecture."""
    from . import (  # noqa: F401, I001  the order of the table
        literal_slides,
        nesterov_form,
        worst_cases,
        certificates,
        acceleration,
        quadratic_rates,
        stability_limits,
        heavy_ball_counterexample,
        ode_limit,
        bessel_solution,
        stochastic_moments,
        annealing,
        rates_over_time,
        adam,
        adaptive_convergence,
        symmetry,
        conjugate_gradients,
        full_matrix,
        newton,
        hypergradients,
        edge_of_stability,
    )

    return STATEMENTS
