"""The selected run of a search, shown to callbacks, hooks and the log after the search.

Which arm is selected is known at the end, and arms may run in other processes. So what was recorded
of the selected one is replayed, from its first step to its last: an event at every evaluation.
"""

import dataclasses
from collections.abc import Sequence

import jax.numpy as jnp

from .._core.extras import warn
from ..training._trees import as_data
from ..training.compiled.step import Carry
from ..training.loop.evaluation import Best
from ..training.loop.loop import stopped_by
from ..training.loop.run import Callback, Event, History, Hook, Run
from ..training.preparation import Prepared
from .reporting.explanation import of_the_refit
from .result import Result


def replay(
    result: Result, prepared: Prepared, callbacks: Sequence[Callback], hooks: Sequence[Hook]
) -> str | None:
    """Call the callbacks and the hooks as `lo.fit` does; return the callback that stops, or None.

    The weights of `event.run` are those that the search returns.

    **Warns** if a callback stops the run before the step of these weights.
    """
    arm, known, losses, rates = result.selected_run
    if arm is None or not (callbacks or hooks):
        return None
    e, start = of_the_refit(result.explanation), prepared.carry
    numbers = as_data(arm.hyperparams(prepared.steps))
    carry = Carry(result.params, result.model_state, None, start.key, jnp.int32(e.step))
    run = Run(
        dataclasses.replace(prepared.program, hyperparams=numbers),
        carry,
        prepared.steps,
        tuple(int(line["step"]) for line in known.evaluations),
        prepared.valid,
        History(means=known.means),
        Best(result.params, result.model_state, e.loss, e.step, e.is_average),
    )
    for hook in hooks:
        hook(Event(run, 0, {}, None))
    lines, done, step = {int(line["step"]): line for line in known.evaluations}, 0, 0
    for step in sorted({*lines, len(losses)}):
        records = {"loss": losses[done:step], "learning_rate": rates[done:step]}
        run.history.blocks.append(records)
        if step in lines:
            run.history.evaluations.append(lines[step])
            run.stopped = stopped_by(run, callbacks)
        for hook in hooks:
            hook(Event(run, step, records, lines.get(step)))
        if run.stopped:
            break
        done = step
    if run.stopped and step < e.step:
        warn(
            f"the callback {run.stopped} stops the selected run at step {step:,}, and its weights "
            f"of step {e.step:,} are returned, as the search has run without it. To stop there, "
            "train with tx=result.optimizer."
        )
    return run.stopped
