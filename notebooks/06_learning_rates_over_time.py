# %% [markdown]
# # 06 · Learning rates over time
#
# With a constant learning rate the loss stops decreasing at a noise floor. 1/k has no floor if its
# constant is right. Steps, cosines and restarts are common in practice, and an average of the
# iterates needs no decay at all. This notebook shows each schedule, its effect on the loss, and the
# cost of a wrong constant in c/k.
#
# The slide *Annealing* decreases the learning rate over time, for example like 1/k or by a factor
# at chosen steps. The slide *Warm restarts* decreases it along a cosine, again and again from the
# top.

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
from drawing import BLUE, GREEN, INK, ORANGE, RED, label, label_ends, remark

import lecture_optax as lo
from lecture_optax import schedules, theory
from lecture_optax.theory.claims.annealing import second_moment, sensitivities

jax.config.update("jax_enable_x64", True)
plt.style.use("lecture.mplstyle")

# %% [markdown]
# ## The shapes
#
# All schedules share the argument names `init_value`, `peak_value`, `end_value`, `total_steps` and
# `warmup_steps`. A schedule is a function of the step, and `print` describes it.

# %%
shapes = {
    "1/k": schedules.inverse_time(1.0, decay_rate=0.05),
    "steps": schedules.step(1.0, [50, 80], factor=0.1),
    "cosine, after a warm-up": schedules.cosine(1.0, total_steps=100, warmup_steps=10),
    "warm restarts": schedules.warm_restarts(1.0, period=14, period_factor=2.0),
    "one cycle": schedules.one_cycle(1.0, total_steps=100),
    "warm up, stay, decay": schedules.wsd(1.0, total_steps=100, warmup_steps=10, decay_steps=30),
}
print(shapes["1/k"])

# %% tags=["hide-input"]
notes = {
    "1/k": ("1/(1 + k/20)", (20, 0.5), (55, 0.75)),
    "steps": ("× 0.1", (50, 0.5), (75, 0.6)),
    "cosine, after a warm-up": ("up in 10 steps", (5, 0.5), (35, 0.2)),
    "warm restarts": ("each twice as long", (42, 0.6), (72, 1.15)),
    "one cycle": ("the peak is at 30 %", (30, 1.0), (68, 1.15)),
    "warm up, stay, decay": ("train longer\nfrom here", (70, 1.0), (40, 0.45)),
}
fig, axes = plt.subplots(3, 2, figsize=(7, 6.2), sharex=True, sharey=True)
for ax, (name, schedule) in zip(axes.flat, shapes.items(), strict=True):
    schedules.plot(schedule, 100, ax=ax)
    ax.lines[0].set_color(BLUE)
    text, to, at = notes[name]
    remark(ax, text, to=to, at=at)
    ax.set_title(name.capitalize() if name[0].isalpha() else name, fontsize=11)
    ax.set(xlabel="", ylabel="", ylim=(0, 1.3), yticks=[0, 0.5, 1], xticks=[0, 25, 50, 75])
fig.suptitle("Large learning rates first, small ones at the end", weight="bold", fontsize=12)
fig.supxlabel("step k", fontsize=11.5)
fig.supylabel("learning rate τ(k), relative to its peak", fontsize=11.5)
plt.show()

# %% [markdown]
# *Six schedules over 100 steps. After at most 30 steps of warm-up, each has its largest learning
# rate, and then decays. They differ in how long they stay, and in whether they need to know the
# last step: 1/k and warm restarts do not.*
#
# ## The noise floor
#
# Gradients of minibatches are noisy: g = λθ + ξ. With a constant τ the variance of θ settles at a
# value that grows with τ, without a limit at the stability edge. For a small τ and a momentum α it
# is
#
# $$\operatorname{Var}(\theta) \approx \frac{\tau}{2\,(1 - \alpha)}\,\frac{\sigma^2}{\lambda}.$$
#
# `theory.stationary_variance` computes it from the transformation itself.

# %% tags=["hide-input"]
fig, ax = plt.subplots(figsize=(7, 4.2))
theory.pictures.variance(ax=ax)
ax.get_legend().remove()
curves = [line for line in ax.lines if not line.get_label().startswith("_")]
for line, color in zip(curves, (INK, RED, BLUE), strict=True):
    line.set(color=color, linestyle="-")
label(curves[0], "SGD: edge at 2", at=0.02, shift=(8, -8))
label(curves[1], "heavy ball, α = 0.9: edge at 3.8", at=0.13, shift=(-8, 8))
remark(ax, "Nesterov, α = 0.9:\nedge at 1.357", to=(1.3, 60), at=(0.15, 700), color=BLUE)
for text in ax.texts[:3]:
    text.set_visible(text.get_text() not in ("1.357", "2", "3.8"))
