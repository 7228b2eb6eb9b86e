"""Claims about symmetries: changes of the problem that do not change a method."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from ...optimizers import adagrad, adam, adamax, amsgrad, nadam, rmsprop, sgd
from ._descent import updates_along
from .statement import Finding, statement

SHAPE = (6, 4)
_BROKEN = 1e-2


def gradients(seed: int = 0) -> np.ndarray:
    """Return five gradients of a matrix of parameters."""
    return np.random.default_rng(seed).normal(size=(5, *SHAPE))


def rotation(size: int, seed: int) -> np.ndarray:
    """Return an orthogonal matrix."""
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(size, size)))[0]


def gap(tx, there, back) -> float:
    """Return the largest |T⁻¹(updates(T(g))) - updates(g)| over the largest |update|."""
    plain, changed = map(np.asarray, updates_along(tx, gradients(), there(gradients())))
    return float(np.abs(back(changed) - plain).max() / np.abs(plain).max())


@statement(
    "adam-is-blind-to-scale",
    claim="With ε = 0 Adam, like every method that divides by |g|, ignores the scale of the loss",
    slide="Adam",
    source="Kingma and Ba (2015), section 2.1; a power of two: bit for bit",
)
def blind_to_scale(adam=adam, nadam=nadam, amsgrad=amsgrad, rmsprop=rmsprop):
    blind = {
        "Adam": adam(1.0, eps=0.0),
        "NAdam": nadam(1.0, eps=0.0),
        "AMSGrad": amsgrad(1.0, eps=0.0),
        "RMSProp": rmsprop(1.0, eps=0.0),
        "AdaGrad": adagrad(1.0, 0.0, eps=0.0),
        "sign": optax.sign_sgd(1.0),
        "Lion": optax.lion(1.0, weight_decay=0.0),
    }
    for name, tx in blind.items():
        yield Finding(gap(tx, lambda g: 1024 * g, lambda u: u), 0, what=f"{name}, 1024 g")


@statement(
    "momentum-is-linear-in-scale",
    claim="A sum over |I| examples at τ/|I| is the mean at τ, for SGD with or without momentum",
    slide="Stochastic gradients",
    source="the lecture, first and last slide: E_k is a sum, then a mean",
)
def linear_in_scale(sgd=sgd):
    for name, make in {
        "gradient descent": lambda τ: sgd(τ),
        "heavy ball": lambda τ: sgd(τ, 0.9),
        "Nesterov": lambda τ: sgd(τ, 0.9, True),
    }.items():
        summed = updates_along(make(1.0 / 8), 8 * gradients())
        mean = updates_along(make(1.0), gradients())
        yield Finding(jnp.abs(summed - mean).max(), 0, what=name)


@statement(
    "rotations",
    claim="SGD, momentum and Muon are rotation invariant; methods with a diagonal D are not",
    slide="The general update",
    source="ours: SGD is linear and the same in every entry; Muon: Jordan et al. (2024)",
)
def rotations(sgd=sgd, adam=adam, rmsprop=rmsprop):
    U, V = rotation(SHAPE[0], 1), rotation(SHAPE[1], 2)
    seen = {
        "gradient descent": (sgd(1.0), False),
        "heavy ball": (sgd(1.0, 0.9), False),
        "Nesterov": (sgd(1.0, 0.9, True), False),
        "Muon": (optax.contrib.muon(1.0), False),
        "Adam": (adam(1.0), True),
        "RMSProp": (rmsprop(1.0), True),
        "sign": (optax.sign_sgd(1.0), True),
        "Lion": (optax.lion(1.0, weight_decay=0.0), True),
    }
    for name, (tx, sees) in seen.items():
        off = gap(tx, lambda g: U @ g @ V, lambda u: U.T @ u @ V.T)
        if sees:
            yield Finding(off, _BROKEN, relation=">=", what=f"{name}: changes")
        else:
            yield Finding(off, 0, 1e-9, what=f"{name}: does not change")


@statement(
    "signed-permutations",
    claim="No method depends on the order or the signs of the axes",
    slide="The general update",
    source="ours: all entries have the same rule, an odd function",
)
def signed_permutations(sgd=sgd, adam=adam, adagrad=adagrad, adamax=adamax):
    rng = np.random.default_rng(4)
    order, signs = rng.permutation(SHAPE[0]), rng.choice([-1.0, 1.0], size=(SHAPE[0], 1))
    back = np.argsort(order)
    for name, tx in {
        "Nesterov": sgd(1.0, 0.9, True),
        "Adam": adam(1.0),
        "AdaGrad": adagrad(1.0),
        "AdaMax": adamax(1.0),
    }.items():
        off = gap(tx, lambda g: signs * g[:, order], lambda u: (signs * u)[:, back])
        yield Finding(off, 0, 1e-14, what=name)


@statement(
    "phases",
    claim="A phase of a complex gradient is a phase of the step: c adds |g|², never g²",
    slide="The general update",
    source="ours: |z g| = |g| for |z| = 1, and the velocity is linear",
)
def phases(sgd=sgd, adam=adam, adagrad=adagrad, adamax=adamax):
    turned = np.exp(1j * np.random.default_rng(7).uniform(0, 2 * np.pi, size=3))
    real, imaginary = np.random.default_rng(8).normal(size=(2, 5, 3))
    for name, tx in {
        "Nesterov": sgd(1.0, 0.9, True),
        "Adam": adam(1.0),
        "AdaGrad": adagrad(1.0),
        "AdaMax": adamax(1.0),
    }.items():
        gradients = jnp.asarray(real + 1j * imaginary)
        plain, moved = (complex_updates(tx, z * gradients) for z in (1, turned))
        yield Finding(np.abs(moved - turned * plain).max(), 0, 1e-14, what=name)


@statement(
    "a-unit-for-every-parameter",
    claim="Adam (ε = 0) does not depend on the unit of each parameter; SGD does",
    slide="Adam",
    source="ours: a gradient scaled by s > 0 scales D by 1/s",
)
def unit_for_every_parameter(adam=adam, rmsprop=rmsprop, sgd=sgd):
    units = np.exp(np.random.default_rng(5).normal(size=SHAPE))
    yield Finding(gap(adam(1.0, eps=0.0), lambda g: units * g, lambda u: u), 0, 1e-12, what="Adam")
    root = rmsprop(1.0, eps=0.0)
    yield Finding(gap(root, lambda g: units * g, lambda u: u), 0, 1e-12, what="RMSProp")
    seen = gap(sgd(1.0), lambda g: units * g, lambda u: u)
    yield Finding(seen, _BROKEN, relation=">=", what="SGD: changes")


def complex_updates(tx, gradients) -> np.ndarray:
    """Return the updates for given complex gradients."""
    start = tx.init(jnp.zeros_like(gradients[0]))
    run = jax.jit(lambda g: jax.lax.scan(lambda state, x: tx.update(x, state)[::-1], start, g)[1])
    return np.asarray(run(gradients))
