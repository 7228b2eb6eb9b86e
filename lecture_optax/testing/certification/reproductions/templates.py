"""One template for each law: the experiment of the law with JAX and Optax alone."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from ..._subject import Subject
from . import cases
from .script import Case


class Experiment(NamedTuple):
    """A template and its cases."""

    template: str
    cases: Callable[[Subject, str], Iterator[Case]]


_GIVEN = """
params = jnp.asarray($leaf, "$p")
gradients = [jnp.asarray(row, "$g") for row in $rows]
"""
_RUN = """
def run(tx, params, gradients):
    state, updates = tx.init(params), []
    for gradient in gradients:
        update, state = tx.update(gradient, state, params)
        updates.append(update)
    return updates, state
"""
_KINDS = """
def kinds(tree):
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return [f"{jax.tree_util.keystr(path)} {jax.typeof(x)}" for path, x in leaves]
"""
_SAME = """
def same(a, b, rtol=0.0):
    pairs = zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
    return all(jnp.allclose(x, y, rtol, rtol * jnp.max(jnp.abs(y), initial=0), True)
               for x, y in pairs)
"""
_FINITE = """
def finite(tree):
    return all(jnp.isfinite(x).all() for x in jax.tree.leaves(tree))
"""
_TWICE = """
state = tx.init(params)
for gradient in gradients:
    _, state = tx.update(gradient, state, params)
gradient = gradients[0]
before = jax.tree.map(jnp.array, (gradient, state, params))
first = tx.update(gradient, state, params)
second = tx.update(gradient, state, params)
print("the first time: ", first[0])
print("the second time:", second[0])
assert same(first, second), "the same step, taken twice, gives two results"
assert same(before, (gradient, state, params)), "a step changes its inputs"
"""
_RATES = """
def rates(state):
    return [x for _, x in optax.tree.get_all_with_path(state, "learning_rate")]
"""


def _experiment(which: Callable[[Subject, str], Iterator[Case]], *parts: str) -> Experiment:
    return Experiment("\n\n".join(part.strip() for part in parts), which)


TEMPLATES: dict[str, list[Experiment]] = {
    "a_step_returns_what_it_was_given": [
        _experiment(
            cases.pairs,
            _KINDS,
            _GIVEN,
            """
before = tx.init(params)
update, after = tx.update(gradients[0], before, $given)
print("before the step:", kinds(before))
print("after the step: ", kinds(after))
assert kinds(after) == kinds(before), "a step changes the shapes or dtypes of its state"
assert jax.tree.structure(after) == jax.tree.structure(before), "a step changes its state's tree"
""",
        ),
        _experiment(
            cases.pairs,
            _KINDS,
            """
params = jnp.asarray(0.5)  # weakly typed, as a Python number
gradient = jnp.asarray(1.0)
before = tx.init(params)
update, after = tx.update(gradient, before, $given)
print("(update, state):", kinds((update, before)))
print("after the step: ", kinds(after))
assert kinds(after) == kinds(before), "a step changes the types of its state"
weakly_typed = [x for x in jax.tree.leaves((update, after)) if jax.typeof(x).weak_type]
assert not weakly_typed, "the update or the state is weakly typed"
""",
        ),
        _experiment(
            cases.pairs,
            _GIVEN,
            """
update, _ = tx.update(gradients[0], tx.init(params), $given)
print("gradient:", gradients[0].shape, "update:", jnp.shape(update))
assert jnp.shape(update) == gradients[0].shape, "the update has another shape"
""".replace("tx.init(params), $given", "state, $given").replace(
                "update, _ =", "state = tx.init(params)\nupdate, _ ="
            ),
        ),
        _experiment(
            cases.once,
            """
params = jnp.ones((2, 3), jnp.complex64)
state = tx.init(params)
update, after = tx.update(params, state, params)
before, after = (jax.tree.map(jax.typeof, x) for x in (state, after))
print("before the step:", before)
print("after the step: ", after)
assert after == before, "a step changes the dtypes of its state"
""",
        ),
    ],
    "a_step_is_pure": [
        _experiment(which, _SAME, _GIVEN, _TWICE) for which in (cases.sizes, cases.pairs)
    ],
    "a_random_key_is_used_once": [
        _experiment(
            cases.once,
            """
