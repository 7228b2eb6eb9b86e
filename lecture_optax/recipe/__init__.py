"""Search for an optimizer and its learning rate, train the model, and explain the result.

- `run`: one search; `fork`, `diagnose`: advice for your own runs; `sweep`: a grid, for studies.
- The policy is in `search/policy.py`, its numbers in `constants.py`; `population/` trains the arms,
  `checkpoint/` saves a search, `diagnosis/` and `reporting/` explain it.

`docs/explanation/architecture.md` has a map and follows one search through the code.
"""

from .._core import exported as _exported
from .diagnosis.diagnose import Diagnosis as Diagnosis, diagnose as diagnose
from .diagnosis.fork import Fork as Fork, fork as fork
from .execution.ray import RayExecutor as RayExecutor
from .grid_search.results import Row as Row, SweepResult as SweepResult
from .grid_search.sweep import sweep as sweep
from .population.arms import OPTIMIZERS as OPTIMIZERS, Arm as Arm
from .population.held_out import holdout_split as holdout_split
from .reporting.explanation import ArmRecord as ArmRecord, Explanation as Explanation
from .result import Result as Result
from .run import run as run


def __dir__() -> list[str]:
    return _exported(globals())
