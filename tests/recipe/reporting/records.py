"""Explanations of searches that did not run: an arm is a list of losses."""

import numpy as np

from lecture_optax.recipe.population.curve import Evaluation
from lecture_optax.recipe.reporting.explanation import ArmRecord, Explanation

NAN = float("nan")


def record(rate, *averaged, every=10, decay=None, failed=None, optimizer="adam", raw=0.0):
    """An arm that was evaluated every so many steps."""
    evaluations = tuple(Evaluation(every * (i + 1), x + raw, x) for i, x in enumerate(averaged))
    change, at = (
        min((min(x.raw, x.averaged), x.step) for x in evaluations) if evaluations else (np.inf, 0)
    )
    return ArmRecord(
        optimizer, rate, decay, every * len(evaluations), change, at, failed, evaluations
    )


def explanation(winner, *others, step=40, is_average=True, **changed):
    """Explain a search with runs of 40 steps whose loss starts at 2."""
    loss = 2 + next(x.averaged for x in winner.evaluations if x.step == step)
    numbers = {"start": 2.0, "loss": loss, "error": 0.1, "loss_error": 0.2, "reason": "lowest"}
    numbers |= {
        "rows": 50,
        "subset_rows": 50,
        "subset_start": 2.0,
        "early_start": 2.0,
        "held_out_from_train": False,
        "steps": 40,
        "gradients": 100,
        "limit": 120,
        "evaluation_share": 0.05,
    }
    numbers |= {"optimizers": ("adam", "nesterov"), **changed}
    return Explanation((winner, *others), winner, step, is_average, **numbers)


GOOD = record(1e-2, -0.5, -0.8, -0.9, -1.0)