def keys(state):
    leaves = jax.tree.leaves(state)
    return [jax.random.key_data(x) if jnp.issubdtype(x.dtype, jax.dtypes.prng_key) else x
            for x in leaves if x.dtype == jnp.uint32 or not jnp.issubdtype(x.dtype, jnp.number)]

params = gradient = jnp.ones(3)
state = tx.init(params)
for _ in range(3):
    update, after = tx.update(gradient, state, params)
    print("before the step:", keys(state), "after it:", keys(after))
    assert not any((x == y).all() for x, y in zip(keys(state), keys(after))), "a key stays"
    state = after
""",
        )
    ],
    "a_step_scans_and_branches_and_vmaps": [
        _experiment(
            cases.pairs,
            _SAME,
            _RUN,
            _GIVEN,
            """
def body(state, gradient):
    update, state = tx.update(gradient, state, params)
    return state, update

state, updates = jax.lax.scan(body, tx.init(params), jnp.stack(gradients))
expected, last = run(tx, params, gradients)
print("scanned:", updates)
print("a loop: ", expected)
assert same((list(updates), state), (expected, last), 1e-2), "scan and a loop differ"
""",
        ),
        _experiment(
            cases.pairs,
            _GIVEN,
            """
state = tx.init(params)
both = jnp.stack([gradients[0], gradients[0] / 2])
states = jax.tree.map(lambda x: jnp.stack([x, x]), state)
updates, after = jax.vmap(lambda g, s: tx.update(g, s, params))(both, states)
expected, _ = tx.update(both[1], state, params)
print("vmapped:", updates[1])
print("alone:  ", expected)
assert jnp.allclose(updates[1], expected, 1e-5), "vmap and separate steps differ"
""".replace("both[1], state", "half, state").replace(
                "expected, _ =", "half = gradients[0] / 2\nexpected, _ ="
            ),
        ),
        _experiment(
            cases.pairs,
            _GIVEN,
            """
def body(carry, gradient):
    def taken():
        return tx.update(gradient, carry, params)[1]
    return jax.lax.cond(gradient.sum() > 0, taken, lambda: carry), None

state, _ = jax.lax.scan(body, tx.init(params), jnp.stack(gradients))
print(state)
""",
        ),
    ],
    "a_state_is_at_least_float32": [
        _experiment(
            cases.float32_first,
            _KINDS,
            """
params = jnp.asarray($leaf, "$p")
state = tx.init(params)
print(kinds(state))
floats = [x for x in jax.tree.leaves(state) if jnp.issubdtype(x.dtype, jnp.inexact)]
bits = max(32, jnp.finfo(params.dtype).bits)
narrow = [x for x in floats if jnp.finfo(x.dtype).bits < bits]
assert not narrow, f"the state of a {params.dtype} parameter has less than {bits} bits"
""",
        )
    ],
    "an_update_has_the_wider_precision": [
        _experiment(
            cases.pairs,
            _GIVEN,
            """
state = tx.init(params)
update, _ = tx.update(gradients[0], state, $given)
expected = $widest
print("parameter:", params.dtype, "gradient:", gradients[0].dtype, "update:", update.dtype)
assert update.dtype == expected.dtype, f"the update is {update.dtype}, not {expected.dtype}"
""",
        ),
        _experiment(
            cases.pairs,
            _KINDS,
            """
params = {"first": jnp.asarray($leaf, "$p"), "second": jnp.asarray($leaf, "float32")}
gradient = {"first": jnp.asarray($rows[0], "$g"), "second": jnp.asarray($rows[0], "float32")}
state = tx.init(params)
update, _ = tx.update(gradient, state, params)
print("parameters:", kinds(params))
print("gradients: ", kinds(gradient))
print("updates:   ", kinds(update))
expected = (params["first"] + gradient["first"]).dtype
assert update["first"].dtype == expected, "a float32 leaf changes the dtype of another's update"
""",
        ),
    ],
    "an_accumulator_has_the_dtype_it_was_told": [
        _experiment(
            cases.accumulators,
            _KINDS,
            _GIVEN,
            """
