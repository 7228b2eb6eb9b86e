"""Every optimizer of Optax trains rightly, or is refused by name before it takes a step."""

import re
import warnings

import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax.contrib
import pytest
from optax import contrib

import lecture_optax as lo
from lecture_optax._core.current import states_in
from lecture_optax.training import Problem
from lecture_optax.training.checks.optimizer import (
    check_update,
    ended_first_message,
    lint_messages,
    start_optimizer,
)
from lecture_optax.training.compiled.step import Carry

pytestmark = pytest.mark.usefixtures("untyped", "standard_promotion")

_random = np.random.default_rng(0)
X = _random.normal(size=(32, 3)).astype(np.float32)
TRAIN = {"x": X, "y": X @ np.array([1.0, 2.0, -1.0], np.float32)}
PARAMS = {"w": jnp.zeros(3), "v": jnp.full((2, 2), 0.5)}


def init(key):
    return PARAMS


def loss(params, batch):
    return (batch["x"] @ params["w"] - batch["y"]) ** 2 + jnp.sum(params["v"] ** 2)


PROBLEM = Problem.from_functions(init=init, loss=loss, train=TRAIN, valid=TRAIN)


def fitted(tx, **options):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*validation examples are training data too")
        return lo.fit(PROBLEM, tx=tx, steps=12, evaluations=3, progress=False, **options)


ALIASES = {
    name: getattr(module, name)
    for module, names in {
        optax: "adabelief adadelta adafactor adagrad adam adamax adamaxw adamw adan amsgrad fromage"
        " lamb lars lion nadam nadamw noisy_sgd novograd optimistic_adam_v2"
        " optimistic_gradient_descent radam rmsprop rprop sgd sign_sgd signum sm3 yogi",
        contrib: "acprop ademamix adopt dog dowg galore madgrad momo momo_adam muon"
        " schedule_free_sgd schedule_free_adamw simplified_ademamix",
    }.items()
    for name in names.split()
}
SPECIAL = {
    "cocob": contrib.cocob,
    "prodigy": contrib.prodigy,
    "dadapt_adamw": contrib.dadapt_adamw,
    "lbfgs": optax.lbfgs,
    "polyak_sgd": optax.polyak_sgd,
    "mechanize": lambda: contrib.mechanize(optax.sgd(1.0)),
    "normalize": lambda: optax.chain(contrib.normalize(), optax.sgd(0.1)),
    "reduce_on_plateau": lambda: optax.chain(optax.adam(0.1), contrib.reduce_on_plateau()),
    "split_real_and_imaginary": lambda: contrib.split_real_and_imaginary(optax.adam(0.1)),
    "schedule_free": lambda: contrib.schedule_free(optax.adam(0.1, b1=0.0), 0.1),
    "apply_if_finite": lambda: optax.apply_if_finite(optax.sgd(0.1), 3),
    "flatten": lambda: optax.flatten(optax.adam(0.1)),
    "micro-steps": lambda: optax.MultiSteps(optax.sgd(0.1), 2).gradient_transformation(),
    "backtracking": lambda: optax.chain(
        optax.sgd(1.0), optax.scale_by_backtracking_linesearch(max_backtracking_steps=15)
    ),
}
OPTIMIZERS = {name: lambda make=make: make(0.05) for name, make in ALIASES.items()} | SPECIAL


