# %% [markdown]
# # 08 · The recipe at work
#
# Which learning rate? A complete run at each of many learning rates would answer, at the cost of
# all these runs. `lo.recipe.run` answers at the cost of three, with the trained model included.
#
# Slides: *The recipe*. It says: use Adam, and try τ = 1e-3; without progress multiply it by ten;
# where the loss oscillates, diverges or soon stays constant, divide it by ten; if Adam does not
# give a good decrease, use SGD with Nesterov's momentum.

# %%
import importlib.util

if importlib.util.find_spec("lecture_optax") is None:  # not in the environment of a clone
    # %pip install --quiet "..[all]"
    pass

# %%
import json
import tempfile
from pathlib import Path

import flax.linen as nn
import matplotlib.pyplot as plt
import numpy as np
import optax
from drawing import BLUE, GREEN, INK, ORANGE, RED, label, remark
from sklearn.datasets import load_digits

import lecture_optax as lo

plt.style.use("lecture.mplstyle")


# %% [markdown]
# ## One call
#
# A small network on images of digits. The search trains on `train`, selects by the loss on `valid`,
# and never sees `test`.


# %%
class Net(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Dense(10)(nn.relu(nn.Dense(32)(x)))


x, y = load_digits(return_X_y=True)
order = np.random.default_rng(0).permutation(len(x))
x, y = np.float32(x / 16)[order], np.int32(y)[order]
train, valid, test = ((x[i:j], y[i:j]) for i, j in ((0, 1077), (1077, 1437), (1437, 1797)))
steps = 900
options = {"loss": "cross_entropy", "valid": valid, "steps": steps, "progress": False}

search = lo.recipe.run(Net(), train, budget=3, **options)

# %% [markdown]
# To see what the search had to find, the next line does what you would not do to train one model:
# complete runs at 19 learning rates, of both optimizers, constant and with a decay.

# %%
grid = lo.recipe.sweep(Net(), train, rates=10.0 ** np.arange(-4, 0.6, 0.25), **options)

# %% tags=["hide-input"]
e = search.explanation
looks = {"adam": (BLUE, 0.94, "Adam", 3e-4), "nesterov": (GREEN, 1.06, "SGD + Nesterov", 1.5e-3)}
fig, ax = plt.subplots(figsize=(7, 5))
ax.set(xscale="log", yscale="log", xlim=(7e-5, 5), ylim=(0.04, 6))
constant = [cell for cell in grid.cells("averaged_lowest") if cell.schedule == "constant"]
for name, (color, shift, words, at) in looks.items():
    curve = np.array([(cell.rate, cell.loss) for cell in constant if cell.optimizer == name])
    (line,) = ax.plot(*curve.T, color=color, alpha=0.3, lw=5)
    label(line, words, at=at, shift=(12, 6))
    for arm in e.arms:
        if arm.optimizer == name and arm.decay is None:
            end = arm.rate * shift, min(e.start + arm.change, 4.5)
            ax.plot(2 * [end[0]], [e.start, end[1]], color=color, lw=1.4)
            (dot,) = ax.plot(*end, "o", color=color, ms=6)
            gap = 13 if arm[:2] == e.winner[:2] else 5
            label(dot, str(arm.steps), shift=(0, gap if end[1] > e.start else -gap))
won = e.winner.rate * looks[e.winner.optimizer][1], e.loss
ax.plot(*won, "*", color=ORANGE, ms=20, mec=INK, zorder=7)
remark(ax, "selected", to=won, at=(4e-3, 0.05))
default = next(arm for arm in e.arms if arm.optimizer == "adam" and np.isclose(arm.rate, 1e-3))
remark(
    ax,
    f"the slide's first try:\npruned after {default.steps} steps",
    to=(9.4e-4, e.start + default.change),
    at=(4.5e-4, 4.4),
)
ticks = [0.05, 0.1, 0.2, 0.5, 1, 2, 5]
ax.set(xlabel="learning rate τ", ylabel="validation loss", yticks=ticks, yticklabels=ticks)
ax.set_title(f"For the cost of 3 runs, the recipe finds the lowest point\nof {len(constant)} runs")
ax.minorticks_off()
plt.show()

# %% [markdown]
# *Each thick curve is what complete runs reach. Nobody has it before training. Each
# thin line is an **arm** of the search: one optimizer with one learning rate. All arms start from
# the same weights and see the same minibatches. An arm goes down from the loss of the start as it
# trains, and the number at its end is the number of its steps. Most arms are **pruned**: the search
# stops them where others are clearly better at the same step. Few run on, near the lowest points of
# the curves.*
#
# ## The reasons for the selection
#
# At most five findings, one per line, with their numbers:

# %% tags=["inexact"]
print(search.explain())
print(f"\n{search.gradients} gradients, the cost of {search.cost:.2f} runs")

# %% [markdown]
# A *tie* is a difference below its standard error. The number after "the losses pointed to" is a
# prediction: the best learning rate decreases during a run, so the one that is best after 90 steps
# is too large for the end. The search trains the predicted one to the last step.
#
# `search.plot()` draws all arms over their steps, and `search.report("page.html")` writes a page.
#
# ## Test examples judge
#
# The validation loss has selected the model, so it is too low as an estimate of the loss on new
# examples. The comparison below uses the test examples. Its last column is the loss minus that of
# the recipe, with the standard error of this difference over the examples.

# %%
runs = {
    "Adam at 1e-3": lo.fit(Net(), train, tx=lo.adam(1e-3), **options),
    "lo.fit without tx": lo.fit(Net(), train, **options),
    "the recipe": search,
}


def test_losses(run):
    logits = run.predict(test[0])
    return np.asarray(optax.softmax_cross_entropy_with_integer_labels(logits, test[1]))


behind = {}
lines = [f"{'':20}{'cost':>5}{'test loss':>11}{'minus the recipe':>22}"]
for name, run in runs.items():
    losses = test_losses(run)
    difference = losses - test_losses(search)
    mean, error = behind[name] = difference.mean(), difference.std() / len(difference) ** 0.5
    cost = search.cost if run is search else 1
    lines.append(f"{name:20}{cost:5.1f}{losses.mean():11.3f}{mean:14.3f} ± {error:.3f}")

# %% tags=["inexact"]
print("\n".join(lines))


# %% [markdown]
# The slide's first try, Adam at 1e-3, is worse by more than two standard errors. Without `tx`,
# `lo.fit` takes Adam at 1e-2 with averaged weights, and this ties with the search: on these data a
# search was not necessary. You cannot know this before, and the next problem is different.
#
# ## A problem that needs the other optimizer
#
# The slide's last advice: change to SGD with Nesterov's momentum. A linear model has 400 inputs and
# only 200 training examples. The first ten inputs determine the target, up to noise of variance
# 0.09. The other 390 are ten times smaller and mean nothing.


# %%
class Linear(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Dense(1, kernel_init=nn.initializers.zeros)(x)


rng, noise = np.random.default_rng(0), 0.09
inputs = np.float32(rng.normal(size=(600, 400)) * np.where(np.arange(400) < 10, 1, 0.1))
truth = np.zeros(400)
truth[:10] = rng.normal(size=10)
target = np.float32(inputs @ truth + noise**0.5 * rng.normal(size=600))[:, None]
known, unknown = (inputs[:200], target[:200]), (inputs[200:], target[200:])
fixed = {"valid": unknown, "steps": 600, "batch_size": 32, "progress": False}
both = {b: lo.recipe.run(Linear(), known, "mse", budget=b, **fixed) for b in (2, 3)}

# %% tags=["hide-input"]
fig, axes = plt.subplots(2, 1, figsize=(7, 5.2), sharex=True, sharey=True)
for ax, found, name in zip(axes, both.values(), ("Adam", "SGD + Nesterov"), strict=True):
    color = BLUE if name == "Adam" else GREEN
    weights, i = np.asarray(found.params["Dense_0"]["kernel"])[:60, 0], np.arange(1, 61)
    ax.vlines(i, 0, weights, color=color, lw=2)
    ax.plot(i, weights, "o", color=color, ms=4)
    (true,) = ax.plot(i[:10], truth[:10], "_", color=INK, ms=9, mew=2)
    ax.axvspan(10.5, 61, color="0.5", alpha=0.1, lw=0)
    ax.set(xlim=(0, 61), ylabel="weight")
    ax.set_title(f"{name}: validation loss {found.explanation.loss:.2f}", color=color)
label(true, "the true weights", at=10, shift=(8, 10))
axes[0].text(35, 1.6, "inputs that mean nothing: all weights should be 0", ha="center")
axes[1].set_xlabel("input (the first 60 of 400)")
plt.show()

# %% [markdown]
# *Adam divides every gradient by its size, so it moves the weights of small inputs
# as fast as those of large ones, and fits the training examples with inputs that mean nothing. SGD
# moves each weight in proportion to its gradient, which is small for small inputs. A budget of 2
# tries only Adam; a budget of 3 tries both, and changes:*

# %% tags=["inexact"]
print(both[3].findings[0].sentence)

# %% [markdown]
# ## Your own run
#
# You have a run already, at a learning rate of your own. Its loss curve alone does not say whether
# another one is better. `lo.recipe.fork` continues the run three times over the same minibatches:
# with ten times its updates, unchanged, and with a tenth.

# %%
forks, own = {}, {}
fit = {key: options[key] for key in ("loss", "valid", "progress")}
for rate in (2e-4, 0.1):
    run = own[rate] = lo.fit(Net(), train, tx=lo.adam(rate), steps=100, keep="last", **fit)
    forks[rate] = lo.recipe.fork(Net(), run, run.optimizer, 100, data=train, loss=options["loss"])

# %% tags=["hide-input"]
fig, axes = plt.subplots(1, 2, figsize=(7, 3.8))
factors = {10.0: (RED, "× 10"), 1.0: (INK, "× 1"), 0.1: (BLUE, "÷ 10")}
for ax, (rate, fork) in zip(axes, forks.items(), strict=True):
    k = np.arange(10, 201, 10)
    before = own[rate].history["loss"]
    ax.axvline(100, color="0.6", lw=1)
    for factor, (color, words) in factors.items():
        losses = np.append(before, fork.curves[factor].losses)
        means = losses.reshape(-1, 10).mean(1)
        (line,) = ax.semilogy(k[9:], means[9:], color=color)
        label(line, words)
    ax.semilogy(k[:10], means[:10], color=INK)
    ax.set(xlim=(0, 240), xlabel="step k", title=f"Adam at {rate:g}: {fork.remedy} it")
axes[0].set_ylabel("training loss, mean over 10 steps")
plt.show()

# %% [markdown]
# *On the left ten times the learning rate is better by far, on the right a tenth
# is. Each fork says so:*

# %% tags=["inexact"]
for rate, fork in forks.items():
    print(f"Adam at {rate:g}. {fork}\n")

# %% [markdown]
# ## A run of another tool
#
# `lo.recipe.diagnose` reads the logs of other tools too. This is what the `Trainer` of Hugging Face
# wrote of a small BERT, shortened to the loss, the learning rate and the validation loss.

# %%
losses = [0.692, 0.689, 0.669, 0.612, 0.518, 0.415, 0.333, 0.276, 0.227, 0.198, 0.178, 0.173]
rates = 1e-3 * (1 - (np.arange(10, 121, 10) - 1) / 128)
rows = [
    {"step": 10 * k, "loss": loss, "learning_rate": rate}
    for k, (loss, rate) in enumerate(zip(losses, rates, strict=True), 1)
]
rows += [{"step": k, "eval_loss": loss} for k, loss in ((40, 0.5747), (80, 0.3079), (120, 0.2476))]
with tempfile.TemporaryDirectory() as folder:
    log = Path(folder) / "trainer_state.json"
    log.write_text(json.dumps({"log_history": rows}))
    theirs = lo.recipe.diagnose(log)
print(f"{theirs.symptom.identifier} {theirs.symptom}")
print("not checked:", *theirs.not_checked, sep="\n- ")

# %% [markdown]
# The run is healthy, and one run is no evidence for another learning rate: the answer says so. On
# the command line, `lecture-optax diagnose trainer_state.json` also names the learning rate at
# which the decay began, 0.001, extrapolated from 0.00093, the largest one in the log.
#
# ## Exercise
#
# The search takes any function from a learning rate to an optimizer:
# `lo.recipe.run(..., optimizers={"RMSProp": lo.rmsprop})`. RMSProp is Adam without a momentum and
# without its bias correction. Is it worse on the digits? Guess first, then search with a budget
# of 2.
#
# <details><summary>Answer</summary>
#
# It is not worse. On these data the choice of the learning rate matters, and that of the optimizer
# does not.
#
# </details>

# %% tags=["hide-input"]
other = lo.recipe.run(Net(), train, budget=2, optimizers={"RMSProp": lo.rmsprop}, **options)
rmsprop = test_losses(other) - test_losses(search)

# %% [markdown]
# ## The claims, as numbers
#
# The search costs at most three runs, and its loss is within 2 % of the best of the grid. On test
# examples it is clearly better than the slide's first try. Where momentum is better, a budget of 3
# finds it. A fork distinguishes a learning rate that is too small from one that is too large.

# %%
best = min(grid.best(by).loss for by in ("final", "lowest", "averaged", "averaged_lowest"))
assert search.gradients <= 3 * steps, "more gradients than three runs"
assert e.loss - best <= 0.02 * (e.start - best), "further than 2 % from the exhaustive grid"
assert behind["Adam at 1e-3"][0] > 2 * behind["Adam at 1e-3"][1], "not better than Adam at 1e-3"
assert abs(behind["lo.fit without tx"][0]) < 2 * behind["lo.fit without tx"][1], "no tie"
assert {arm.optimizer for arm in both[2].explanation.arms} == {"adam"}, "more than Adam"
assert both[3].explanation.winner.optimizer == "nesterov", "no change to Nesterov's momentum"
excess = {budget: found.explanation.loss - noise for budget, found in both.items()}
assert excess[3] < 0.1 * excess[2], "momentum is not much better"
assert (forks[2e-4].remedy, forks[0.1].remedy) == ("increase", "decrease")
assert theirs.symptom.identifier == "LO208" and theirs.remedy == "uncertain"
assert theirs.not_checked == ("whether another learning rate helps: there is one run",)
assert rmsprop.mean() < 2 * rmsprop.std() / len(rmsprop) ** 0.5, "RMSProp is worse"