default = tx.update(gradients[0], tx.init(params), params)[0]
told = $with_dtype
state = told.init(params)
update, after = told.update(gradients[0], state, params)
print("the update:", jax.typeof(update), "by default:", jax.typeof(default))
print("the state: ", kinds(after))
assert update.dtype == default.dtype, "$name changes the dtype of the update"
assert kinds(after) == kinds(state), "a step changes the dtypes of the state"
""",
        )
    ],
    "half_precision_is_float32_rounded_once": [
        _experiment(
            cases.far,
            _RUN,
            _GIVEN,
            """
narrow, _ = run(tx, params, gradients)
wide, _ = run(tx, params.astype("float32"), [g.astype("float32") for g in gradients])
for update, exact in zip(narrow, wide):
    print("update:", update, "the float32 update, rounded:", exact.astype(update.dtype))
    assert (update == exact.astype(update.dtype)).all(), "the update has lost precision"
""",
        )
    ],
    "a_zero_gradient_gives_a_finite_update": [
        _experiment(
            cases.at_rest,
            _FINITE,
            _RUN,
            _GIVEN,
            """
updates, state = run(tx, params, gradients)
print("updates:", updates)
assert finite(updates), "a zero gradient gives an update that is not finite"
""",
        )
    ],
    "a_zero_gradient_makes_no_nan_on_the_way": [
        _experiment(
            cases.at_rest,
            _RUN,
            _GIVEN,
            """
with jax.debug_nans(True):
    run(tx, params, gradients)
""",
        )
    ],
    "the_derivative_at_a_zero_gradient_is_finite": [
        _experiment(
            cases.at_rest,
            _FINITE,
            _RUN,
            _GIVEN,
            """
def total(gradients):
    updates, _ = run(tx, params, gradients)
    return sum(jnp.sum(u, dtype="float32") for u in updates)

slope = jax.grad(total)(gradients)
print("d(update)/d(gradient):", slope)
assert finite(slope), "the derivative of an update by its gradient is not finite"
""",
        )
    ],
    "the_number_of_steps_is_exact": [
        _experiment(
            cases.slow,
            """
params = jnp.asarray($leaf, "float32")
gradient = jnp.asarray($rows[0], "float32")

def update_after(count, dtype):
    p, g = (jnp.asarray(x, dtype) for x in (params, gradient))
    state = jax.tree.map(
        lambda x: x.astype(dtype) if jnp.issubdtype(x.dtype, jnp.inexact) else x, tx.init(params)
    )
    _, state = tx.update(g, state, p)
    state = optax.tree.set(state, count=jnp.int32(count))
    return tx.update(g, state, p)[0]

for count in (0, 9, 999, 10**6, 2**24 + 1):
    narrow = update_after(count, "float32")
    with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):
        wide = update_after(count, "float64")
    error = float(jnp.max(jnp.abs(narrow - wide.astype("float32")) / jnp.max(jnp.abs(narrow))))
    print(f"after {count} steps: float32 {narrow}, float64 {wide}, relative error {error:.1e}")
    assert error < 1e-6, "the float32 step is another one than the float64 step"
""",
        ),
        _experiment(
            cases.sizes,
            """
params = jnp.asarray($leaf, "float32")
gradient = jnp.asarray($rows[0], "float32")
_, state = tx.update(gradient, state, params)
state = optax.tree.set(state, count=jnp.int32(2**31 - 1))
update, state = tx.update(gradient, state, params)
print("the update:", update)
print("the counts:", optax.tree.get_all_with_path(state, "count"))
assert jnp.isfinite(update).all(), "the update at the last count is not finite"
assert all(k > 0 for _, k in optax.tree.get_all_with_path(state, "count")), "a count wraps"
""".replace("_, state =", "state = tx.init(params)\n_, state ="),
        ),
        _experiment(
            cases.sizes,
            _GIVEN,
            """
state = tx.init(params)
for k, gradient in enumerate([gradients[0]] * 4):
    print("before step", k, optax.tree.get_all_with_path(state, "count"))
    assert all(int(n) == k for _, n in optax.tree.get_all_with_path(state, "count")), k
    _, state = tx.update(gradient, state, params)
""",
        ),
    ],
    "a_narrow_array_is_widened_or_refused": [
        _experiment(
            cases.in_kinds,
            _SAME,
            _RUN,
            _KINDS,
            _GIVEN,
            """
