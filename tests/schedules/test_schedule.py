"""What all schedules are: functions of the step, trees of numbers, and Python when printed."""

import copy
import inspect
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from lecture_optax import schedules
from lecture_optax.schedules import Schedule

from .cases import CASES, KINDS, case as called

OVERFLOWS = called("exponential", 0.001, 1.3, end_value=2.0)
STEPS = np.array([0, 1, 2, 3, 5, 7, 8, 11, 12, 19, 25, 39, 40, 41, 1000, 2**24 + 1])


def same_bits(actual, expected):
    np.testing.assert_array_equal(np.asarray(actual), np.asarray(expected))


PUT_TOGETHER = {"join", "scale", "clip", "warmup"}  # of others: test_join.py, test_warmup.py
OF_THEIR_OWN = {"momentum_fista"}  # a recursion: test_momentum.py


def test_every_schedule_is_in_the_table():
    functions = {name for name, x in vars(schedules).items() if inspect.isfunction(x)}
    public = {name for name in functions if not name.startswith("_")}
    others = PUT_TOGETHER | OF_THEIR_OWN | {"tabulate", "plot"}
    assert public - others == {case.name for case in CASES}


def is_number(x):
    return isinstance(x, int | float) and not isinstance(x, bool)


@pytest.mark.parametrize("case", KINDS, ids=repr)
def test_it_has_the_same_bits_eagerly_compiled_mapped_and_scanned(case):
    schedule = case.build()
    eagerly = [schedule(int(k)) for k in STEPS]
    # beside other work, into which XLA would fuse it
    beside = jax.jit(lambda k: (schedule(k), 3 * schedule(k) + k.astype(float)))
    same_bits([beside(k)[0] for k in STEPS], eagerly)
    same_bits(jax.jit(jax.vmap(schedule))(STEPS), eagerly)
    same_bits(schedule(STEPS.reshape(4, 4)).ravel(), eagerly)
    same_bits(jax.lax.scan(lambda c, k: (c + schedule(k), schedule(k)), 0.0, STEPS)[1], eagerly)
    same_bits(jax.jit(lambda schedule, k: schedule(k))(schedule, STEPS), eagerly)


@pytest.mark.parametrize("case", CASES, ids=repr)
def test_what_it_prints_rebuilds_it(case):
    schedule = case.build()
    again = eval(repr(schedule))
    assert again == schedule and hash(again) == hash(schedule) and repr(again) == repr(schedule)


@pytest.mark.parametrize(
    "typed",
    [
        "schedules.cosine(0.1, 1000, warmup_steps=20)",
        "schedules.step(0.1, [10, 20, 30, 40, 50, 60, 70, 80])",
        "schedules.wsd(0.1, total_steps=100, shape='cosine')",
        "schedules.warmup(schedules.constant(0.1), 10, init_value=0.01, shape='exponential')",
        "schedules.scale(schedules.exponential(0.1, 0.5, staircase=True), 0.5)",
        "schedules.join([schedules.constant(0.1), schedules.linear(0.1, 10)], [5])",
        "schedules.clip(schedules.inverse_time(0.1), max_value=0.05)",
        "schedules.momentum_nesterov()",
    ],
)
def test_it_prints_as_it_was_typed(typed):
    assert repr(eval(typed)) == typed


def test_what_cannot_be_typed_prints_in_brackets():
    joined = schedules.join([np.sqrt, schedules.constant(0.1)], [5])
    assert repr(joined) == "schedules.join([<function sqrt>, schedules.constant(0.1)], [5])"
    printed = []
    jax.jit(lambda rate: printed.append(repr(schedules.constant(rate))) or rate)(0.1)
    assert printed == ["schedules.constant(<traced float32>)"]


@pytest.mark.parametrize("case", CASES, ids=repr)
def test_it_survives_pickling_copying_and_flattening(case):
    schedule = case.build()
    for again in (
        pickle.loads(pickle.dumps(schedule)),
        pickle.loads(pickle.dumps(jax.tree.map(jnp.asarray, schedule))),
        copy.deepcopy(schedule),
        copy.copy(schedule),
        jax.tree.unflatten(*jax.tree.flatten(schedule)[::-1]),
        jax.tree.map(lambda x: x, schedule),
        jax.tree.map(np.asarray, schedule),
        jax.tree.map(jnp.asarray, schedule),
    ):
        assert isinstance(again, Schedule) and again is not schedule
        assert eval(repr(again)) == schedule