def built(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # noisy_sgd asks for a key
        return OPTIMIZERS[name]()


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_optimizer_that_can_take_a_step_is_not_refused(name):
    tx = built(name)
    state = jax.eval_shape(tx.init, PARAMS)
    check_update("tx", tx, PARAMS, Carry(PARAMS, {}, state, None, 0))


@pytest.mark.slow
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_it_trains_and_is_not_taken_for_one_that_climbs(name):
    result = fitted(built(name))
    assert result.history["valid_loss"][-1] < result.history["loss"][0]


HAVE_A_SIGN = ("rprop", "madgrad", "schedule", "linesearch", "learning_rate", "cocob", "muon")
SCALINGS = {
    name: make
    for module in (optax, contrib)
    for name, make in vars(module).items()
    if name.startswith("scale_by_") and not name.endswith(HAVE_A_SIGN)
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SCALINGS)
def test_every_scaling_without_a_rate_is_warned_of(name):
    tx = SCALINGS[name]()
    assert any("uphill" in message for message in lint_messages(tx, PARAMS))


SGD = optax.sgd(0.1)
NEED_MORE = {
    "sam": (contrib.sam(SGD, SGD), "optax.contrib.sam needs a second gradient"),
    "opaque sam": (contrib.sam(SGD, SGD, opaque_mode=True), "optax.contrib.sam needs a second"),
    "sam in a chain": (optax.chain(optax.clip(1.0), contrib.sam(SGD, SGD)), "sam needs a second"),
    "lookahead": (optax.lookahead(SGD, 5, 0.5), "optax.lookahead needs a pair of fast and slow"),
    "dpsgd": (
        contrib.differentially_private_aggregate(1.0, 0.1, 0),
        "the gradient of every example",
    ),
    "sophia": (contrib.sophia(0.1), "need the loss as obj_fn="),
}


@pytest.mark.parametrize("name", NEED_MORE)
def test_one_that_needs_more_than_a_gradient_is_refused_by_name(name):
    tx, says = NEED_MORE[name]
    with pytest.raises(
        TypeError, match=rf"tx \(or one of optimizers\) cannot train here: .*{says}"
    ):
        start_optimizer(lambda params, numbers: tx.init(params), PARAMS, {})


def test_micro_steps_as_an_object_are_told_to_become_a_transformation():
    with pytest.raises(TypeError, match=r"Pass MultiSteps\(...\).gradient_transformation\(\)"):
        fitted(optax.MultiSteps(SGD, 2))


def returning(update, state=None):
    return optax.GradientTransformation(
        lambda params: optax.EmptyState() if state is None else state, update
    )


BROKEN = {
    "raises": (returning(lambda u, s, p: 1 / 0), "cannot take a step .*: division by zero"),
    "another tree": (returning(lambda u, s, p: (u["w"], s)), r"an update like the parameters, got"),
    "another shape": (
        returning(lambda u, s, p: (jax.tree.map(jnp.sum, u), s)),
        r"an update like the parameters, got \(\) for \['v'\], which was \(2, 2\)",
    ),
    "another state": (
        returning(lambda u, s, p: (u, s.astype(jnp.float16)), jnp.zeros(2)),
        r"a state like the one before the step, got float16\[2\] for it, which was float32\[2\]",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_one_that_breaks_the_promises_of_a_transformation_is_refused_by_name(name):
    tx, says = BROKEN[name]
    with pytest.raises(TypeError, match=f"tx .*{says}"):
        check_update("tx", tx, PARAMS, Carry(PARAMS, {}, tx.init(PARAMS), None, 0))


@pytest.mark.parametrize(
    ("tx", "name"),
    [
        (optax.apply_if_finite(SGD, 3), "apply_if_finite"),
        (optax.chain(optax.zero_nans(), SGD), "zero_nans"),
        (optax.MultiSteps(SGD, 2, should_skip_update_fn=optax.skip_not_finite), "skip_not_finite"),
    ],
)
def test_one_that_would_skip_what_is_not_finite_is_told_that_the_run_ends_first(tx, name):
    assert f"optax.{name} has no effect here" in ended_first_message(tx.init(PARAMS))


def test_other_micro_steps_are_not():
    assert ended_first_message(optax.MultiSteps(SGD, 2).init(PARAMS)) is None


def eval_state(result):
    (state,) = states_in(result.opt_state, contrib.ScheduleFreeState)
    return state


def eval_params(result):
    """As Optax says, from the state and the parameters of the training."""
    return contrib.schedule_free_eval_params(eval_state(result), result.run.carry.params)


class TestScheduleFree:
    def test_the_result_and_the_evaluations_are_at_its_evaluation_weights(self):
        own = contrib.schedule_free_sgd(0.05, b1=0.5)
        result = fitted(optax.chain(optax.clip_by_global_norm(9.0), own))
        losses = result.history["valid_loss"]
        trained, measured = (
            float(np.mean(loss(params, TRAIN)))
            for params in (result.run.carry.params, eval_params(result))
        )
        np.testing.assert_allclose(losses[-1], measured, rtol=1e-5)
        assert abs(trained - measured) > 1e-3 * measured
        np.testing.assert_allclose(np.mean(loss(result.params, TRAIN)), min(losses), rtol=1e-5)

    def test_leaves_that_another_optimizer_trains_are_left_alone(self):
        own = {"free": contrib.schedule_free_sgd(0.05), "not": SGD}
        result = fitted(optax.partition(own, LABELS), keep="last")
        trained, z = result.run.carry.params, eval_state(result).z["w"]
        chex.assert_trees_all_equal(result.params["v"], trained["v"])
        np.testing.assert_allclose(result.params["w"], (trained["w"] - 0.1 * z) / 0.9, rtol=1e-5)

    @pytest.mark.parametrize("search", [lo.recipe.run, lo.recipe.sweep])
    def test_a_search_refuses_it_by_name(self, search):
        options = {"rates": [0.1]} if search is lo.recipe.sweep else {}
        own = {"free": lambda rate: contrib.schedule_free_sgd(rate)}
        with pytest.raises(TypeError, match=r"optimizers must be .*schedule_free"):
            search(PROBLEM, steps=4, optimizers=own, progress=False, **options)


LABELS = {"w": "free", "v": "not"}


@pytest.mark.filterwarnings("ignore:.*validation examples are training data too")
def test_an_arm_that_climbs_is_warned_of_by_name():
    own = {"mine": lambda rate: optax.chain(optax.trace(0.9), optax.scale(1e-3))}
    options = {"rates": [0.1], "schedules": ["constant"], "evaluations": 1, "progress": False}
    with pytest.warns(
        UserWarning, match=re.escape("optimizers['mine']: LO103: the optimizer goes uphill")
    ):
        lo.recipe.sweep(PROBLEM, steps=1, optimizers=own, **options)
