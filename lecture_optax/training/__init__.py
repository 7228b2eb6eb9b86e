"""Train one model with one optimizer: what `lo.fit` is made of.

`Problem` is a model, its data and its loss, as one contract for every kind of model. `Program` is
the compiled step of a problem and an optimizer, for `lo.fit` or for your own loop, with `Carry` and
`Record` as what goes in and comes out. `problems` has problems to try; `callbacks` end a run early;
a hook is a function of an `Event`. `docs/explanation/architecture.md` has the map.
"""

from .._core import exported as _exported
from . import callbacks as callbacks, problems as problems
from .compiled.program import Program as Program
from .compiled.step import Carry as Carry, Record as Record
from .loop.nonfinite import NonFiniteError as NonFiniteError
from .loop.run import Event as Event, History as History, Run as Run
from .problem import Problem as Problem
from .result import Result as Result


def __dir__() -> list[str]:
    return _exported(globals(), "callbacks", "problems")
