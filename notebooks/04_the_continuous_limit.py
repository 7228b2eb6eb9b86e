# %% [markdown]
# # 04 · The continuous limit
#
# As its steps become smaller, Nesterov's method becomes a ball in a bowl with a friction of 3/t.
# This notebook shows that the iterates converge to the path of the ball, a Bessel function, how
# fast they converge, why the method oscillates, and why a restart is better.
#
# Slides: *Nesterov and a differential equation* (Su, Boyd and Candès, arXiv 1503.01243).

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

import lecture_optax as lo
from lecture_optax import theory
from lecture_optax.theory.claims._descent import descend
from lecture_optax.theory.claims.bessel_solution import solution

jax.config.update("jax_enable_x64", True)
plt.style.use("lecture.mplstyle")

# %% [markdown]
# ## Iterates on a curve
#
# With t = k√τ, Nesterov's iterates on θ²/2 converge to the solution of
#
# $$\ddot X + \frac{3}{t}\dot X + X = 0,\quad X(0) = 1,\ \dot X(0) = 0:\qquad X(t) = 2 J_1(t)/t .$$
#
# The 3 comes from the momentum k/(k+3) = 1 − 3/(k+3): friction is 1 minus the momentum.

# %%
theory.pictures.ode_limit()
plt.show()

# %% [markdown]
# ## The speed of convergence
#
# The largest distance from the curve, for t up to 10. It halves when τ is divided by four: the
# error is of order √τ.


# %%
def error(τ):
    tx = lo.sgd(τ, lo.schedules.momentum_nesterov(), nesterov=True)
    steps = round(10 / τ**0.5)
    x = descend(tx, lambda θ: θ, 1.0, steps, read=lo.lookahead_readout)
    return np.abs(x - solution(np.arange(steps + 1) * τ**0.5)).max()


rates = 1e-2 / 4.0 ** np.arange(5)
errors = np.array([error(τ) for τ in rates])
fig, ax = plt.subplots()
ax.loglog(rates, errors, marker="o", label="measured")
ax.loglog(rates, errors[0] * (rates / rates[0]) ** 0.5, label="∝ √τ")
ax.set(xlabel="learning rate τ", ylabel="largest error, t ≤ 10", title="distance from the curve")
ax.legend()
plt.show()
print("errors:", *(f"{e:.4f}" for e in errors[:4]))
print("ratios:", *(f"{r:.2f}" for r in errors[:-1] / errors[1:]))

# %% [markdown]
# ## Friction reduces the energy, but the oscillation remains
#
# f + |Δx|²/(2τ) is the energy of the ball. Friction decreases it at every step. For large t the
# friction 3/t is small, and the ball swings through the minimum again and again.

# %%
τ = 1e-3
x = descend(
    lo.sgd(τ, lo.schedules.momentum_nesterov(), nesterov=True),
    lambda θ: θ,
    1.0,
    900,
    read=lo.lookahead_readout,
)
time = np.arange(900) * τ**0.5
fig, axes = plt.subplots(1, 2, figsize=(10, 3.4))
axes[0].plot(time, x[:-1])
axes[0].set(xlabel="t = k√τ", ylabel="x", title="position")
energy = x[1:] ** 2 / 2 + np.diff(x) ** 2 / (2 * τ)
axes[1].semilogy(time, x[1:] ** 2 / 2, ls=":", label="f alone")
axes[1].semilogy(time, energy, ls="-", label="f + |Δx|²/(2τ)")
axes[1].set(xlabel="t = k√τ", ylabel="energy", title="friction", ylim=(1e-7, 1))
axes[1].legend()
plt.show()

# %% [markdown]
# ## Restarts
#
# A restart sets the velocity to 0 as soon as it points uphill; the friction begins again at its
# first value. `lo.restart` wraps any velocity. On a valley with κ = 10⁴ it needs less than half of
# the steps and no knowledge of κ. A constant momentum chosen for a known κ needs even fewer.

# %%
curvatures = jnp.geomspace(1e-4, 1.0, 50)
growing = lo.nesterov_trace(lo.schedules.momentum_nesterov())
velocities = {
    "k/(k+3)": growing,
    "k/(k+3), restarted": lo.restart(growing),
    "κ known": lo.nesterov_trace(lo.schedules.momentum_constant(1e4)),
}
fig, ax = plt.subplots()
arrived = {}
for name, velocity in velocities.items():
    tx = lo.chain(velocity, lo.scale_by_learning_rate(1.0))
    gap = np.square(descend(tx, lambda θ: curvatures * θ, np.ones(50), 6500)) @ curvatures
    arrived[name] = int(np.argmax(gap < 1e-10 * gap[0]))
    ax.semilogy(gap / gap[0], label=f"{name}: {arrived[name]} steps")
ax.set(xlabel="step k", ylabel="f − f*, relative", title="to 1e-10, κ = 10⁴", ylim=(1e-12, 2))
ax.legend()
plt.show()

# %% [markdown]
# ## The slide's claim, as numbers

# %%
ratios = errors[:-1] / errors[1:]
assert np.all((ratios > 1.9) & (ratios < 2.1)), "the error halves when τ is divided by four"
assert np.all(np.diff(energy) < 0), "friction decreases the energy at every step"
assert arrived["k/(k+3), restarted"] < 0.5 * arrived["k/(k+3)"], "restarts save steps"
