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


STEEP = {"b1": 0.8, "b2": 0.95, "eps": 0.01}
RMS = {"b2": 0.9, "eps": 1e-3}
BETAS, HEAVY = {"b1": 0.9, "b2": 0.999}, {"momentum": 0.9}
DECAY, SMALL_DECAY = {"weight_decay": 0.05}, {"weight_decay": 0.01}
ASCENT = "sgd with momentum, with the opposite sign: it ascends"
MOVING = "a momentum that moves (momentum_decay=0.004)"
BEFORE = "the maximum before the bias correction"
KERAS_EPS = "ε added before the bias correction (as in Keras and TensorFlow)"
TORCH_CLIP = "clipping by the global norm (torch: 1e-6 is added to it)"
NAMED = {
    "torch": {
        "SGD (float64)": ("sgd", {}, 0.1),
        "SGD, momentum (float64)": ("sgd with momentum", HEAVY, 0.1),
        "SGD, momentum (float32)": ("sgd with momentum", HEAVY, 0.1),
        "SGD, momentum, cosine (float64)": ("sgd with momentum", HEAVY, 0.1, "cosine"),
        "SGD, maximize (float64)": (ASCENT, HEAVY, -0.1),
        "SGD, Nesterov (float64)": ("sgd with Nesterov momentum", HEAVY, 0.1),
        "SGD, dampening (float64)": ("sgd with dampened momentum", {"dampening": 0.5}, 0.1),
        "Adam (float64)": ("adam", BETAS, 0.01),
        "Adam (float32)": ("adam", BETAS, 0.01),
        "Adam, other decays (float64)": ("adam", STEEP, 0.01),
        "Adam, step (float64)": ("adam", STEEP, 0.01, "step"),
        "Adam, step (training)": ("adam", STEEP, 0.01, "step"),
        "Adam, AMSGrad (float64)": (f"amsgrad, {BEFORE}", STEEP, 0.01),
        "AdamW (float64)": ("adamw", BETAS | SMALL_DECAY, 0.01),
        "AdamW, weight decay (float64)": ("adamw", STEEP | DECAY, 0.01),
        "AdamW, weight decay (float32)": ("adamw", STEEP | DECAY, 0.01),
        "NAdam (float64)": (f"nadam, {MOVING}", BETAS, 0.01),
        "NAdam (float32)": (f"nadam, {MOVING}", BETAS, 0.01),
        "NAdam, constant momentum (float64)": ("nadam", BETAS, 0.01),
        "NAdam, decoupled (float64)": (f"nadamw, {MOVING}", BETAS | DECAY, 0.01),
        "RMSprop (float64)": ("rmsprop, ε outside the root", RMS, 0.01),
        "RMSprop (float32)": ("rmsprop, ε outside the root", RMS, 0.01),
        "RMSprop, centred (float64)": ("centred rmsprop, ε outside the root", RMS, 0.01),
        "RMSprop, momentum (float64)": (
            "rmsprop with momentum, ε outside the root",
            RMS | HEAVY,
            0.01,
        ),
        "Adagrad (float64)": ("adagrad, ε outside the root", {"eps": 1e-10}, 0.1),
        "Adagrad (float32)": ("adagrad", {}, 0.1),
        "Adagrad, initial (float64)": ("adagrad, ε outside the root", {"initial": 0.1}, 0.1),
        "Adagrad, lr decay (float64)": ("adagrad, ε outside the root", {}, 0.1, "inverse time"),
        "Adamax (float64)": ("adamax", {"b1": 0.9, "b2": 0.95, "eps": 1e-3}, 0.01),
    },
    "keras": {
        "SGD (float64)": ("sgd", {}, 0.1),
        "SGD, momentum (float64)": ("sgd with momentum", HEAVY, 0.1),
        "SGD, momentum, cosine (float64)": (
            "sgd with momentum, the learning rate inside the velocity",
            HEAVY,
            0.1,
            "cosine",
        ),
        "SGD, Nesterov (float64)": ("sgd with Nesterov momentum", HEAVY, 0.1),
        "SGD, Nesterov (float32)": ("sgd with Nesterov momentum", HEAVY, 0.1),
        "Adam (float64)": (f"adam, {KERAS_EPS}", BETAS | {"eps": 1e-7}, 0.01),
        "Adam (float32)": ("adam", BETAS, 0.01),
        "Adam, other decays (float64)": (f"adam, {KERAS_EPS}", STEEP, 0.01),
        "Adam, AMSGrad (float64)": (f"amsgrad, {BEFORE}, {KERAS_EPS}", STEEP, 0.01),
        "AdamW (float64)": (f"adamw, {KERAS_EPS}", STEEP | DECAY, 0.01),
        "AdamW (float32)": (f"adamw, {KERAS_EPS}", STEEP | DECAY, 0.01),
        "Nadam (float64)": ("nadam, a momentum that moves (momentum_decay=1)", BETAS, 0.01),
        "RMSprop (float64)": ("rmsprop", RMS, 0.01),
        "RMSprop, centred (float64)": ("centred rmsprop", RMS, 0.01),
        "RMSprop, momentum (float64)": ("rmsprop with momentum", RMS | HEAVY, 0.01),
        "Adagrad (float64)": ("adagrad", {"eps": 1e-7, "initial": 0.1}, 0.1),
        "Adamax (float64)": ("adamax, ε outside the root", {"b1": 0.9, "b2": 0.95}, 0.01),
    },
}
SLOWLY_NAMED = {
    "torch": {
        "SGD, weight decay (float64)": (
            "sgd with momentum, coupled weight decay",
            HEAVY | DECAY,
            0.1,
        ),
        "SGD, momentum, clip (float64)": (
            f"sgd with momentum, {TORCH_CLIP}",
            HEAVY | {"clip": 3.0},
            0.1,
        ),
        "Adam, weight decay (float64)": ("adam, coupled weight decay", BETAS | DECAY, 0.01),
        "Adam, clip (float64)": (f"adam, {TORCH_CLIP}", STEEP | {"clip": 3.0}, 0.01),
        "AdamW, warm-up (float64)": ("adamw", STEEP | SMALL_DECAY, 0.001, "linear"),
        "AdamW, exponential (float64)": ("adamw", STEEP | SMALL_DECAY, 0.01, "exponential"),
        "RMSprop, weight decay (float64)": (
            "rmsprop, coupled weight decay, ε outside the root",
            RMS | DECAY,
            0.01,
        ),
    },
    "keras": {
        "SGD, weight decay (float64)": (
            "sgd with momentum, decoupled weight decay",
            HEAVY | DECAY,
            0.1,
        ),
        "Adam, global clip (float64)": (
            f"adam, {KERAS_EPS}, clipping by the global norm",
            STEEP | {"clip": 3.0},
            0.01,
        ),
        "Adam, clip by value (float64)": (
            f"adam, {KERAS_EPS}, clipping by value",
            STEEP | {"clip": 1.0},
            0.01,
        ),
        "AdamW, averaged (float64)": (f"adamw, {KERAS_EPS}", STEEP | DECAY, 0.01),
    },
}


