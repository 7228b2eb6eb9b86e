"""The problems on which the recipe is measured, in groups.

- `development`, on which the first edition was developed. `tables.py`: tables and formulas;
  `networks.py`: networks on digits and functions; `scales.py`: unusual units, few examples, an
  equation; `sequences.py`: text;
- `fresh`, which were fixed before any search ran on them: `fresh.py`.
"""

from .fresh import FRESH
from .networks import NETWORKS
from .parts import Case as Case, Task as Task
from .scales import SCALES
from .sequences import SEQUENCES
from .tables import TABLES

GROUPS: dict[str, dict[str, Case]] = {
    "development": {**TABLES, **SCALES, **NETWORKS, **SEQUENCES},
    "fresh": FRESH,
}

CASES: dict[str, Case] = {name: case for group in GROUPS.values() for name, case in group.items()}
