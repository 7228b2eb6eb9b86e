"""`recipe.run`: what it promises for every problem."""

import math
import re

import chex
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import lecture_optax as lo
from lecture_optax.recipe import Arm, holdout_split, run
from lecture_optax.recipe.population.arms import arm_optimizer
from lecture_optax.recipe.reporting.findings import describe_arm
from lecture_optax.training.checks.optimizer import lint_messages

from .problems import BATCH, LARGEST, STEPS, init, regression


def recipe(problem, *, steps=STEPS, budget=3.0, seed=0, **options):
    return run(problem, steps=steps, batch_size=BATCH, budget=budget, seed=seed, **options)


def decisions(result):
    """Which arms ran, how far, and what was selected."""
    found = result.selection.candidate
    steps = {arm: curve.step for arm, curve in result.history.items()}
    return list(steps.items()), found and (found.arm, found.step, found.is_average)


@pytest.fixture(scope="module")
def usual():
    return recipe(regression())


def test_the_returned_model_has_the_loss_of_the_noise(usual):
    problem = regression()
    x, y = problem.valid["x"], problem.valid["y"]
    best, *_ = np.linalg.lstsq(np.c_[problem.train["x"], np.ones(48)], problem.train["y"])
    least = np.mean((np.c_[x, np.ones(32)] @ best - y) ** 2) / 2
    mine = np.mean((usual.predict(x) - y) ** 2) / 2
    assert mine < 1.1 * least
    assert usual.explanation.loss == pytest.approx(float(mine), abs=2e-3)


def test_a_search_gives_the_same_pick_and_the_same_bits_again(usual):
    again = recipe(regression())
    assert decisions(again) == decisions(usual)
    chex.assert_trees_all_equal(again.params, usual.params)


def test_the_optimizer_is_a_transformation_for_your_own_loop(usual):
    problem, tx = regression(), usual.optimizer
    params = init(jax.random.key(0))
    state = tx.init(params)
    gradient = jax.grad(lambda p: problem.loss(p, {}, problem.train, None)[0])(params)
    update, state = tx.update(gradient, state, params)
    assert jax.tree.structure(update) == jax.tree.structure(params)
    found = usual.selection.candidate
    assert float(lo.current(state).learning_rates.popitem()[1]) == pytest.approx(found.arm.rate)


@pytest.mark.parametrize("budget", [0.5, 1.0, 1.3, 1.5, 2.0, 4.5, 8.0])
def test_no_gradient_is_spent_beyond_the_budget(budget):
    result = recipe(regression(), budget=budget)
    spent = sum(
        curve.step
        - (arm.decay[0] if arm.decay and arm.decay[0] < STEPS else 0)
        + (curve.failed is not None)
        for arm, curve in result.history.items()
    )
    assert spent == result.gradients <= math.floor(budget * STEPS)


def test_a_constant_added_to_the_loss_changes_no_decision(usual):
    shifted = recipe(regression(shift=64.0))
    assert decisions(shifted) == decisions(usual)
    chex.assert_trees_all_equal(shifted.params, usual.params)
    assert shifted.explanation.start == usual.explanation.start + 64


def test_a_loss_times_a_thousand_has_adams_rate_and_nesterovs_by_a_thousand():
    both = [recipe(regression(scale=scale), budget=6.0) for scale in (1.0, 1000.0)]
    adam = [[arm for arm in r.history if arm.optimizer == 0] for r in both]
    nesterov = [[arm.quarter_decades for arm in r.history if arm.optimizer == 1] for r in both]
    assert adam[0] == adam[1]
    assert nesterov[0]
    assert [q - 12 for q in nesterov[0]] == nesterov[1]


def test_inputs_times_a_thousand_end_with_a_better_model():
    result = recipe(regression(inputs=1000.0))
    assert result.explanation.loss < 1e-3 * result.explanation.start


