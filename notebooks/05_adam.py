# %% [markdown]
# # 05 · Adam taken apart
#
# From SGD to Adam in three steps, one block each. This notebook shows the purpose of the bias
# correction, the position of ε, and the effect of the slide's formulas when they are taken
# literally: in three places they describe another method, and one of these ascends.
#
# The slides *AdaGrad* and *RMSProp* divide the gradient by the root of c, a sum or an average of
# its squares. The slide *Adam* also replaces the gradient by an average v, and divides both
# averages by the weight that they have collected, 1 − βᵏ.

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
from drawing import BLUE, GREEN, PINK, RED, label, label_ends, remark

import lecture_optax as lo
from lecture_optax.theory import literal, pictures

jax.config.update("jax_enable_x64", True)
plt.style.use("lecture.mplstyle")

# %% [markdown]
# ## Block by block
#
# The lecture's last line is
#
# $$\theta(k+1) = \theta(k) - \tau\;{\color{#0072B2}{D(k+1)}}\;{\color{#D55E00}{v(k+1)}}.$$
#
# SGD has v = g and D = 1. An average of the gradients is one choice of
# ${\color{#D55E00}{v}}$, and the division by their size is one choice of ${\color{#0072B2}{D}}$.
# ${\color{#009E73}{\text{Adam}}}$ has both:

# %%
τ = lo.scale_by_learning_rate(0.05)
velocity = lo.chain(lo.first_moment(0.9), lo.bias_correction(0.9))
magnitude = lo.chain(lo.second_moment(0.999), lo.bias_correction(0.999))
D = lo.chain(magnitude, lo.inverse_root())
methods = {
    "SGD": τ,
    "averaged gradient": lo.chain(velocity, τ),
    "divided by its size": lo.chain(lo.precondition(optax.identity(), by=D), τ),
    "both: Adam": lo.chain(lo.precondition(velocity, by=D), τ),
}
curvature = jnp.array([1.0, 0.01])


def distances(tx, slope=lambda θ: curvature * θ, start=(1.0, 1.0), steps=150):
    def step(carry, _):
        θ, state = carry
        update, state = tx.update(slope(θ), state, θ)
        return (optax.apply_updates(θ, update), state), jnp.abs(θ)

    θ = jnp.array(start)
    return jax.lax.scan(step, (θ, tx.init(θ)), length=steps)[1]


runs = {name: np.asarray(distances(tx)) for name, tx in methods.items()}

# %% tags=["hide-input"]
fig, axes = plt.subplots(2, 1, figsize=(7, 6.4), sharex=True)
for (name, run), color in zip(runs.items(), ["0.45", RED, BLUE, GREEN], strict=True):
    for ax, distance in zip(axes, run.T, strict=True):
        ax.semilogy(distance, color=color, label=name)
for ax, title in zip(
    axes,
    ["Curvature 1: all methods converge", "Curvature 0.01: only those divided by size do"],
    strict=True,
):
    ax.set(ylabel="distance |θ|", ylim=(1e-4, 6), xlim=(0, 150))
    ax.set_title(title)
above, below = axes
label(above.lines[0], at=115, shift=(4, 10))
remark(above, "averaged gradient", to=(58, 0.035), at=(95, 0.25), color=RED)
label(above.lines[2], at=73, shift=(-8, -2))
remark(above, "both: Adam", to=(37, 0.13), at=(62, 0.9), color=GREEN)
label(below.lines[0], "SGD and averaged gradient", at=100, shift=(0, 6))
label(below.lines[2], at=73, shift=(-8, -2))
remark(
    below,
    "Adam passes the minimum\nand returns: it rings",
    to=(67, 0.032),
    at=(110, 0.13),
    color=GREEN,
)
axes[1].set_xlabel("step k")
plt.show()

# %% [markdown]
# *Two coordinates, one with a hundred times the curvature of the other.*
# ${\color{#0072B2}{\text{Divided by the size of the gradient}}}$*, both converge alike: compare the
# panels. So they do with full* ${\color{#009E73}{\text{Adam}}}$*, but it rings: near the minimum,
# the average v points forward for some steps after the gradient has changed its sign. On this
# valley the division alone is better; what v gains with noisy gradients is not shown here.*
#
# `lo.adam` is the same chain. The largest distances from step 80 on:

# %%
print(lo.adam(0.05))
for name, run in runs.items():
    high, low = run[80:].max(0)
    print(f"{name:20} largest |θ| from step 80 on: {high:.0e} (curvature 1), {low:.0e} (0.01)")

