"""The sections of a certificate, one kind of measurement a file."""

from ..section import Section
from .after_a_nan import AFTER_A_NAN
from .compilations import COMPILATIONS
from .cost import COST
from .dtypes import TYPES
from .findings import FINDINGS
from .first_step import FIRST_STEP
from .homogeneity import HOMOGENEITY
from .identity import IDENTITY
from .laws import LAWS_KEPT
from .probes import PROBES
from .state import STATE
from .zero_gradient import ZERO_GRADIENT

SECTIONS: dict[str, Section] = {
    section.name: section
    for section in (
        LAWS_KEPT,
        TYPES,
        STATE,
        FIRST_STEP,
        ZERO_GRADIENT,
        AFTER_A_NAN,
        HOMOGENEITY,
        PROBES,
        COMPILATIONS,
        COST,
        FINDINGS,
        IDENTITY,
    )
}
"""Every section by name, in the order of the page."""
