"""On what was the recipe developed? Problems that differ in scale, shape, length and trouble.

parts.py      a task: training, held-out and test rows; layers and losses
tables.py     tables and formulas, each with a trouble of its own
networks.py   deeper, longer, noisier: networks on digits and functions
scales.py     odd units: ill-conditioned, huge, tiny, few rows, no rows but an equation
sequences.py  a recurrent net, a transformer, word vectors
"""

from .networks import NETWORKS
from .parts import Case as Case, Task as Task
from .scales import SCALES
from .sequences import SEQUENCES
from .tables import TABLES

CASES: dict[str, Case] = {**TABLES, **SCALES, **NETWORKS, **SEQUENCES}
