"""Every constant of the search is tuned by the benchmark, or named with the reason why not."""

import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks.problems import Case, Task
from benchmarks.regret.leave_one_out import NOT_FITTED, OTHERS
from benchmarks.regret.replay import Curves, replay
from lecture_optax import recipe
from lecture_optax.recipe import constants
from lecture_optax.training import Problem


def test_every_constant_is_tuned_or_named_with_a_reason():
    own = {name for name in vars(constants) if name.isupper()}
    named = [*OTHERS, *(name for names in NOT_FITTED.values() for name in names)]
    assert sorted(named) == sorted(own)


def test_no_other_value_is_the_present_one():
    assert not [name for name, values in OTHERS.items() if getattr(constants, name) in values]


@pytest.fixture(scope="module")
def task() -> Task:
    x = np.linspace(-1, 1, 60, dtype=np.float32)

    def loss(params, batch):
        return (params[0] * batch[0] + params[1] - batch[1]) ** 2

    train, valid = ((z, np.sin(3 * z) + 0.1) for z in (x, x + np.float32(0.01)))
    problem = Problem.from_functions(
        init=lambda key: jnp.zeros(2), loss=loss, train=train, valid=valid
    )
    return Task(problem, None)


@pytest.mark.parametrize("budget", [1.0, 3.0])
def test_a_replay_selects_what_a_search_selects(task, budget):
    curves = Curves(Case(lambda: task, 100, 60), task)
    found = recipe.run(task.problem, steps=100, batch_size=60, budget=budget, progress=False)
    gain = curves.start_loss - replay(curves, budget)
    assert gain == pytest.approx(found.selection.gain, rel=0.01)
