# %% [markdown]
# # 09 · D as a matrix
#
# In θ(k+1) = θ(k) − τ(k) · D(k+1) · v(k+1) the D may be a number per entry, a full matrix built
# from gradients, or the inverse of the second derivative. This notebook shows each of them in a
# valley that is not parallel to an axis, Newton's single step on a quadratic, and why noisy
# gradients remove most of the advantage.
#
# Slides: *D(k+1)*, *Newton*. They say: D may be a number per entry, as in Adam, or a matrix; with
# the inverse of the second derivative the update is Newton's method.

# %%
import importlib.util

if importlib.util.find_spec("lecture_optax") is None:  # not in the environment of a clone
    # %pip install --quiet "..[all]"
    pass

# %%
import timeit
from functools import partial

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax
from drawing import BLUE, GREEN, INK, RED, label_ends, remark
from sklearn.datasets import load_breast_cancer

import lecture_optax as lo

jax.config.update("jax_enable_x64", True)
plt.style.use("lecture.mplstyle")

# %% [markdown]
# ## A valley across the axes
#
# Adam and AdaGrad have one number per entry: they rescale the axes, which makes a valley along an
# axis round. They cannot do so after a rotation of the valley by 30°. A full matrix can:
# (Σ g gᵀ)^(−1/2), and best of all Newton's H⁻¹.

# %%
c, s = np.cos(np.pi / 6), np.sin(np.pi / 6)
turn = np.array([[c, -s], [s, c]])
H = jnp.asarray(turn @ np.diag([1.0, 0.01]) @ turn.T)


def valley(θ):
    return θ @ H @ θ / 2


methods = {
    "SGD": lo.sgd(1.5),
    "diagonal D": lo.adagrad(0.7, initial_accumulator_value=0.0),
    "full matrix": lo.chain(
        lo.precondition(optax.identity(), by=lo.full_matrix()), lo.scale_by_learning_rate(0.7)
    ),
    "Newton": lo.chain(lo.newton(), lo.scale_by_learning_rate(1.0)),
}


def path(tx, loss, start, steps):
    def step(carry, _):
        θ, state = carry
        g = jax.grad(loss)(θ)
        update, state = tx.update(g, state, θ, value=loss(θ), grad=g, value_fn=loss)
        return (optax.apply_updates(θ, update), state), θ

    tx = optax.with_extra_args_support(tx)
    return jax.lax.scan(step, (start, tx.init(start)), length=steps)[1]


# %% tags=["hide-input"]
grid = np.stack(np.meshgrid(np.linspace(-1.0, 0.6, 81), np.linspace(-0.4, 1.3, 81)), -1)
energy = np.einsum("...i,ij,...j", grid, H, grid) / 2
fig, axes = plt.subplots(2, 2, figsize=(7, 6.6), sharex=True, sharey=True)
for ax, (name, tx), color in zip(axes.flat, methods.items(), (INK, RED, BLUE, GREEN), strict=True):
    θ = path(tx, valley, jnp.array([0.3, 1.2]), 31)
    ax.contour(*np.moveaxis(grid, -1, 0), energy, np.geomspace(1e-4, 1, 12), colors="0.85")
    ax.plot(*θ.T, "o-", color=color, lw=1.5)
    ax.plot(0, 0, "+", color="0.3", ms=10)
    left = float(jnp.linalg.norm(θ[-1]))
    ax.set_title(f"{name}: {left:.1f} away" if left > 0.05 else f"{name}: arrives", color=color)
axes[0, 0].annotate("the minimum", (0, 0), (-0.05, -0.3), ha="right")
for ax in axes[1]:
    ax.set_xlabel("θ₁")
for ax in axes[:, 0]:
    ax.set_ylabel("θ₂")
plt.show()

# %% [markdown]
# *The paths of 30 steps, with the distance that is left. SGD (black) and a diagonal D (orange) stop
# in the valley, where the gradient is small. The full matrix (blue) turns into the valley, and
# Newton's method (green) needs one step.*
#
# ## One step
#
# On a quadratic Newton's step reaches the minimum, for any shape of the valley:

# %%
one = path(methods["Newton"], valley, jnp.array([0.3, 1.2]), 2)[1]
print("in the minimum, to rounding:", bool(np.abs(one).max() < 1e-12))

# %% [markdown]
# ## A small full-batch problem
#
# Logistic regression on breast-cancer, with 31 parameters, all 569 examples at every step, and a
# small weight decay that makes the minimum unique. At an equal number of steps, Newton's method is
# better by orders of magnitude. The learning rates of the other methods were chosen by hand.

# %%
data, kind = load_breast_cancer(return_X_y=True)
data = jnp.asarray(np.c_[(data - data.mean(0)) / data.std(0), np.ones(len(data))])
sign = jnp.where(kind > 0, 1.0, -1.0)


def logistic(θ, rows=slice(None)):
    return jnp.mean(jnp.logaddexp(0, -sign[rows] * (data[rows] @ θ))) + 1e-3 * θ @ θ / 2


