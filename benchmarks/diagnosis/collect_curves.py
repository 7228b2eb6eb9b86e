"""Collection of learning curves at all learning rates, saved in a folder.

    python -m benchmarks.diagnosis.collect_curves FOLDER [--prototype FOLDER] [problem ...]

Adam and SGD + Nesterov at constant learning rates in half decades, with three seeds: the training
losses of all steps, validation losses during the run, and those of the raw weights at the end, with
a constant learning rate and with a linear decay to 0. Takes half an hour on one core for the 28
problems. `--prototype` adds problems from files `problems*.py` in a folder, each a function that
returns `init`, `loss`, `train`, `valid`, `batch_size` and `steps`; their names get a `_`.
"""

import argparse
import dataclasses
import sys
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from lecture_optax.recipe.population.arms import Arm, arm_optimizer
from lecture_optax.training._trees import as_data, copied
from lecture_optax.training.compiled.program import Program
from lecture_optax.training.compiled.step import Carry
from lecture_optax.training.loop.advance import advance_until
from lecture_optax.training.loop.evaluation import averaged_params, evaluate
from lecture_optax.training.loop.sources import ArraySource

from ..problems import GROUPS, Case
from ..problems.folder import cases_in

SEEDS = 3
RATES = tuple(range(-24, 9, 2))
"""In quarter decades: 1e-6 to 1e2 by half decades, so that siblings are a decade away."""

EVALUATIONS = (0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.25, 0.3)
"""Fractions of a run at which it is evaluated: a diagnosis is asked for early."""


class Bank(NamedTuple):
    """All runs of a problem; axes: optimizer, learning rate, seed, and for `losses` the step.

    Losses after a step that was not finite are NaN. `evaluations` are validation losses at
    `EVALUATIONS`, of the raw weights and of their average; `final` is the one at the end of a
    constant learning rate, `falling` of one that decays to 0; infinite if the run diverged.
    """

    losses: np.ndarray
    gradients: np.ndarray
    evaluations: np.ndarray
    final: np.ndarray
    falling: np.ndarray
    start: float


def make(case: Case) -> Bank:
    problem, steps = case.build().problem, case.steps
    numbers = Arm(0, 0).hyperparams(steps)
    program = Program.of(problem, arm_optimizer(), batch_size=case.batch_size, hyperparams=numbers)
    source = ArraySource(jax.tree.map(jnp.asarray, problem.train))
    starts = [program.init(seed) for seed in range(SEEDS)]
    shape = (2, len(RATES), SEEDS)
    losses = np.full((*shape, steps), np.nan, np.float32)
    gradients, ends = losses.copy(), np.full((2, *shape), np.inf)
    evaluations = np.full((*shape, len(EVALUATIONS), 2), np.inf)

    def held_out(params, state):
        loss = evaluate(problem.functions.examples, params, state, problem.valid)["loss"]
        return loss if np.isfinite(loss) else np.inf

    for i, decay in enumerate((None, (0, steps))):
        evaluated = [] if decay else [steps_at(part, steps) for part in EVALUATIONS]
        for at in np.ndindex(shape):
            optimizer, rate, seed = at
            numbers = as_data(Arm(optimizer, RATES[rate], decay).hyperparams(steps))
            own = dataclasses.replace(program, hyperparams=numbers)
            carry, failure = _start(own, starts[seed]), None
            for j, step in enumerate([*evaluated, steps]):
                done = int(carry.step)
                carry, records, failure, _ = advance_until(own, source, carry, step)
                if records and not decay:
                    end = done + len(records["loss"])
                    losses[at][done:end] = records["loss"]
                    gradients[at][done:end] = records["grad_norm"]
                if failure is not None:
                    break
                if j < len(evaluated):
                    both = carry.params, averaged_params(carry)
                    evaluations[at][j] = [held_out(params, carry.model_state) for params in both]
            if failure is None:
                ends[i][at] = held_out(carry.params, carry.model_state)
    start = float(np.mean([held_out(start.params, start.model_state) for start in starts]))
    return Bank(losses, gradients, evaluations, ends[0], ends[1], start)


def steps_at(part: float, steps: int) -> int:
    return max(1, round(part * steps))


def _start(program, start):
    params, state = copied((start.params, start.model_state))
    opt_state = program.compiled.start(params, program.hyperparams)
    return Carry(params, state, opt_state, *copied((start.key, start.step)))


def collected(folder: Path, name: str, case: Case) -> Bank:
    """Return the curves of a problem, computed once."""
    path = folder / f"{name}.npz"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        np.savez(path, **make(case)._asdict())
    return read(path)


def read(path: Path) -> Bank:
    with np.load(path) as found:
        return Bank(**{key: found[key] for key in Bank._fields})


def main(words: list[str]) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--prototype", type=Path)
    parser.add_argument("problems", nargs="*")
    given = parser.parse_intermixed_args(words)
    others = cases_in(given.prototype) if given.prototype else {}
    cases = GROUPS["development"] | {f"{name}_": case for name, case in others.items()}
    for name in given.problems or cases:
        bank = collected(given.folder, name, cases[name])
        print(name, bank.losses.shape, f"{np.isinf(bank.final).mean():.0%} diverged", flush=True)
        jax.clear_caches()


if __name__ == "__main__":
    main(sys.argv[1:])