# %% [markdown]
# ## The purpose of the correction
#
# Both averages start at 0 and are too small at first, v by the factor 1 − 0.9ᵏ and c by 1 − 0.999ᵏ.
# For a constant gradient the step without the correction is
#
# $${\color{#D55E00}{\tau\,\frac{1 - 0.9^k}{\sqrt{1 - 0.999^k}}}}\qquad\text{instead of}\qquad
# {\color{#009E73}{\tau}}.$$

# %%
uncorrected = lo.chain(
    lo.precondition(lo.first_moment(0.9), by=lo.chain(lo.second_moment(0.999), lo.inverse_root())),
    lo.scale_by_learning_rate(1.0),
)


def steps_of(tx, gradient, steps=100):
    def step(state, _):
        update, state = tx.update(jnp.array(gradient), state)
        return state, -update

    return np.asarray(jax.lax.scan(step, tx.init(jnp.zeros(())), length=steps)[1])


k = np.arange(1, 101)
raw, corrected = steps_of(uncorrected, 1.0), steps_of(lo.adam(1.0), 1.0)
for g in (1e-3, 1.0, 1e3):
    print(f"g = {g:6g}: Adam's first step is {steps_of(lo.adam(1.0), g, 1)[0]:.5f} τ")

# %% tags=["hide-input"]
fig, ax = plt.subplots()
(line,) = ax.plot(k, raw, color=RED)
label(line, "without correction", at=40, shift=(6, 8))
(line,) = ax.plot(k, corrected, color=GREEN)
label(line, "Adam: every step is τ", at=40, shift=(6, 8))
remark(ax, f"first step: {raw[0]:.2f} τ", to=(1, raw[0]), at=(20, 2.3), color=RED)
remark(ax, f"longest: {raw.max():.1f} τ", to=(raw.argmax() + 1, raw.max()), at=(35, 7.6), color=RED)
ax.set(xlabel="step k", ylabel="length of the step, in τ", ylim=(0, 8.5), xlim=(0, 101))
ax.set_title("Without the correction, the first steps are too long")
plt.show()

# %% [markdown]
# *A constant gradient of any size. With the correction every step has the length τ. Without it the
# first hundred steps are three to seven times as long, at a time when the loss is least known.*
#
# What that means on a loss, you can try: where a kernel runs, the next cell is a page with a handle
# for every number. Press *Update*, and compare the first steps. Then drag the second β, which is
# β₂, of the method without the correction: at 0.99 its first step is as long as Adam's, and at 0.9
# it is a third of that.

# %%
without = lo.chain(
    lo.precondition(
        lo.first_moment(0.9), by=lo.chain(lo.second_moment(0.999), lo.inverse_root(1e-8))
    ),
    lo.scale_by_learning_rate(0.1),
)
lo.lab(lo.adam(0.1), without, steps=60)

# %% [markdown]
# *A valley with κ = 100; the marks are steps. Adam's first steps have the length τ in each
# coordinate, and it reaches the bottom of the valley at step 15. Without the correction the steps
# are up to 4.6 times as long: the path is at the bottom at step 3, and then on the other slope.*
#
# ## The position of ε
#
# The slide writes ${\color{#D55E00}{(c + \varepsilon)^{-1/2}}}$. The paper, Optax, PyTorch and this
# library write ${\color{#0072B2}{1/(\sqrt c + \varepsilon)}}$; Optax and this library call the ε of
# the slide `eps_root`.

# %%
sizes = np.logspace(-8, 0, 33)
standing = {
    "1/(√c + ε): eps": lo.adam(1.0, eps=1e-8),
    "(c + ε)^(−1/2): eps_root": lo.adam(1.0, eps=0.0, eps_root=1e-8),
}
firsts = {name: [steps_of(tx, g, 1)[0] for g in sizes] for name, tx in standing.items()}

# %% tags=["hide-input"]
fig, ax = plt.subplots()
outer, inner = (
    ax.semilogx(sizes, steps, color=color, label=name)[0]
    for (name, steps), color in zip(firsts.items(), (BLUE, RED), strict=True)
)
label(outer, at=1e-7, shift=(10, -8))
label(inner, at=1.2e-4, shift=(8, -6))
remark(
    ax, "a gradient of 1e-5 makes\na tenth of the step", to=(1e-5, 0.1), at=(1.5e-7, 0.3), color=RED
)
ax.set(xlabel="size of the gradient |g|", ylabel="first step, in τ", ylim=(-0.03, 1.1))
ax.set_title("Inside the root, ε = 1e-8 acts like 1e-4 outside")
plt.show()

