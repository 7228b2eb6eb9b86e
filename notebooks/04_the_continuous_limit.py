# %% [markdown]
# # 04 · The continuous limit
#
# As its steps become smaller, Nesterov's method becomes a ball in a bowl with a friction of 3/t.
# This notebook shows that the iterates converge to the path of the ball, a Bessel function, how
# fast they converge, why the method oscillates, and why a restart is better.
#
# Slides: *Nesterov and a differential equation* (Su, Boyd and Candès, arXiv 1503.01243). It says:
# for small steps, Nesterov's method follows a differential equation of second order.

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
from drawing import BLUE, INK, RED, label, remark

import lecture_optax as lo
from lecture_optax.theory.claims._descent import descend
from lecture_optax.theory.claims.bessel_solution import solution

jax.config.update("jax_enable_x64", True)
plt.style.use("lecture.mplstyle")

# %% [markdown]
# ## Iterates on a curve
#
# With t = k√τ, Nesterov's iterates on θ²/2 converge to the solution of
#
# $$\ddot X + \frac{3}{t}\dot X + X = 0,\quad X(0) = 1,\ \dot X(0) = 0:\qquad
# {\color{#D55E00}{X(t) = 2 J_1(t)/t}} .$$
#
# The 3 comes from the momentum k/(k+3) = 1 − 3/(k+3): friction is 1 minus the momentum.


# %%
def nesterov(τ, steps):
    tx = lo.sgd(τ, lo.schedules.momentum_nesterov(), nesterov=True)
    return descend(tx, lambda θ: θ, 1.0, steps, read=lo.lookahead_readout)


# %% tags=["hide-input"]
fig, ax = plt.subplots(figsize=(7, 4.4))
t = np.linspace(1e-6, 10, 300)
(curve,) = ax.plot(t, solution(t), color=RED, lw=7, alpha=0.4)
label(curve, "X(t) = 2 J₁(t)/t", at=1.6, shift=(14, 6))
for τ, strength in ((1 / 4, 1.0), (1 / 16, 0.7), (1 / 64, 0.45)):
    x = nesterov(τ, round(10 / τ**0.5))
    every = round(0.5 / τ**0.5)
    time = np.arange(len(x)) * τ**0.5
    (line,) = ax.plot(time, x, "o-", markevery=every, color=BLUE, alpha=strength, lw=1.5)
    if τ == 1 / 4:
        label(line, "τ = 1/4", at=1, shift=(-8, -6))
remark(ax, "τ = 1/16", to=(2.0, nesterov(1 / 16, 8)[8]), at=(0.6, 0.22), color=BLUE)
remark(ax, "τ = 1/64", to=(2.5, nesterov(1 / 64, 20)[20]), at=(4.6, 0.5), color=BLUE)
ax.set(xlabel="t = k√τ", ylabel="x(k)", xlim=(-0.2, 10.2))
ax.set_title("With smaller steps, Nesterov's iterates approach one curve")
plt.show()

# %% [markdown]
# *Iterates of three learning rates (blue) over the time t. Each quarter of τ halves the distance
# from the solution of the differential equation (orange).*
#
# ## The speed of convergence
#
# The largest distance from the curve, for t up to 10, is of order √τ:

# %%
rates = 1e-2 / 4.0 ** np.arange(5)
errors = []
for τ in rates:
    x = nesterov(τ, round(10 / τ**0.5))
    errors.append(np.abs(x - solution(np.arange(len(x)) * τ**0.5)).max())
errors = np.array(errors)
print("errors:", *(f"{e:.4f}" for e in errors[:4]))
print("ratios:", *(f"{r:.2f}" for r in errors[:-1] / errors[1:]))

# %% tags=["hide-input"]
fig, (top, bottom) = plt.subplots(2, 1, figsize=(7, 5.4), sharex=True)
(line,) = top.loglog(rates, 0.75 * rates**0.5, color=RED)
top.loglog(rates, errors, "o", color=BLUE, ms=7)
label(line, "0.75 √τ", at=rates[2], shift=(-6, 8))
remark(top, "measured", to=(rates[1], errors[1]), at=(2.2e-3, 0.012), color=BLUE)
ticks = [0.005, 0.01, 0.02, 0.05]
top.set(ylabel="largest error, t ≤ 10", yticks=ticks, yticklabels=ticks)
top.set_title("The error of the limit is about 0.75 √τ")
top.minorticks_off()
bottom.semilogx(rates, 100 * (errors / (0.75 * rates**0.5) - 1), "o-", color=BLUE)
bottom.axhline(0, color=RED)
bottom.set(xlabel="learning rate τ", ylabel="difference, %", ylim=(-3, 3))
bottom.set_title("Measured minus 0.75 √τ, relative to it")
plt.show()

# %% [markdown]
# *Above, the measured errors (blue) cover the line 0.75 √τ (orange), so the lower picture shows
# their difference: at most 2 %, over a factor of 256 in τ.*
#
# ## Friction reduces the energy, but the oscillation remains
#
# The energy of the ball is the sum of its potential and its kinetic energy, ${\color{#0072B2}{f}} +
# |\Delta x|^2/(2\tau)$. Friction decreases it at every step. For large t the friction 3/t is small,
# and the ball moves through the minimum again and again.

