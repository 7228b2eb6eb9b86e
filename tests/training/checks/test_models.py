"""A model is called as it must be, follows the mode, and fits x; if not, its user is told."""

import functools
import re

import equinox as eqx
import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import lecture_optax as lo
from lecture_optax.training import Problem
from lecture_optax.training.checks.model import check_model, logits_messages
from lecture_optax.training.checks.modes import mode_messages

from ..models import ADAM, PROBLEMS, TRAIN, VALID, LinenNet, noisy

pytestmark = pytest.mark.usefixtures("untyped")
IMAGES = np.zeros((72, 8, 8), np.float32)
IDS = np.arange(72 * 3).reshape(72, 3) % 9


def messages(kind, model, x=TRAIN[0], **options):
    build = getattr(Problem, f"from_{kind}")
    problem = build(model, (x, TRAIN[1]), loss="cross_entropy", **options)
    start = check_model(problem, 8)
    return mode_messages(problem, start, problem.start[1] or {}) + logits_messages(problem, start)


def refusal(*arguments, **options):
    with pytest.raises((TypeError, ValueError)) as raised:
        messages(*arguments, **options)
    return str(raised.value)


class Flagged(nn.Module):
    """Dropout and BatchNorm in training, as a flag says that `call` names."""

    def noisy(self, x, train):
        x = nn.BatchNorm(use_running_average=not train)(nn.Dense(8)(x))
        return nn.Dense(2)(nn.Dropout(0.9, deterministic=not train)(x))


class IsTrain(Flagged):
    @nn.compact
    def __call__(self, x, is_train=False):
        return self.noisy(x, is_train)


class TrainingMode(Flagged):
    @nn.compact
    def __call__(self, x, *, training_mode):
        return self.noisy(x, training_mode)


class Inference(Flagged):
    @nn.compact
    def __call__(self, x, inference: bool | None = None):
        return self.noisy(x, not inference)


class Stochastic(nn.Module):
    @nn.compact
    def __call__(self, x, stochastic=False):
        noise = jax.random.normal(self.make_rng("noise"), x.shape) if stochastic else 0
        return nn.Dense(2)(x + noise)


class EnableDropout(Flagged):
    @nn.compact
    def __call__(self, x, enable_dropout=False):
        return self.noisy(x, enable_dropout)


class Word(Flagged):
    @nn.compact
    def __call__(self, x, mode="eval"):
        return self.noisy(x, mode == "train")


class Field(Flagged):
    train: bool = False

    @nn.compact
    def __call__(self, x):
        return self.noisy(x, self.train)


class Phase(Flagged):
    @nn.compact
    def __call__(self, x, phase):
        return self.noisy(x, phase == "train")


class Latent(nn.Module):
    """With random numbers of its own, in training and in evaluation."""

    @nn.compact
    def __call__(self, x):
        mean = nn.Dense(2)(x)
        return mean + jax.random.normal(self.make_rng("latent"), mean.shape)


class NnxFixed(nnx.Module):
    def __init__(self, train):
        self.train_always, rngs = train, nnx.Rngs(0)
        self.layer, self.norm = nnx.Linear(4, 2, rngs=rngs), nnx.BatchNorm(2, rngs=rngs)
        self.dropout = nnx.Dropout(0.9, rngs=rngs)

    def __call__(self, x):
        off = not self.train_always
        x = self.norm(self.layer(x), use_running_average=off)
        return self.dropout(x, deterministic=off)


class EquinoxFixed(eqx.Module):
    layer: eqx.nn.Linear
    dropout: eqx.nn.Dropout
    off: bool | None

    def __init__(self, off):
        self.layer, self.off = eqx.nn.Linear(4, 2, key=jax.random.key(0)), off
        self.dropout = eqx.nn.Dropout(0.9)

    def __call__(self, x, key):
        return self.dropout(self.layer(x), key=key, inference=self.off)


@pytest.mark.parametrize("model", [IsTrain(), TrainingMode(), Inference()])
def test_a_plain_name_of_the_mode_is_set(model):
    problem = Problem.from_linen(model, TRAIN, loss="cross_entropy")
    start = check_model(problem, 8)
    assert mode_messages(problem, start, {}) == []
    watched = problem.watched()
    for train in (True, False):
        watched.notes.clear()
        given = (*start[:2], start.batch[0], jax.random.key(0))
        jax.eval_shape(functools.partial(watched.forward, train=train), *given)
        assert watched.notes == [train]