# %% [markdown]
# *The first step for gradients of different size. Where a curve is at 1, the step does not depend
# on the units of the loss. To 10 %, that holds down to gradients of 1e-7 with ε outside the root,
# and only down to 3e-4 with ε inside.*
#
# ## The slides, taken literally
#
# `theory.literal` contains the slides' formulas as they are written. The minus sign in
# v ← β v − (1 − β) g is a typo (an earlier slide has a plus): with it −τ D v points uphill. The
# exponent k, which starts at 0, divides by 1 − β⁰ = 0. Corrected averages that are fed back into
# their own recursion overflow, until D is 0 and θ stops.

# %%
read = {
    "as it is meant": lo.adam(0.001),
    "minus sign: θ ascends": literal.adam_minus(0.001),
    "corrected values fed back: θ stops": literal.adam_fed_back(0.001),
    "exponent k, from k = 0: NaN": literal.adam_from_zero(0.001),
}
literally = {
    name: np.asarray(distances(tx, lambda θ: θ, (1.0,), 1001)[:, 0]) for name, tx in read.items()
}
ends = [run[-1] for run in literally.values()]

# %% tags=["hide-input"]
fig, ax = plt.subplots()
for (name, run), color in zip(literally.items(), [GREEN, RED, BLUE, PINK], strict=True):
    (line,) = ax.plot(run, color=color)
    if np.isfinite(run[-1]):
        label(line, name, at=480, shift=(0, 10) if name[0] != "m" else (-10, 6))
ax.plot(0, 1, "x", color=PINK, ms=10, mew=3, zorder=5)
remark(ax, name, to=(0, 0.98), at=(210, 0.4), color=PINK)
ax.set(xlabel="step k", ylabel="distance |θ|", xlim=(-15, 1000), ylim=(0, 2.3))
ax.set_title("Taken literally, Adam's slide describes three other methods")
plt.show()

# %% [markdown]
# *θ²/2 from θ = 1 with τ = 0.001. Only Adam as it is meant approaches 0. The cross is the whole run
# of the third literal reading: its first step is 0/0.*
#
# ## Four readings of Adam
#
# So one name stands for several programs, and they differ in where ε stands. PyTorch, Optax and
# this library correct c first and add ε to its root; Keras adds ε to the root of the uncorrected c;
# the slide adds ε to c. Which one made the updates of a training, `lo.theory.identify` reads from
# the gradients and the updates alone. The file was recorded from PyTorch: 40 steps of
# `torch.optim.Adam(lr=0.05, eps=1e-3)` on a small regression, with
# the recorder of the how-to "Identify an optimizer".

# %%
recorded = {"gradients": {}, "updates": {}, "params": {}}
with np.load("../tests/theory/streams/torch_adam.npz") as file:
    for key in file.files:
        kind, leaf = key.split("/")
        recorded[kind][leaf] = file[key]

found = lo.theory.identify(**recorded)
print(found)

# %% [markdown]
# The four readings, with the same numbers and on the same gradients:

# %%
keras = lo.chain(
    lo.precondition(velocity, by=lo.chain(lo.second_moment(0.999), lo.inverse_root(1e-3))),
    optax.scale_by_schedule(lambda k: jnp.sqrt(1 - 0.999 ** (k + 1))),
    τ,
)
readings = {
    "PyTorch, Optax, lo.adam": lo.adam(0.05, eps=1e-3),
    "Keras": keras,
    "the slide: ε inside the root": literal.adam_eps_inside(0.05, eps=1e-3),
    "the slide, with its minus sign": literal.adam_minus(0.05, eps=1e-3),
}


def updates_of(tx):
    """The updates that a reading makes of the recorded gradients."""

    def step(state, gradients):
        return tx.update(gradients, state)[::-1]

    start = jax.tree.map(lambda g: jnp.zeros(g.shape[1:]), recorded["gradients"])
    return jax.lax.scan(step, tx.init(start), recorded["gradients"])[1]


def deviation(updates):
    """The largest |update - recorded update|, in τ."""
    far = jax.tree.map(lambda x, y: np.abs(x - y).max(), updates, recorded["updates"])
    return max(jax.tree.leaves(far)) / 0.05


made = {name: updates_of(tx) for name, tx in readings.items()}
deviations = {name: deviation(updates) for name, updates in made.items()}
for name, far in deviations.items():
    print(f"{name:32} largest deviation {far:.0e} τ")

# %% tags=["hide-input"]
leaf, entry = "layers.weight", (slice(None), 0, 0)
start = recorded["params"][leaf][0, 0, 0]
fig, ax = plt.subplots()
for (name, updates), color in zip(made.items(), [GREEN, PINK, RED, BLUE], strict=True):
    path = start + np.concatenate([[0.0], np.cumsum(updates[leaf][entry])])
    ax.plot(path, color=color, label=name)
