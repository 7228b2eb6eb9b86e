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
# # 07 · Adam, or SGD with Nesterov's momentum?
#
# The lecture's advice is: try Adam at 1e-3, and SGD with Nesterov's momentum if you have time. You
# will see both on three data sets, each at many rates, with several seeds: what counts first is the
# rate, and only then the method.
#
# Slides: *The default choice*.

# %%
import importlib.util

if importlib.util.find_spec("lecture_optax") is None:  # not in the environment of a clone
    # %pip install --quiet "..[all]"
    pass

# %%
from functools import partial

import matplotlib.pyplot as plt
import numpy as np

import lecture_optax as lo
from lecture_optax.training import NonFiniteError, problems

plt.style.use("lecture.mplstyle")

# %% [markdown]
# ## A sweep
#
# A rate is data: `lo.fit(..., tx=lo.adam, hyperparams={"learning_rate": τ})` compiles once for a
# problem and a family, and every further rate and seed runs in the same program. What explodes is
# worth infinity, not nothing.

# %%
optimizers = {"Adam": lo.adam, "SGD + Nesterov": partial(lo.sgd, momentum=0.9, nesterov=True)}
sets = {
    "digits": (problems.mlp_digits("test"), 600),
    "breast-cancer": (problems.logistic("test"), 400),
    "diabetes": (problems.mlp_diabetes("test"), 400),
}
rates, seeds = 10.0 ** np.arange(-4, 0.6, 0.5), range(3)


def final(problem, steps, optimizer, rate, seed):
    numbers = {"learning_rate": float(rate)}
    options = {"tx": optimizer, "hyperparams": numbers, "evaluations": [steps], "keep": "last"}
    try:
        run = lo.fit(problem, steps=steps, seed=seed, progress=False, **options)
    except NonFiniteError:
        return np.inf
    return run.history["valid_loss"][-1]


losses = {
    (data, name): np.array([[final(*sets[data], tx, r, s) for s in seeds] for r in rates])
    for data in sets
    for name, tx in optimizers.items()
}

# %%
fig, axes = plt.subplots(1, 3, figsize=(10, 3.6))
for ax, data in zip(axes, sets, strict=True):
    lowest = min(losses[data, name].min() for name in optimizers)
    for name in optimizers:
        found = np.minimum(losses[data, name], 1e3)
        ax.loglog(rates, found.mean(1), marker="o", label=name)
        ax.fill_between(rates, found.min(1), found.max(1), alpha=0.2, lw=0)
    ax.axvline(1e-3, color="0.6", lw=1)
    ax.set(title=data, xlabel="learning rate τ", ylim=(0.8 * lowest, 60 * lowest))
axes[0].set_ylabel("loss on the test rows")
axes[1].legend(loc="upper center")
plt.show()

# %% [markdown]
# Lines are means over three seeds, bands reach from the best to the worst, the grey line is the
# lecture's first try. The valleys of the two families are about as deep, on digits they lie a
# decade apart, and off the valley a loss costs far more than the choice of the family.
#
# ## Who wins where
#
# The best rate of each family, with the standard error over the seeds:

# %% tags=["inexact"]
print(f"{'':15}{'Adam':>24}{'SGD + Nesterov':>26}")
winners = {}
for data in sets:
    cells, best = [], {}
    for name in optimizers:
        means = losses[data, name].mean(1)
        i = int(np.argmin(means))
        error = losses[data, name][i].std(ddof=1) / len(seeds) ** 0.5
        best[name] = (means[i], error, rates[i])
        cells.append(f"{means[i]:.3f} ± {error:.3f} at {rates[i]:.0e}")
    winners[data] = best
    print(f"{data:15}{cells[0]:>24}{cells[1]:>26}")

# %% [markdown]
# ## One run of each, at its best rate
#
# `result.plot()` draws a run: its losses, the rate, and how far each step went beside the size of
# the weights. On axes of one's own, the losses only.

# %%
fig, axes = plt.subplots(1, 2, figsize=(10, 3.4), sharey=True)
for ax, (name, optimizer) in zip(axes, optimizers.items(), strict=True):
    numbers = {"learning_rate": float(winners["digits"][name][2])}
    run = lo.fit(sets["digits"][0], tx=optimizer, hyperparams=numbers, steps=600, progress=False)
    run.plot(ax=ax)
    ax.set_title(f"{name}, τ = {numbers['learning_rate']:.0e}, digits")
plt.show()

# %% [markdown]
# ## The claims, as numbers
#
# The rate matters more than the family: a decade beside the best rate costs more than the other
# family at its best, and the best rates of the families are at least a decade apart on digits.

# %%
for data in sets:
    best = [winners[data][name][0] for name in optimizers]
    for name in optimizers:
        means = losses[data, name].mean(1)
        i = int(np.argmin(means))
        decade = [j for j in (i - 2, i + 2) if 0 <= j < len(rates)]
        assert means[decade].max() > max(best), (data, name)
adam, sgd = (winners["digits"][name][2] for name in optimizers)
assert sgd >= 9 * adam, "another family, another rate"