def _rows(table, *marks):
    return [
        pytest.param(framework, name, *row, *["constant"][len(row) - 3 :], marks=marks)
        for framework, rows in table.items()
        for name, row in rows.items()
    ]


@pytest.mark.parametrize(
    ("framework", "stored", "name", "numbers", "rate", "schedule"),
    [*_rows(NAMED), *_rows(SLOWLY_NAMED, pytest.mark.slow)],
)
def test_the_method_of_a_stream_is_named_to_the_digit(
    framework, stored, name, numbers, rate, schedule
):
    found = identify(*STORED[framework, stored])
    assert (found.name, found.schedule) == (name, schedule), found
    assert {key: found.hyperparameters[key] for key in numbers} == numbers
    np.testing.assert_allclose(found.learning_rates[0], rate, rtol=1e-12)


REFUSED = [
    ("torch", "Muon (float64)"),
    ("torch", "Adafactor (float64)"),
    ("torch", "RAdam (float64)"),
    ("torch", "Adadelta (float64)"),
    ("torch", "Rprop (float64)"),
    ("torch", "ASGD (float64)"),
    ("torch", "AdamW, one cycle (float64)"),  # torch moves β1 with the learning rate
    ("keras", "Adadelta (float64)"),
    ("keras", "Lion (float64)"),
    ("keras", "Lamb (float64)"),
    ("keras", "Adafactor (float64)"),
    ("keras", "Ftrl (float64)"),
]


@pytest.mark.slow
@pytest.mark.parametrize("which", REFUSED, ids=map("-".join, REFUSED))
def test_a_method_that_no_blocks_express_is_refused(which):
    found = identify(*STORED[which])
    assert found.name is None
    assert found.reason
