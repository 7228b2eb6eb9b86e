# %% [markdown]
# # 01 · Minibatches: what SGD sees
#
# The gradient of a minibatch is an estimate of the full gradient. This notebook shows how large its
# error is, why the energy (the lecture's word for the loss) is divided by the number of examples,
# how a sum instead of a mean changes the learning rate, and how to count a short last batch or a
# mask correctly.
#
# The slide *SGD* replaces the energy E of all examples by E_k, that of a random batch. Both are
# sums there. The slide *The recipe* divides each by its number of examples.

# %%
import importlib.util

if importlib.util.find_spec("lecture_optax") is None:  # not in the environment of a clone
    # %pip install --quiet "..[all]"
    pass

# %%
from itertools import combinations

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
from drawing import BLUE, INK, RED, label, remark, slider
from sklearn.datasets import load_diabetes

import lecture_optax as lo
from lecture_optax.theory.claims._descent import descend

jax.config.update("jax_enable_x64", True)
plt.style.use("lecture.mplstyle")

# %% [markdown]
# ## Data and an energy
#
# Regression on two columns of the diabetes data: N = 442 examples and two parameters, so that you
# can draw everything. `lo.energy` turns a loss per example into the mean over the examples of a
# batch.

# %%
x, y = load_diabetes(return_X_y=True)
x = jnp.asarray(x[:, [2, 8]] / x[:, [2, 8]].std(0))
y = jnp.asarray((y - y.mean()) / y.std())
N = len(x)
E = lo.energy(lambda θ, batch: (batch[0] @ θ - batch[1]) ** 2 / 2)
slope = jax.grad(E)
at = jnp.array([-0.3, 0.9])
full = np.asarray(slope(at, (x, y)))

# %% [markdown]
# ## A cloud of gradients
#
# Each example has a gradient, and the gradient of a batch is the mean of those of its examples. The
# batch is drawn at random, without replacement. Its gradient is right on average, and its squared
# error is on average
#
# $${\color{#D55E00}{\operatorname{Var}(B) = S^2\,\frac{N - B}{(N - 1)\,B}}}$$
#
# where B is the size of the batch and S² is the variance over the examples.

# %%
each = jax.vmap(lambda a, b: slope(at, (a[None], b[None])))(x, y)
S2 = float(each.var(0).sum())


def variance(B):
    return S2 * (N - B) / ((N - 1) * B)


keys = jax.random.split(jax.random.key(0), 4000)
orders = jax.vmap(lambda key: jax.random.permutation(key, N))(keys)
# means[i, B - 1] is the gradient of the first B examples of the i-th order
means = np.asarray(jnp.cumsum(each[orders], axis=1) / jnp.arange(1, N + 1)[:, None])
sizes = [4, 16, 64, N // 2]

# %% tags=["hide-input"]
angle = np.linspace(0, 2 * np.pi, 100)
circle = np.array([np.cos(angle), np.sin(angle)])


def cloud(ax, B, shown=600):
    ax.plot(*means[:shown, B - 1].T, ".", ms=3, color="0.6")
    ax.axvline(full[0], color=INK, lw=0.8)
    ax.axhline(full[1], color=INK, lw=0.8)
    ax.plot(*(full[:, None] + variance(B) ** 0.5 * circle), color=RED)
    ax.grid(False)
    ax.set(xlim=(-2.4, 1.4), ylim=(-1.2, 1.9), aspect="equal")


fig, axes = plt.subplots(2, 2, sharex=True, sharey=True, figsize=(7, 6.3))
for ax, B in zip(axes.flat, sizes, strict=True):
    cloud(ax, B)
    ax.set_title(f"B = {B}: typical error {variance(B) ** 0.5:.2f}")
for ax in axes[1]:
    ax.set_xlabel("∂E/∂θ₁")
for ax in axes[:, 0]:
    ax.set_ylabel("∂E/∂θ₂")
fours = means[:600, 3][means[:600, 3, 0] > -2.3]
remark(axes[0, 0], "one batch", to=fours[fours[:, 0].argmin()], at=(-1.6, 1.5))
remark(
    axes[0, 1], "√Var(B)", to=full + variance(16) ** 0.5 * circle[:, 12], at=(0.8, 1.3), color=RED
)
remark(axes[1, 0], "the full gradient", to=full, at=(-1.2, 1.3), color=INK)
plt.show()

# %% [markdown]
# *Each dot is the gradient of one batch; the thin lines cross at the full gradient. The radius of
# the circle is the typical error,* ${\color{#D55E00}{\sqrt{\operatorname{Var}(B)}}}$*. Sixteen
# times as many examples make it four times smaller, and half of all examples even ten times.*
#
# Drag the slider to let one batch of examples grow. With all examples there is no error.

# %% tags=["hide-input"]
fig, ax = plt.subplots(figsize=(5, 4.4))
grow = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 320, 384, 432, N]


def draw(i):
    ax.clear()
    cloud(ax, grow[i], 300)
    ax.plot(*means[2, : grow[i]].T, color=BLUE, lw=1)
    ax.plot(*means[2, grow[i] - 1], "o", color=BLUE, ms=6)
    ax.set(xlabel="∂E/∂θ₁", ylabel="∂E/∂θ₂")
    ax.set_title(f"typical error {variance(grow[i]) ** 0.5:.3f}", color=RED)


slider(fig, draw, [f"B = {B}" for B in grow], "batch size B", start=5)

# %% [markdown]
# *The gradients of 300 batches of B examples. The blue line is the path of one batch to which
# examples are added: it wanders less and less, and ends at the full gradient.*