def test_when_every_arm_diverges_the_start_is_returned_and_said():
    result = recipe(regression(train_scale=LARGEST), budget=1.0)
    chex.assert_trees_all_equal(result.params, init(jax.random.key(0)))
    assert all(curve.failed == (1, "loss") for curve in result.history.values())
    assert "No arm was better than the start" in result.explain()
    assert "not finite" in result.explain()


def test_when_every_arm_is_flat_the_start_is_returned_and_said():
    result = recipe(regression(scale=0.0), budget=1.0)
    chex.assert_trees_all_equal(result.params, init(jax.random.key(0)))
    assert "all are flat" in result.explain()


def test_a_loss_that_is_not_finite_at_the_start_is_refused():
    with pytest.raises(FloatingPointError, match="validation loss is inf before the first step"):
        recipe(regression(scale=LARGEST))


def test_one_validation_example_is_said_to_be_not_enough():
    result = recipe(regression(valid_rows=1), budget=1.0)
    assert "as there is only one example" in result.explain()


@pytest.mark.parametrize("budget", [0.5, 1.0, 3.0])
def test_a_run_of_one_step_ends_with_a_model(budget):
    result = recipe(regression(), steps=1, budget=budget)
    assert result.gradients <= max(1, budget)
    assert jax.tree.structure(result.params) == jax.tree.structure(init(jax.random.key(0)))


def test_a_branch_of_an_odd_number_of_steps_starts_in_the_middle_of_its_arm():
    result = recipe(regression(), steps=63, budget=4.5)
    assert any(arm.decay == (32, 63) for arm in result.history)


def test_one_parameter_is_found():
    problem = lo.training.Problem.from_functions(
        init=lambda key: jnp.zeros(()),
        loss=lambda θ, batch: (θ - batch) ** 2,
        train=np.linspace(2.9, 3.1, 8, dtype=np.float32),
        valid=np.linspace(2.95, 3.05, 4, dtype=np.float32),
    )
    assert abs(run(problem, steps=50, budget=2.0).params - 3.0) < 0.1


@pytest.mark.parametrize("takes", ["many rows", "pairs of rows"])
def test_a_loss_that_is_not_a_mean_over_examples_is_searched_and_its_error_is_unknown(takes):
    def loss(θ, batch):
        if takes == "pairs of rows":
            batch = batch.reshape(-1, 2).mean(1)
        return jnp.var(θ * batch - 2 * batch)

    problem = lo.training.Problem.from_functions(
        init=lambda key: jnp.zeros(()),
        loss=loss,
        train=np.linspace(-1, 1, 8, dtype=np.float32),
        valid=np.linspace(-0.9, 0.9, 8, dtype=np.float32),
    )
    result = run(problem, steps=50, budget=1.0)
    assert result.explanation.loss < 0.1 * result.explanation.start
    assert "as the loss is not a mean over examples" in result.explain()


def test_all_arms_optimizers_rungs_lengths_and_searches_share_one_program():
    built = []
    options = {"wrap": lambda tx: built.append(tx) or tx}
    first = recipe(regression(), budget=6.0, **options)
    assert {arm.optimizer for arm in first.history} == {0, 1}
    at_first = len(built)
    recipe(regression(), budget=1.5, steps=80, seed=1, **options)
    again = len(built) - at_first
    # what the second search did not trace: the start of a state and the loop, in two optimizers
    assert at_first - again == 2 * 2


def test_evaluations_cost_at_most_their_share_of_a_long_run():
    result = recipe(regression(), steps=600, budget=1.5)
    assert result.explanation.evaluation_share < 0.1


class Net(nn.Module):
    @nn.compact
    def __call__(self, x, train):
        x = nn.BatchNorm(use_running_average=not train)(nn.Dense(4)(x))
        x = nn.Dropout(0.2, deterministic=not train)(nn.relu(x))
        return nn.Dense(1)(x)[:, 0]


def test_a_model_with_statistics_and_noise_is_trained(capsys):
    problem = regression()
    data, valid = [(part["x"], part["y"]) for part in (problem.train, problem.valid)]
    options = {"steps": 40, "batch_size": 16, "budget": 1.0}
    result = run(Net(), data, "mse", valid=valid, **options)
    assert result.model(valid[0], train=False).shape == (32,)


