"""Eight devices that share every batch are one, whatever kind of axes their mesh has."""

import chex
import jax
import numpy as np
import pytest
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

import lecture_optax as lo
from lecture_optax.training import Problem, Program

from ..compilations import COMPILED
from ..models import TRAIN, VALID, noisy

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
    return tuple(jax.device_put(x, sharding) for x in rows)


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
