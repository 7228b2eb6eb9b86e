# %% [markdown]
# # 02 · Momentum: a heavy ball, and Nesterov's
#
# A ball rolls down a narrow valley. Without momentum it moves slowly along the valley, with too
# much momentum it does not stop, and in between there is an optimal friction. This notebook draws
# these cases, has a slider for the momentum, and compares predictions of the theory with
# measurements on the library's own transformations.
#
# The slide *Momentum* keeps a velocity, a sum of past gradients in which each step multiplies the
# old ones by α, and moves θ by it. The slide *Nesterov's momentum* moves θ by the new gradient and
# α times the new velocity, which is a look ahead.

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
from drawing import BLUE, INK, RED, label, remark, slider

import lecture_optax as lo
from lecture_optax import theory

jax.config.update("jax_enable_x64", True)
plt.style.use("lecture.mplstyle")

# %% [markdown]
# ## One valley, one learning rate, three methods
#
# $E(\theta) = \tfrac12(\lambda_1\theta_1^2 + \lambda_2\theta_2^2)$ has forty times as much
# curvature across the valley (λ₁ = 1) as along it (λ₂ = 1/40). From θ = (1, 1), with the learning
# rate τ and the momentum α, the three methods are
#
# $$v_{k+1} = \alpha\,v_k + g_k,\qquad \theta_{k+1} = \theta_k - \tau\,
# \begin{cases} {\color{#777777}{g_k}} & {\color{#777777}{\text{gradient descent}}}\\
# {\color{#D55E00}{v_{k+1}}} & {\color{#D55E00}{\text{heavy ball}}}\\
# {\color{#0072B2}{g_k + \alpha\,v_{k+1}}} & {\color{#0072B2}{\text{Nesterov}}}\end{cases}$$

# %%
curvature = jnp.array([1.0, 1 / 40])
τ, α = 1.2, 0.75
methods = {
    "gradient descent": lo.sgd(τ),
    "heavy ball": lo.sgd(τ, momentum=α),
    "Nesterov": lo.sgd(τ, momentum=α, nesterov=True),
}
colors = dict(zip(methods, ["#777777", RED, BLUE], strict=True))


def path(tx, steps=61):
    def step(carry, _):
        θ, state = carry
        update, state = tx.update(curvature * θ, state, θ)
        return (optax.apply_updates(θ, update), state), θ

    start = jnp.array([1.0, 1.0])
    return jax.lax.scan(step, (start, tx.init(start)), length=steps)[1]


paths = {name: np.asarray(path(tx)) for name, tx in methods.items()}
ends = {name: np.linalg.norm(steps[-1]) for name, steps in paths.items()}

# %% tags=["hide-input"]
along, across = np.meshgrid(np.linspace(-1.1, 1.1, 121), np.linspace(-1.3, 1.2, 81))


def valley(ax):
    energy = (curvature[0] * across**2 + curvature[1] * along**2) / 2
    ax.contour(along, across, energy, levels=np.geomspace(1e-4, 1, 12), colors="0.85", linewidths=1)
    ax.plot(0, 0, "+", color=INK, ms=9, mew=1.5, zorder=5)
    ax.grid(False)
    ax.set(xlim=(-0.25, 1.1), ylim=(-1.3, 1.2), ylabel="θ₁ (steep)")


remarks = {
    "gradient descent": ("small steps: still far away", (0.16, 0.03), (0.3, 0.7)),
    "heavy ball": ("still swings between the walls", (0.33, 0.25), (0.25, 0.85)),
    "Nesterov": ("the swing between the walls is damped", (0.51, 0), (0.3, 0.7)),
}
fig, axes = plt.subplots(3, 1, sharex=True, figsize=(7, 6.6))
for ax, (name, steps) in zip(axes, paths.items(), strict=True):
    valley(ax)
    ax.plot(*steps.T[::-1], "o-", color=colors[name], ms=3.5, lw=1.3)
    left = np.format_float_positional(ends[name], 1, fractional=False)
    ax.set_title(f"{name}: {left} from the minimum after 60 steps", color=colors[name])
    text, to, at = remarks[name]
    remark(ax, text, to=to, at=at)
