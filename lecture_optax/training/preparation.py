"""Preparation of a run from a problem and an optimizer: every check, in one order.

`lo.fit`, `recipe.run`, `recipe.sweep` and `recipe.fork` all prepare their runs here, so that all of
them refuse the same mistakes in the same words.
"""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import jax
import optax
from jax.sharding import Mesh

from .._core import validate
from .._core.dtypes import widen
from .._core.extras import warn
from ._trees import is_stream, n_rows
from .checks.arguments import check_seed
from .checks.data import batch_message, check_rows
from .checks.likely_mistakes import likely_mistakes
from .checks.loss import check_loss
from .checks.metrics import with_metrics
from .checks.model import check_model, logits_messages, shapes_at_start
from .checks.modes import mode_messages
from .checks.optimizer import (
    check_complex_parameters,
    check_search,
    check_update,
    lint_messages,
)
from .checks.targets import check_one_target, check_targets
from .compiled.program import Program, default_batch_size, slow_in_a_loop
from .compiled.sharding import place, with_automatic_axes
from .compiled.step import Carry
from .conversion.arrays import as_arrays
from .loop.evaluation import evaluate_whole, evaluation_sizes
from .loop.loop import interval_of
from .loop.run import Source
from .loop.sources import ArraySource, IterableSource
from .loop.streams import SharedStream
from .optimizer import default_optimizer, with_average
from .problem import Problem


class Prepared(NamedTuple):
    """All that a run needs, checked and on the device.

    - `problem`: what is trained, after the split.
    - `program`, `carry`: the compiled step, and where it starts.
    - `source`: where the batches come from.
    - `valid`: the validation data, or None.
    - `steps`: the length of the run.
    - `optimizer_source`: where the optimizer comes from.
    """

    problem: Problem
    program: Program
    carry: Carry
    source: Source
    valid: Any
    steps: int
    optimizer_source: str


def prepare(
    problem: Problem,
    tx: Any,
    *,
    steps: int | None,
    epochs: int | None = None,
    batch_size: int | None = None,
    accumulate: int = 1,
    seed: int = 0,
    hyperparams: Mapping[str, Any] | None = None,
    average: Any = None,
    sample_weight: Any = None,
    mesh: Mesh | None = None,
    stream: IterableSource | SharedStream | None = None,
    split: Callable[[Problem, Any], tuple[Problem, Any]] = lambda *given: given,
    measures: bool = False,
    arms: Mapping[str, optax.GradientTransformation] | None = None,
) -> Prepared:
    """Check a problem and an optimizer, and put both on the device.

    **Arguments** as for `lo.fit`, and

    - `stream`: the iterable whose first batch is the problem's training data.
    - `split`: holds out validation data, after the data have been checked: a function of the
      problem and `sample_weight`, which returns both.
    - `measures`: whether the metrics of the problem are evaluated; a sweep reads the loss alone.
    - `arms`: for a search, the optimizers of which `tx` selects one, by name.

    **Raises** `ValueError` or `TypeError` for what does not fit together.

    **Warns** of likely mistakes: see `checks.likely_mistakes`.
    """
    check_seed(seed=seed)
    sample_weight = as_arrays(sample_weight, "sample_weight")
    size, total = size_and_steps(problem, steps, epochs, batch_size, accumulate, sample_weight)
    parts = problem.train, problem.valid, problem.start
    train, valid, own = with_automatic_axes(parts)  # the checks slice rows and call the model
    given = replace(problem, train=train, valid=valid, start=own)
    problem, sample_weight = split(given, sample_weight)
    if problem is not given:
        size = checked_batch_size(batch_size, n_rows(problem.train), accumulate)
    optimizer_source, start = "given", check_model(given, size)
    if tx is None:
        params = start.params if start else shapes_at_start(given)[0]
        tx, hyperparams, optimizer_source = default_optimizer(params, average)
    program = Program.of(
        problem,
        with_average(tx, hyperparams, average),
        batch_size=size,
        accumulate=int(accumulate),
        hyperparams=hyperparams,
        mesh=mesh,
    )
    carry = program.init(seed)
    check_target_of = check_targets(given, carry.params, carry.model_state, size)
    sizes = evaluation_sizes(problem.valid)
    check_loss(given, carry.params, carry.model_state, size, sizes)
    check_complex_parameters(program.optimizer, carry.params, carry.opt_state)
    if arms is None:
        gradient = widen(carry.params) if accumulate > 1 else carry.params
        check_update("tx", program.optimizer, gradient, carry, loops=stream is None)
    else:
        _check_arms(arms, carry)
    if stream is not None:
        is_pair = given.per_example is not None
        stream.check, stream.doubt = check_target_of, partial(batch_message, pairs=is_pair)
    for message in likely_mistakes(given, program.optimizer, carry, total):
        warn(message)
    of_modes = mode_messages(given, start, carry.model_state)
    for message in (*of_modes, *logits_messages(given, start)):
        warn(message)
    data = program.problem.train, problem.valid, sample_weight
    train, valid, sample_weight = place(data, program.home)
    if measures and valid is not None and problem.metrics:
        problem = with_metrics(problem, carry.params, carry.model_state)
        own = replace(program.problem, functions=problem.functions, metrics=problem.metrics)
        program = replace(program, problem=own)
        with warnings.catch_warnings():  # of classes that are not predicted yet, say
            warnings.simplefilter("ignore")
            evaluate_whole(problem, carry.params, carry.model_state, valid)  # refused before a run
    norms = arms is not None or interval_of(carry.params) == 1
    is_slow = stream is None and slow_in_a_loop(program, carry, train, sample_weight, norms)
    source = stream or ArraySource(train, sample_weight, is_slow)
    return Prepared(problem, program, carry, source, valid, total, optimizer_source)


