# %% [markdown]
# # 03 · Where 1/k² comes from
#
# For every method there is a convex function on which it is slowest: its worst case. This notebook
# shows the worst cases of gradient descent and of Nesterov's method, a limit that no method can
# beat, a quantity that never grows while the loss goes up and down, and a certificate: a proof that
# is computed for the code that you install.
#
# Slides: *Nesterov 1983*, *O(1/k²), and optimal*. They say: on convex functions the loss of
# gradient descent decreases like 1/k, that of Nesterov's method like 1/k², and no method is faster.

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
from drawing import BLUE, GREEN, INK, PINK, RED, label, remark

import lecture_optax as lo
from lecture_optax import theory
from lecture_optax.theory.claims._descent import descend

jax.config.update("jax_enable_x64", True)
plt.style.use("lecture.mplstyle")

# %% [markdown]
# ## The worst case of gradient descent
#
# Take any convex f whose slope changes by at most L per unit of θ, start at a distance R from the
# minimum, and take N steps with τ = 1/L. The loss above the minimum is then at most
#
# $${\color{#D55E00}{\frac{L R^2}{4N + 2}}} .$$
#
# Huber's function, a parabola with straight arms, attains this bound.

# %%
N, corner = 10, 1 / (2 * 10 + 1)  # where the arm begins, for R = 1


def huber(θ):
    return jnp.where(jnp.abs(θ) < corner, θ**2 / 2, corner * (jnp.abs(θ) - corner / 2))


θ = descend(lo.sgd(1.0), jax.grad(huber), 1.0, N)
print(f"left after 10 steps: {float(huber(θ[-1])):.7f}, 1/42 = {1 / 42:.7f}")

# %% tags=["hide-input"]
x = np.linspace(-0.25, 1.1, 400)
fig, ax = plt.subplots(figsize=(7, 4.2))
(line,) = ax.plot(x, huber(x), color=INK)
label(line, "Huber's function", at=0.28, shift=(-4, 6))
ax.plot(θ, huber(θ), "o", color=BLUE, ms=7)
remark(ax, "start", to=(1, huber(1.0)), at=(0.86, 0.051), color=BLUE)
remark(ax, "after 10 equal steps", to=(θ[-1], huber(θ[-1])), at=(0.85, 0.012), color=BLUE)
ax.axhline(1 / (4 * N + 2), color=RED)
ax.text(-0.24, 0.0245, "1/(4N + 2)", color=RED)
ax.set(xlabel="θ", ylabel="f(θ), in L R²")
ax.set_title("After ten steps, gradient descent is only half way")
plt.show()

# %% [markdown]
# *All ten gradients are equal, because all iterates (blue) are on the straight arm. The last one is
# exactly on the bound (orange). A steeper arm would make larger steps; a less steep one would have
# less loss to decrease.*
#
# ## One line of the code is a matrix
#
# A method without a D adds up gradients: θ(i) − θ(0) = Σ H(i, j) g(j). `theory.step_matrix`
# measures H on a transformation with unit gradients, and H determines the worst case. Row i
# contains the weight of each earlier gradient in θ(i).

# %%
methods = {
    "gradient descent": lo.sgd(1.0),
    "Nesterov, k/(k+3)": lo.sgd(1.0, lo.schedules.momentum_nesterov(), nesterov=True),
    "silver steps": lo.sgd(lo.schedules.silver()),
}
weights = {name: -theory.step_matrix(tx, 12) for name, tx in methods.items()}

# %% tags=["hide-input"]
fig, axes = plt.subplots(1, 3, figsize=(7, 3.6), sharey=True)
for ax, (name, H) in zip(axes, weights.items(), strict=True):
    image = ax.imshow(np.where(H > 0, H, np.nan), cmap="cividis", vmin=0, vmax=5)
    ax.set_title(name, fontsize=11)
    ax.set(xlabel="gradient j", xticks=[0, 5, 10], yticks=[0, 5, 10])
    ax.grid(visible=False)
axes[0].set_ylabel("step i")
axes[0].text(11, 1, "all 1", ha="right")
axes[1].text(11, 1, "old ones: 3", ha="right")
axes[2].text(11, 1, "one of 5", ha="right")
fig.colorbar(image, ax=axes, label="weight −H(i, j)", location="bottom", shrink=0.6)
fig.suptitle("Faster methods give some gradients more weight", weight="bold", fontsize=12)
plt.show()

# %% [markdown]
# *One row is one step. Gradient descent gives each gradient the weight 1 for ever. With Nesterov's
# momentum the weight of a gradient grows from step to step. Silver steps have no momentum: each
# column has one value, the learning rate of its step, and a few of them are large.*
#
# ## All worst cases together
#
# H gives the worst cases of the library's own transformations. A line that is straight here is a
# power of N.

# %% tags=["hide-input"]
fig, ax = plt.subplots(figsize=(7, 4.8))
theory.pictures.worst_cases(steps=63, ax=ax)
ax.get_legend().remove()
curves = [line for line in ax.lines if not line.get_label().startswith("_")]
for line, color in zip(curves, (INK, PINK, BLUE, GREEN), strict=True):
    line.set(color=color, linestyle="-", marker="o")
