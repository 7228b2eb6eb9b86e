"""Collection of learning curves at all learning rates, saved in a folder.

    python -m benchmarks.diagnosis.collect_curves FOLDER [--prototype FOLDER] [--executor ...]
        [problem ...]

Adam and SGD + Nesterov at learning rates in half decades, with three seeds: the training losses and
the validation losses of the first part of a run at a constant learning rate, and the validation
loss at the end of a run whose learning rate decays linearly to 0. The runs at all learning rates
are computed side by side, on the same batches. `--prototype` adds problems from files
`problems*.py` in a folder, each a function that returns `init`, `loss`, `train`, `valid`,
`batch_size` and `steps`; their names get a `_`.
"""

import argparse
import collections
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

import lecture_optax as lo
from lecture_optax.recipe.population.arms import OPTIMIZERS, arm_optimizer
from lecture_optax.training._trees import n_rows, take_rows

from ..problems import GROUPS, Case, Task
from ..problems.folder import cases_in
from ..problems.side_by_side import Question, add_executor, answers

SEEDS = 3
RATES = tuple(range(-24, 9, 2))
"""In quarter decades: 1e-6 to 1e2 by half decades, so that siblings are a decade away."""

EVALUATIONS = (0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.25, 0.3)
"""Fractions of a run at which it is evaluated: a diagnosis is asked for early."""

RUNS = [(optimizer, 10 ** (rate / 4)) for optimizer in range(len(OPTIMIZERS)) for rate in RATES]
"""The optimizer and the learning rate of each run of a seed."""


class Bank(NamedTuple):
    """All runs of a problem; axes: optimizer, learning rate, seed, and for `losses` the step.

    A run has `steps`. Its losses and gradients are those until the last of `EVALUATIONS`, NaN from
    the first step on that was not finite. `evaluations` are validation losses at `EVALUATIONS`, of
    the raw weights and of their average; `falling` is the one at the end of a learning rate that
    decays to 0; infinite if the run diverged.
    """

    losses: np.ndarray
    gradients: np.ndarray
    evaluations: np.ndarray
    falling: np.ndarray
    start: float
    steps: int


def prepare(name: str, case: Case, task: Task) -> Callable[[int], tuple[Any, ...]]:
    """Return a function from a seed to the fields of a bank, with one axis for all runs."""
    runs = Runs(case, task)
    return lambda seed: _of_seed(runs, seed)


def bank_of(seeds: Sequence[tuple[Any, ...]], steps: int) -> Bank:
    *arrays, starts = zip(*seeds, strict=True)
    shape = len(OPTIMIZERS), len(RATES), SEEDS
    arrays = [np.stack(x, 1).reshape(*shape, *x[0].shape[1:]) for x in arrays]
    return Bank(*arrays, float(np.mean(starts)), steps)


def _of_seed(runs: "Runs", seed: int) -> tuple[Any, ...]:
    ends = [steps_at(part, runs.steps) for part in EVALUATIONS]
    first, draws = runs.start(seed)
    carry, tables, evaluations = first, [], []
    for begin, end in zip([0, *ends], ends, strict=False):
        carry, table = runs.advance(carry, draws, begin, end, decay_start=runs.steps)
        tables.append(table)
        evaluations.append(runs.held_out(carry))
    table = np.concatenate(tables, 1)
    is_finite = np.logical_and.accumulate(np.isfinite(table).all(2), 1)
    losses, gradients = np.where(is_finite[..., None], table, np.nan).transpose(2, 0, 1)
    reached = is_finite[:, np.array(ends) - 1, None]
    evaluations = np.where(reached, np.stack(evaluations, 1), np.inf)
    last, table = runs.advance(first, draws, 0, runs.steps, decay_start=0)
    falling = np.where(np.isfinite(table).all((1, 2)), runs.held_out(last)[:, 0], np.inf)
    return losses, gradients, evaluations, falling, runs.held_out(first)[0, 0]