# %% tags=["hide-input"]
fig, ax = plt.subplots()
B = np.arange(1, N)
(law,) = ax.loglog(B, variance(B), color=RED)
(replaced,) = ax.loglog(B, S2 / B, color="0.6", ls="--")
ax.loglog(sizes, [means[:, B - 1].var(0).sum() for B in sizes], "o", color=INK, ms=7, zorder=4)
label(law, "S²(N − B)/((N − 1) B)", at=350, shift=(-8, -6))
remark(ax, "with replacement: S²/B", to=(200, S2 / 200), at=(150, 0.3), color="0.5")
remark(ax, "variance of 4,000 batches", to=(16, variance(16)), at=(6, 0.012), color=INK)
remark(ax, "all examples: no error", to=(N - 2, 4e-5), at=(80, 5e-5), color=RED)
ax.set(xlabel="batch size B", ylabel="variance of the gradient", xlim=(0.9, 600))
ax.set_title("Four times as many examples halve the error")
plt.show()

# %% [markdown]
# *The variance over the size of the batch. On the straight part it is proportional to 1/B, so the
# error to 1/√B. Near B = N the batch contains almost all examples, and the variance goes to 0;
# drawn with replacement, it would not.*
#
# ## Sum or mean?
#
# With a sum over the examples the gradient grows with the batch, so the learning rate must shrink:
# a sum over B examples at the learning rate τ is a mean at Bτ. The picture shows the largest
# learning rate that does not diverge, for both, measured by bisection.


# %%
def diverges(loss, rate, B):
    batch = (x[:B], y[:B])
    path = descend(lo.sgd(rate), lambda θ: jax.grad(loss)(θ, batch), jnp.ones(2), 400)
    return not bool(jnp.abs(path[-1]).max() < 10)


def edge(loss, B):
    low, high = 1e-5, 10.0
    while high / low > 1.01:
        middle = (low * high) ** 0.5
        low, high = (low, middle) if diverges(loss, middle, B) else (middle, high)
    return low


def total(θ, batch):
    return E(θ, batch) * len(batch[0])


few = [8, 32, 128, N]
edges = {"sum": [edge(total, B) for B in few], "mean": [edge(E, B) for B in few]}
print(
    "edge of the mean / (B × edge of the sum):",
    *(f"{m / (B * s):.2f}" for B, s, m in zip(few, *edges.values(), strict=True)),
)

# %% tags=["hide-input"]
fig, ax = plt.subplots()
for (name, found), color in zip(edges.items(), (RED, BLUE), strict=True):
    (line,) = ax.loglog(few, found, "o-", color=color)
    label(line, f"{name} over the batch", at=32, shift=(4, 10))
remark(ax, "B times smaller", to=(N, edges["sum"][-1]), at=(120, 3e-3), color=RED)
ax.set(xlabel="batch size B", ylabel="largest stable learning rate τ", ylim=(1.5e-3, 4))
ax.set_title("With a sum, the learning rate depends on the batch")
plt.show()

# %% [markdown]
# *The largest stable learning rate. For* ${\color{#0072B2}{\frac1B\sum_i E_i}}$ *it hardly depends
# on B; for* ${\color{#D55E00}{\sum_i E_i}}$ *it is B times smaller. Divide by B, and you can change
# the batch size without a search for a new learning rate that is due to B alone.*
#
# ## A short last batch, and masks
#
# 442 examples in batches of 64 leave 58 for the last batch. Padded with zeros and divided by 64,
# this batch would have a smaller learning rate. `E` divides by the number of examples: `mask=` says
# which rows are examples, and `weights=` how much each counts.

# %%
left = N % 64
last = (x[N - left :], y[N - left :])
zeros = (jnp.zeros((64 - left, 2)), jnp.zeros(64 - left))
padded = jax.tree.map(lambda a, z: jnp.concatenate([a, z]), last, zeros)
mask = jnp.arange(64) < left
print(left, "examples:          ", slope(at, last))
print("padded to 64, masked: ", slope(at, padded, mask=mask))
print("padded, not masked:   ", slope(at, padded))

# %% [markdown]
# ## Exercise
#
# The typical error of a batch of 64 is to be halved. How many of the 442 examples are needed?
#
# <details><summary>Answer</summary>
#
# Not 4 · 64 = 256, which holds with replacement only. The variance must become a quarter:
# (N − B)/B = (N − 64)/(4 · 64), so B = N/(1 + (N − 64)/256) ≈ 178.5, and 179 examples are enough.
#
# </details>
#
# ## The slides' claims, as numbers
#
# The formula of the variance is exact over *all* batches of 3 out of 9 examples, and the clouds
# agree with it. A sum at τ is a mean at Bτ.

# %%
nine = each[:9]
triples = jnp.stack([nine[jnp.array(c)].mean(0) for c in combinations(range(9), 3)])
assert np.isclose(triples.var(0).sum(), nine.var(0).sum() * (9 - 3) / ((9 - 1) * 3), rtol=1e-12)
for B in sizes:
    assert np.isclose(means[:, B - 1].var(0).sum(), variance(B), rtol=0.08), B
assert np.allclose(means[:, -1], full), "all examples: no error"
assert variance(179) < variance(64) / 4 < variance(178), "the exercise"
ratios = [m / (B * s) for B, s, m in zip(few, *edges.values(), strict=True)]
assert np.allclose(ratios, 1, atol=0.03)
assert np.allclose(slope(at, padded, mask=mask), slope(at, last), rtol=1e-12)
