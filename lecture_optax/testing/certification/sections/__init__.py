"""The sections of a certificate, one kind of measurement a file."""

from ..section import Section
from .compilations import COMPILATIONS
from .cost import COST
from .findings import FINDINGS
from .first_step import FIRST_STEP
from .homogeneity import HOMOGENEITY
from .laws import LAWS_KEPT
from .probes import PROBES

SECTIONS: dict[str, Section] = {
    section.name: section
    for section in (LAWS_KEPT, FIRST_STEP, HOMOGENEITY, PROBES, COMPILATIONS, COST, FINDINGS)
}
"""Every section by name, in the order of the page."""