number = run($with_few, params, gradients)
array = run($with_kind_of_few, params, gradients)
print("with a Python number:  ", number)
print("with a narrow array:   ", array)
assert kinds(array[0]) == kinds(number[0]), "the array changes the dtype of the updates"
assert same(array, number, 2e-6), "the array loses precision"
""",
        )
    ],
    "a_number_an_array_and_a_schedule_are_the_same": [
        _experiment(
            cases.as_numbers,
            _SAME,
            _RUN,
            _KINDS,
            _GIVEN,
            """
number = run($with_value, params, gradients)
array = run($with_array, params, gradients)
print("with a Python number:", number[0])
print("with $array:", array[0])
assert kinds(array[0]) == kinds(number[0]), "it changes the dtype of the updates"
assert same(array[0], number[0], 2e-6), "it gives other updates"
assert "lambda" in "$array" or kinds(array) == kinds(number), "it changes the state"
""",
        )
    ],
    "one_compiled_step_serves_every_value": [
        _experiment(
            cases.hyperparameters,
            _RUN,
            _GIVEN,
            """
@jax.jit
def compiled(value):
    return run($with_traced, params, gradients)[0]

for value in ($value / 8, $value / 2, $value):
    expected, _ = run($with_traced, params, gradients)
    actual = compiled(jnp.float32(value))
    print("compiled:", actual[-1], "typed:", expected[-1])
    assert jnp.allclose(actual[-1], expected[-1], 1e-4), "a compiled step ignores $name"
""",
        )
    ],
    "vmap_over_values_is_separate_runs": [
        _experiment(
            cases.hyperparameters,
            _RUN,
            _GIVEN,
            """
values = jnp.float32([$value / 4, $value])
together = jax.vmap(lambda value: run($with_traced, params, gradients)[0])(values)
for i, value in enumerate(values):
    alone, _ = run($with_traced, params, gradients)
    print("vmapped:", together[-1][i], "alone:", alone[-1])
    assert jnp.allclose(together[-1][i], alone[-1], 1e-4), "vmap and separate runs differ"
""",
        )
    ],
    "derivatives_by_a_hyperparameter_are_finite": [
        _experiment(
            cases.at_rest_in_float32,
            _RUN,
            _GIVEN,
            """
def total(value):
    return sum(jnp.sum(u) for u in run($with_traced, params, gradients)[0])

slope = jax.grad(total)(jnp.float32($value))
print("d(update)/d($name):", slope)
assert jnp.isfinite(slope), "the derivative by $name is not finite"
""",
        )
    ],
    "derivatives_by_a_hyperparameter_are_slopes": [
        _experiment(
            cases.hyperparameters,
            _RUN,
            """
with jax.enable_x64(True):
    params = jnp.asarray($leaf, "float64")
    gradients = [jnp.asarray(row, "float64") for row in $rows]

    def total(value):
        updates, _ = run($with_traced, params, gradients)
        return sum(jnp.sum(u * (1 + jnp.arange(u.size))) for u in updates)

    at, step = max($value, 1e-6), 1e-6
    slope = float(jax.grad(total)(jnp.asarray(at)))
    rise = float((total(at + step) - total(at - step)) / (2 * step))
    print("jax.grad:", slope, "finite difference:", rise)
    assert abs(slope - rise) <= max(1e-4 * abs(rise), 1e-7), "the derivative is not the slope"
""",
        )
    ],
    "a_bad_value_is_refused_by_name": [
        _experiment(
            cases.refused,
            """
try:
    $with_value
except $kind as error:
    assert "$name" in str(error), f"the refusal does not name $name: {error}"
else:
    raise AssertionError('$name=$value was accepted, expected a $kind')
""",
        )
    ],
    "a_tracer_is_let_through": [
        _experiment(
            cases.hyperparameters,
            """
params = jnp.zeros(3)
state = jax.eval_shape(lambda value: $with_traced.init(params), $value)
print(state)
""",
        )
    ],
    "the_learning_rate_is_in_the_state_once": [
        _experiment(
            cases.once,
            _RATES,
            """
state = tx.init(jnp.zeros(3))
print(state)
print("learning rates in the state:", rates(state))
assert len(rates(state)) == 1, f"the state holds {len(rates(state))} learning rates, expected 1"
""",
        ),
    ],
    "the_rate_in_the_state_is_the_one_applied": [
        _experiment(
            cases.once,
            _RATES,
            """
