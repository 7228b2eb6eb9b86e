"""Law 5. A state shares no memory, can be planned from shapes, and is sharded like θ."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, NamedSharding, PartitionSpec

from .._law import expect, law, leaves, naming, same_avals, same_values
from .._samples import one, paired
from .._subject import Subject


@law(5)
def init_aliases_nothing(subject: Subject) -> None:
    """No array of a new state shares memory with a parameter, a hyperparameter or another array."""
    params, _ = paired(subject)
    values = {name: jnp.float32(value) for name, value in subject.values.items()}
    for given in (params, jax.tree.map(np.asarray, params)):
        taken = {_address(x): path for path, x in leaves((given, values))}
        for path, leaf in leaves(subject.build(**values).init(given)):
            owner = taken.setdefault(_address(leaf), path)
            expect(owner is path, f"the state at {path} shares its memory with {owner}")


@law(5)
def donating_the_state_costs_nobody_else(subject: Subject) -> None:
    """Donating the state at every step leaves the caller's parameters and learning rates valid."""
    step, _ = subject.compiled
    params, gradients = one(subject)
    values = {name: jnp.float32(value) for name, value in subject.values.items()}
    state = subject.build(**values).init(params)
    kept = jax.tree.map(np.array, (values, params, gradients))
    for gradient in gradients:
        _, state = step(values, gradient, state, params)
    for path, leaf in leaves((values, params, gradients)):
        expect(not leaf.is_deleted(), f"{path} of the caller was donated along")
    same_values((values, params, gradients), kept, "what the caller holds")


@law(5)
def init_works_without_numbers(subject: Subject) -> None:
    """`init` returns the same tree for arrays, for their shapes, under `eval_shape` and `jit`."""
    params, _ = paired(subject)
    tx = subject.build()
    described = jax.tree.map(lambda p: jax.ShapeDtypeStruct(p.shape, p.dtype), params)
    expected = tx.init(params)
    same_avals(tx.init(described), expected, "the state for a ShapeDtypeStruct")
    same_avals(jax.eval_shape(tx.init, described), expected, "the state under eval_shape")
    compiled = jax.jit(tx.init)(params)
    same_avals(compiled, expected, "the state of a compiled init")
    same_values(compiled, expected, "the state of a compiled init")


@law(5)
def a_compiled_step_leaves_its_state_where_it_lies(subject: Subject) -> None:
    """A compiled step gives the same on all devices as on one, and keeps the sharding."""
    number = len(jax.devices())
    leaf, gradients = (jnp.ones((number, 2)), jnp.linspace(0.5, 1, 2 * number).reshape(number, 2))
    rows = NamedSharding(jax.make_mesh((number,), ("x",), (AxisType.Auto,)), PartitionSpec("x"))
    tx = subject.build()
    step = jax.jit(lambda g, state, p: subject.update(tx, g, state, p))
    spread = jax.device_put((gradients, leaf), rows)
    state = tx.init(spread[1])
    after = step(spread[0], state, spread[1])
    same_values(after, step(gradients, tx.init(leaf), leaf), "a step over all devices", ulps=16)
    for (path, x), (_, before) in zip(leaves(after[1]), leaves(state), strict=True):
        stays = x.sharding.is_equivalent_to(before.sharding, x.ndim)
        expect(
            stays or not x.ndim, f"the state at {path} went from {before.sharding} to {x.sharding}"
        )


@law(5)
def a_state_is_sharded_as_its_parameter(subject: Subject) -> None:
    """The state of a parameter has the sharding of the parameter, over all devices."""
    number = len(jax.devices())
    mesh = jax.make_mesh((number,), ("x",), axis_types=(AxisType.Explicit,))
    rows = NamedSharding(mesh, PartitionSpec("x", None))
    tx = subject.build()
    with jax.set_mesh(mesh):
        params = {"w": jnp.ones((number, 2), out_sharding=rows)}
        state = tx.init(params)
        for path, leaf in leaves(state):
            if leaf.shape == (number, 2):
                expect(
                    leaf.sharding.is_equivalent_to(rows, 2),
                    f"the state at {path} is {leaf.sharding}, its parameter {rows}",
                )
        for name, after in (
            ("init, compiled", jax.eval_shape(tx.init, params)),
            ("a step", jax.eval_shape(lambda: subject.update(tx, params, state, params)[1])),
        ):
            with naming(f"after {name}"):
                _same_layout(after, state)


def _same_layout(actual, expected):
    for (path, x), (_, y) in zip(leaves(actual), leaves(expected), strict=True):
        ours, theirs = (_layout(leaf) for leaf in (x, y))
        expect(ours == theirs, f"the state at {path} lies as {ours}, expected {theirs}")


def _layout(x) -> tuple:
    """Return the axis of the mesh along each axis of the array."""
    spec = getattr(x.sharding, "spec", ())
    return (tuple(spec) + (None,) * x.ndim)[: x.ndim]  # of a key, not of its integers


def _address(x) -> int:
    return x.ctypes.data if isinstance(x, np.ndarray) else x.unsafe_buffer_pointer()
