"""The folder of another run is refused, and the message names what differs."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import lecture_optax as lo
from lecture_optax.training.checkpoint import identity

from ..models import ADAM, PARAMS, TRAIN, VALID

OPTIONS = {"tx": ADAM, "steps": 4, "batch_size": 16, "evaluations": 2, "progress": False}
MEASURES = {"loss": "cross_entropy", "metrics": ["accuracy"]}


class Net(nn.Module):
    activation: str = "tanh"
    start: float = 0.1

    @nn.compact
    def __call__(self, x):
        kernel = nn.initializers.normal(self.start)
        x = nn.Dense(8, name="hidden", kernel_init=kernel)(x)
        return nn.Dense(2, name="out", kernel_init=kernel)(getattr(nn, self.activation)(x))


class Twin(nn.Module):
    """`Net` as another writes it."""

    @nn.compact
    def __call__(self, examples):
        normal = nn.initializers.normal(0.1)
        hidden = jax.jit(jnp.tanh)(nn.Dense(8, name="hidden", kernel_init=normal)(examples))
        return nn.Dense(2, name="out", kernel_init=normal)(hidden)


def fit(folder, model=None, data=TRAIN, **options):
    return lo.fit(
        model or Net(), data, valid=VALID, checkpoint=folder, **{**OPTIONS, **MEASURES, **options}
    )


def twice_the_loss(prediction, target):
    return 2 * optax.softmax_cross_entropy_with_integer_labels(prediction, target)


def same_loss(prediction, target):
    return optax.softmax_cross_entropy_with_integer_labels(logits=prediction, labels=target)


def sure(prediction, target):
    return jnp.max(jax.nn.softmax(prediction), -1)


def f1(y_true, y_pred):
    return 2 * np.mean(y_true * y_pred) / max(np.mean(y_true + y_pred), 1e-9)


def recall(y_true, y_pred):
    return np.mean(y_true * y_pred) / max(np.mean(y_true), 1e-9)


def test_a_metric_on_the_host_is_another_one_with_other_code(tmp_path):
    fit(tmp_path, metrics={"score": f1})
    with pytest.raises(ValueError, match="the metric score is another function than it was"):
        fit(tmp_path, metrics={"score": recall})
    assert fit(tmp_path, metrics={"score": f1}).steps == 4


def doubled_input(variables, x, *, train, rngs, mutable):
    return Net().apply(variables, 2 * x, mutable=mutable)


def plain(variables, x, *, train, rngs, mutable):
    return Net().apply(variables, x, rngs=rngs, mutable=mutable)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The folder of a run that is at its end."""
    folder = tmp_path_factory.mktemp("identity")
    fit(folder)
    return folder


CHANGES = {
    "activation": ({"model": Net("relu")}, "the model is another function than it was"),
    "initializer": ({"model": Net(start=0.2)}, "the initial parameters are computed in another"),
    "apply": ({"apply": doubled_input}, "the model is another function"),
    "loss": ({"loss": twice_the_loss}, "loss is your twice_the_loss, was cross_entropy"),
    "dtype": ({"dtype": jnp.bfloat16}, "dtype is bfloat16, was None"),
    "params": ({"params": PARAMS}, "the weights at the start are 58 in 4 arrays"),
    "metrics": ({"metrics": ["accuracy", "cross_entropy"]}, "metrics are .*, were accuracy"),
    "metric": ({"metrics": {"accuracy": sure}}, "the metric accuracy is another function"),
    "keep": ({"keep": "last"}, "keep is last, was best"),
    "evaluations": ({"evaluations": 4}, "evaluations is 4, was 2"),
    "average": ({"average": True}, r"average is average_iterates\(\), was absent"),
    "accumulate": ({"accumulate": 2}, "accumulate is 2, was 1"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_finished_run_is_not_that_of_another_call(folder, name):
    change, words = CHANGES[name]
    with pytest.raises(ValueError, match=f"holds another run: {words}.*give another folder") as e:
        fit(folder, strict=name == "loss", **change)
    assert "\n" not in str(e.value)


@pytest.mark.parametrize(
    "change",
    [
        {"model": Twin()},
        {"loss": same_loss},
        {"apply": plain},
        {"evaluations": [2]},
        {"data": (TRAIN[0].astype(float).tolist(), TRAIN[1].astype(np.int64))},
    ],
    ids=list,
)
def test_the_same_call_may_be_written_in_another_way(folder, change):
    assert fit(folder, **change).steps == 4


def test_the_order_of_metrics_does_not_matter():
    one, other = [
        {"functions": {identity.METRIC + name: name for name in names}} for names in ("ab", "ba")
    ]
    assert identity.difference(one, other) is None


class TestVersions:
    def test_after_another_version_the_functions_are_not_compared(self, folder, monkeypatch):
        monkeypatch.setattr(identity, "_versions", lambda: {"jax": "0.99.0"})
        with pytest.warns(UserWarning, match=r"jax is 0.99.0, was .* cannot be compared"):
            fit(folder, Net("relu"))
        assert fit(folder).steps == 4  # without a word: the hashes are equal

    def test_what_has_a_name_is_still_compared(self, folder, monkeypatch):
        monkeypatch.setattr(identity, "_versions", lambda: {"jax": "0.99.0"})
        with pytest.raises(ValueError, match="dtype is bfloat16, was None"):
            fit(folder, dtype=jnp.bfloat16)
