"""What is allowed, and still most often a mistake? Said as a warning, before a run starts."""

import jax

from .closures import uphill_message
from .mean_check import sum_message
from .optimizer_checks import horizon_messages
from .overlap import overlap_message, shared_rows
from .program import Program
from .step import Carry


def doubts(program: Program, carry: Carry, steps: int) -> list[str]:
    """An optimizer that climbs, a schedule of another length, shared rows, a loss that is a sum."""
    problem, found = program.problem, horizon_messages(program.optimizer, steps)
    climbs = uphill_message(program.optimizer.update)
    found += [climbs] if climbs else []
    if problem.valid is not None:
        shared = shared_rows(problem.train, problem.valid)
        rows = len(jax.tree.leaves(problem.valid)[0])
        found += [overlap_message(shared, rows)] if shared else []
    message = sum_message(problem, carry.params, carry.model_state)
    return [*found, message] if message else found