ax.set(ylabel="variance of θ, in σ²/λ²", xlim=(2e-3, 5))
ax.set_title("A larger learning rate or momentum leaves more noise")
plt.show()

# %% [markdown]
# *The variance that remains after many steps at a constant τ. On the straight part it is
# proportional to τ, and ten times larger with α = 0.9, because one gradient then causes a movement
# of τ/(1 − α). Near its stability edge (grey lines) each method amplifies the noise without a
# limit.*
#
# ## The effect of decays and restarts on the loss
#
# A noisy valley, 600 steps, the mean of 200 runs.

# %%
curvatures = jnp.array([1.0, 0.02])


def mean_loss(tx, steps=600, runs=200):
    def step(carry, key):
        θ, state = carry
        gradient = curvatures * θ + jax.random.normal(key, θ.shape)
        update, state = tx.update(gradient, state, θ)
        return (optax.apply_updates(θ, update), state), (curvatures * θ**2).sum(1).mean() / 2

    θ, keys = jnp.full((runs, 2), 3.0), jax.random.split(jax.random.key(0), steps)
    return jax.lax.scan(step, (θ, tx.init(θ)), keys)[1]


rates = {
    "constant": schedules.constant(0.5),
    "warm restarts": schedules.warm_restarts(0.5, period=86, period_factor=2.0),
    "cosine": schedules.cosine(0.5, total_steps=600),
}
losses = {name: np.asarray(mean_loss(lo.sgd(schedule))) for name, schedule in rates.items()}
final = {name: loss[-1] for name, loss in losses.items()}
print("loss at the end:", {name: round(float(loss), 4) for name, loss in final.items()})

# %% tags=["hide-input"]
fig, (above, below) = plt.subplots(2, 1, figsize=(7, 6), sharex=True, height_ratios=[2, 1])
for (name, schedule), color in zip(rates.items(), ("0.45", RED, BLUE), strict=True):
    above.semilogy(losses[name], color=color, label=name, lw=1.5)
    below.plot(schedule(jnp.arange(600)), color=color, label=name)
above.set(ylabel="mean loss", ylim=(0.04, 4), xlim=(0, 600))
below.set(xlabel="step k", ylabel="learning rate τ", ylim=(-0.02, 0.55))
label_ends(above)
remark(above, "a restart brings the noise back", to=(90, 0.25), at=(220, 1.2), color=RED)
remark(above, "a decay goes below the floor", to=(75, 0.105), at=(175, 0.06), color=RED)
above.set_title("Each decay takes the loss below the noise floor")
plt.show()

# %% [markdown]
# *Loss and learning rate, in the same colours. The constant learning rate stays at its floor. Each
# decay takes the loss below it, and each restart takes it back to the floor within a few steps.
# With one decay over all steps, the cosine ends lowest; warm restarts have a low loss at the end of
# each period, so you can stop at any of them.*
#
# ## 1/k, and its constant
#
# With τ = c/k the influence of the start on θ decreases like $k^{-c\lambda}$, and the variance of
# the noise at best like 1/k. Together the mean of θ² is of the order
#
# $$k^{-\min(1,\,2c\lambda)}.$$
#
# The best constant is c = 1/λ. With a tenth of it, the error decreases like $k^{-0.2}$ instead of
# $k^{-1}$: where the right constant needs k steps, the wrong one needs $k^5$. The error of an
# average of the iterates at a *constant* τ decreases like 1/k for any τ.

# %% tags=["hide-input"]
fig, ax = plt.subplots(figsize=(7, 4.6))
theory.pictures.annealing(ax=ax)
names = {
    "τ = 0.1/k": ("τ = 0.1/k: k⁻⁰·²", RED),
    "τ = 0.25/k": ("τ = 0.25/k: k⁻⁰·⁵", ORANGE),
    "τ = 1/k": ("τ = 1/k: k⁻¹", GREEN),
    "τ = 0.3": ("τ = 0.3", "0.45"),
    "τ = 0.3, averaged": ("τ = 0.3, averaged", BLUE),
}
for line in ax.lines:
    text, color = names.get(line.get_label(), ("_reference", "0.6"))
    line.set(color=color, linestyle="-", label=text)
for text in ax.texts:
    text.set_visible(False)
label_ends(ax)
ax.set_title("A tenth of the best c: k⁵ steps instead of k")
plt.show()