schedule = lambda count: 0.01 / (1 + count)
tx = $with_schedule
params = gradient = jnp.ones(3)
state = tx.init(params)
for count in range(3):
    _, state = tx.update(gradient, state, params)
    print("applied:", schedule(count), "in the state:", rates(state))
    assert rates(state), "the state does not say which learning rate was applied"
    assert jnp.allclose(rates(state)[0], schedule(count)), "the state has another learning rate"
""",
        )
    ],
    "the_rate_in_the_state_is_a_record": [
        _experiment(
            cases.once,
            _RATES,
            """
params = gradient = jnp.ones(3)
state = tx.init(params)
print("learning rates in the state:", rates(state))
assert rates(state), "the state does not hold the learning rate"
written = optax.tree.set(state, learning_rate=jnp.full((), 9.0))
update, _ = tx.update(gradient, state, params)
other, _ = tx.update(gradient, written, params)
print("a step:", update, "with another learning rate in the state:", other)
assert (update == other).all(), "writing into the state changes the step"
""",
        )
    ],
    "all_counts_agree": [
        _experiment(
            cases.sizes,
            _GIVEN,
            """
state = tx.init(params)
gradient = gradients[0]
for _ in range(3):
    _, state = tx.update(gradient, state, params)
counts = {
    jax.tree_util.keystr(path): int(x)
    for path, x in jax.tree_util.tree_leaves_with_path(state)
    if jnp.issubdtype(x.dtype, jnp.integer) and not x.ndim
}
print("after 3 steps:", counts)
assert set(counts.values()) == {3}, "a count is not the number of steps"
""",
        )
    ],
    "the_count_in_the_state_is_the_one_used": [
        _experiment(
            cases.once,
            """
def at(state, count):
    return jax.tree.map(
        lambda x: jnp.full_like(x, count) if jnp.issubdtype(x.dtype, jnp.integer) else x, state
    )

params = gradient = jnp.array([0.5, -1.25])
state = tx.init(params)
_, state = tx.update(gradient, state, params)
updates = []
for count in (0, 1, 5, 6):
    changed = at(state, count)
    updates.append(tx.update(gradient, changed, params)[0])
    print("count", count, "update", updates[-1])
if (updates[2] != updates[3]).any():
    assert (updates[0] != updates[1]).any(), "a count of 0 and one of 1 give the same update"
""",
        )
    ],
    "current_reads_it_through_wrappers": [
        _experiment(
            cases.wrappers,
            _RATES,
            """
schedule = lambda count: 0.01 / (1 + count)
tx = $wrapped
params = {"a": jnp.ones(3)}
state = tx.init(params)
for _ in range(4):
    _, state = tx.update(params, state, params)
print("applied last:", schedule(3), "in the state:", rates(state))
assert rates(state), "the state does not say which learning rate was applied"
assert all(jnp.allclose(rate, schedule(3)) for rate in rates(state)), "another learning rate"
""",
        )
    ],
    "init_aliases_nothing": [
        _experiment(
            cases.sizes,
            """
params = jnp.asarray($leaf, "$p")
state = tx.init(params)
owners = {params.unsafe_buffer_pointer(): "the parameters"}
for path, x in jax.tree_util.tree_leaves_with_path(state):
    name = jax.tree_util.keystr(path)
    owner = owners.setdefault(x.unsafe_buffer_pointer(), name)
    print(name, "has the memory of", owner)
    assert owner == name, f"the state at {name} shares its memory with {owner}"
""",
        ),
        _experiment(
            cases.hyperparameters,
            """
params, value = jnp.asarray($leaf, "$p"), jnp.float32($value)
state = $with_traced.init(params)
taken = [x.unsafe_buffer_pointer() for x in jax.tree.leaves(state)]
assert value.unsafe_buffer_pointer() not in taken, "the state shares the memory of $name"
""",
        ),
    ],
    "donating_the_state_costs_nobody_else": [
        _experiment(
            cases.sizes,
            _GIVEN,
            """
step = jax.jit(lambda g, state, p: tx.update(g, state, p), donate_argnums=1)
state = tx.init(params)
for gradient in gradients:
    _, state = step(gradient, state, params)
    assert not params.is_deleted(), "the parameters were donated with the state"
""",
        ),
        _experiment(
            cases.hyperparameters,
            _GIVEN,
            """