axes[-1].set_xlabel("θ₂ (flat)")
plt.show()

# %% [markdown]
# *Three methods with the same τ = 1.2 and the same α = 0.75; the cross is the minimum. Gradient
# descent is soon at the bottom of the valley, and slow from there. Both methods with momentum
# follow the valley quickly. Heavy ball keeps swinging between the walls; Nesterov's method is
# damped.*
#
# The factor by which each direction shrinks per step says the same. For heavy ball it is √α ≈ 0.87
# in both directions:

# %%
factors = {name: theory.contraction(tx, np.asarray(curvature)) for name, tx in methods.items()}
for name, (steep, flat) in factors.items():
    print(f"{name:17}{steep:.3f} across the valley, {flat:.3f} along it")

# %% [markdown]
# In the library, heavy ball and Nesterov's method are chains of two blocks, and they differ in one:

# %%
print(methods["heavy ball"])
print(methods["Nesterov"])

# %% [markdown]
# ## α is a memory

# %% tags=["hide-input"]
fig, ax = plt.subplots()
theory.pictures.memory(methods, ax=ax)
ax.get_legend().remove()
for line in ax.lines[:3]:
    line.set(color=colors[line.get_label()], linestyle="-")
label(ax.lines[1], at=4, shift=(8, 8))
label(ax.lines[2], "Nesterov: the new gradient counts 1 + α times", at=0, shift=(10, 0))
remark(ax, "gradient descent: one step", to=(1, 0), at=(6, -0.3), color="#777777")
ax.set(ylim=(-0.45, 2.3), xlim=(-0.5, 20.5), xticks=range(0, 21, 5))
ax.set(ylabel="step for a gradient of 1")
ax.set_title("One gradient moves θ for many steps")
plt.show()

# %% [markdown]
# *The steps after a single gradient of size 1. With gradient descent it causes one step, of length
# τ. With heavy ball it causes* ${\color{#D55E00}{\tau\alpha^j}}$ *after j steps, together τ/(1 −
# α), which is four times as much. With Nesterov's method it causes*
# ${\color{#0072B2}{\tau(1 + \alpha)}}$ *at once and* ${\color{#0072B2}{\tau\alpha^{j+1}}}$ *later:
# the same sum, earlier.*
#
# ## Friction is 1 − α
#
# A hyperparameter is data, so `vmap` runs a hundred values of α in one compiled program.

# %%
alphas = jnp.linspace(0.0, 0.99, 100)
rolls = jax.vmap(lambda α: path(lo.sgd(τ, momentum=α), steps=101))(alphas)
distances = np.linalg.norm(rolls, axis=-1)
best_α = (1 - (τ * curvature[1]) ** 0.5) ** 2

# %% tags=["hide-input"]
fig, ax = plt.subplots(figsize=(7, 4.2))
steps = np.arange(distances.shape[1])
mesh = ax.pcolormesh(alphas, steps, np.log10(distances.T), cmap="cividis", vmin=-6, vmax=0)
fig.colorbar(mesh, label="log₁₀ distance to the minimum")
ax.axvline(best_α, color="white", ls="--", lw=1.5)
ax.text(best_α - 0.015, 3, "(1 − √(τλ₂))²", color=INK, ha="right", weight="bold")
for x, text in ((0.28, "too much friction:\nslow"), (0.9, "too little:\nit does\nnot stop")):
    ax.text(x, 72, text, color="white", ha="center", weight="bold")
ax.set(xlabel="momentum α", ylabel="step k", title="There is an optimal friction, 1 − α = 0.32")
ax.grid(False)
plt.show()

# %% [markdown]
# *Each column is one run of heavy ball with τ = 1.2; dark is near the minimum. The dashed line is
# the α at which the flat direction is just not oscillating,*
# $\alpha = (1 - \sqrt{\tau\lambda_2})^2 \approx 0.68$.
#
# Drag the slider, or press Play:

