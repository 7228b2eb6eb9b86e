"""PyTorch's own trajectories, stored, where its method is ours; and what differs where it is not.

`make_torch.py` wrote them. Where torch means another method:

- AMSGrad: torch takes the maximum before the correction (one exchange of two blocks here).
- NAdam: torch moves β1 with k, by `momentum_decay`; a very large one leaves β1 alone. With 0 it
  halves β1, and is not Dozat's method either.
- Adagrad: torch adds ε outside the root, we and Optax inside; `lr_decay` is our `inverse_time`.
- RMSprop: torch adds ε outside the root, `eps_in_sqrt=False`.
- SGD: `dampening` scales every gradient but the first.
- `weight_decay` is coupled (`optax.add_decayed_weights` in front) except in AdamW.
"""

import json
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import optax
import pytest

import lecture_optax as lo

pytestmark = pytest.mark.usefixtures("x64")

STORED = json.loads(Path(__file__).with_name("torch.json").read_text())


def shrunk(tx):
    """The decay of weights that is part of the gradient."""
    return lo.chain(optax.add_decayed_weights(0.05), tx)


def diagonal(*magnitude, eps, rate=0.1, velocity=None):
    """A method of ours with torch's order of blocks."""
    by = lo.chain(*magnitude, lo.inverse_root(eps))
    velocity = optax.identity() if velocity is None else velocity
    return lo.chain(lo.precondition(velocity, by=by), lo.scale_by_learning_rate(rate))


def amsgrad_of_torch():
    velocity = lo.chain(lo.first_moment(0.9), lo.bias_correction(0.9))
    magnitude = lo.second_moment(0.999), lo.running_max(), lo.bias_correction(0.999)
    return diagonal(*magnitude, eps=1e-8, velocity=velocity)


RMSPROP = {"decay": 0.9, "eps": 1e-3, "eps_in_sqrt": False}
SAME = {
    "SGD": lambda: lo.sgd(0.1),
    "SGD, momentum": lambda: lo.sgd(0.1, 0.9),
    "SGD, Nesterov": lambda: lo.sgd(0.1, 0.9, nesterov=True),
    "SGD, weight decay": lambda: shrunk(lo.sgd(0.1, 0.9)),
    "Adam": lambda: lo.adam(0.1),
    "Adam, other decays": lambda: lo.adam(0.1, b1=0.5, b2=0.75, eps=1e-2),
    "Adam, weight decay": lambda: shrunk(lo.adam(0.1)),
    "Adam, AMSGrad": amsgrad_of_torch,
    "AdamW": lambda: lo.adamw(0.1, weight_decay=0.05),
    "NAdam": lambda: lo.nadam(0.1),
    "RMSprop": lambda: lo.rmsprop(0.1, **RMSPROP),
    "RMSprop, centred": lambda: lo.rmsprop(0.1, **RMSPROP, centered=True),
    "RMSprop, momentum": lambda: lo.rmsprop(0.1, **RMSPROP, momentum=0.9),
    "RMSprop, weight decay": lambda: shrunk(lo.rmsprop(0.1, **RMSPROP)),
    "Adagrad": lambda: lo.adagrad(0.1, initial_accumulator_value=0.0, eps=0.0),
    "Adagrad, lr decay": lambda: lo.adagrad(lo.schedules.inverse_time(0.1, 0.5), eps=0.0),
    "Adagrad, eps": lambda: diagonal(lo.sum_of_squares(), eps=1e-2),
    "Adamax": lambda: lo.adamax(0.1, b2=0.99, eps=1e-3),
    "Adamax, weight decay": lambda: shrunk(lo.adamax(0.1)),
}
OTHER = {
    "Adam, AMSGrad": lambda: lo.amsgrad(0.1),
    "NAdam, momentum decay": lambda: lo.nadam(0.1),
    "Adagrad, eps": lambda: lo.adagrad(0.1, initial_accumulator_value=0.0, eps=1e-2),
    "RMSprop": lambda: lo.rmsprop(0.1, decay=0.9, eps=1e-3),
    "SGD, dampening": lambda: lo.sgd(0.1, 0.9),
    "Adam, weight decay": lambda: lo.adamw(0.1, weight_decay=0.05),
}


def parameters_of(tx):
    """The parameters after every step on the stored gradients."""
    θ, path = jnp.array(STORED["start"]), []
    state = tx.init(θ)
    for gradient in jnp.array(STORED["gradients"]):
        update, state = tx.update(gradient, state, θ)
        θ = optax.apply_updates(θ, update)
        path.append(θ)
    return np.array(path)


@pytest.mark.parametrize("name", SAME)
def test_it_goes_where_torch_goes(name):
    np.testing.assert_allclose(parameters_of(SAME[name]()), STORED[name], rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize("name", OTHER)
def test_torch_means_another_method(name):
    assert np.abs(parameters_of(OTHER[name]()) - STORED[name]).max() > 1e-3


def test_every_trajectory_is_compared():
    assert {*SAME, *OTHER} == STORED.keys() - {"torch", "start", "gradients"}