# %%
τ = 1e-5
x = nesterov(τ, 9000)
time = np.arange(9000) * τ**0.5
energy = x[1:] ** 2 / 2 + np.diff(x) ** 2 / (2 * τ)

# %% tags=["hide-input"]
fig, (top, bottom) = plt.subplots(2, 1, figsize=(7, 5.8), sharex=True)
top.plot(time, x[:-1], color=INK)
top.axhline(0, color="0.6", lw=1)
remark(top, "through the minimum", to=(3.8, 0), at=(9, 0.55))
top.set(ylabel="position x", title="The ball swings through the minimum again and again")
(total,) = bottom.semilogy(time, energy, color=INK)
(alone,) = bottom.semilogy(time, x[1:] ** 2 / 2, color=BLUE, lw=1.3)
label(total, "f + |Δx|²/(2τ)", at=6.2, shift=(4, 8))
remark(bottom, "f alone: 0 in the minimum", to=(13.3, 1e-5), at=(18, 4e-7), color=BLUE)
bottom.set(xlabel="t = k√τ", ylabel="energy", ylim=(1e-7, 1))
bottom.set_title("Friction decreases the energy at every step")
plt.show()

# %% [markdown]
# *Position and energy of the ball. f alone (blue) returns to almost the same height after each
# passage through the minimum; the energy (black) only decreases, least where the ball turns.*
#
# ## Restarts
#
# A restart sets the velocity to 0 as soon as it points uphill; the friction begins again at its
# first value. `lo.restart` wraps any velocity. On a valley with κ = 10⁴ it needs less than a third
# of the steps and no knowledge of κ. A constant momentum chosen for a known κ needs even fewer.

# %%
curvatures = jnp.geomspace(1e-4, 1.0, 50)
growing = lo.nesterov_trace(lo.schedules.momentum_nesterov())
velocities = {
    "k/(k+3)": growing,
    "k/(k+3), restarted": lo.restart(growing),
    "κ known": lo.nesterov_trace(lo.schedules.momentum_constant(1e4)),
}
gaps, arrived = {}, {}
for name, velocity in velocities.items():
    tx = lo.chain(velocity, lo.scale_by_learning_rate(1.0))
    gap = np.square(descend(tx, lambda θ: curvatures * θ, np.ones(50), 6500)) @ curvatures
    gaps[name] = gap / gap[0]
    arrived[name] = int(np.argmax(gaps[name] < 1e-10))
print(arrived)

# %% tags=["hide-input"]
fig, ax = plt.subplots(figsize=(7, 4.4))
for gap, color in zip(gaps.values(), (INK, RED, BLUE), strict=True):
    ax.semilogy(gap, color=color)
words = {name: f"{name}: {steps:,} steps" for name, steps in arrived.items()}
label(ax.lines[0], words["k/(k+3)"], at=3200, shift=(6, 12))
label(ax.lines[1], words["k/(k+3), restarted"], at=1640, shift=(8, 0))
remark(ax, words["κ known"], to=(150, 1e-4), at=(1700, 1e-3), color=BLUE)
ax.axhline(1e-10, color="0.6", lw=1)
ax.set(xlabel="step k", ylabel="f − f*, relative to the start", ylim=(1e-12, 2), xlim=(0, 6500))
ax.set_title("A restart saves most of the steps, without knowing κ")
plt.show()

# %% [markdown]
# *Steps until f − f\* is 1e-10 of its start, the grey line. Without restarts (black) the loss
# oscillates: each rise is a ball that runs uphill. A restart (orange) stops it there.*
#
# ## Exercise
#
# Read from the picture of the energy with which power of t it decreases. Where does the number come
# from? What is the power with a friction of 5/t?
#
# <details><summary>Answer</summary>
#
# The energy decreases like t⁻³: from t = 5 to t = 25 by a factor of about 5³ = 125. A friction of
# 3/t takes 3/t of the velocity per unit of time, thus 2 · 3/t of the kinetic energy. This is on
# average half of the energy E, so dE/dt = −3E/t and E ∝ t⁻³. A friction of 5/t gives t⁻⁵.
#
# </details>

# %%
late = time > 5
power = np.polyfit(np.log(time[late]), np.log(energy[late]), 1)[0]
print(f"the energy decreases like t^{power:.1f}")

# %% [markdown]
# ## The slide's claim, as numbers

# %%
ratios = errors[:-1] / errors[1:]
assert np.all((ratios > 1.9) & (ratios < 2.1)), "the error halves when τ is divided by four"
assert np.all(np.abs(errors / (0.75 * rates**0.5) - 1) < 0.02), "the error is 0.75 √τ"
assert np.all(np.diff(energy) < 0), "friction decreases the energy at every step"
assert abs(power + 3) < 0.1, "the energy decreases like t⁻³"
assert arrived["k/(k+3), restarted"] < arrived["k/(k+3)"] / 3, "restarts save steps"