label(curves[0], "gradient descent", at=15, shift=(6, 8))
label(curves[1], "silver steps")
remark(ax, "Nesterov, k/(k+3)", to=(7, curves[2].get_ydata()[2]), at=(2.6, 9e-4), color=BLUE)
remark(ax, "optimized for N", to=(15, curves[3].get_ydata()[3]), at=(5, 2.2e-4), color=GREEN)
ax.set(ylabel="largest f(θ(N)) − f*, in L R²")
ax.set_title("Gradient descent decreases like 1/N, Nesterov's method like 1/N²")
plt.show()

# %% [markdown]
# *The worst case after N gradients, and bounds (grey) with their formulas at the right. No method
# that uses gradients only can be below the lowest grey line: Nesterov's method is as fast as
# possible, up to a factor. The best such method for a known N (green) gains another factor of two.*
#
# ## The reason: a potential
#
# The loss itself goes up and down along Nesterov's path. The following quantity never grows:
#
# $${\color{#0072B2}{2\tau t_k^2\,(f(x_k) - f^\ast) + \|t_k x_k - (t_k - 1)x_{k-1} -
# \theta^\ast\|^2}},
# \qquad t_k = (k+2)/2 .$$
#
# t² grows like k²/4, so the loss must decrease like 1/k². The picture shows both, on a parabola
# with curvatures from 1e-4 to 1. (The bound is about the points x, θ before the look-ahead;
# `lo.lookahead_readout` computes them from the state.)

# %%
curvatures = jnp.geomspace(1e-4, 1, 5)
steps = 200
tx = methods["Nesterov, k/(k+3)"]
x = descend(tx, lambda θ: curvatures * θ, np.arange(1.0, 6.0), steps, read=lo.lookahead_readout)
gap = np.square(x) @ curvatures / 2
t = (np.arange(steps) + 2) / 2
ahead = t[:, None] * x[1:] - (t - 1)[:, None] * x[:-1]
potential = 2 * t**2 * gap[1:] + np.square(ahead).sum(1)
rises = int(np.sum(np.diff(gap) > 0))

# %% tags=["hide-input"]
fig, ax = plt.subplots(figsize=(7, 4.2))
k = np.arange(1, steps + 1)
(below,) = ax.semilogy(k, potential / potential[0], color=BLUE)
(above,) = ax.semilogy(k, gap[1:] / gap[1], color=INK)
label(below, "the potential never grows", at=40, shift=(6, 8))
up = int(np.argmax(np.diff(gap[30:]) > 0)) + 30
remark(
    ax, f"the loss grows in {rises} of {steps} steps", to=(up, gap[up] / gap[1]), at=(105, 0.009)
)
ax.set(xlabel="step k", ylabel="relative to the first step", xlim=(0, 205))
ax.set_title("The loss goes up and down, the potential only down")
plt.show()

# %% [markdown]
# *The loss above the minimum (black) and the potential (blue) along the same path. The potential is
# a bound for the loss times k², so the loss cannot stay high.*
#
# ## A certificate
#
# `theory.worst_case` returns the worst case over *all* such functions, in any dimension. It is the
# value of a semidefinite program, and its solution is a proof. `certify=False` needs no solver: it
# takes the worst of parabolas and Huber's functions, here the same number.

# %%
cases = {
    "gradient descent, θ(N)": (theory.step_matrix(lo.sgd(1.0), N), 1 / (4 * N + 2)),
    "Nesterov, x(N)": (
        theory.step_matrix(tx, N, read=lo.lookahead_readout),
        2 / (N**2 + 5 * N + 6),
    ),
}
measured = [theory.worst_case(H, certify=False) for H, _ in cases.values()]
proved = [theory.worst_case(H) for H, _ in cases.values()]
print("N = 10, in L R²         functions   formula    proof")
for (name, (_, formula)), found, proof in zip(cases.items(), measured, proved, strict=True):
    print(f"{name:24}{found:.7f}  {formula:.7f}  {proof:.4f}")
print(f"lower bound for all methods: {3 / (32 * (N + 1) ** 2):.7f}")

# %% [markdown]
# ## Exercise
#
# How many gradients bring the worst case below 0.001 L R², for gradient descent and for Nesterov's
# method? And for a tenth of that?
#
# <details><summary>Answer</summary>
#
# Gradient descent needs 250, as 4N + 2 must be more than 1000, and 2500 for a tenth: ten times as
# many. Nesterov's method needs 43, as N² + 5N + 6 must be more than 2000, and 139 for a tenth:
# about √10 times as many.
#
# </details>

# %% tags=["hide-input"]
n = np.arange(1, 3000)
first = {
    name: [int(n[np.argmax(bound < least)]) for least in (1e-3, 1e-4)]
    for name, bound in {"descent": 1 / (4 * n + 2), "nesterov": 2 / (n**2 + 5 * n + 6)}.items()
}
assert first == {"descent": [250, 2500], "nesterov": [43, 139]}, first

# %% [markdown]
# ## The slide's claim, as numbers

# %%
assert np.allclose(measured, [0.0238095, 0.0128205], atol=5e-8)
assert np.allclose(proved, measured, atol=2e-5), "the proof has another value"
assert np.all(np.diff(potential) < 1e-12 * potential[0]), "the potential never grows"
assert rises > 5, "though the loss does"
