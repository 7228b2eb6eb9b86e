"""Siblings of an arm: about a decade away, compared over the steps of both."""

import jax.numpy as jnp
import numpy as np
import pytest

from lecture_optax.recipe import Arm
from lecture_optax.recipe.diagnosis.siblings import siblings_of, symptoms_of
from lecture_optax.recipe.population.curve import BLOCKS, Curve
from lecture_optax.training.loop.nonfinite import first_nonfinite_leaf

STEPS = 1000


def losses_at(rate, start=0, end=STEPS):
    """Gradient descent on θ² / 2 at a constant learning rate."""
    return (1 - rate) ** (2 * np.arange(start, end))


def curve(losses, step=0, **changed):
    found = Curve(step=step, norm_steps=step, **changed)
    for part in np.array_split(losses, 7):  # as the chunks come
        found.record(part.astype(np.float32), part, part)
    return found


def arms(**steps):
    """Constant arms of one optimizer and their steps, by quarter decade: `q8=60` is at 10^-2."""
    return {
        Arm(0, -int(name[1:])): curve(losses_at(10 ** (-int(name[1:]) / 4), end=end))
        for name, end in steps.items()
    }


def test_the_blocks_of_every_width_begin_at_the_start():
    x = losses_at(0.003)
    found = curve(x)
    for step in (1, 10, 64, 65, 300, 512):
        width, means = found.blocks_to(step)
        assert width * BLOCKS >= step
        assert width == 1 or width * BLOCKS < 2 * step
        np.testing.assert_allclose(
            means, x[: width * BLOCKS].reshape(BLOCKS, width).mean(1), rtol=1e-6
        )
    assert found.blocks_to(STEPS) == (found.width, found.means)


def test_a_pruned_arm_is_compared_over_the_steps_that_both_have():
    found = symptoms_of(arms(q12=60, q8=STEPS, q4=60), STEPS)
    near, middle, far = (found[Arm(0, -q)] for q in (12, 8, 4))
    # until step 60 the arm at 0.1 decreased by 0.5, and the one at 0.01 by half of that
    assert (far.name, near.name) == ("converged", "healthy")
    assert (middle.name, middle.steps > 900) == ("converged", True)
    flat = {Arm(0, -16): curve(np.ones(60)), **arms(q12=60)}
    assert symptoms_of(flat, STEPS)[Arm(0, -16)].cause == "too small"


def test_the_sibling_is_nearest_to_a_decade_ran_long_enough_and_has_the_same_optimizer():
    curves = arms(q16=60, q14=60, q12=5, q10=60, q9=60, q8=60, q7=60)
    curves[Arm(1, -4)] = curve(losses_at(0.1, end=60))
    # none above: half a decade is the least; 10^-12/4 ran for 5 steps
    assert [*siblings_of(Arm(0, -8), curves)] == [Arm(0, -10)]
    curves[Arm(0, -4)] = curve(losses_at(0.1, end=3), failed=(4, "update_norm"), leaf="['w']")
    assert [*siblings_of(Arm(0, -8), curves)] == [Arm(0, -4), Arm(0, -10)]
    found = symptoms_of(curves, STEPS)[Arm(0, -4)]
    assert found.failed == (4, "update_norm", "['w']")
    assert str(found).endswith("update_norm of ['w'] was not finite at step 4")
    assert siblings_of(Arm(1, -4), curves) == {}


def test_an_arm_that_decays_has_its_parents_past():
    curves = arms(q12=300, q8=300, q4=300)
    falling = Arm(0, -8, (200, 400))
    curves[falling] = curve(losses_at(0.01, 200, 400), step=200)
    found = symptoms_of(curves, STEPS)
    own, parent = found[falling], found[Arm(0, -8)]
    assert own.start == parent.start == 1.0
    assert own.steps > 390
    assert own.level == pytest.approx(losses_at(0.01, 300, 400).mean(), rel=0.1)
    again = Arm(0, -8, (STEPS, STEPS + 1))  # the same arm, a second time
    curves[again] = curve(losses_at(0.01))
    found = symptoms_of(curves, STEPS)
    assert found[again] == found[Arm(0, -8)]
    assert found[again].steps > 900


def test_an_arm_without_a_step_has_no_symptom():
    assert symptoms_of({Arm(0, -8): Curve()}, STEPS) == {Arm(0, -8): None}


def test_the_first_parameter_that_is_not_finite_is_named():
    params = {"a": jnp.ones(2, jnp.bfloat16), "b": jnp.array([1.0, jnp.inf])}
    assert first_nonfinite_leaf(params) == "['b']"
    assert first_nonfinite_leaf({"a": params["a"]}) == ""
