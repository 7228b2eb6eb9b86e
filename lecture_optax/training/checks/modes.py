"""Warnings about dropout and batch statistics that do not follow the mode of a model."""

from typing import Any, NamedTuple

import jax
import numpy as np
from jax.extend.core import Literal

from .._trees import by_path
from ..adapters.model import Watched
from ..problem import Problem
from .model import Start, way_out, words_for


class Seen(NamedTuple):
    """What a forward pass does in one mode.

    - `acting`: for every dropout layer, whether it acts.
    - `changed`: the paths of the model state that change.
    - `used`: the paths of the model state on which the prediction depends.
    - `is_random`: whether the prediction depends on the key.
    """

    acting: tuple[bool, ...]
    changed: frozenset[str]
    used: frozenset[str]
    is_random: bool


def mode_messages(problem: Problem, start: Start | None, model_state: Any) -> list[str]:
    """Return warnings about layers that act in the wrong mode; everything is traced only.

    **Raises** `ValueError` or `TypeError` for a model that fails in training.

    `model_state`: the values at the start. Statistics that are not those of a new model may be
    frozen on purpose.
    """
    if start is None or problem.watched is None:
        return []
    watched = problem.watched()
    with words_for(problem, "fails in training"):
        training = _seen(watched, start, True)
    paths = by_path(start.model_state)
    statistics = {path for path in paths if path.startswith(watched.statistics)}
    if not (training.acting or statistics or watched.flags):
        return []
    evaluating = _seen(watched, start, False)
    flag = _flag_that_matters(watched, start, training, evaluating)
    if flag is not None:
        return [_flag_message(problem, flag, watched.flags[flag])]
    is_new = all(
        np.isin(np.asarray(x), (0, 1)).all()
        for path, x in by_path(model_state).items()
        if path in statistics
    )
    found = []
    if training.acting and not any(training.acting):
        found.append(f"dropout that does not act in training: {_advice(problem)}")
    if any(evaluating.acting):
        found.append(f"dropout that acts in evaluation too: {_advice(problem)}")
    if statistics and is_new and not statistics & training.changed:
        found.append(f"batch statistics that training does not update: {_advice(problem)}")
    if statistics & training.changed and not statistics & evaluating.used:
        found.append(f"batch statistics that evaluation does not use: {_advice(problem)}")
    return [f"the model has {message}" for message in found]


def _flag_that_matters(
    watched: Watched, start: Start, training: Seen, evaluating: Seen
) -> str | None:
    """Return a keyword that switches noise or statistics and is not set, or None."""
    for name, default in watched.flags.items():
        for train, usual in ((True, training), (False, evaluating)):
            try:
                other = _seen(watched, start, train, {name: not default})
            except Exception:  # the model does not take it so
                continue
            is_other = (other.acting, other.changed, other.is_random) != (
                usual.acting,
                usual.changed,
                usual.is_random,
            )
            if is_other:
                return name
    return None


def _flag_message(problem: Problem, name: str, default: bool) -> str:
    return (
        f"the model's __call__ has the keyword {name}, {default} by default, which switches its "
        "dropout, noise or batch statistics. Training does not set it, as its name does not say "
        "how it follows the mode: call it train or deterministic, or pass "
        f"apply={way_out(problem)}, which sets {name} by train."
    )


def _advice(problem: Problem) -> str:
    return (
        "only a keyword of the outermost __call__ such as train, training, deterministic or "
        "inference (and the mode of nnx and Equinox layers) follows the mode. Give __call__ the "
        f"keyword train and use it, or pass apply={way_out(problem)}."
    )


def _seen(watched: Watched, start: Start, train: bool, others: Any = None) -> Seen:
    def forward(params, model_state, x, key):
        return watched.forward(params, model_state, x, key, train, others)

    watched.notes.clear()
    given = (start.params, start.model_state, start.batch[0], jax.random.key(0))
    program, (prediction, _) = jax.make_jaxpr(forward, return_shape=True)(*given)
    acting = tuple(watched.notes)
    sizes = [len(jax.tree.leaves(part)) for part in given]
    inputs, outputs = program.jaxpr.invars, program.jaxpr.outvars
    paths = list(by_path(start.model_state))
    state = inputs[sizes[0] : sizes[0] + sizes[1]]
    count = len(jax.tree.leaves(prediction))
    sources = _sources(program.jaxpr, outputs[:count])
    after = outputs[count:]
    same = len(after) == len(state)
    changed = [p for p, old, new in zip(paths, state, after, strict=False) if old is not new]
    return Seen(
        acting,
        frozenset(changed if same else paths),
        frozenset(p for p, x in zip(paths, state, strict=True) if x in sources),
        bool(sources & {*inputs[-sizes[3] :]}),
    )


def _sources(jaxpr: Any, outputs: Any) -> set[Any]:
    """Return all variables on which some outputs of a program depend."""
    needed = {x for x in outputs if not isinstance(x, Literal)}
    for equation in reversed(jaxpr.eqns):
        if any(x in needed for x in equation.outvars):
            needed |= {x for x in equation.invars if not isinstance(x, Literal)}
    return needed
