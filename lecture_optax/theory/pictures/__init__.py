"""What does it look like? One line a picture, drawn from the transformations that are shipped.

    lo.theory.pictures.three_cycle()

Every picture takes `ax=`, axes to draw on (new ones when not given), returns the axes and shows
nothing. Its lines differ in dashes and lightness, not in colour alone. Needs Matplotlib, the extra
`plot`.
"""

from .edges import (
    adam_at_its_edge as adam_at_its_edge,
    spectral_radius as spectral_radius,
    variance as variance,
)
from .paths import memory as memory, ode_limit as ode_limit, three_cycle as three_cycle
from .rates import annealing as annealing, worst_cases as worst_cases
