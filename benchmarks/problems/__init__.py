"""The problems on which the recipe was developed.

- `tables.py`: tables and formulas; `networks.py`: networks on digits and functions;
- `scales.py`: unusual units, few examples, an equation; `sequences.py`: text.
"""

from .networks import NETWORKS
from .parts import Case as Case, Task as Task
from .scales import SCALES
from .sequences import SEQUENCES
from .tables import TABLES

CASES: dict[str, Case] = {**TABLES, **SCALES, **NETWORKS, **SEQUENCES}