@pytest.mark.parametrize("case", KINDS, ids=repr)
@pytest.mark.parametrize(
    "leaf", [None, object(), "x", jax.ShapeDtypeStruct((3,), int), -1, jnp.nan]
)
def test_its_leaves_may_be_anything(case, leaf):
    schedule = case.build()
    odd = jax.tree.map(lambda _: leaf, schedule)
    assert isinstance(odd, Schedule) and repr(odd) and odd == odd
    structure = jax.tree.structure(schedule)
    assert jax.tree.unflatten(structure, jax.tree.leaves(schedule)) == schedule


@pytest.mark.parametrize("case", CASES, ids=repr)
def test_every_number_is_a_leaf(case):
    numbers = [x for x in (*case.arguments, *case.options.values()) if is_number(x)]
    leaves = jax.tree.leaves(case.build())
    assert all(number in leaves for number in numbers)
    paths = [jax.tree_util.keystr(p) for p, _ in jax.tree.leaves_with_path(case.build())]
    assert all(f"['{name}']" in paths for name, x in case.options.items() if is_number(x))


@pytest.mark.parametrize("case", KINDS, ids=repr)
def test_one_compile_serves_all_numbers_and_steps(case):
    traces = []

    @jax.jit
    def rate(schedule, k):
        traces.append(k)
        return schedule(k)

    schedule = case.build()
    for scale in (1, 2, 3):
        other = jax.tree.map(lambda x, s=scale: x if isinstance(x, bool) else x * s, schedule)
        for k in (0, 10, 2**31 - 1):
            same_bits(rate(other, k), other(k))
    assert len(traces) == 1


@pytest.mark.parametrize("case", [case for case in KINDS if case.arguments], ids=repr)
def test_a_vmap_over_the_first_number_is_a_loop(case):
    values = (case.arguments[0] + 0.01) * jnp.linspace(1, 3, 5)

    def rates(value):
        return case._replace(arguments=(value, *case.arguments[1:])).build()(STEPS)

    together = jax.jit(jax.vmap(rates))(values)
    np.testing.assert_allclose(together, [rates(value) for value in values], rtol=3e-7)
    built = jax.vmap(lambda v: case._replace(arguments=(v, *case.arguments[1:])).build())(values)
    alike = jax.vmap(lambda schedule: schedule(STEPS))(built)
    np.testing.assert_allclose(alike, together, rtol=3e-7)


@pytest.mark.parametrize("case", [*KINDS, OVERFLOWS], ids=repr)
def test_the_derivative_by_every_number_is_finite_at_every_step(case):
    leaves, structure = jax.tree.flatten(jax.tree.map(float, case.build()))

    def rate(leaves, k):
        return jax.tree.unflatten(structure, leaves)(k)

    slopes = jax.jit(jax.vmap(jax.grad(rate), in_axes=(None, 0)))(leaves, STEPS)
    assert all(np.isfinite(slope).all() for slope in jax.tree.leaves(slopes))


SMOOTH = [
    ("constant", {"init_value": 0.3, "warmup_steps": 7.3}),
    ("step", {"init_value": 0.3, "boundaries": 5, "factor": 0.7, "warmup_steps": 7.3}),
    ("exponential", {"init_value": 0.3, "decay_rate": 0.9, "transition_steps": 3.0}),
    ("exponential", {"init_value": 0.3, "decay_rate": 0.5, "end_value": 0.2, "warmup_steps": 7.3}),
    (
        "inverse_time",
        {"init_value": 0.3, "decay_rate": 0.9, "power": 0.7, "warmup_steps": 3.3},
    ),
    ("polynomial", {"init_value": 0.3, "total_steps": 15.3, "end_value": 0.1, "power": 1.7}),
    ("linear", {"init_value": 0.3, "total_steps": 15.3, "end_value": 0.1, "warmup_steps": 7.3}),
    ("linear", {"init_value": 0.1, "total_steps": 15.3, "end_value": 0.3}),
    ("cosine", {"init_value": 0.3, "total_steps": 15.3, "end_value": 0.1, "warmup_steps": 7.3}),
    ("one_cycle", {"peak_value": 0.3, "total_steps": 15.3, "warmup_steps": 4.3}),
    ("one_cycle", {"peak_value": 0.3, "total_steps": 15.0, "init_value": 0.1, "end_value": 0.2}),
    (
        "warm_restarts",
        {"peak_value": 0.3, "period": 4, "peak_factor": 0.7, "end_value": 0.1, "init_value": 0.2},
    ),
    ("cyclic", {"init_value": 0.1, "peak_value": 0.3, "period": 5, "peak_factor": 0.7}),
    (
        "wsd",
        {"peak_value": 0.3, "decay_start": 9.3, "decay_steps": 4.3, "warmup_steps": 5.3},
    ),
    ("wsd", {"peak_value": 0.3, "decay_start": 3.3, "decay_steps": 4.3, "warmup_steps": 5.3}),
    ("wsd", {"peak_value": 0.3, "total_steps": 18.7, "decay_steps": 4.3, "shape": "cosine"}),
    ("silver", {"smoothness": 3.0}),
]
"""Where a horizon lies between two steps, the rate moves smoothly with it."""


