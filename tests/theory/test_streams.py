"""The recorded streams of torch and Keras, and the methods that `identify` names in them.

The search that ends in a refusal takes seconds: those tests are marked slow.
"""

import numpy as np
import pytest

from lecture_optax.theory import identify
from tests.theory.streams import make_keras, make_torch, read

TORCH, KERAS = read("torch"), read("keras")
STORED = {("torch", name): x for name, x in TORCH.items()}
STORED |= {("keras", name): x for name, x in KERAS.items()}


@pytest.mark.parametrize(
    ("stored", "calls", "others"),
    [(TORCH, make_torch.CALLS, make_torch.MATRIX), (KERAS, make_keras.CALLS, {})],
    ids=["torch", "keras"],
)
def test_every_call_is_stored(stored, calls, others):
    assert {name.rpartition(" (")[0] for name in stored} == {*calls, *others}


@pytest.mark.parametrize("stored", STORED.values(), ids=map("-".join, STORED))
def test_a_stream_is_whole(stored):
    for name, update in stored.updates.items():
        assert stored.gradients[name].shape == stored.params[name].shape == update.shape
        assert stored.gradients[name].dtype == stored.params[name].dtype
        assert np.isfinite(update).all()
        assert (update != 0).any()


NAMED = {
    ("torch", "SGD (float64)"): ("sgd", {}, 0.1),
    ("torch", "SGD, momentum (float64)"): ("sgd with momentum", {"momentum": 0.9}, 0.1),
    ("torch", "SGD, maximize (float64)"): (
        "sgd with momentum, with the opposite sign: it ascends",
        {"momentum": 0.9},
        -0.1,
    ),
    ("torch", "SGD, Nesterov (float64)"): ("sgd with Nesterov momentum", {"momentum": 0.9}, 0.1),
    ("torch", "SGD, dampening (float64)"): (
        "sgd with dampened momentum",
        {"momentum": 0.9, "dampening": 0.5},
        0.1,
    ),
    ("torch", "Adam (float64)"): ("adam", {"b1": 0.9, "b2": 0.999}, 0.01),
    ("torch", "Adam, other decays (float64)"): ("adam", {"b1": 0.8, "b2": 0.95, "eps": 0.01}, 0.01),
    ("torch", "Adam, AMSGrad (float64)"): (
        "amsgrad, the maximum before the bias correction",
        {"b1": 0.8, "b2": 0.95, "eps": 0.01},
        0.01,
    ),
    ("torch", "NAdam (float64)"): (
        "nadam, a momentum that moves (momentum_decay=0.004)",
        {"b1": 0.9, "b2": 0.999},
        0.01,
    ),
    ("keras", "SGD (float64)"): ("sgd", {}, 0.1),
    ("keras", "Adam, other decays (float64)"): (
        "adam, ε added before the bias correction",
        {"b1": 0.8, "b2": 0.95, "eps": 0.01},
        0.01,
    ),
}


@pytest.mark.parametrize("which", NAMED, ids=map("-".join, NAMED))
def test_the_method_of_a_stream_is_named_to_the_digit(which):
    name, numbers, rate = NAMED[which]
    found = identify(*STORED[which])
    assert (found.name, found.schedule) == (name, "constant")
    assert {key: found.hyperparameters[key] for key in numbers} == numbers
    np.testing.assert_allclose(found.learning_rates, rate, rtol=1e-12)


REFUSED = [
    ("torch", "Muon (float64)"),
    ("torch", "Adafactor (float64)"),
    ("torch", "AdamW, one cycle (float64)"),  # torch moves β1 with the learning rate
    ("keras", "Lamb (float64)"),
    ("keras", "Ftrl (float64)"),
]


@pytest.mark.slow
@pytest.mark.parametrize("which", REFUSED, ids=map("-".join, REFUSED))
def test_a_method_that_no_blocks_express_is_refused(which):
    found = identify(*STORED[which])
    assert found.name is None
    assert found.reason