class Runs:
    """The runs of a seed, which share the parameters at the start, the batches and the noise."""

    def __init__(self, case: Case, task: Task):
        problem, self.steps, self.batch_size = task.problem, case.steps, case.batch_size
        data, valid = jax.tree.map(jnp.asarray, (problem.train, problem.valid))
        functions, build, self.rows = problem.functions, arm_optimizer(), n_rows(data)
        optimizers, rates = map(jnp.array, zip(*RUNS, strict=True))

        def optimizer(which, rate, decay_start):
            return build(which, rate, decay_start, case.steps)

        @jax.jit
        def start(key):
            params, state = functions.init(key, take_rows(data, slice(64)))
            one = params, state, optimizer(0, 1.0, 0).init(params)
            return jax.tree.map(lambda x: jnp.stack([x] * len(RUNS)), one)

        @jax.jit
        def advance(carry, draws, begin, end, decay_start):
            batches, key = draws

            def one(carry, which, rate, batch, noise):
                params, model_state, opt_state = carry
                (loss, model_state), gradient = jax.value_and_grad(functions.loss, has_aux=True)(
                    params, model_state, batch, noise
                )
                tx = optimizer(which, rate, decay_start)
                updates, opt_state = tx.update(gradient, opt_state, params)
                params = optax.apply_updates(params, updates)
                record = jnp.stack([loss, optax.tree.norm(gradient)])
                return (params, model_state, opt_state), record

            def body(i, state):
                carry, table = state
                shared = take_rows(data, batches[i]), jax.random.fold_in(key, i)
                step = jax.vmap(one, (0, 0, 0, None, None))
                carry, record = step(carry, optimizers, rates, *shared)
                return carry, table.at[:, i].set(record)

            table = jnp.zeros((len(RUNS), case.steps, 2))
            return jax.lax.fori_loop(begin, end, body, (carry, table))

        @jax.jit
        @jax.vmap
        def held_out(carry):
            params, model_state, opt_state = carry
            weights = params, lo.averaged(opt_state, params)
            losses = [functions.examples(x, model_state, valid)["loss"].mean() for x in weights]
            return jnp.nan_to_num(jnp.stack(losses), nan=jnp.inf, posinf=jnp.inf)

        self._start, self._advance, self._held_out = start, advance, held_out

    def start(self, seed: int) -> tuple[Any, Any]:
        """Return the start of every run, the batches, and the key of the noise."""
        random, each = np.random.default_rng(seed), self.rows // self.batch_size
        epochs = [random.permutation(self.rows) for _ in range(-(-self.steps // each))]
        batches = [x[: each * self.batch_size].reshape(each, -1) for x in epochs]
        key = jax.random.key(seed)
        return self._start(key), (np.concatenate(batches)[: self.steps].astype(np.int32), key)

    def advance(
        self, carry: Any, draws: Any, begin: int, end: int, decay_start: int
    ) -> tuple[Any, np.ndarray]:
        """Return every run after step `end`, and its loss and |g| at each step."""
        carry, table = self._advance(carry, draws, begin, end, decay_start)
        return carry, np.asarray(table)[:, begin:end]

    def held_out(self, carry: Any) -> np.ndarray:
        """Return the validation losses of every run: of the raw weights and of their average."""
        return np.asarray(self._held_out(carry), np.float64)


def steps_at(part: float, steps: int) -> int:
    return max(1, round(part * steps))


def read(path: Path) -> Bank:
    with np.load(path) as found:
        return Bank(**{key: found[key] for key in Bank._fields})


def cases_of(prototype: Path | None) -> dict[str, Case]:
    others = cases_in(prototype) if prototype else {}
    return GROUPS["development"] | {f"{name}_": case for name, case in others.items()}


def main(words: list[str]) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--prototype", type=Path().absolute().joinpath)
    parser.add_argument("problems", nargs="*")
    add_executor(parser)
    given = parser.parse_intermixed_args(words)
    given.folder.mkdir(parents=True, exist_ok=True)
    choose = partial(cases_of, given.prototype)
    cases, found = choose(), collections.defaultdict(dict)
    files = {name: given.folder / f"{name}.npz" for name in given.problems or cases}
    missing = [name for name, file in files.items() if not file.exists()]
    questions = [Question(name, seed) for name in missing for seed in range(SEEDS)]
    for (name, seed), fields in answers(questions, choose, prepare, given.executor):
        found[name][seed] = fields
        if len(found[name]) == SEEDS:
            seeds = found.pop(name)
            bank = bank_of([seeds[x] for x in range(SEEDS)], cases[name].steps)
            np.savez(files[name], **bank._asdict())
            parts = bank.losses.shape, f"{np.isinf(bank.falling).mean():.0%} diverged"
            print(name, *parts, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