ax.plot(recorded["params"][leaf][entry], "o", color="0.25", ms=4)
label_ends(ax)
ax.set(xlabel="step k", ylabel="a weight", xlim=(0, 62))
ax.set_title("One reading of four goes where PyTorch goes")
plt.show()

# %% [markdown]
# *One weight of the regression, moved by the updates that each reading makes of the recorded
# gradients. The dots are PyTorch's own weight. Each reading is Adam with the same numbers; the
# deviation of ${\color{#009E73}{\text{one of them}}}$ is the rounding error.*
#
# ## Adam moves to its edge of stability
#
# Near a minimum the gradient decreases, so D grows, until τ λ D reaches the largest value at which
# Adam's velocity is stable, its edge of stability: (2 + 2β₁)/(1 − β₁).

# %% tags=["hide-input"]
fig, ax = plt.subplots(figsize=(7, 4.2))
pictures.adam_at_its_edge(ax=ax)
ax.get_legend().remove()
for line, color, decay in zip(ax.lines[::2], (GREEN, BLUE, RED), (0.9, 0.5, 0), strict=True):
    line.set(color=color, linestyle="-", linewidth=1.2)
    label(line, f"β₁ = {decay}", at=6900, shift=(0, -15 if decay == 0 else 8))
remark(ax, "D grows while the\ngradient decreases", to=(1700, 0.08), at=(3700, 0.01))
remark(ax, "at the edge θ grows,\nand D shrinks again", to=(2690, 1.35), at=(5000, 0.25))
ax.set_title("D grows until Adam is at its edge of stability")
ax.set(ylabel="τ λ D(k)", ylim=(7e-4, 200))
plt.show()

# %% [markdown]
# *Adam on θ²/2 with τ = 0.001. The grey lines are (2 + 2β₁)/(1 − β₁): 38, 6 and 2. From step 3,000
# on each run stays there, so the learning rate alone does not say how near Adam is to instability.*
#
# ## Exercise
#
# Without the correction and with β₁ = 0.9, for which β₂ has the first step exactly the length τ? Is
# the correction needless then?
#
# <details><summary>Answer</summary>
#
# The first step is τ(1 − β₁)/√(1 − β₂), which is τ for β₂ = 0.99. The correction is not needless:
# the second step is 0.19/√0.0199 ≈ 1.35 τ, and the longest one is 2.13 τ. The last cell checks it.
#
# </details>
#
# ## The slides' claims, as numbers

# %%
first = [steps_of(lo.adam(1.0), g, 1)[0] for g in (1e-3, 1.0, 1e3)]
outside, inside = (steps_of(tx, 1e-5, 1)[0] for tx in standing.values())
assert np.allclose(first, 1.0, atol=2e-5), "the first step is τ"
assert np.allclose(raw, (1 - 0.9**k) / np.sqrt(1 - 0.999**k), rtol=1e-4), "without the correction"
in_the_lab = lo.lab(lo.adam(0.1), without, steps=60).runs
longest = [run.update.max() / (0.1 * 2**0.5) for run in in_the_lab]
assert np.allclose(longest, [1.0, 4.62], atol=0.01), "in the lab: the longest step, in τ"
assert np.allclose([inside, outside], [0.0995, 0.999], atol=1e-4), "the position of ε"
assert np.isclose(ends[1], 2.17, atol=0.005), "the minus sign ascends"
assert np.isclose(ends[2], 1.0, atol=0.01), "values fed back: θ stops"
assert np.isnan(ends[3]), "0/0 at the first step"
assert found.name == "adam", "identify names the recorded method"
assert np.isclose(found.hyperparameters["eps"], 1e-3, rtol=1e-6), "with its ε, outside the root"
own, *others = deviations.values()
assert own < 1e-12 and min(others) > 1e-3, "one reading of the four is PyTorch's"
late = {name: run[80:].max() for name, run in runs.items()}
assert late["both: Adam"] > 10 * late["divided by its size"], "Adam rings"
inverse = lo.chain(lo.second_moment(0.99), lo.inverse_root())
exercise = steps_of(
    lo.chain(lo.precondition(lo.first_moment(0.9), by=inverse), lo.scale_by_learning_rate(1.0)), 1.0
)
assert np.allclose(exercise[:2], [1, 0.19 / 0.0199**0.5], rtol=1e-4), "the exercise"
assert np.isclose(exercise.max(), 2.13, atol=0.005)