def update(value, gradient, state, params):
    return $with_traced.update(gradient, state, params)

step = jax.jit(update, donate_argnums=2)
value = jnp.float32($value)
state = $with_traced.init(params)
for gradient in gradients:
    _, state = step(value, gradient, state, params)
    assert not value.is_deleted(), "$name of the caller was donated with the state"
""",
        ),
    ],
    "init_works_without_numbers": [
        _experiment(
            cases.sizes,
            """
params = jnp.asarray($leaf, "$p")
shapes = jax.ShapeDtypeStruct(params.shape, params.dtype)
jax.eval_shape(tx.init, shapes)
jax.jit(tx.init)(params)
tx.init(shapes)
""",
        ),
        _experiment(
            cases.sizes,
            _KINDS,
            _SAME,
            """
params = jnp.asarray($leaf, "$p")
state, compiled = tx.init(params), jax.jit(tx.init)(params)
print(kinds(state), kinds(compiled))
assert kinds(state) == kinds(compiled) and same(state, compiled), "a compiled init differs"
""",
        ),
    ],
    "a_compiled_step_leaves_its_state_where_it_lies": [
        _experiment(
            cases.once,
            """
from jax.sharding import NamedSharding, PartitionSpec
devices = len(jax.devices())
rows = NamedSharding(jax.make_mesh((devices,), ("x",)), PartitionSpec("x"))
params = jax.device_put(jnp.ones((devices, 2)), rows)
state = tx.init(params)
_, after = jax.jit(lambda g, state, p: tx.update(g, state, p))(params, state, params)
for x, y in zip(jax.tree.leaves(state), jax.tree.leaves(after)):
    print("before:", x.sharding, "after:", y.sharding)
    assert not x.ndim or y.sharding.is_equivalent_to(x.sharding, x.ndim), "the state has moved"
""",
        )
    ],
    "a_state_is_sharded_as_its_parameter": [
        _experiment(
            cases.once,
            """
from jax.sharding import AxisType, NamedSharding, PartitionSpec
devices = len(jax.devices())
mesh = jax.make_mesh((devices,), ("x",), axis_types=(AxisType.Explicit,))
rows = NamedSharding(mesh, PartitionSpec("x", None))
with jax.set_mesh(mesh):
    params = jnp.ones((devices, 2), out_sharding=rows)
    state = tx.init(params)
    for x in jax.tree.leaves(state):
        print(jax.typeof(x))
        assert x.ndim != 2 or x.sharding.is_equivalent_to(rows, 2), "the state is not sharded"
    _, after = jax.eval_shape(lambda: tx.update(params, state, params))
""",
        )
    ],
    "any_tree_is_a_tree_of_parameters": [
        _experiment(
            cases.trees,
            _KINDS,
            """
params = $tree
before = tx.init(params)
update, after = tx.update(params, before, params)
print("before the step:", kinds(before))
print("after the step: ", kinds(after))
assert kinds(after) == kinds(before), "a step changes the types of its state"
shapes = [jax.tree.map(jnp.shape, tree) for tree in (update, params)]
assert shapes[0] == shapes[1], "the update has another tree than the parameters"
assert all(jnp.isfinite(x).all() for x in jax.tree.leaves(update)), f"the update is {update}"
""",
        ),
        _experiment(
            cases.trees,
            """
params = $tree
state, planned = tx.init(params), jax.eval_shape(tx.init, params)
_, state = tx.update(params, state, params)
for (path, x), y in zip(jax.tree_util.tree_leaves_with_path(state), jax.tree.leaves(planned)):
    print(jax.tree_util.keystr(path), x.dtype, "weak" * x.weak_type, "weak" * y.weak_type)
    assert x.weak_type == y.weak_type, "a step changes the weak type of its state"
""",
        ),
    ],
    "a_complex_leaf_follows_the_conjugate": [
        _experiment(
            cases.sizes,
            _SAME,
            _RUN,
            """
params = jnp.asarray($leaf, jnp.complex64)
gradients = [jnp.asarray(row, jnp.complex64) * (1 + 2j) for row in $rows]
updates, _ = run(tx, params, gradients)
mirrored, _ = run(tx, params, [g.conj() for g in gradients])
print("updates:              ", updates)
print("of conjugate gradients:", mirrored)
assert same(updates, [u.conj() for u in mirrored], 2e-6), "conjugates do not give conjugates"
""",
        ),
        _experiment(
            cases.sizes,
            _SAME,
            _RUN,
            _GIVEN,
            """
