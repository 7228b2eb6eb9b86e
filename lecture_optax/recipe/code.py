"""Which Python trains the same model without a search?"""

from typing import Any

from ..training.problem import Problem
from .choose import Choice


def code_of(
    choice: Choice,
    problem: str,
    steps: int,
    batch_size: int,
    seed: int,
    kept_back: bool,
    own: list[str],
) -> str:
    """A `lo.fit` call of the program that the search ran, with the numbers that it found.

    `own` are the names of arguments that only the person has: `families`, `around`.
    """
    found = choice.found
    if found is None:
        return "# No arm was better than the start: there is nothing to train."
    build = f"arms({', '.join(f'{name}={name}' for name in own)})" if own else "arm"
    given = f"lo.recipe.hold_back({problem}, seed={seed})" if kept_back else problem
    return f"""import lecture_optax as lo

result = lo.fit(
    {given},
    tx=lo.recipe.{build},
    hyperparams={found.arm.hyperparams(steps)!r},
    steps={found.step},
    batch_size={batch_size},
    seed={seed},
    looks=0,
    keep="{"average" if found.is_average else "last"}",
)
"""


def problem_as_code(given: Any, problem: Problem, loss: Any, valid: Any) -> str:
    """How the problem is called, in the names of the arguments of `recipe.run`."""
    if isinstance(given, Problem):
        return "problem"
    name = repr(loss) if isinstance(loss, str) else "loss"
    held_out = "" if valid is None else ", valid=valid"
    return f"lo.training.Problem.from_{problem.kind}(model, data, loss={name}{held_out})"