start, steps = jnp.zeros(data.shape[1]), 200
contest = {
    "SGD + Nesterov": lo.sgd(1.0, momentum=0.9, nesterov=True),
    "Adam": lo.adam(0.1),
    "full matrix": lo.chain(
        lo.precondition(optax.identity(), by=lo.full_matrix()), lo.scale_by_learning_rate(0.7)
    ),
    "Newton": methods["Newton"],
}
losses, seconds = {}, {}
for name, tx in contest.items():
    run = jax.jit(lambda θ, tx=tx: jax.vmap(logistic)(path(tx, logistic, θ, steps)))
    losses[name] = np.asarray(run(start))
    again = timeit.repeat(lambda run=run: run(start).block_until_ready(), number=1, repeat=7)
    seconds[name] = min(again) / steps
lowest = losses["Newton"][-1]

# %% tags=["hide-input", "inexact"]
fig, (top, bottom) = plt.subplots(2, 1, figsize=(7, 7), sharey=True)
colors = dict(zip(losses, (INK, RED, BLUE, GREEN), strict=True))
for name, loss in losses.items():
    above = np.where(loss - lowest > 1e-14, loss - lowest, np.nan)  # below is only rounding
    k = 1 + np.arange(len(loss))
    top.semilogy(k, above, color=colors[name], label=name)
    bottom.loglog(1e3 * seconds[name] * k, above, color=colors[name], label=name)
at = int(np.argmax(losses["Newton"] - lowest < 1e-14))
remark(top, f"Newton: exact after {at} steps", to=(9, 1e-9), at=(90, 1e-8), color=GREEN)
top.set(xlabel="gradients", ylabel="loss above the minimum", xlim=(0, 300), xticks=[0, 100, 200])
top.set_title("At equal gradients, Newton's method is far ahead")
label_ends(top, ["SGD + Nesterov", "Adam", "full matrix", ""])
bottom.set(xlabel="milliseconds on this machine", ylabel="loss above the minimum")
bottom.set_title("At equal time, cheap steps are ahead at first")
left, right = bottom.get_xlim()
bottom.set_xlim(left, 30 * right)
label_ends(bottom)
plt.show()

# %% [markdown]
# *The loss above its minimum, per gradient and per time. A line ends where only rounding is left. A
# step of Newton's method costs many steps of the others.*
#
# ## With noise
#
# Now with batches of 16 examples. Near the minimum the gradient is mostly noise. The H of 16
# examples is singular and contains no information about the others, so an exact solution of this
# equation is no better than a step along the gradient. Only the scaling helps, and a diagonal D has
# it too.


# %%
def stochastic(tx, steps=300):
    tx = optax.with_extra_args_support(tx)

    def step(carry, key):
        θ, state = carry
        rows = jax.random.choice(key, len(data), (16,), replace=False)
        loss = partial(logistic, rows=rows)
        g = jax.grad(loss)(θ)
        update, state = tx.update(g, state, θ, value=loss(θ), grad=g, value_fn=loss)
        return (optax.apply_updates(θ, update), state), logistic(θ)

    keys = jax.random.split(jax.random.key(0), steps)
    return jax.lax.scan(step, (start, tx.init(start)), keys)[1]


noisy = {
    "SGD + Nesterov": lo.sgd(0.1, momentum=0.9, nesterov=True),
    "Adam": lo.adam(0.03),
    "full matrix": lo.chain(
        lo.precondition(optax.identity(), by=lo.full_matrix()), lo.scale_by_learning_rate(0.3)
    ),
    "Newton, damped": lo.chain(lo.newton(damping=0.1), lo.scale_by_learning_rate(0.1)),
}
noisy_losses = {
    name: np.asarray(jax.jit(lambda tx=tx: stochastic(tx))()) for name, tx in noisy.items()
}
ends = {name: loss[-100:].mean() for name, loss in noisy_losses.items()}

# %% tags=["hide-input", "inexact"]
fig, ax = plt.subplots(figsize=(7, 4.4))
for (name, loss), color in zip(noisy_losses.items(), colors.values(), strict=True):
    ax.semilogy(loss - lowest, color=color, lw=1.5, label=f"{name}: {ends[name] - lowest:.3f}")
remark(ax, "up together: the same batches", to=(195, 0.02), at=(200, 0.15))
ax.set(xlabel="step k", ylabel="loss above the minimum", ylim=(1e-3, 1))
ax.set(xlim=(0, 470), xticks=[0, 100, 200, 300])
ax.set_title("With batches of 16, no matrix is far ahead of Adam")
label_ends(ax)
plt.show()

# %% [markdown]
# *Four methods on the same sequence of batches, with the means of their last 100 steps. The
# learning rates were chosen by hand: 0.1, 0.03, 0.3 and 0.1, with a damping of 0.1.*
#
# ## Exercise
#
# Near step 190 the loss of most methods increases, and it does so at the same step. Why?
#
# <details><summary>Answer</summary>
#
# All methods see the same sequence of batches, so the noise of their gradients is not independent:
# batches that move one method away from the minimum move the others, too. With another sequence
# the increases would be at other steps.
#
# </details>
#
# ## The slide's claim, as numbers

# %%
steps_to = {name: int(np.argmax(loss - lowest < 1e-6)) for name, loss in losses.items()}
print(f"steps to 1e-6 of the minimum (0: not in {steps}):", steps_to)
assert np.abs(one).max() < 1e-12, "one step on a quadratic"
assert 0 < steps_to["Newton"] < 12, "few steps on a convex problem"
gains = [(ends[name] - lowest) for name in noisy]
assert gains[-1] > 0.3 * min(gains[:-1]), "with noise, no large advantage"
