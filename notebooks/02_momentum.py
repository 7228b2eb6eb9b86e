# %% [markdown]
# # 02 · Momentum: a heavy ball, and Nesterov's
#
# A ball rolls down a narrow valley. Without momentum it bounces between the walls, with too much
# momentum it does not stop, and in between there is an optimal friction. This notebook draws these
# cases, has a slider for the momentum, and compares predictions of the theory with measurements on
# the library's own transformations.
#
# Slides: *Momentum*, *Nesterov's momentum*.

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
from IPython.display import HTML
from matplotlib.animation import FuncAnimation

import lecture_optax as lo
from lecture_optax import theory

jax.config.update("jax_enable_x64", True)
plt.style.use("lecture.mplstyle")

# %% [markdown]
# ## A valley
#
# $E(\theta) = \tfrac12(\lambda_1\theta_1^2 + \lambda_2\theta_2^2)$ has forty times as much
# curvature across the valley as along it. Each method is one line, and one function of ten lines
# runs them.

# %%
curvature = jnp.array([1.0, 1 / 40])


def path(tx, steps=60):
    def step(carry, _):
        θ, state = carry
        update, state = tx.update(curvature * θ, state, θ)
        return (optax.apply_updates(θ, update), state), θ

    start = jnp.array([1.0, 1.0])
    return jax.lax.scan(step, (start, tx.init(start)), length=steps)[1]


methods = {
    "no momentum, τ = 1.8": lo.sgd(1.8),
    "heavy ball, τ = 1.8, α = 0.75": lo.sgd(1.8, momentum=0.75),
    "Nesterov, τ = 1, α = 0.75": lo.sgd(1.0, momentum=0.75, nesterov=True),
}

# %%
x, y = np.meshgrid(np.linspace(-1.1, 1.1, 81), np.linspace(-1.1, 1.1, 81))


def valley(ax):
    energy = (curvature[0] * x**2 + curvature[1] * y**2) / 2
    ax.contour(x, y, energy, levels=np.geomspace(1e-4, 1, 12), colors="0.8", linewidths=0.8)
    ax.set_xlabel("θ₁ (steep)")


fig, axes = plt.subplots(1, 3, sharey=True, figsize=(10, 3.6))
for ax, (name, tx) in zip(axes, methods.items(), strict=True):
    valley(ax)
    ax.plot(*path(tx).T, "ko-", ms=3, lw=1)
    ax.set_title(name, fontsize=10)
axes[0].set_ylabel("θ₂ (flat)")
plt.show()

# %% [markdown]
# Gradient descent bounces between the walls and moves slowly along the valley. Heavy ball keeps its
# velocity and oscillates. Nesterov's method looks ahead and oscillates less:
#
# $$v_{k+1} = \alpha\,v_k + g_k,\qquad \theta_{k+1} = \theta_k - \tau\,
# \begin{cases} v_{k+1} & \text{heavy ball}\\ g_k + \alpha\,v_{k+1} & \text{Nesterov}\end{cases}$$
#
# In the library each of the two is a chain of two blocks:

# %%
print(lo.sgd(1.8, momentum=0.75))
print(lo.sgd(1.0, momentum=0.75, nesterov=True))

# %% [markdown]
# ## The effect of one gradient over time
#
# α is a memory: one gradient changes about 1/(1 − α) steps. The picture shows the steps after a
# single gradient.

# %%
theory.pictures.memory()
plt.show()

# %% [markdown]
# ## Friction: α from 0 to 0.99
#
# A hyperparameter is data, so `vmap` runs a hundred values of α in one compiled program. The dashed
# line marks the α of the picture above. The slider under the second picture selects one α; it needs
# JavaScript. The first picture shows all values.

# %%
alphas = jnp.linspace(0.0, 0.99, 100)
paths = jax.vmap(lambda α: path(lo.sgd(1.8, momentum=α), steps=100))(alphas)
distances = np.linalg.norm(paths, axis=-1)

fig, ax = plt.subplots(figsize=(8, 3.6))
mesh = ax.pcolormesh(
    alphas, np.arange(paths.shape[1]), np.log10(distances.T), cmap="cividis", vmin=-6
)
fig.colorbar(mesh, label="log₁₀ distance to the minimum")
ax.axvline(0.75, color="white", ls="--", lw=1)
ax.set(xlabel="momentum α", ylabel="step k", title="heavy ball, τ = 1.8: friction is 1 − α")
plt.show()

# %%
fig, ax = plt.subplots(figsize=(5, 4), dpi=60)
valley(ax)
(ball,) = ax.plot([], [], "ko-", ms=3, lw=1)
ax.set(ylabel="θ₂ (flat)", xlim=(-1.1, 1.1), ylim=(-1.1, 1.1))


def draw(i):
    ball.set_data(*np.asarray(paths[i, :60]).T)
    ax.set_title(f"heavy ball, τ = 1.8, α = {alphas[i]:.2f}")


film = FuncAnimation(fig, draw, frames=[*range(0, 96, 5), 99])
plt.close(fig)
HTML(film.to_jshtml(default_mode="once", embed_frames=True))

# %% [markdown]
# ## Speed, and the stability edge
#
# On a quadratic one step is a matrix. Its largest eigenvalue ρ is the factor by which a direction
# with curvature λ shrinks per step. Where ρ exceeds 1 the method diverges: this limit is its
# stability edge. `theory.contraction` differentiates the transformation itself, so the picture
# shows the behaviour of the code, not of a formula.

# %%
fig, axes = plt.subplots(1, 2, figsize=(10, 4), sharey=True)
theory.pictures.spectral_radius(ax=axes[0])
theory.pictures.spectral_radius(lo.nesterov_trace, lo.trace, ax=axes[1])
plt.show()

# %% [markdown]
# Heavy ball contracts fastest with Polyak's tuning, and Nesterov's method with a similar tuning;
# both need the largest and the smallest curvature. The mean factor per step, measured on the path:

# %%
kappa = 40.0
τ, α = lo.polyak_tuning(1.0, 1 / kappa)
best = {"heavy ball": lo.sgd(τ, α), "Nesterov": lo.sgd(1.0, 0.75, nesterov=True)}
for name, tx in best.items():
    lengths = np.linalg.norm(path(tx, 400), axis=1)
    measured = (lengths[300] / lengths[200]) ** (1 / 100)
    predicted = max(theory.contraction(tx, np.asarray(curvature)))
    print(f"{name:11} measured {measured:.3f}, predicted {predicted:.3f}")

# %% [markdown]
# ## The slide's claim, as numbers
#
# The largest stable τλ at α = 0.9 is 2(1 + α) = 3.8 for heavy ball and 2(1 + α)/(1 + 2α) = 1.357…
# for Nesterov's method: its damping reduces the edge to about a third.

# %%
edges = [theory.stability_edge(lo.sgd(1.0, momentum=0.9, nesterov=n)) for n in (False, True)]
print("edges of τλ:", [round(edge, 9) for edge in edges])
fastest = max(theory.contraction(best["heavy ball"], np.asarray(curvature)))
assert np.isclose(fastest, (kappa**0.5 - 1) / (kappa**0.5 + 1), rtol=1e-3)
assert np.allclose(edges, [3.8, 3.8 / 2.8], atol=1e-8)
