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


# %%
grid = np.stack(np.meshgrid(np.linspace(-1.3, 1.3, 81), np.linspace(-1.3, 1.3, 81)), -1)
levels = np.geomspace(1e-4, 1, 12)
energy = np.einsum("...i,ij,...j", grid, H, grid) / 2
fig, axes = plt.subplots(1, 4, figsize=(10, 3), sharey=True)
for ax, (name, tx) in zip(axes, methods.items(), strict=True):
    ax.contour(
        *np.moveaxis(grid, -1, 0), energy, np.geomspace(1e-4, 1, 12), colors="0.8", linewidths=0.8
    )
    ax.plot(*path(tx, valley, jnp.array([0.3, 1.2]), 30).T, "ko-", ms=3, lw=1)
    ax.set(title=name, xlabel="θ₁")
axes[0].set_ylabel("θ₂")
plt.show()

# %% [markdown]
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
data, label = load_breast_cancer(return_X_y=True)
data = jnp.asarray(np.c_[(data - data.mean(0)) / data.std(0), np.ones(len(data))])
sign = jnp.where(label > 0, 1.0, -1.0)


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

# %%
fig, axes = plt.subplots(1, 2, figsize=(10, 3.6), sharey=True)
for name, loss in losses.items():
    axes[0].semilogy(loss - lowest + 1e-16, label=name)
    times = 1e3 * seconds[name] * (1 + np.arange(len(loss)))
    axes[1].loglog(times, loss - lowest + 1e-16, label=name)
axes[0].set(xlabel="gradients", ylabel="loss above the minimum", title="at equal gradients")
axes[1].set(xlabel="milliseconds on this machine", title="at equal seconds")
axes[0].legend(loc="center", bbox_to_anchor=(0.6, 0.4))
plt.show()

# %% [markdown]
# *Left: per gradient. Right: per time, on a logarithmic axis. 1e-16 is added to each loss, because
# a logarithmic axis has no 0. The flat line at 1e-16 is not data: Newton's method has reached the
# minimum, up to rounding.*
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
    "SGD + Nesterov, τ = 0.1": lo.sgd(0.1, momentum=0.9, nesterov=True),
    "Adam, τ = 0.03": lo.adam(0.03),
    "full matrix, τ = 0.3": lo.chain(
        lo.precondition(optax.identity(), by=lo.full_matrix()), lo.scale_by_learning_rate(0.3)
    ),
    "Newton, damped by 0.1, τ = 0.1": lo.chain(
        lo.newton(damping=0.1), lo.scale_by_learning_rate(0.1)
    ),
}
fig, ax = plt.subplots()
ends = {}
for name, tx in noisy.items():
    loss = np.asarray(jax.jit(lambda tx=tx: stochastic(tx))())
    ends[name] = loss[-100:].mean()
    ax.semilogy(loss - lowest, label=f"{name}: {ends[name] - lowest:.3f} at the end")
ax.set(xlabel="step k", ylabel="loss above the minimum", title="batches of 16", ylim=(1e-3, 1))
ax.legend()
plt.show()

# %% [markdown]
# *Four methods on the same sequence of batches, with learning rates that were chosen by hand. At
# the end all are about equally far from the minimum.*
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