@pytest.mark.parametrize(("name", "numbers"), SMOOTH, ids=str)
def test_the_derivative_by_every_number_is_the_slope(name, numbers, x64):
    smooth = {n: jnp.asarray(x) for n, x in numbers.items() if isinstance(x, float)}
    fixed = {n: x for n, x in numbers.items() if n not in smooth}

    @jax.jit
    def rates(smooth):
        return getattr(schedules, name)(**fixed, **smooth)(jnp.arange(20))

    slopes, h = jax.jit(jax.jacfwd(rates))(smooth), 1e-6
    for number, value in smooth.items():
        above, below = (rates({**smooth, number: value + sign * h}) for sign in (1, -1))
        np.testing.assert_allclose(slopes[number], (above - below) / (2 * h), atol=2e-8)


ENDLESS = [
    "step(0.1, 10, factor=0.97, warmup_steps=7)",
    "step(0.1, 1048576, factor=0.3)",
    "exponential",
    "inverse_time",
    "warm_restarts(0.1, 10)",
    "warm_restarts(0.1, 10, period_factor=2)",
    "cyclic",
    "momentum_nesterov",
    "silver",
]


@pytest.mark.parametrize("case", CASES, ids=repr)
def test_the_horizon_is_where_it_stops_moving(case):
    schedule = case.build()
    end = schedule.horizon
    if case.name in ENDLESS or repr(case) in ENDLESS:
        assert end is None
        return
    assert type(end) is int
    before, last, *later = schedule(np.array([end - 1, end, end + 1, 2**31 - 1]).clip(0, 2**31 - 1))
    assert end == 0 or before != last
    same_bits(later, [last, last])


def test_the_horizon_is_known_after_a_jit_and_an_array_inside():
    schedule, inside = schedules.warmup(schedules.cosine(0.1, jnp.int32(10)), np.int64(5)), []
    assert schedule.horizon == 15
    assert jax.jit(lambda x: inside.append(x.horizon) or x)(schedule).horizon == 15
    assert isinstance(inside[0], jax.core.Tracer)


@pytest.mark.parametrize("kind", [float, np.int64])
@pytest.mark.parametrize("case", KINDS, ids=repr)
def test_steps_may_be_counted_in_any_kind_of_number(case, kind):
    def converted(x):
        return kind(x) if isinstance(x, int) and not isinstance(x, bool) else x

    arguments = tuple(jax.tree.map(converted, list(case.arguments)))
    options = {n: jax.tree.map(converted, x) for n, x in case.options.items()}
    given = case._replace(arguments=arguments, options=options).build()(STEPS)
    np.testing.assert_allclose(given, case.build()(STEPS), rtol=5e-7)


@pytest.mark.parametrize("kind", [np.float64, np.int32, jnp.int32, jnp.float32])
def test_steps_may_be_counted_in_arrays(kind):
    ks = np.arange(60)
    given = schedules.cosine(0.1, kind(40), warmup_steps=kind(7))(ks)
    np.testing.assert_allclose(given, schedules.cosine(0.1, 40, warmup_steps=7)(ks), rtol=5e-7)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16", "uint32"])
def test_a_count_may_be_of_any_integer_dtype(dtype):
    schedule = schedules.linear(1.0, 1000, warmup_steps=10)
    same_bits(schedule(jnp.arange(100).astype(dtype)), schedule(jnp.arange(100)))


def test_a_count_outside_of_the_counter_is_its_nearest_step():
    schedule = schedules.exponential(1.0, 0.999999999)
    same_bits(schedule(jnp.uint32(2**32 - 1)), schedule(2**31 - 1))
    same_bits(schedule(-3), schedule(0))


@pytest.mark.parametrize("case", KINDS, ids=repr)
def test_a_count_may_be_a_float(case):
    schedule = case.build()
    np.testing.assert_allclose(schedule(STEPS[:-1] * 1.0), schedule(STEPS[:-1]), rtol=5e-7)


def test_between_two_steps_a_line_is_half_way():
    assert schedules.linear(1.0, 4)(1.5) == 0.625


