# %% [markdown]
# # 03 · Where 1/k² comes from
#
# For every method there is a convex function on which it is slowest: its worst case. This notebook
# shows the worst cases of gradient descent and of Nesterov's method, a limit that no method can
# beat, a quantity that never grows while the loss goes up and down, and a certificate: a proof that
# is computed for the code that you install.
#
# Slides: *Nesterov 1983*, *O(1/k²), and optimal*.

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

jax.config.update("jax_enable_x64", True)
plt.style.use("lecture.mplstyle")

# %% [markdown]
# ## The worst case of gradient descent
#
# Take any convex f whose slope changes by at most L per unit of θ, start at a distance R from the
# minimum, and take N steps with τ = 1/L. The loss above the minimum is then at most L R²/(4N + 2).
# Huber's function, a parabola with straight arms, attains this bound: all N gradients are equal,
# because all iterates are on the arm.

# %%
N, corner = 10, 1 / (2 * 10 + 1)  # where the arm begins, for R = 1


def huber(θ):
    return jnp.where(jnp.abs(θ) < corner, θ**2 / 2, corner * (jnp.abs(θ) - corner / 2))


θ = descend(lo.sgd(1.0), jax.grad(huber), 1.0, N)
x = np.linspace(-0.2, 1.1, 400)
fig, ax = plt.subplots()
ax.plot(x, huber(x), label="Huber's function")
ax.plot(θ, huber(θ), "o", label="gradient descent, τ = 1/L")
ax.axhline(1 / (4 * N + 2), ls=":", label="1/(4N + 2), N = 10")
ax.set(xlabel="θ", ylabel="f(θ), in L R²", title="ten steps, and still on the arm")
ax.legend()
plt.show()
print(f"left after 10 steps: {float(huber(θ[-1])):.7f}, 1/42 = {1 / 42:.7f}")

# %% [markdown]
# ## One line of the code is a matrix
#
# A method without a D adds up gradients: θ(i) − θ(0) = Σ H(i, j) g(j). `theory.step_matrix`
# measures H on a transformation with unit gradients, and H determines the worst case. Row i
# contains the weight of each earlier gradient in θ(i). In Nesterov's method old gradients have
# large weights.

# %%
methods = {
    "gradient descent": lo.sgd(1.0),
    "Nesterov, k/(k+3)": lo.sgd(1.0, lo.schedules.momentum_nesterov(), nesterov=True),
    "silver steps": lo.sgd(lo.schedules.silver()),
}
fig, axes = plt.subplots(1, 3, figsize=(10, 3.4))
for ax, (name, tx) in zip(axes, methods.items(), strict=True):
    image = ax.imshow(-theory.step_matrix(tx, 12), cmap="cividis", vmin=0, vmax=5)
    ax.set(title=name, xlabel="gradient j")
    ax.grid(visible=False)
axes[0].set_ylabel("step i")
fig.colorbar(image, ax=axes, label="−H(i, j)")
plt.show()

# %% [markdown]
# ## All worst cases together
#
# H gives the worst cases of the library's own transformations: 1/k for gradient descent, 1/k² for
# Nesterov's method. No method that uses gradients only can be below the lowest line.

# %%
theory.pictures.worst_cases(steps=63)
plt.show()

# %% [markdown]
# ## The reason: a potential
#
# The loss itself goes up and down along Nesterov's path. The following quantity never grows:
#
# $$2\tau t_k^2\,(f(x_k) - f^\ast) + \|t_k x_k - (t_k - 1)x_{k-1} - \theta^\ast\|^2,
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

fig, ax = plt.subplots()
ax.semilogy(gap[1:] / gap[1], label=f"f − f*: grew {np.sum(np.diff(gap) > 0)} times")
ax.semilogy(potential / potential[0], label="potential: grew 0 times")
ax.set(xlabel="step k", ylabel="relative to the first step", title="the loss and the potential")
ax.legend()
plt.show()

# %% [markdown]
# ## A certificate
#
# `theory.worst_case` returns the worst case over *all* such functions, in any dimension. It needs
# PEPit (the extra `theory`), and the result is a proof from a semidefinite program. With
# `certify=False` it takes the worst of parabolas and Huber's functions, here the same number.

# %%
rows = {
    "gradient descent, θ(N)": (theory.step_matrix(lo.sgd(1.0), N), 1 / (4 * N + 2)),
    "Nesterov, x(N)": (
        theory.step_matrix(tx, N, read=lo.lookahead_readout),
        2 / (N**2 + 5 * N + 6),
    ),
}
print("N = 10, in L R²          measured   formula")
for name, (H, formula) in rows.items():
    print(f"{name:24} {theory.worst_case(H, certify=False):.7f}  {formula:.7f}")
print(f"lower bound for all methods: {3 / (32 * (N + 1) ** 2):.7f}")

# %% [markdown]
# ## The slide's claim, as numbers

# %%
measured = [theory.worst_case(H, certify=False) for H, _ in rows.values()]
assert np.allclose(measured, [0.0238095, 0.0128205], atol=5e-8)
assert np.all(np.diff(potential) < 1e-12 * potential[0]), "the potential never grows"
assert np.sum(np.diff(gap) > 0) > 5, "though the loss does"
