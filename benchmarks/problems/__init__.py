"""On what was the recipe developed? Problems that differ in scale, shape, length and trouble.

parts.py      a task: training, held-out and test rows; layers and losses
tables.py     tables and formulas, each with a trouble of its own
networks.py   deeper, longer, noisier: networks on digits and functions
scales.py     odd units: ill-conditioned, huge, tiny, few rows, no rows but an equation
sequences.py  a recurrent net, a transformer, word vectors
"""

from ...problems.networks import NETWORKS
from ...problems.parts import Case as Case, Task as Task
from ...problems.scales import SCALES
from ...problems.sequences import SEQUENCES
from ...problems.tables import TABLES

CASES: dict[str, Case] = {**TABLES, **SCALES, **NETWORKS, **SEQUENCES}