# %% tags=["hide-input"]
fig, ax = plt.subplots(figsize=(6, 3.4))
valley(ax)
(ball,) = ax.plot([], [], "o-", color=RED, ms=3.5, lw=1.2)
ax.set(xlabel="θ₂ (flat)", xlim=(-1.1, 1.1))
shown = [*range(0, 96, 5), 99]


def draw(i):
    ball.set_data(*np.asarray(rolls[shown[i], :61]).T[::-1])
    end = distances[shown[i], 60]
    ax.set_title(f"after 60 steps: {end:.5f} from the minimum", color=RED)


slider(fig, draw, [f"α = {alphas[i]:.2f}" for i in shown], "momentum α", start=shown.index(75))

# %% [markdown]
# *The first 60 steps of heavy ball. From α = 0 to 0.65 the path becomes faster along the valley;
# from 0.75 on it swings beyond the minimum and back.*
#
# ## Speed, and the stability edge
#
# On a quadratic one step is a matrix. Its largest eigenvalue is the factor by which a direction
# with curvature λ shrinks per step. Where it exceeds 1 the method diverges: this limit is its
# stability edge. `theory.contraction` differentiates the transformation itself, so the picture
# shows the behaviour of the code, not of a formula.

# %% tags=["hide-input"]
fig, axes = plt.subplots(2, 1, figsize=(7, 7), sharex=True)
theory.pictures.spectral_radius(ax=axes[0])
theory.pictures.spectral_radius(lo.nesterov_trace, lo.trace, ax=axes[1])
titles = {
    "Heavy ball: momentum moves the edge out, to 2(1 + α)": RED,
    "Nesterov: momentum moves the edge in, to 2(1 + α)/(1 + 2α)": BLUE,
}
for ax, (title, color) in zip(axes, titles.items(), strict=True):
    ax.get_legend().remove()
    edge, edge_of_the_other = ax.lines
    edge.set_color(color)
    edge_of_the_other.remove()
    ax.set_title(title, color=color)
    ax.set(ylabel="momentum α", xlabel="")
    ax.text(3.8, 0.06, "diverges", ha="right", backgroundcolor="white")
axes[1].set_xlabel("τλ")
plt.show()

# %% [markdown]
# *Dark is fast: the colour is the factor per step. The hatched area diverges. The largest stable τλ
# is* ${\color{#D55E00}{2(1 + \alpha)}}$ *for heavy ball and*
# ${\color{#0072B2}{2(1 + \alpha)/(1 + 2\alpha)}}$ *for Nesterov's method: with more momentum, heavy
# ball permits a larger learning rate, and Nesterov's method needs a smaller one.*
#
# ## Both methods in your hand
#
# Where a kernel runs, the next cell is a page with a handle for every number. Drag the learning
# rate of Nesterov's method to the right: beyond 1.357 its loss grows. That of heavy ball grows
# beyond 3.8 only. Then drag the momentum of one, and see its edge move.

# %%
both = lo.sgd(1.0, momentum=0.9), lo.sgd(1.0, momentum=0.9, nesterov=True)
lo.lab(*both, condition=100.0)

# %% [markdown]
# *A valley with κ = 100, turned by 30°, and the loss in it, with τ = 1 and α = 0.9 for both. Heavy
# ball swings between the walls for more than a hundred steps; Nesterov's method is at the bottom
# after two. From there both follow the valley, at nearly the same rate.*
#
# ## Each method with its best tuning
#
# The best τ and α depend on the largest and the smallest curvature. With κ = λ₁/λ₂ the factors per
# step are
#
# $${\color{#777777}{\frac{\kappa - 1}{\kappa + 1}}},\qquad
# {\color{#D55E00}{\frac{\sqrt\kappa - 1}{\sqrt\kappa + 1}}},\qquad
# {\color{#0072B2}{1 - \frac{2}{\sqrt{3\kappa + 1}}}}$$
#
# for gradient descent, heavy ball (Polyak's tuning) and Nesterov's method.