real, _ = run(tx, params, gradients)
complex_, _ = run(tx, params + 0j, [g + 0j for g in gradients])
print("real:   ", real)
print("complex:", complex_)
assert all(jnp.iscomplexobj(u) for u in complex_), "a complex gradient gives a real update"
assert same(complex_, real, 2e-6), "along the real axis a complex leaf has another update"
""",
        ),
    ],
    "a_turned_gradient_gives_a_turned_update": [
        _experiment(
            cases.sizes,
            _SAME,
            _RUN,
            """
params = jnp.asarray($leaf, jnp.complex64) * (1 + 2j)
gradients = [jnp.asarray(row, jnp.complex64) * (1 - 1j) for row in $rows]
turn = jnp.complex64(0.6 + 0.8j)
updates, _ = run(tx, params, gradients)
turned, _ = run(tx, params * turn, [g * turn for g in gradients])
print("updates, turned:            ", [u * turn for u in updates])
print("updates of turned gradients:", turned)
assert same(turned, [u * turn for u in updates], 2e-6), "real and imaginary part act as two"
""",
        )
    ],
    "a_complex_zero_is_safe": [
        _experiment(
            cases.complex_at_rest,
            _FINITE,
            _RUN,
            _GIVEN,
            """
def total(gradients):
    return sum(jnp.sum(u.real + u.imag) for u in run(tx, params, gradients)[0])

updates, _ = run(tx, params, gradients)
slope = jax.grad(total)(gradients)
print("updates:", updates)
print("d(update)/d(gradient):", slope)
assert finite(updates), "a complex zero gives an update that is not finite"
assert finite(slope), "the derivative at a complex zero is not finite"
""",
        )
    ],
    "a_leaf_without_gradient_is_refused_by_path": [
        _experiment(
            cases.dtypes_without_gradient,
            """
params = {"w": jnp.ones(2), "inside": [jnp.ones(2), jnp.zeros(2, "$dtype")]}
try:
    tx.init(params)
except TypeError as error:
    assert "['inside'][1]" in str(error) and "$dtype" in str(error), error
else:
    raise AssertionError("init accepts a leaf of dtype $dtype, which has no gradient")
""",
        )
    ],
    "a_missing_gradient_is_refused_by_path": [
        _experiment(
            cases.once,
            """
params = {"w": jnp.ones(2), "inside": [jnp.ones(2), jnp.ones(3)]}
gradient = {"w": jnp.ones(2), "inside": [jnp.ones(2), None]}
state = tx.init(params)
try:
    tx.update(gradient, state, params)
except ValueError as error:
    print(error)
    named = "gradient" in str(error) and "['inside'][1]" in str(error)
    assert named, "the error does not say that the gradient of ['inside'][1] is missing"
else:
    raise AssertionError("a missing gradient is accepted")
""",
        )
    ],
    "extra_arguments_are_accepted": [
        _experiment(
            cases.once,
            """
params = gradient = jnp.ones(3)
state = tx.init(params)
print(type(tx).__name__)
tx.update(gradient, state, params, anything="else")
""",
        ),
        _experiment(
            cases.once,
            """
print(type(tx).__name__)
known = isinstance(tx, optax.GradientTransformationExtraArgs)
assert known, "a wrapper of Optax passes no extra arguments to it"
""",
        ),
    ],
    "a_restored_run_goes_on_bitwise": [
        _experiment(
            cases.far,
            _SAME,
            _RUN,
            _GIVEN,
            """
expected, last = run(tx, params, gradients)

state = tx.init(params)
saved = [np.array(x) for x in jax.tree.leaves(state)]
again = $tx
restored = [jnp.asarray(x) for x in saved]
state = jax.tree.unflatten(jax.tree.structure(again.init(params)), restored)
updates = []
for gradient in gradients:
    update, state = again.update(gradient, state, params)
    updates.append(update)
print("without a break:", expected)
print("restored:       ", updates)
assert same(updates, expected), "a restored run gives other updates"
""",
        )
    ],
}
"""The experiments that show that a law is broken, by the name of the law."""
