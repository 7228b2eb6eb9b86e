"""Pictures of the theory, computed from the library's own transformations, one function each.

    lo.theory.pictures.three_cycle()

Every function draws on `ax=` (new axes by default), returns the axes, and does not call `show`.
Lines differ in dashes and lightness too, not only in colour. The functions need Matplotlib (the
extra `plot`).
"""

from .edges import (
    adam_at_its_edge as adam_at_its_edge,
    spectral_radius as spectral_radius,
    variance as variance,
)
from .paths import memory as memory, ode_limit as ode_limit, three_cycle as three_cycle
from .rates import annealing as annealing, worst_cases as worst_cases
