"""The problems on which the recipe is measured, in groups.

- `development`, on which the first edition was developed. `tables.py`: tables and formulas;
  `networks.py`: networks on digits and functions; `scales.py`: unusual units, few examples, an
  equation; `sequences.py`: text;
- `fresh`, which were fixed before any search ran on them: `fresh.py`;
- `regret_set`, which were chosen by somebody else: `regret_set.py`.

`folder.py` reads problems that are defined elsewhere.
"""

from .fresh import FRESH
from .networks import NETWORKS
from .parts import Case as Case, Task as Task
from .regret_set import REGRET_SET
from .scales import SCALES
from .sequences import SEQUENCES
from .tables import TABLES

GROUPS: dict[str, dict[str, Case]] = {
    "development": {**TABLES, **SCALES, **NETWORKS, **SEQUENCES},
    "fresh": FRESH,
    "regret_set": REGRET_SET,
}

CASES: dict[str, Case] = {name: case for group in GROUPS.values() for name, case in group.items()}