@pytest.mark.parametrize(
    "problem", [*PROBLEMS.values(), *(lambda k=k: k for k in ("linen", "nnx", "equinox"))]
)
def test_healthy_models_are_not_warned_of(problem):
    found = problem()
    if isinstance(found, str):
        assert messages(found, noisy(found)) == []
    else:
        assert mode_messages(found, check_model(found, 8), {}) == []


@pytest.mark.parametrize(
    ("kind", "model", "says"),
    [
        ("linen", EnableDropout(), ["keyword enable_dropout, False by default"]),
        ("linen", Stochastic(), ["keyword stochastic, False by default"]),
        ("linen", Word(), ["does not act in training", "training does not update"]),
        ("linen", Field(), ["does not act in training", "training does not update"]),
        ("linen", Latent(), []),
        ("nnx", NnxFixed(False), ["does not act in training", "training does not update"]),
        ("nnx", NnxFixed(True), ["acts in evaluation too", "evaluation does not use"]),
        ("equinox", EquinoxFixed(True), ["does not act in training"]),
        ("equinox", EquinoxFixed(False), ["acts in evaluation too"]),
        ("equinox", EquinoxFixed(None), []),
    ],
)
def test_layers_that_do_not_follow_the_mode_are_warned_of(kind, model, says):
    found = messages(kind, model)
    assert len(found) == len(says)
    for message, part in zip(found, says, strict=True):
        assert part in message and "apply=lambda" in message


class Two(nn.Module):
    @nn.compact
    def __call__(self, x, y):
        return nn.Dense(2)(x + y)


class Nothing(nn.Module):
    @nn.compact
    def __call__(self, x):
        nn.Dense(2)(x)


