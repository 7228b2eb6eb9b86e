# %% [markdown]
# # 06 · Learning rates over time
#
# With a constant learning rate the loss stops decreasing at a noise floor. 1/k has no floor if its
# constant is right. Steps, cosines and restarts are common in practice, and an average of the
# iterates needs no decay at all. This notebook shows each schedule, its effect on the loss, and the
# cost of a wrong constant in c/k.
#
# Slides: *Annealing*, *Warm restarts*.

# %%
import importlib.util

if importlib.util.find_spec("lecture_optax") is None:  # not in the environment of a clone
    # %pip install --quiet "..[all]"
    pass

# %%
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax

import lecture_optax as lo
from lecture_optax import schedules, theory
from lecture_optax.theory.claims.annealing import second_moment, sensitivities

jax.config.update("jax_enable_x64", True)
plt.style.use("lecture.mplstyle")

# %% [markdown]
# ## The shapes
#
# All schedules share the argument names `init_value`, `peak_value`, `end_value`, `total_steps` and
# `warmup_steps`. A schedule is a function of the step, and `print` describes it.

# %%
shapes = {
    "1/k": schedules.inverse_time(1.0, decay_rate=0.05),
    "steps": schedules.step(1.0, [50, 80], factor=0.1),
    "cosine, after a warm-up": schedules.cosine(1.0, total_steps=100, warmup_steps=10),
    "warm restarts": schedules.warm_restarts(1.0, period=14, period_factor=2.0),
    "one cycle": schedules.one_cycle(1.0, total_steps=100),
    "warm up, stay, decay": schedules.wsd(1.0, total_steps=100, warmup_steps=10, decay_steps=30),
}
fig, axes = plt.subplots(2, 3, figsize=(10, 4.5), sharex=True, sharey=True)
for ax, (name, schedule) in zip(axes.flat, shapes.items(), strict=True):
    schedules.plot(schedule, 100, ax=ax)
    ax.set_title(name)
plt.show()

# %% [markdown]
# ## The noise floor
#
# Gradients of minibatches are noisy: g = λθ + ξ. With a constant τ the variance of θ settles at a
# value that grows with τ, without a limit at the stability edge. `theory.stationary_variance`
# computes it from the transformation itself.

# %%
theory.pictures.variance()
plt.show()

# %% [markdown]
# ## The effect of restarts on the loss
#
# A noisy valley, 600 steps, the mean of 200 runs. Each decay of the learning rate takes the loss
# below the floor of the constant learning rate. Each restart raises the loss again, until the next
# decay.

# %%
curvatures = jnp.array([1.0, 0.02])


def mean_loss(tx, steps=600, runs=200):
    def step(carry, key):
        θ, state = carry
        gradient = curvatures * θ + jax.random.normal(key, θ.shape)
        update, state = tx.update(gradient, state, θ)
        return (optax.apply_updates(θ, update), state), (curvatures * θ**2).sum(1).mean() / 2

    θ, keys = jnp.full((runs, 2), 3.0), jax.random.split(jax.random.key(0), steps)
    return jax.lax.scan(step, (θ, tx.init(θ)), keys)[1]


rates = {
    "constant": schedules.constant(0.5),
    "warm restarts": schedules.warm_restarts(0.5, period=86, period_factor=2.0),
    "cosine": schedules.cosine(0.5, total_steps=600),
}
fig, (above, below) = plt.subplots(2, 1, figsize=(9, 5), sharex=True, height_ratios=[2, 1])
final = {}
for name, schedule in rates.items():
    loss = mean_loss(lo.sgd(schedule))
    final[name] = loss[-1]
    above.semilogy(loss, label=name)
    below.plot(schedule(jnp.arange(600)), label=name)
above.set(ylabel="mean loss")
below.set(xlabel="step k", ylabel="learning rate τ")
above.legend()
plt.show()
print("loss at the end:", {name: round(float(loss), 4) for name, loss in final.items()})

# %% [markdown]
# ## 1/k, and its constant
#
# With τ = c/k the influence of the start on θ decreases like k^(−cλ), and the variance of the noise
# like 1/k. If 2cλ < 1 the error decreases like k^(−2cλ) only: with a tenth of c = 1/(2λ), k must be
# raised to the tenth power. The error of an average of the iterates at a *constant* τ decreases
# like 1/k for any τ.

# %%
theory.pictures.annealing()
plt.show()

# %% [markdown]
# With the weight in a ← a + (1+η)/(k+η) (θ − a) the average has the variance (η+1)²/(2η+1) · σ²/(λ²
# k): η = 0 is best for long runs, and a larger η removes the influence of the start sooner. The
# table is exact, by differentiation, for three values of η and τ from 0.05 to 1:

# %%
k = 20_000
runs = [(0.0, 0.05, 0.0), (0.0, 1.0, 0.0), (2.0, 0.2, 0.0), (8.0, 0.5, 0.0), (8.0, 0.05, 0.9)]
print("η   τ     momentum   k·E a²   (η+1)²/(2η+1)")
laws = []
for η, τ, α in runs:
    tx = lo.chain(lo.sgd(τ, momentum=α), lo.average_iterates(η))
    measured = k * np.square(sensitivities(tx, k, 1.0, lo.averaged)[1]).sum()
    laws.append((measured, (η + 1) ** 2 / (2 * η + 1)))
    print(f"{η:g}   {τ:<5g} {α:<10g} {measured:.4f}   {laws[-1][1]:.4f}")

# %% [markdown]
# ## The slide's claim, as numbers
#
# The slope of log E θ² over log k between k = 5,000 and 20,000 is −min(1, 2cλ).

# %%
for c in (0.1, 0.25, 1.0):
    early, late = (second_moment(lo.sgd(schedules.inverse_time(c)), k) for k in (5_000, 20_000))
    slope = np.log(late / early) / np.log(4)
    print(f"c = {c}: slope {slope:.4f}, predicted {-min(1, 2 * c):.4f}")
    assert np.isclose(slope, -min(1, 2 * c), atol=2e-3)
assert np.allclose(*np.transpose(laws), rtol=5e-3), "the variance of the average, for any τ"
assert final["cosine"] < 0.5 * final["constant"], "a decay ends below the floor"