# %%
kappa = 40.0
best = {
    "gradient descent": lo.sgd(2 / (1 + 1 / kappa)),
    "heavy ball": lo.sgd(*lo.polyak_tuning(1.0, 1 / kappa)),
    "Nesterov": lo.sgd(*lo.nesterov_tuning(1.0, 1 / kappa), nesterov=True),
}
formula = {
    "gradient descent": (kappa - 1) / (kappa + 1),
    "heavy ball": (kappa**0.5 - 1) / (kappa**0.5 + 1),
    "Nesterov": 1 - 2 / (3 * kappa + 1) ** 0.5,
}
lengths = {name: np.linalg.norm(path(tx, 401), axis=1) for name, tx in best.items()}
measured = {name: (d[400] / d[200]) ** (1 / 200) for name, d in lengths.items()}
for name, tx in best.items():
    code = max(theory.contraction(tx, np.asarray(curvature)))
    print(f"{name:17}measured {measured[name]:.3f}, code {code:.3f}, formula {formula[name]:.3f}")

# %% tags=["hide-input"]
fig, ax = plt.subplots()
for name, d in lengths.items():
    (line,) = ax.semilogy(d[:101], color=colors[name])
    below = name == "heavy ball"
    text = f"{name}\n{formula[name]:.3f} per step"
    label(line, text, at=50 if below else 62, shift=(-8, -4) if below else (8, 6))
ax.set(xlabel="step k", ylabel="distance to the minimum", ylim=(1e-10, 3), xlim=(0, 110))
ax.set_title("With its best tuning, heavy ball is the fastest")
plt.show()

# %% [markdown]
# *Each method with its own best tuning. After 60 steps gradient descent is at 0.07, Nesterov's
# method below 1e-4, and heavy ball below 1e-6. This order holds for quadratics: on other losses,
# heavy ball with Polyak's tuning may not converge.*
#
# ## Exercise
#
# You use heavy ball with α = 0.9 at the largest stable τ, and change to Nesterov's method with the
# same α. By which factor must you decrease τ, at least?
#
# <details><summary>Answer</summary>
#
# By 1 + 2α = 2.8: the edge moves from 2(1 + α) = 3.8 to 2(1 + α)/(1 + 2α) ≈ 1.357. Without the
# decrease the run diverges. The last cell checks both edges on the code.
#
# </details>
#
# ## The slides' claims, as numbers
#
# All predictions of this notebook, checked: the factors per step, the best friction, and the
# stability edges at α = 0.9.

# %%
edges = [theory.stability_edge(lo.sgd(1.0, momentum=0.9, nesterov=n)) for n in (False, True)]
print("edges of τλ:", [round(edge, 9) for edge in edges])
assert np.allclose(edges, [3.8, 3.8 / 2.8], atol=1e-8)
assert np.isclose(edges[0] / edges[1], 1 + 2 * 0.9), "the exercise"
limits = [run.predicted["limit"] for run in lo.lab(*both, condition=100.0).runs]
assert np.allclose(limits, edges, atol=1e-6), "the lab names the same edges"
assert np.allclose(factors["heavy ball"], α**0.5, atol=1e-6)
assert factors["Nesterov"][0] < 0.7 < factors["heavy ball"][0], "Nesterov is damped across"
assert ends["Nesterov"] < ends["heavy ball"] < 0.01 < ends["gradient descent"]
for name, tx in best.items():
    assert np.isclose(max(theory.contraction(tx, np.asarray(curvature))), formula[name], rtol=1e-3)
    assert np.isclose(measured[name], formula[name], rtol=0.01), name
at_60 = {name: d[60] for name, d in lengths.items()}
assert at_60["heavy ball"] < 1e-6 < at_60["Nesterov"] < 1e-4 < 0.06 < at_60["gradient descent"]
assert measured["heavy ball"] < measured["Nesterov"] < measured["gradient descent"]
assert abs(alphas[np.nanargmin(distances[:, 60])] - best_α) < 0.06, "the best friction"