def _check_arms(arms: Mapping[str, optax.GradientTransformation], carry: Carry) -> None:
    """Check the optimizers of a search one by one: its own program shows them as one."""
    check_search(carry.opt_state)
    for name, tx in arms.items():
        first = carry._replace(opt_state=jax.eval_shape(tx.init, carry.params))
        check_update(f"optimizers[{name!r}]", tx, carry.params, first)
        for message in lint_messages(tx, carry.params):
            warn(f"optimizers[{name!r}]: {message}")


def size_and_steps(
    problem: Problem,
    steps: int | None,
    epochs: int | None,
    batch_size: int | None,
    accumulate: int = 1,
    sample_weight: Any = None,
) -> tuple[int, int]:
    """Check the data, and return the size of a batch and the number of steps."""
    if is_stream(problem.train):
        raise TypeError(
            "the training data must be arrays, got an iterable of batches "
            f"({type(problem.train).__name__}), which lo.fit and lo.recipe.run take. Here, load a "
            "part of it into arrays."
        )
    is_pair = problem.per_example is not None
    check_rows(problem.train, problem.valid, sample_weight, pairs=is_pair)
    check_one_target(problem)
    rows = n_rows(problem.train)
    size = checked_batch_size(batch_size, rows, accumulate)
    if (steps is None) == (epochs is None):
        raise ValueError(
            f"give either steps or epochs, got steps={steps!r} and epochs={epochs!r}: a run has no "
            "default length."
        )
    if steps is not None:
        validate.steps(steps=steps)
        return size, int(steps)
    validate.positive(epochs=epochs)
    return size, max(1, -int(-epochs * rows // (size * int(accumulate))))  # type: ignore[operator]


def checked_batch_size(batch_size: int | None, rows: int, accumulate: int = 1) -> int:
    """Return the size of a batch: one update takes no example twice."""
    validate.steps(of="batches", accumulate=accumulate)
    if batch_size is not None:
        validate.steps(of="examples", batch_size=batch_size)
    size = default_batch_size(rows // int(accumulate)) if batch_size is None else int(batch_size)
    if size * accumulate > rows or size == 0:
        raise ValueError(
            f"one update takes batch_size * accumulate examples, {size} * {accumulate}, and there "
            f"are {rows} to train on: every batch is full and has no example twice. Take a smaller "
            "batch_size."
        )
    return size
