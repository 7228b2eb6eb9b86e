# %% [markdown]
# # 08 · The recipe at work
#
# Try Adam, search for its learning rate, then try SGD with Nesterov's momentum: this is the
# lecture's recipe, as one call on your own model. Search and training together use at most as many
# gradients as three training runs. This notebook shows what the search tries and why it selects, an
# exhaustive grid for comparison, a diagnosis of your own run at a bad learning rate, and a problem
# where the recipe selects Nesterov's momentum instead of Adam.
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
# set. On it the search selects the learning rate, the optimizer and the step. With a budget of 3 or
# more it tries both optimizers; with less it tries only Adam.


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
# An arm is one optimizer with one learning rate. All arms start from the same weights and see the
# same minibatches. The upper two pictures show the validation loss over the learning rate, one
# picture for each optimizer, and a line for each step at which arms were compared. Triangles mark
# the estimated best learning rate of each line, crosses the arms that diverged.
#
# The best constant learning rate decreases during a run, so the best one after 10 % of the steps is
# too large for the end. The search predicts the best one for the end, the dashed line, and runs the
# nearest arm to the last step. With the rest of the budget it runs other arms, and prunes those
# that are behind the best one at the same step.
#
# The lower picture shows the losses over the steps. Each line ends at the label of its learning
# rate. Pale parts are estimates from a part of the validation set. The star marks the selected
# model.
#
# ## The reasons for the selection
#
# At most five findings, one per line, with their numbers:

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
# A linear model with 400 inputs and only 200 training examples. The first ten inputs determine the
# target, up to noise of variance 0.09; the other 390 are small, and only noise. SGD moves the
# weights in proportion to their gradients, which are small for small inputs. Adam divides every
# gradient by its size, so it moves all 400 weights equally fast, and the model fits the training
# examples with inputs that mean nothing.


# %%
class Linear(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Dense(1, kernel_init=nn.initializers.zeros)(x)


rng = np.random.default_rng(0)
inputs = rng.normal(size=(600, 400)) * np.where(np.arange(400) < 10, 1, 0.1)
target = inputs[:, :10] @ rng.normal(size=10) + 0.3 * rng.normal(size=600)
inputs, target = inputs.astype(np.float32), target.astype(np.float32)[:, None]
known, unknown = (inputs[:200], target[:200]), (inputs[200:], target[200:])
fixed = {"valid": unknown, "steps": 600, "batch_size": 32, "progress": False}
searches = {b: lo.recipe.run(Linear(), known, "mse", budget=b, **fixed) for b in (2, 3)}
searches[3].plot()
plt.show()

# %% [markdown]
# The smaller budget tries only Adam. No model can be better than the variance of the noise.

# %% tags=["inexact"]
losses = {}
print(f"{'budget':8}{'tried':18}{'selected':12}{'loss':>7}{'norm of the 390 weights':>26}")
for budget, search in searches.items():
    e = search.explanation
    tried = ", ".join(sorted({arm.optimizer for arm in e.arms}))
    losses[budget] = e.start - search.selection.gain
    norm = np.linalg.norm(search.params["Dense_0"]["kernel"][10:])
    print(f"{budget:<8}{tried:18}{e.winner.optimizer:12}{losses[budget]:7.3f}{norm:26.2f}")

# %% [markdown]
# ## Your own optimizers
#
# The search takes any function from a learning rate to an optimizer. On digits, with the lecture's
# AdaGrad and RMSProp:

# %% tags=["inexact"]
optimizers = {"AdaGrad": lo.adagrad, "RMSProp": lo.rmsprop}
others = lo.recipe.run(Net(), steps=steps, budget=6, optimizers=optimizers, **options)
print(others.findings[0].sentence)

# %% [markdown]
# ## The claims, as numbers
#
# The search costs at most three runs, and its model is within 2 % of the exhaustive grid. The fork
# distinguishes a learning rate that is too small from one that is too large. Where momentum is
# better, a budget of 3 finds it, and the loss above the noise is less than a tenth of Adam's.

# %%
assert result.gradients <= 3 * steps, "more gradients than three runs"
assert regret <= 0.02, "further than 2 % from the exhaustive grid"
assert remedies[2e-4] == "increase", "ten times a small learning rate should help"
assert remedies[0.1] == "decrease", "a tenth of a large one should"
assert {arm.optimizer for arm in searches[2].explanation.arms} == {"adam"}, "more than Adam"
assert searches[3].explanation.winner.optimizer == "nesterov", "no switch"
assert losses[3] - 0.09 < 0.1 * (losses[2] - 0.09), "momentum is not much better"
