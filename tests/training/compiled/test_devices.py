"""Eight devices that share every batch are one, whatever kind of axes their mesh has."""

import dataclasses

import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

import lecture_optax as lo
from lecture_optax.training import Problem, Program
from lecture_optax.training.compiled.settings import run_settings
from lecture_optax.training.preparation import prepare

from ...recipe.problems import BATCH, regression
from ..compilations import COMPILED
from ..models import PARAMS, TRAIN, VALID, X, linen_problem, noisy

SGD, HELD_OUT = lo.sgd(0.1, momentum=0.9), tuple(x[:24] for x in VALID)
EXPLICIT = jax.make_mesh((4, 2), ("rows", "model"), axis_types=(AxisType.Explicit,) * 2)
AUTOMATIC = Mesh(np.array(jax.devices()), ("data",))


def fit(data, valid, **arguments):
    """A run with BatchNorm, whose mean is over all devices."""
    return lo.fit(
        noisy("linen"),
        data,
        loss="cross_entropy",
        valid=valid,
        tx=SGD,
        steps=12,
        batch_size=16,
        keep="last",
        evaluations=2,
        **arguments,
    )


@pytest.fixture(scope="module")
def one_device():
    return fit(TRAIN, HELD_OUT)


def spread(rows):
    sharding = NamedSharding(EXPLICIT, PartitionSpec("rows"))
    return jax.tree.map(lambda x: jax.device_put(x, sharding), rows)


WAYS = {
    "a mesh with automatic axes": lambda: fit(TRAIN, HELD_OUT, mesh=AUTOMATIC),
    "data that lie on explicit axes": lambda: fit(spread(TRAIN), spread(HELD_OUT)),
}


@pytest.mark.parametrize("way", WAYS)
def test_eight_devices_train_as_one(way, one_device):
    COMPILED.clear()
    result = WAYS[way]()
    assert COMPILED.count("jit(chunk)") == 1  # the carry lies from the start as it will
    ours, theirs = (
        (run.params, run.model_state, run.history["loss"], run.history["valid_loss"])
        for run in (result, one_device)
    )
    chex.assert_trees_all_close(ours, theirs, rtol=1e-6, atol=1e-6)
    assert {len(x.sharding.device_set) for x in jax.tree.leaves(result.params)} == {8}


def test_a_loop_of_ones_own_takes_explicit_axes_too():
    problem = Problem.from_linen(noisy("linen"), spread(TRAIN), loss="cross_entropy")
    program = Program.of(problem, SGD, batch_size=16, mesh=EXPLICIT)
    carry = program.init()
    after = jax.eval_shape(lambda carry: program.step(carry, program.batch(carry))[0], carry)
    chex.assert_trees_all_equal_shapes_and_dtypes(after, carry)


def test_a_model_that_lies_on_explicit_axes_is_trained_and_evaluated(one_device):
    with jax.set_mesh(EXPLICIT):
        model = noisy("nnx")
        problem = Problem.from_nnx(model, TRAIN, loss="cross_entropy", valid=spread(HELD_OUT))
        with run_settings():
            carry = prepare(problem, SGD, steps=1, batch_size=16).carry
        found = one_device.evaluate(spread(HELD_OUT))
    np.testing.assert_array_equal(carry.params["out"]["kernel"], model.out.kernel[...])
    assert found["loss"] == pytest.approx(one_device.history["valid_loss"][-1], rel=1e-6)


def test_devices_that_cannot_have_equal_parts_are_refused():
    with pytest.raises(ValueError, match=r"12 examples .* 8 devices of mesh: .* 8 divides"):
        Program.of(
            Problem.from_linen(noisy("linen"), TRAIN, loss="cross_entropy"),
            SGD,
            batch_size=12,
            mesh=AUTOMATIC,
        )