class Several(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Dense(2)(x), x


class Embedded(nn.Module):
    size: int

    @nn.compact
    def __call__(self, x):
        return nn.Dense(2)(nn.Embed(self.size, 4)(x).mean(1))


class Convolved(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Dense(2)(nn.Conv(2, (3, 3))(x).reshape(len(x), -1))


class EmbeddedColumn(nn.Module):
    """One column of x is a category, among numbers."""

    size: int

    @nn.compact
    def __call__(self, x):
        table = nn.Embed(self.size, 4)(x[:, 2].astype(jnp.int32))
        return nn.Dense(2)(jnp.concatenate([table, x[:, :2]], -1))


class EquinoxEmbedded(eqx.Module):
    table: eqx.nn.Embedding

    def __init__(self):
        self.table = eqx.nn.Embedding(8, 2, key=jax.random.key(0))

    def __call__(self, x):
        return jax.vmap(self.table)(x).mean(0)


class WithoutCall(nn.Module):
    pass


@pytest.mark.parametrize(
    ("kind", "model", "x", "says"),
    [
        ("linen", Phase(), TRAIN[0], r"Phase.__call__ needs phase too: .* apply=lambda variables"),
        ("linen", Two(), TRAIN[0], r"needs y too: .* data = \(\(x1, x2\), y\)"),
        ("linen", WithoutCall(), TRAIN[0], r"module must have a method __call__\(self, x\)"),
        ("linen", Nothing(), TRAIN[0], r"must return .* one array, got None: .* apply=lambda"),
        ("linen", Several(), TRAIN[0], r"got tuple of float32\[8,2\] and float32\[8,4\]"),
        ("linen", Field(train=True), TRAIN[0], r"model fails in evaluation.*keyword train"),
        ("linen", Convolved(), IMAGES, r"x must have a channel axis .* \(72, 8, 8\).*None\]"),
        ("linen", Embedded(8), IDS, r"x must be ids from 0 to 7, .* got 8 in row 2 \(24 such"),
        ("linen", EmbeddedColumn(8), 1.0 * IDS, r"x must be ids from 0 to 7, .* got 8 in row"),
        ("equinox", EquinoxEmbedded(), IDS, r"x must be ids from 0 to 7"),
        ("equinox", (EquinoxEmbedded(),), IDS, r"model must be an Equinox module, or the pair"),
        ("nnx", None, TRAIN[0], r"model must be a Flax nnx model, got None"),
        ("linen", None, TRAIN[0], r"module must be a Flax linen module, got None"),
        ("linen", LinenNet, TRAIN[0], r"module must be a Flax linen module, got the class Linen"),
    ],
)
def test_a_model_that_does_not_fit_its_data_is_refused(kind, model, x, says):
    assert re.search(says, refusal(kind, model, x), re.DOTALL)


def test_tables_and_channels_that_suffice_are_not_refused():
    assert messages("linen", Embedded(9), IDS) == []
    assert messages("linen", EmbeddedColumn(9), 1.0 * IDS) == []
    assert messages("linen", Convolved(), IMAGES[..., None]) == []
    assert "x must be ids" in refusal("linen", Embedded(9), IDS, valid=(IDS[:9] + 1, TRAIN[1][:9]))


class Ending(nn.Module):
    function: object
    size: int = 2

    @nn.compact
    def __call__(self, x):
        return self.function(nn.Dense(self.size)(x))


def test_a_model_that_returns_probabilities_where_the_loss_takes_logits_is_warned_of():
    (warning,) = messages("linen", Ending(nn.softmax))
    assert "the model ends in a softmax, and the loss takes logits" in warning
    for harmless in (nn.log_softmax, nn.sigmoid, lambda x: x / 2, lambda x: 1 / x, jnp.exp):
        assert messages("linen", Ending(harmless)) == []
    one = Ending(lambda x: nn.sigmoid(x)[:, 0], 1)
    with pytest.warns(UserWarning, match="the model ends in a sigmoid"):
        lo.fit(one, TRAIN, loss="binary_cross_entropy", tx=ADAM, steps=1, progress=False)


def test_a_sequence_of_equinox_needs_no_state():
    keys = jax.random.split(jax.random.key(0))
    layers = [eqx.nn.Linear(4, 8, key=keys[0]), eqx.nn.Dropout(0.5)]
    model = eqx.nn.Sequential([*layers, eqx.nn.Linear(8, 2, key=keys[1])])
    assert messages("equinox", model) == []


def test_parameters_of_another_shape_are_refused_in_words():
    for params in ({}, {"kernel": np.ones((3, 2)), "bias": np.ones(2)}):
        assert "Are params those of this model" in refusal("linen", nn.Dense(2), params=params)


def test_apply_initializes_a_module_that_takes_several_inputs():
    def apply(variables, x, *, train, rngs, mutable):
        return Two().apply(variables, *x, rngs=rngs, mutable=mutable)

    assert messages("linen", Two(), (TRAIN[0], TRAIN[0]), apply=apply) == []


def test_a_bound_module_starts_from_its_own_variables():
    variables = IsTrain().init(jax.random.key(3), TRAIN[0])
    bound = IsTrain().bind(variables)
    own = Problem.from_linen(bound, TRAIN, loss="cross_entropy")
    assert own.start[0] is not None and "batch_stats" in own.start[1]
    np.testing.assert_array_equal(own.functions.predict(*own.start, TRAIN[0]), bound(TRAIN[0]))
    given = jax.tree.map(lambda x: 2 * x, variables["params"])
    replaced = Problem.from_linen(bound, TRAIN, loss="cross_entropy", params=given)
    assert replaced.start[0] is given and "batch_stats" in replaced.start[1]


class Sown(nn.Module):
    @nn.compact
    def __call__(self, x):
        self.sow("losses", "size", (x**2).mean(1))
        return nn.Dense(2)(nn.BatchNorm(use_running_average=False, name="norm")(x))


def test_a_model_state_keeps_its_structure_and_its_dtypes():
    problem = Problem.from_linen(IsTrain(), TRAIN, loss="cross_entropy")
    params, state = problem.functions.init(jax.random.key(0), TRAIN)
    with jax.enable_x64(True), jax.numpy_dtype_promotion("standard"):
        wide = TRAIN[0].astype(np.float64), TRAIN[1]
        after = jax.eval_shape(problem.loss, params, state, wide, jax.random.key(0))[1]
    assert jax.tree.map(lambda x: x.dtype, after) == jax.tree.map(lambda x: x.dtype, state)


def test_what_a_model_sows_is_dropped():
    problem = Problem.from_linen(Sown(), TRAIN, loss="cross_entropy")
    params, state = problem.functions.init(jax.random.key(0), TRAIN)
    after = jax.eval_shape(problem.loss, params, state, TRAIN, jax.random.key(0))[1]
    assert jax.tree.structure(after) == jax.tree.structure(state)


def test_a_linen_module_has_its_own_random_numbers_in_evaluation():
    result = lo.fit(Latent(), TRAIN, loss="cross_entropy", valid=VALID, tx=ADAM, steps=1)
    assert jnp.isfinite(result.predict(VALID[0])).all()