# %% [markdown]
# *The mean of θ² over 500 runs with λ = 1. The slope of each line is the exponent. From step 100 to
# 10,000,* ${\color{#D55E00}{c = 0.1}}$ *gains a factor of 2.5 and* ${\color{#009E73}{c = 1}}$ *a
# factor of 100. A constant τ stays at its floor, but the* ${\color{#0072B2}{\text{average}}}$ *of
# its iterates has the slope −1, without a constant to choose.*
#
# With the weight in a ← a + (1+η)/(k+η) (θ − a) the average has the variance (η+1)²/(2η+1) · σ²/(λ²
# k): η = 0 is best for long runs, and a larger η removes the influence of the start sooner. The
# table is exact, by differentiation, for three values of η and τ from 0.05 to 1:

# %%
k = 20_000
runs = [(0.0, 0.05, 0.0), (0.0, 1.0, 0.0), (2.0, 0.2, 0.0), (8.0, 0.5, 0.0), (8.0, 0.05, 0.9)]
print("η   τ     momentum   k·E a²   (η+1)²/(2η+1)")
laws = []
for η, τ, α in runs:
    tx = lo.chain(lo.sgd(τ, momentum=α), lo.average_iterates(η))
    measured = k * np.square(sensitivities(tx, k, 1.0, lo.averaged)[1]).sum()
    laws.append((measured, (η + 1) ** 2 / (2 * η + 1)))
    print(f"{η:g}   {τ:<5g} {α:<10g} {measured:.4f}   {laws[-1][1]:.4f}")

# %% [markdown]
# ## A schedule for another run
#
# `lo.lint` compares a schedule with the run, whoever wrote it. This one was made for 3,000 steps
# and runs for 1,000, and its warm-up of 5 % was rounded to 0 steps:

# %%
warmup = int(0.05 * 10)
cosine = optax.warmup_cosine_decay_schedule(0.0, 1e-3, warmup_steps=warmup, decay_steps=3000)
findings = lo.lint(optax.adam(cosine), {"w": jnp.ones((3, 2))}, steps=1000)
for finding in findings:
    print(finding.name, finding.sentence)

# %% [markdown]
# ## Restarts and averages in your hand
#
# Where a kernel runs, the next cell is a page with a handle for every number. Drag the batch size
# from 4 to 64: the noise decreases, and with all examples it is gone. Drag the period, and see the
# loss of the restarts decrease with each cycle. Drag η to 0: the average then remembers the start.

# %%
valley = {"landscape": "noisy_quadratic", "spread": 1.0, "batch": 4, "steps": 196}
both = (
    lo.sgd(schedules.warm_restarts(0.5, period=28, period_factor=2.0)),
    lo.chain(lo.sgd(0.5), lo.average_iterates(8.0)),
)
lo.lab(*both, **valley)

# %% [markdown]
# *The same noisy gradients for both. The wide line is the average of the iterates of SGD with a
# constant τ = 0.5, whose own path is the thin one in its colour. The third cycle of the restarts
# ends at step 196.*
#
# ## Exercise
#
# The smallest curvature of your loss is λ = 0.5, and you use τ = 0.2/k. By which factor must you
# increase the number of steps to halve the error in that direction? By which with the best
# constant?
#
# <details><summary>Answer</summary>
#
# 2cλ = 0.2, so the error is of order k^(−0.2), and half of it needs 2⁵ = 32 times as many steps.
# With c = 1/λ = 2 it needs twice as many. The last cell measures both.
#
# </details>
#
# ## The slide's claim, as numbers
#
# The slope of log E θ² over log k between k = 5,000 and 20,000 is −min(1, 2cλ).

# %%
assert [finding.name for finding in findings] == ["LO107", "LO108"]
slopes = {}
for c in (0.1, 0.25, 1.0):
    early, late = (second_moment(lo.sgd(schedules.inverse_time(c)), k) for k in (5_000, 20_000))
    slopes[c] = np.log(late / early) / np.log(4)
    print(f"c = {c}: slope {slopes[c]:.4f}, predicted {-min(1, 2 * c):.4f}")
    assert np.isclose(slopes[c], -min(1, 2 * c), atol=2e-3)
assert np.isclose(slopes[1.0] / slopes[0.1], 5, atol=0.01), "the fifth power"
for c, factor in ((0.2, 32), (2.0, 2)):
    tx = lo.sgd(schedules.inverse_time(c))
    ratio = second_moment(tx, 625, 0.5) / second_moment(tx, 625 * factor, 0.5)
    assert np.isclose(ratio, 2, rtol=0.01), ("the exercise", c, ratio)
assert np.allclose(*np.transpose(laws), rtol=5e-3), "the variance of the average, for any τ"
assert final["cosine"] < final["warm restarts"] < 0.5 * final["constant"], "below the floor"
restarted, averaged = lo.lab(*both, **valley).runs
floor = averaged.loss[100:].mean()
assert averaged.average_loss[-1] < restarted.loss[-1] < floor / 4, "in the lab"
