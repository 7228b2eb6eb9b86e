# %% [markdown]
# # 01 · Minibatches: what SGD sees
#
# The gradient of a minibatch is an estimate of the full gradient. This notebook shows how large its
# error is, why the energy (the lecture's word for the loss) is divided by the number of examples,
# how a sum instead of a mean changes the learning rate, and how to count a short last batch or a
# mask correctly.
#
# Slides: *SGD*, *The recipe* (E and E_k).

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

# %% [markdown]
# ## A cloud of gradients
#
# Every batch of B examples, drawn without replacement, gives a different gradient. Their mean is
# the full gradient. Each component has the variance S²(N − B)/((N − 1) B), where S² is the variance
# over the examples: four times as many examples halve the error, and all examples have no error.


# %%
def cloud(B, draws=4000):
    def one(key):
        rows = jax.random.permutation(key, N)[:B]
        return slope(at, (x[rows], y[rows]))

    return np.asarray(jax.vmap(one)(jax.random.split(jax.random.key(B), draws)))


sizes = [4, 16, 64, N // 2]
clouds = {B: cloud(B) for B in sizes}
fig, axes = plt.subplots(1, 4, figsize=(10, 2.9), sharex=True, sharey=True)
for ax, (B, points) in zip(axes, clouds.items(), strict=True):
    ax.plot(*points[:600].T, ".", ms=2, color="0.5")
    ax.plot(*slope(at, (x, y)), "kx", ms=9, mew=2)
    ax.set(title=f"B = {B}", xlabel="∂E/∂θ₁")
axes[0].set_ylabel("∂E/∂θ₂")
plt.show()

# %%
rows = jax.vmap(lambda a, b: slope(at, (a[None], b[None])))(x, y)
S2 = float(rows.var(0).sum())
predicted = {B: S2 * (N - B) / ((N - 1) * B) for B in sizes}
fig, ax = plt.subplots()
B = np.arange(1, N)
ax.loglog(B, S2 * (N - B) / ((N - 1) * B), label="S²(N − B)/((N − 1)B)")
ax.loglog(B, S2 / B, label="S²/B, with replacement")
ax.loglog(sizes, [c.var(0).sum() for c in clouds.values()], "o", label="4,000 batches each")
ax.set(xlabel="batch size B", ylabel="variance of the gradient", title="how far a batch strays")
ax.legend()
plt.show()

# %% [markdown]
# ## Sum or mean?
#
# The lecture's first slide sums over the examples, its last slide divides by their number. With a
# sum the gradient grows with the batch, so the learning rate must shrink: a sum over B examples at
# τ is a mean at B τ. The picture shows the largest learning rate that does not diverge, for both,
# measured by bisection.


# %%
def explodes(loss, rate, B):
    batch = (x[:B], y[:B])
    path = descend(lo.sgd(rate), lambda θ: jax.grad(loss)(θ, batch), jnp.ones(2), 400)
    return not bool(jnp.abs(path[-1]).max() < 10)


def edge(loss, B):
    low, high = 1e-5, 10.0
    while high / low > 1.01:
        middle = (low * high) ** 0.5
        low, high = (low, middle) if explodes(loss, middle, B) else (middle, high)
    return low


def total(θ, batch):
    return E(θ, batch) * len(batch[0])


few = [8, 32, 128, N]
edges = {"sum": [edge(total, B) for B in few], "mean": [edge(E, B) for B in few]}
fig, ax = plt.subplots()
for name, found in edges.items():
    ax.loglog(few, found, marker="o", label=f"{name} over the batch")
ax.set(xlabel="batch size B", ylabel="largest stable τ", title="a sum drags the rate along")
ax.legend()
plt.show()
print(
    "edge of the mean / (B × edge of the sum):",
    *(f"{m / (B * s):.2f}" for B, s, m in zip(few, *edges.values(), strict=True)),
)

# %% [markdown]
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
print(left, "rows:              ", slope(at, last))
print("padded to 64, masked: ", slope(at, padded, mask=mask))
print("padded, not masked:   ", slope(at, padded))

# %% [markdown]
# ## The slide's claim, as numbers
#
# The formula of the variance is exact over *all* batches of 3 out of 9 examples, and the clouds
# agree with it.

# %%
few_rows, g = 9, rows[:9]
means = jnp.stack([g[jnp.array(c)].mean(0) for c in combinations(range(few_rows), 3)])
assert np.isclose(means.var(0).sum(), g.var(0).sum() * (9 - 3) / ((9 - 1) * 3), rtol=1e-12)
for B in sizes:
    assert np.isclose(clouds[B].var(0).sum(), predicted[B], rtol=0.08), B
assert np.allclose(
    [m / (B * s) for B, s, m in zip(few, *edges.values(), strict=True)], 1, atol=0.03
)
assert np.allclose(slope(at, padded, mask=mask), slope(at, last), rtol=1e-12)