@pytest.mark.parametrize("schedule", [schedules.cosine(0.1, 10), schedules.warm_restarts(0.1, 10)])
def test_it_has_the_shape_of_the_count(schedule):
    for shape in [(), (0,), (3,), (2, 0), (2, 3)]:
        assert schedule(jnp.zeros(shape, int)).shape == shape
    assert schedule(0).dtype == jnp.float32 and not schedule(0).weak_type
    assert jax.eval_shape(schedule, 0).shape == ()


def test_equal_is_of_one_kind_with_equal_numbers():
    cosine = schedules.cosine(0.1, 100)
    assert cosine == schedules.cosine(0.1, 100) == schedules.cosine(np.float64(0.1), 100.0)
    for other in (
        schedules.cosine(0.2, 100),
        schedules.linear(0.1, 100),
        jax.tree.map(lambda x: jnp.full(2, x), cosine),
        schedules.scale(cosine, 1.0),
        0.1,
    ):
        assert cosine != other
    shapes = [schedules.wsd(0.1, 100, shape=shape) for shape in ("linear", "cosine")]
    assert shapes[0] != shapes[1]


def test_it_may_be_compiled_by_itself():
    schedule = schedules.join([np.sqrt, schedules.cosine(jnp.float32(0.1), 10)], [5])
    same_bits(jax.jit(schedule.arguments["schedules"][1])(3), schedule(8))


def test_it_may_be_static():
    traces = []

    def rate(schedule, k):
        traces.append(schedule)
        return schedule(k)

    compiled = jax.jit(rate, static_argnums=0)
    for peak in (0.1, 0.1, 0.2, jnp.float32(0.2), jnp.float32(0.3)):
        same_bits(compiled(schedules.cosine(peak, 100), 50), schedules.cosine(peak, 100)(50))
    assert len(traces) == 4


def test_inside_a_program_it_is_equal_to_itself_only():
    def answers(peak):
        one, other = schedules.constant(peak), schedules.constant(peak + 0)
        assert one == one and one != other and hash(one) == hash(other)
        return one(3)

    same_bits(jax.jit(answers)(0.5), 0.5)


def test_a_function_with_a_tracer_inside_leaks_nothing(no_leaks):
    def rate(slope):
        return schedules.scale(lambda k: slope * jnp.asarray(k, float), 0.5)(4)

    assert jax.jit(jax.grad(rate))(1.0) == 2
    assert [float(jax.jit(rate)(x)) for x in (1.0, 3.0)] == [2, 6]
    same_bits(jax.vmap(rate)(jnp.arange(3.0)), [0, 2, 4])


def test_optax_takes_it_for_a_schedule(standard_promotion):
    schedule = schedules.cosine(0.1, 10, warmup_steps=3)
    joined = optax.join_schedules([schedule, schedule], [10])
    same_bits(joined(13), schedule(3))
    tx = optax.chain(optax.scale_by_schedule(schedule), optax.scale(-1.0))
    state = tx.init(jnp.zeros(()))
    for k in range(5):
        update, state = tx.update(jnp.ones(()), state)
        np.testing.assert_allclose(update, -schedule(k), rtol=1e-6)


def test_a_call_that_does_not_fit_is_explained():
    with pytest.raises(TypeError, match="missing a required argument: 'total_steps'"):
        schedules.cosine(0.1)
    with pytest.raises(TypeError, match=r"schedules\.cosine has no argument 'T_max'. Did you mean"):
        schedules.cosine(0.1, T_max=3)


@pytest.mark.parametrize(
    "name", sorted({case.name for case in CASES} | PUT_TOGETHER | OF_THEIR_OWN)
)
def test_what_comes_after_two_arguments_is_passed_by_name(name):
    factory = getattr(schedules, name)
    parameters = inspect.signature(factory).parameters.values()
    assert sum(p.kind is p.POSITIONAL_OR_KEYWORD for p in parameters) <= 2
    with pytest.raises(TypeError, match=f"schedules.{name} takes . arguments by position, got 3"):
        factory(1.0, 100, 10)


def test_the_refusal_names_what_a_third_argument_may_have_meant():
    with pytest.raises(TypeError, match=r"pass the others by name \(end_value and warmup_steps\)"):
        schedules.cosine(1e-3, 100, 10)


@pytest.mark.parametrize("huge", [10**12, np.int64(10**12)])
def test_a_huge_integer_is_a_learning_rate_like_any_other(huge):
    assert schedules.constant(huge)(3) == schedules.constant(1e12)(3) == np.float32(1e12)
