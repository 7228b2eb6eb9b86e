"""Problems that are defined elsewhere: plain functions in the files of a folder.

A file `problems*.py` has tables `P`, `P2`, ...: dicts of functions that return an object with
`init`, `loss`, `train`, `valid`, `batch_size` and `steps`. They have no test set.
"""

import importlib
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from lecture_optax.training import Problem

from .parts import Case, Task


def cases_in(folder: Path) -> dict[str, Case]:
    """Return the problems of a folder by name."""
    sys.path.insert(0, str(folder))
    cases = {}
    for path in sorted(folder.glob("problems*.py")):
        module = importlib.import_module(path.stem)
        own = {n: f for n, f in vars(module).items() if getattr(f, "__module__", "") == path.stem}
        for table in [x for n, x in vars(module).items() if n.startswith("P") and type(x) is dict]:
            cases |= {n: _case(f) for n, f in table.items() if n in own}
    sys.path.remove(str(folder))
    return cases


def _case(make: Callable[[], Any]) -> Case:
    given = make()
    return Case(partial(_task, make), given.steps, given.batch_size)


def _task(make: Callable[[], Any]) -> Task:
    given = make()
    parts = {"init": given.init, "loss": given.loss, "train": given.train, "valid": given.valid}
    return Task(Problem.from_functions(**parts), None)