def test_your_model_is_bitwise_unchanged_by_the_search():
    x, y = regression().train["x"], regression().train["y"]
    model = nnx.Linear(3, 1, rngs=nnx.Rngs(0))
    before = jax.tree.map(np.array, nnx.state(model))
    result = run(model, (x, y[:, None]), "mse", steps=20, batch_size=16, budget=1.0)
    trained = result.model
    chex.assert_trees_all_equal(jax.tree.map(np.array, nnx.state(model)), before)
    assert trained is not model
    assert not np.array_equal(trained.kernel[...], model.kernel[...])


def test_you_can_pass_optimizers_and_wrap_them(capsys):
    import optax

    options = {
        "optimizers": {"adamw": lambda rate: lo.adamw(rate, weight_decay=0.1)},
        "wrap": lambda tx: optax.chain(optax.clip_by_global_norm(1.0), tx),
    }
    result = recipe(regression(), budget=1.0, **options)
    assert result.explanation.winner.optimizer == "adamw"
    names = {"problem": regression(), **options}
    exec(result.code, names)
    loss = names["result"].evaluate(regression().valid)["loss"]
    assert loss == pytest.approx(result.explanation.loss, abs=1e-3 * result.explanation.start)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"optimizers": {"x": 3}}, "must be functions learning_rate -> optimizer, got 3 for 'x'"),
        ({"optimizers": ["adam"]}, "optimizers must be {name: learning_rate -> optimizer}, got"),
        ({"optimizers": {"x": lambda rate: 3}}, "must be a gradient transformation"),
        ({"wrap": 3}, "wrap must be a function optimizer -> optimizer, got 3"),
    ],
)
@pytest.mark.usefixtures("untyped")
def test_what_is_not_an_optimizer_factory_is_refused(wrong, words):
    with pytest.raises(TypeError, match=re.escape(words)):
        lo.recipe.run(regression(), steps=STEPS, batch_size=BATCH, **wrong)


def test_optimizers_of_optax_are_alternatives_not_two_learning_rates_in_a_row():
    import optax

    optimizers = {"adamw": lambda rate: optax.adamw(rate), "lion": lambda rate: optax.lion(rate)}
    tx = arm_optimizer(optimizers)(**Arm(1, -8).hyperparams(STEPS))
    assert lint_messages(tx, jnp.ones(3)) == []


def test_fit_with_a_budget_is_the_recipe(usual):
    options = {"steps": STEPS, "batch_size": BATCH, "progress": False}
    result = lo.fit(regression(), budget=3.0, **options)
    chex.assert_trees_all_equal(result.params, usual.params)
    assert result.optimizer_source == f"a search: {describe_arm(usual.explanation.winner)}"
    assert result.cost == usual.cost
    assert min(result.history["averaged_loss"]) == pytest.approx(usual.explanation.loss, abs=1e-5)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"budget": 0.4}, "budget must be a finite number >= 0.5, got 0.4"),
        ({"steps": 0}, "steps must be a whole number of steps >= 1, got 0"),
    ],
)
def test_an_argument_out_of_its_range_is_refused(options, words):
    with pytest.raises(ValueError, match=words):
        recipe(regression(), **options)


def test_examples_that_are_held_out_are_not_trained_on():
    problem = regression(valid_rows=0)
    split = holdout_split(problem, seed=3)
    rows = np.concatenate([split.train["y"], split.valid["y"]])
    assert len(split.valid["y"]) == 10
    np.testing.assert_array_equal(np.sort(rows), np.sort(problem.train["y"]))


def test_an_arm_knows_its_learning_rate_and_its_hyperparameters():
    assert Arm(0, -8).rate == pytest.approx(1e-2)
    assert Arm(1, 0, decay=(30, 60)).hyperparams(60) == {
        "optimizer": 1,
        "learning_rate": 1.0,
        "decay_start": 30,
        "decay_steps": 30,
    }
