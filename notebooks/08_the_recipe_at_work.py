# %% [markdown]
# # 08 · The recipe at work
#
# Try Adam, search for its learning rate, then try SGD with Nesterov's momentum: this is the
# lecture's recipe, as one call on your own model, at the cost of three training runs. This notebook
# shows what it searches and why it selects, an exhaustive grid for comparison, a diagnosis of your
# own run at a bad learning rate, and a problem where the recipe selects Nesterov's momentum instead
# of Adam.
#
# Slides: *The recipe*.

# %%
import importlib.util

if importlib.util.find_spec("lecture_optax") is None:  # not in the environment of a clone
    # %pip install --quiet "..[all]"
    pass

# %%
import flax.linen as nn
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

import lecture_optax as lo

plt.style.use("lecture.mplstyle")

# %% [markdown]
# ## One call
#
# A linen model, its data, and the name of a loss. A fifth of the examples is held out as validation
# set. On it the search selects the learning rate, the optimizer and the step.


# %%
class Net(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Dense(classes)(nn.relu(nn.Dense(32)(x)))


x, y = load_digits(return_X_y=True)
order, classes = np.random.default_rng(0).permutation(len(x)), y.max() + 1
x, y = (x / np.maximum(x.max(0), 1)).astype(np.float32)[order], y.astype(np.int32)[order]
first = 4 * len(x) // 5
data, held_out = (x[:first], y[:first]), (x[first:], y[first:])
steps = 900
options = {"data": data, "loss": "cross_entropy", "valid": held_out, "progress": False}

result = lo.recipe.run(Net(), steps=steps, budget=3, **options)
result.plot()
plt.show()

# %% [markdown]
# An arm is one optimizer with one learning rate. At each rung, a fixed step, the search prunes the
# worse arms. The upper picture shows validation losses over the learning rate, a line for each
# rung: few arms reach the last one. The middle picture shows the losses over the steps, the lower
# picture the current learning rates. The star marks the selected model.
#
# ## The reasons for the selection
#
# One claim per line, with its numbers:

# %% tags=["inexact"]
print(result.explain())

# %% [markdown]
# ## Comparison with an exhaustive grid
#
# `lo.recipe.sweep` trains all learning rates from 1e-4 to 3, constant and with a decay to 0, with
# both optimizers, from the same initial weights, as one compiled program. To train one model this
# is too expensive; here it shows what the search has missed. (The star marks the best of the grid.)

# %%
rates = 10.0 ** np.arange(-4, 0.6, 0.25)
grid = lo.recipe.sweep(Net(), rates=rates, steps=steps, **options)
loss = result.explanation.start - result.selection.gain
fig, ax = plt.subplots(figsize=(10, 4.5))
grid.plot(ax)
ax.axhline(loss, color="k", lw=1, ls="--", label="the recipe's pick")
ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=4, fontsize="small", frameon=False)
plt.show()

# %% tags=["inexact"]
best = min(grid.best(by).loss for by in ("final", "lowest", "averaged", "averaged_lowest"))
regret = (loss - best) / (grid.start - best)
print(f"{'':16}{'runs':>6}{'validation loss':>16}")
print(f"{'the grid':16}{len(grid):6}{best:16.4f}\n{'the recipe':16}{result.cost:6.1f}{loss:16.4f}")
print(f"regret, relative to the decrease from the start to the grid's best: {regret:.2%}")

# %% [markdown]
# The number of the grid is the lowest of all its evaluations, of the raw and of the averaged
# weights. A regret below 0 is possible: the search evaluates at other steps, and its loss may be
# lower.
#
# ## Your own run
#
# You selected a learning rate yourself. `lo.recipe.diagnose` describes what the loss curve shows.
# One curve does not show whether another learning rate helps. `lo.recipe.fork` continues the run
# with ten times its updates, unchanged, and with a tenth, over the same minibatches.

# %% tags=["inexact"]
fit = {k: v for k, v in options.items() if k != "data"}
fig, axes = plt.subplots(1, 2, figsize=(10, 3.6), sharey=True)
remedies = {}
for ax, rate in zip(axes, (2e-4, 0.1), strict=True):
    own = lo.fit(Net(), data, tx=lo.adam(rate), steps=100, keep="last", **fit)
    print(f"Adam at {rate}, alone: {lo.recipe.diagnose(own)}")
    fork = lo.recipe.fork(Net(), own, own.optimizer, 100, data=data, loss="cross_entropy")
    print(f"forked: {fork}\n")
    remedies[rate] = fork.remedy
    ax.semilogy(own.history["loss"], color="k", label="your run")
    for (factor, curve), ls in zip(fork.curves.items(), ("--", "-", ":"), strict=True):
        ax.semilogy(100 + np.arange(len(curve.losses)), curve.losses, ls=ls, label=f"× {factor:g}")
    ax.set(title=f"Adam at {rate:g}: {fork.remedy}", xlabel="step k")
axes[0].set_ylabel("loss of the batch")
axes[0].legend(loc="upper left", ncols=2)
plt.show()

# %% [markdown]
# ## A problem that needs the other optimizer
#
# The model approximates a table of 40 × 40 numbers, of rank three with noise of variance 0.09, by a
# product of two thin matrices. The start is close to a saddle point, where both factors are 0. A
# batch contains 32 entries; a quarter of the table is held out. The cost of eight training runs is
# enough to search both optimizers.


# %% tags=["inexact"]
class Factors(nn.Module):
    @nn.compact
    def __call__(self, pairs):
        small = nn.initializers.normal(1e-3)
        return (
            nn.Embed(40, 8, embedding_init=small, name="rows")(pairs[:, 0])
            * nn.Embed(40, 8, embedding_init=small, name="columns")(pairs[:, 1])
        ).sum(-1)


rng = np.random.default_rng(7)
table = (rng.normal(size=(40, 3)) * [3, 1, 0.3]) @ rng.normal(size=(3, 40))
pairs = rng.permutation(np.argwhere(np.isfinite(table))).astype(np.int32)
entries = (table[*pairs.T] + 0.3 * rng.normal(size=len(pairs))).astype(np.float32)
known, unknown = (pairs[:1200], entries[:1200]), (pairs[1200:], entries[1200:])
longer = {"steps": 1200, "budget": 8, "batch_size": 32, "progress": False}
switched = lo.recipe.run(Factors(), known, "mse", valid=unknown, **longer)
print(*(line for line in switched.explain().splitlines() if "nesterov" in line), sep="\n")

# %%
switched.plot()
plt.show()

# %% [markdown]
# No method can be below the variance of the noise, so compare the losses above it.
#
# ## Your own optimizers
#
# The search takes any function from a learning rate to an optimizer. On digits, with the lecture's
# AdaGrad and RMSProp:

# %% tags=["inexact"]
optimizers = {"AdaGrad": lo.adagrad, "RMSProp": lo.rmsprop}
others = lo.recipe.run(Net(), steps=steps, budget=6, optimizers=optimizers, **options)
print(*(line for line in others.explain().splitlines() if "RMSProp" in line), sep="\n")

# %% [markdown]
# ## The claims, as numbers
#
# The selected model is within 2 % of the exhaustive grid. The fork distinguishes a learning rate
# that is too small from one that is too large. Where momentum is better, the recipe selects
# momentum.

# %%
assert regret <= 0.02, "further than 2 % from the exhaustive grid"
assert remedies[2e-4] == "increase", "ten times a small learning rate should help"
assert remedies[0.1] != "increase", "ten times a large one should not"
assert switched.explanation.winner.optimizer == "nesterov", "no switch"