def test_data_that_lie_spread_are_trained_on_in_any_batch_size():
    problem = Problem.from_linen(noisy("linen"), spread(TRAIN), loss="cross_entropy")
    mesh = Program.of(problem, SGD, batch_size=12).mesh
    assert mesh == Mesh(EXPLICIT.devices, EXPLICIT.axis_names)


def every_entry_point(train):
    problem = dataclasses.replace(regression(), train=train)
    usual = {"steps": 20, "batch_size": BATCH}
    axes = {"rates": [1e-2, 1e-1], "optimizers": ["adam"], "schedules": ["constant"]}
    fit = lo.fit(problem, tx=SGD, evaluations=2, **usual)
    return {
        "fit": fit,
        "search": lo.fit(problem, budget=1.0, **usual),
        "sweep": lo.recipe.sweep(problem, **axes, **usual)["lowest"],
        "fork": lo.recipe.fork(problem, fit, fit.optimizer, steps=12).curves[1.0].losses,
    }


def losses_of_a_loop(train):
    problem = dataclasses.replace(regression(), train=train)
    program = Program.of(problem, SGD, batch_size=BATCH)

    def step(carry, _):
        return program.step(carry, program.batch(carry))

    return jax.jit(lambda carry: jax.lax.scan(step, carry, length=3)[1].loss)(program.init())


def test_every_entry_point_takes_explicit_axes_and_computes_as_on_one_device():
    rows = regression().train
    with jax.set_mesh(EXPLICIT):
        ours = every_entry_point(spread(rows))
        predicted = [ours["fit"].predict(x) for x in (rows["x"], spread(rows["x"]))]
        jax.tree.map(jnp.sum, ours["fit"].params)  # lie as the context's arrays do
        losses = losses_of_a_loop(spread(rows))
    theirs = every_entry_point(rows)
    chex.assert_trees_all_close(losses, theirs["fit"].history["loss"][:3], rtol=1e-5)
    found, wanted = (x["search"].search.selection.candidate for x in (ours, theirs))
    assert (found.arm, found.step) == (wanted.arm, wanted.step)
    for entry in ("fit", "search"):
        params = ours[entry].params
        assert {len(x.sharding.device_set) for x in jax.tree.leaves(params)} == {8}
        ours[entry], theirs[entry] = params, theirs[entry].params
    # a sum of 16 terms rounds by 1e-6 in any order; 20 steps of Adam make 1e-5 of it
    chex.assert_trees_all_close(ours, theirs, rtol=1e-5, atol=1e-5)
    chex.assert_trees_all_close(*map(np.asarray, predicted), rtol=1e-6)


def test_a_run_is_on_the_device_of_its_data_and_moves_its_validation_data_there():
    here, there, problem = jax.devices()[3], jax.devices()[2], regression()
    problem = dataclasses.replace(
        problem,
        train=jax.device_put(problem.train, here),
        valid=jax.device_put(problem.valid, there),
    )
    COMPILED.clear()
    result = lo.fit(problem, tx=SGD, steps=3, batch_size=BATCH)
    assert COMPILED.count("jit(chunk)") == 1
    assert {x.device for x in jax.tree.leaves(result.params)} == {here}
    assert result.predict(jax.device_put(X[:, :3], there)).device == here


def test_data_and_parameters_on_different_devices_are_refused():
    params, train = (jax.device_put(x, jax.devices()[i]) for i, x in ((2, PARAMS), (3, TRAIN)))
    problem = dataclasses.replace(linen_problem(), train=train, start=(params, {}))
    with pytest.raises(ValueError, match=r"params\['hidden'\]\S+ on cpu:2 and data\[0\] on cpu:3"):
        lo.fit(problem, tx=SGD, steps=1)


def test_a_mesh_of_other_devices_than_the_context_is_refused():
    few = jax.make_mesh((4,), ("data",), devices=jax.devices()[:4])
    says = r"mesh has the devices .* jax\.set_mesh"
    with jax.set_mesh(AUTOMATIC), pytest.raises(ValueError, match=says):
        fit(TRAIN, HELD_OUT, mesh=few)
