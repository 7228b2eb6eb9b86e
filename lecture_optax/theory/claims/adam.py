"""Claims about the steps of Adam, AdaGrad, RMSProp and their variants."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from scipy.optimize import minimize

from ..._core.chain import chain
from ...optimizers import adagrad, adam, adamax, adamw, amsgrad, nadam, rmsprop
from ...schedules import inverse_time
from ._descent import updates_along
from .statement import Finding, statement

B1, B2 = 0.9, 0.999


def largest_step(t: int, b1: float = B1, b2: float = B2) -> float:
    """Return the supremum of |θ(t) - θ(t-1)|/τ over all gradients, for Adam with ε = 0.

    With weights w_j = (1-b1) b1^(t-j) and u_j = (1-b2) b2^(t-j) the step is
    √(1-b2^t)/(1-b1^t) · Σ w_j g_j / √(Σ u_j g_j²). By Cauchy and Schwarz
    Σ w_j g_j = Σ (w_j/√u_j)(√u_j g_j) <= √(Σ w_j²/u_j) √(Σ u_j g_j²), with equality for
    g_j ∝ w_j/u_j ∝ (b1/b2)^(t-j). And Σ w_j²/u_j = (1-b1)²/(1-b2) Σ r^(t-j), r = b1²/b2.

    ```python
    >>> from lecture_optax.theory.claims.adam import largest_step
    >>> round(largest_step(3000), 4), round(largest_step(10**6), 4)
    (7.0873, 7.2703)

    ```
    """
    r = b1**2 / b2
    corrections = np.sqrt(1 - b2**t) / (1 - b1**t)
    return float(corrections * (1 - b1) / np.sqrt(1 - b2) * np.sqrt((1 - r**t) / (1 - r)))


@statement(
    "adams-largest-step",
    claim="A step of Adam is at most 7.27 τ, not τ or 3.16 τ, and some gradients attain it",
    slide="Adam",
    source="ours; against the bound in Kingma and Ba (2015), section 2.1",
)
def adams_largest_step(adam=adam):
    for t in (10, 100, 1000, 3000):  # beyond, (b1/b2)^t squared underflows
        growing = (B1 / B2) ** np.arange(t - 1, -1, -1.0)
        step = -updates_along(adam(1.0, eps=0.0), growing)[-1]
        yield Finding(step, largest_step(t), 1e-10, what=f"t = {t}")
    yield Finding(largest_step(10**6), 7.2703, 5e-5, what="the limit")
    yield Finding(
        searched_step(adam(1.0, eps=0.0), 10), largest_step(10), 1e-6, what="t = 10, found"
    )


@statement(
    "the-lone-spike",
    claim="A gradient after many gradients of 0 makes a step of (1 - b1)/√(1 - b2) = 3.16 τ",
    slide="Adam",
    source="Kingma and Ba (2015), section 2.1",
    picture="memory",
)
def lone_spike(adam=adam):
    spike = np.zeros(10_000)
    spike[-1] = 5.0
    step = -updates_along(adam(1.0, eps=0.0), spike)[-1]
    predicted = (1 - B1) / np.sqrt(1 - B2) * np.sqrt(1 - B2**10_000)
    return Finding(step, predicted, 1e-10)


@statement(
    "a-constant-gradient",
    claim="With a constant gradient every step of every method follows its formula",
    slide="Adam",
    source="the formulas of the slides; Duchi et al. (2011): AdaGrad's 1/√k",
)
def constant_gradient(
    adam=adam, amsgrad=amsgrad, adamax=adamax, nadam=nadam, adagrad=adagrad, rmsprop=rmsprop
):
    g, eps, b1, b2, tau = -3.0, 0.5, 0.8, 0.95, inverse_time(1.0)
    k = np.arange(1, 41)
    late, now = 1 - b1 ** (k + 1), 1 - b1**k
    ahead = b1 * now / late + (1 - b1) / now
    outside = g / (abs(g) + eps)
    collected = 1 - b2**k
    heard = g / np.sqrt(collected * g**2 + eps)
    falling = heard / k  # with τ = 1/k, which is inside this velocity
    heavy = np.array([0.7 ** np.arange(i, -1.0, -1) @ falling[: i + 1] for i in range(40)])
    late_start = collected * g**2 + 0.25 * b2**k
    laws = {
        "Adam": (adam(1.0, b1, b2, eps), outside),
        "AMSGrad": (amsgrad(1.0, b1, b2, eps), outside),
        "AdaMax": (adamax(1.0, b1, b2, eps), outside),
        "NAdam": (nadam(1.0, b1, b2, eps), ahead * outside),
        "AdaGrad": (adagrad(1.0, 0.25, eps), g / np.sqrt(0.25 + k * g**2 + eps)),
        "RMSProp": (rmsprop(1.0, b2, eps), heard),
        "RMSProp, c(0) = 1/4": (rmsprop(1.0, b2, eps, 0.25), g / np.sqrt(late_start + eps)),
        "RMSProp, its steps in a velocity": (rmsprop(tau, b2, eps, momentum=0.7), heavy),
        "RMSProp, look-ahead": (
            rmsprop(tau, b2, eps, momentum=0.7, nesterov=True),
            0.7 * heavy + falling,
        ),
        "RMSProp, ε outside, corrected": (
            rmsprop(1.0, b2, eps, eps_in_sqrt=False, bias_correction=True),
            outside,
        ),
        "RMSProp, centred": (
            rmsprop(1.0, b2, eps, centered=True),
            g / np.sqrt(collected * g**2 - (collected * g) ** 2 + eps),
        ),
    }
    for name, (tx, law) in laws.items():
        off = np.abs(updates_along(tx, np.full(40, g)) + law).max()
        yield Finding(off, 0, 1e-12, what=f"{name}: off its formula")


@statement(
    "amsgrad-never-forgets",
    claim="After a large gradient AMSGrad's D stays small, Adam's and AdaMax's grow again",
    slide="Adam",
    source="Reddi, Kale and Kumar (2018), algorithm 2; Kingma and Ba (2015), algorithm 2",
)
def amsgrad_never_forgets(adam=adam, amsgrad=amsgrad, adamax=adamax):
    gradients = np.ones(400)
    gradients[0] = 100.0
    kept = -updates_along(amsgrad(1.0, 0.0, 0.9, eps=0.0), gradients)[-1]
    back = -updates_along(adam(1.0, 0.0, 0.9, eps=0.0), gradients)[-1]
    yield Finding(kept, 0.01, 1e-12, what="AMSGrad's last step")
    yield Finding(back, 1.0, 1e-9, what="Adam's last step")
    largest = -updates_along(adamax(1.0, 0.0, 0.9, eps=0.0), gradients)
    expected = 1 / np.maximum(100 * 0.9 ** np.arange(400), 1)
    yield Finding(
        np.abs(largest[1:] - expected[1:]).max(), 0, 1e-12, what="AdaMax: off its formula"
    )


@statement(
    "centred-rmsprop-divides-by-the-spread",
    claim="Centred RMSProp divides by a standard deviation of g that weights late gradients more",
    slide="RMSProp",
    source="Graves (2013), equations 38 to 41; weighted by (1 - β) β^(k-j)",
)
def centred_divides_by_the_spread(rmsprop=rmsprop):
    """Check the spread; without the correction, zeros before the start have the missing weights."""
    gradients = np.random.default_rng(6).normal(1.0, 2.0, size=30)
    ages = np.subtract.outer(np.arange(30), np.arange(30))
    weights = np.where(ages >= 0, 0.1 * 0.9 ** np.maximum(ages, 0), 0)
    for corrected in (True, False):
        w = weights / weights.sum(1, keepdims=True) if corrected else weights
        start = 0.3 * 0.9 ** np.arange(1, 31) * (w.sum(1) / weights.sum(1))  # of c(0)
        spread = np.sqrt(start + w @ gradients**2 - (w @ gradients) ** 2 + 0.5)
        tx = rmsprop(1.0, 0.9, 0.5, 0.3, centered=True, bias_correction=corrected)
        off = np.abs(updates_along(tx, gradients) + gradients / spread).max()
        yield Finding(off, 0, 1e-12, what=f"off it in 30 steps, bias_correction={corrected}")


@statement(
    "weight-decay-beside-d",
    claim="AdamW's weights shrink by 1 - τλ a step, without D; D rescales λθ in the gradient",
    slide="Adam",
    source="Loshchilov and Hutter (2019)",
)
def weight_decay_beside_d(adamw=adamw, adam=adam):
    coupled = chain(optax.add_decayed_weights(0.2), adam(0.5))
    shrinking = adamw(0.5, eps=0.5, eps_root=0.25, weight_decay=0.2)
    step = 3 / (np.sqrt(9.25) + 0.5)  # for a first gradient of 3
    for what, tx, gradient, reached in (
        ("AdamW, g = 0: θ(1) from 8", shrinking, 0.0, 8 * (1 - 0.5 * 0.2)),
        ("AdamW, g = 3", shrinking, 3.0, 8 * (1 - 0.5 * 0.2) - 0.5 * step),
        ("decay before Adam, g = 0", coupled, 0.0, 8 - 0.5),
    ):
        θ = jnp.asarray(8.0)
        update, _ = tx.update(jnp.asarray(gradient), tx.init(θ), θ)
        yield Finding(θ + update, reached, 1e-8, what=what)


def searched_step(tx: Any, t: int) -> float:
    """Return the largest last step that a numerical search over gradients finds."""
    step = jax.jit(jax.value_and_grad(lambda g: updates_along(tx, g)[-1]))
    start = np.random.default_rng(0).uniform(0.5, 1.5, size=t)
    found = minimize(lambda g: tuple(map(np.asarray, step(g))), start, jac=True, tol=1e-12)
    return -float(found.fun)
