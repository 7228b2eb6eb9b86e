# ---
# jupyter:
#   jupytext:
#     formats: py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 08 · The recipe at work
#
# Try Adam, search for its rate, then try SGD with Nesterov's momentum: the lecture's recipe, as one
# call on a model of your own, within the gradients of three runs. You will see what it searched and
# why it chose, an exhaustive grid beside it, what it says of a run of yours at a bad rate, and a
# problem where it gives up Adam.
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
# A linen model, its rows, and the name of a loss. A fifth of the rows is held out, and the search
# asks them which rate, which family, which step.


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
# Above, held-out losses over the rate, a line for each rung: few arms get far. In the middle the
# race over the steps, below it the rates in force. The star is what was handed over.
#
# ## Why this one?
#
# A claim a line, each with the numbers that it rests on:

# %% tags=["inexact"]
print(result.explain())

# %% [markdown]
# ## Beside an exhaustive grid
#
# What would every rate have given, from 1e-4 to 3, constant and falling to 0, with both families?
# `lo.recipe.sweep` trains them all, from the same weights, as one compiled program. To train one
# model that is a waste; here it shows what the search has missed. (The star is the grid's own.)

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
print(f"{'':16}{'runs':>6}{'held-out loss':>16}")
print(f"{'the grid':16}{len(grid):6}{best:16.4f}\n{'the recipe':16}{result.cost:6.1f}{loss:16.4f}")
print(f"regret, in parts of the way from the start to the grid's best: {regret:.2%}")

# %% [markdown]
# The grid's number is its lowest look of all, at raw weights and at averages. A regret below 0
# would mean that the pick is lower still: looks of a search fall on other steps.
#
# ## A run of your own
#
# You chose a rate yourself. `lo.recipe.diagnose` says what the curve shows; whether another rate
# helps one curve cannot show. `lo.recipe.fork` goes on from where the run stands at ten times its
# updates, as it is, and at a tenth, over the same minibatches.

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
# ## When it switches
#
# A table of 40 × 40 numbers, of rank three and with noise of variance 0.09, by two thin factors.
# The start is close to a saddle, where both factors are 0; a step sees 32 entries; a quarter of the
# table is held out. The gradients of eight runs are enough to search both families.


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
# The noise's variance is left to every method: what the families gained is to be compared above it.
#
# ## Families of your own
#
# A family is any function of a rate that gives an optimizer. Back on digits, with the lecture's
# AdaGrad and RMSProp:

# %% tags=["inexact"]
optimizers = {"AdaGrad": lo.adagrad, "RMSProp": lo.rmsprop}
others = lo.recipe.run(Net(), steps=steps, budget=6, optimizers=optimizers, **options)
print(*(line for line in others.explain().splitlines() if "RMSProp" in line), sep="\n")

# %% [markdown]
# ## The claims, as numbers
#
# The pick is within 2 % of the exhaustive grid; the fork tells a rate too small from one too large;
# and where momentum is better, momentum is chosen.

# %%
assert regret <= 0.02, "further than 2 % from the exhaustive grid"
assert remedies[2e-4] == "increase", "ten times a small rate should help"
assert remedies[0.1] != "increase", "ten times a large one should not"
assert switched.explanation.winner.optimizer == "nesterov", "no switch"
