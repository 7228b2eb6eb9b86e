# %% [markdown]
# # 10 · Write your own
#
# A new method is a block of ten lines. This notebook defines a block, uses it in a chain, checks
# the nine laws on it, shows a mistake that the laws detect, and trains a linen, an nnx and an
# Equinox model: three libraries, one function, the same numbers.
#
# The slide *The general update* says that all methods of the lecture have one shape,
#
# $$\theta(k+1) = \theta(k) - \tau(k)\;D(k+1)\;v(k+1),$$
#
# and differ in the learning rate τ, the scaling D and the direction v only.

# %%
import importlib.util

if importlib.util.find_spec("lecture_optax") is None:  # not in the environment of a clone
    # %pip install --quiet "..[all]"
    pass

# %%
import equinox as eqx
import flax.linen as nn
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax
from drawing import BLUE, INK, RED, label, label_ends, remark
from flax import nnx
from sklearn.datasets import load_digits

import lecture_optax as lo

plt.style.use("lecture.mplstyle")

# %% [markdown]
# ## Ten lines
#
# A new direction v: the sign of each entry, without its size. Lion, for example, uses the sign of
# an average. The average is already a block of the library; the sign is new.


# %%
@lo.described
def sign():
    """The direction of each entry, and 0 where there is none."""

    def init_fn(params):
        return optax.EmptyState()

    def update_fn(updates, state, params=None, **extra_args):
        return jax.tree.map(jnp.sign, updates), state

    return lo.block(init_fn, update_fn)


# %% tags=["hide-input"]
curvature = jnp.array([1.0, 1 / 40])


def path(tx, steps=60):
    def step(carry, _):
        θ, state = carry
        update, state = tx.update(curvature * θ, state, θ)
        return (optax.apply_updates(θ, update), state), θ

    θ = jnp.array([0.5, 1.0])
    return np.asarray(jax.lax.scan(step, (θ, tx.init(θ)), length=steps)[1])


both = {
    "gradient descent": (lo.sgd(1.2), "0.45"),
    "sign descent": (
        lo.chain(sign(), lo.scale_by_learning_rate(lo.schedules.linear(0.05, 60))),
        RED,
    ),
}
across, along = np.meshgrid(np.linspace(-0.3, 0.7, 81), np.linspace(-0.2, 1.15, 96))
fig, ax = plt.subplots(figsize=(7, 4))
energy = (curvature[0] * across**2 + curvature[1] * along**2) / 2
ax.contour(along, across, energy, levels=np.geomspace(1e-4, 1, 12), colors="0.85", linewidths=1)
ax.plot(0, 0, "+", color=INK, ms=10, mew=1.5, zorder=5)
paths = {name: path(tx) for name, (tx, _) in both.items()}
for name, (_, color) in both.items():
    ax.plot(*paths[name].T[::-1], "o-", color=color, ms=3.5, lw=1.3)
remark(ax, "gradient descent: small steps\nwhere the valley is flat", to=(0.62, 0), at=(0.8, -0.2))
remark(
    ax, "sign descent: both entries\nmove equally far", to=(0.75, 0.25), at=(0.4, 0.5), color=RED
)
remark(
    ax,
    "ends at the minimum, as\nthe learning rate goes to 0",
    to=(0, 0.01),
    at=(0.05, 0.3),
    color=RED,
)
ax.grid(False)
ax.set(xlabel="θ₂ (flat)", ylabel="θ₁ (steep)", ylim=(-0.3, 0.7), xlim=(-0.2, 1.1))
ax.set_title("The sign makes the steep and the flat direction alike")
plt.show()

# %% [markdown]
# *Sixty steps of both methods in a valley with forty times as much curvature across as along. Each
# step of* ${\color{#D55E00}{\text{sign descent}}}$ *is ±τ in every entry, so it needs a learning
# rate that decreases: with a constant one it would swing about the minimum by ±τ for ever.*
#
# ## In a chain
#
# A chain combines blocks of this library and of Optax, and `print` describes it. Two steps:


# %%
def sign_descent(learning_rate, decay=0.9):
    return lo.chain(lo.first_moment(decay), sign(), lo.scale_by_learning_rate(learning_rate))


tx = sign_descent(lo.schedules.linear(3e-3, 300))
print(tx)
θ, state = jnp.array([3.0, -0.2, 0.0]), tx.init(jnp.zeros(3))
for _ in range(2):
    update, state = tx.update(θ, state)
    print(update, lo.current(state).learning_rates)

# %% [markdown]
# ## The nine laws
#
# A law is a property that every transformation of the library has: pure under `jit`, `scan`,
# `vmap`, donation and sharding; at least float32 inside; finite at zero; hyperparameters as data;
# the learning rate in the state; any tree; bitwise resumable … `lo.testing.check` tests all nine in
# every pair of dtypes and names those that fail.

# %%
lo.testing.check(sign)  # raises an error if a law does not hold
print("all laws hold")

# %% [markdown]
# A block that stores its average in the dtype of the gradient seems correct. The laws detect that
# it is not:


# %%
@lo.described
def narrow_average(decay=0.999):
    def init_fn(params):
        return jax.tree.map(jnp.zeros_like, params)

    def update_fn(updates, state, params=None, **extra_args):
        state = jax.tree.map(
            lambda m, g: (decay * m + (1 - decay) * g).astype(m.dtype), state, updates
        )
        return state, state

    return lo.block(init_fn, update_fn)


try:
    lo.testing.check(narrow_average)
except AssertionError as error:
    print(
        *(line.split(" for ")[0] for line in str(error).splitlines() if line[:3] == "law"), sep="\n"
    )
else:
    raise RuntimeError("the laws should have failed")

# %% tags=["hide-input"]
one = jnp.ones((), jnp.bfloat16)


def averages(tx, steps=3000):
    def step(state, _):
        average, state = tx.update(one, state)
        return state, average.astype(jnp.float32)

    return np.asarray(jax.lax.scan(step, tx.init(one), length=steps)[1])


k = np.arange(1, 3001)
narrow, wide_enough = averages(narrow_average()), averages(lo.first_moment(0.999))
fig, ax = plt.subplots()
(line,) = ax.plot(k, narrow, color=RED)
label(line, f"in bfloat16: stalls at {narrow[-1]:.2f}", at=1800, shift=(0, 8))
(line,) = ax.plot(k, wide_enough, color=BLUE)
label(line, "first_moment: 1 − 0.999ᵏ", at=1200, shift=(8, -8))
ax.set(xlabel="step k", ylabel="average of gradients of 1", ylim=(0, 1.05), xlim=(0, 3000))
ax.set_title("In bfloat16 an average of ones never comes to one")
plt.show()

# %% [markdown]
# *The average of a constant gradient 1 in bfloat16. At 0.25 the change is 0.001 · 0.75, less than
# half of the distance to the next number, 0.002, and is rounded away. The library's block has a
# float32 state, and follows* ${\color{#0072B2}{1 - 0.999^k}}$*.*
#
# ## A certificate
#
# `lo.testing.certify` measures an optimizer of any author: laws, dtypes, state, stability, cost,
# and what scaled losses and rotated coordinates do to its path. Here are two of its sections for
# sign descent. The size of a gradient has no influence, and the coordinates have: a rotation
# changes the path. `lecture-optax certify module:sign_descent --page page.html` writes all of them
# as a page.

# %% tags=["inexact"]
certificate = lo.testing.certify(sign_descent, sections=["first_step", "homogeneity"])
print(certificate)

# %% [markdown]
# ## Three libraries, one function
#
# The same network with the same initial weights, as a linen, an nnx and an Equinox model. `lo.fit`
# converts each to one pure step.

# %%
x, y = load_digits(return_X_y=True)
rng = np.random.default_rng(0)
order, wide, classes = rng.permutation(len(x)), x.shape[1], y.max() + 1
x, y = (x / np.maximum(x.max(0), 1)).astype(np.float32)[order], y.astype(np.int32)[order]
first = 4 * len(x) // 5
train, held_out = (x[:first], y[:first]), (x[first:], y[first:])
W = [rng.normal(0, 0.2, size).astype(np.float32) for size in [(wide, 32), (32, classes)]]


class Linen(nn.Module):
    @nn.compact
    def __call__(self, x):
        return nn.Dense(classes, name="out")(nn.tanh(nn.Dense(32, name="hidden")(x)))


class Nnx(nnx.Module):
    def __init__(self, rngs):
        self.hidden = nnx.Linear(wide, 32, rngs=rngs)
        self.out = nnx.Linear(32, classes, rngs=rngs)

    def __call__(self, x):
        return self.out(nnx.tanh(self.hidden(x)))


class Equinox(eqx.Module):
    hidden: eqx.nn.Linear
    out: eqx.nn.Linear

    def __call__(self, x):
        return self.out(jnp.tanh(self.hidden(x)))


# %%
zeros = [np.zeros(w.shape[1], np.float32) for w in W]
names = ["hidden", "out"]
params = {n: {"kernel": w, "bias": b} for n, w, b in zip(names, W, zeros, strict=True)}
nnx_model = Nnx(nnx.Rngs(0))
nnx.update(nnx_model, nnx.State(params))
layers = [eqx.nn.Linear(*w.shape, key=jax.random.key(0)) for w in W]
eqx_model = Equinox(*layers)
eqx_model = eqx.tree_at(
    lambda m: [m.hidden.weight, m.out.weight, m.hidden.bias, m.out.bias],
    eqx_model,
    [*(jnp.asarray(w.T) for w in W), *map(jnp.asarray, zeros)],
)
models = {
    "linen": (Linen(), {"params": params}),
    "nnx": (nnx_model, {}),
    "Equinox": (eqx_model, {}),
}

# %%
options = {"loss": "cross_entropy", "valid": held_out, "tx": tx, "steps": 300, "progress": False}
runs = {name: lo.fit(model, train, **start, **options) for name, (model, start) in models.items()}
agree = {name: run.predict(held_out[0]).argmax(-1) == held_out[1] for name, run in runs.items()}

# %% [markdown]
# For comparison, two runs that do differ: the linen model with other batches, and with initial
# weights that are changed in their sixth digit.

# %%
model, start = models["linen"]
nudged = {"params": jax.tree.map(lambda w: w * np.float32(1 + 1e-6), params)}
others = {
    "other batches": lo.fit(model, train, **start, **options, seed=1),
    "weights × (1 + 1e-6)": lo.fit(model, train, params=nudged, **options),
}
reference = np.asarray(runs["linen"].history["loss"])


def difference(run):
    return np.abs(np.asarray(run.history["loss"]) - reference) / reference


# %% tags=["hide-input"]
fig, ax = plt.subplots(figsize=(7, 4.4))
for name, color in (("other batches", "0.45"), ("weights × (1 + 1e-6)", RED)):
    ax.plot(difference(others[name]), color=color, label=name, lw=1.2)
worst = np.maximum(difference(runs["nnx"]), difference(runs["Equinox"]))
ax.plot(worst, color=BLUE, label="nnx and Equinox", lw=3)
ax.set_yscale("symlog", linthresh=1e-8)
ax.set(xlabel="step k", ylabel="relative difference in the loss", xlim=(0, 300), ylim=(-3e-9, 10))
ax.set_yticks([0, 1e-6, 1e-4, 1e-2, 1])
label_ends(ax)
remark(ax, "a small change grows", to=(185, 2e-5), at=(120, 2e-4), color=RED)
ax.set_title("linen, nnx and Equinox: no difference at all")
plt.show()

# %% [markdown]
# *The difference in the training loss from the run of the linen model. On the machine that executed
# this notebook,* ${\color{#0072B2}{\text{another library}}}$ *makes none at all: the three runs are
# equal to the bit. Weights that are* ${\color{#D55E00}{\text{changed in the sixth digit}}}$ *change
# the loss in the sixth or seventh digit; late in the run the difference grows a hundred times, as
# the sign of an average near 0 depends on its last digits.*
#
# ## Exercise
#
# `tx` has a learning rate that decreases from 0.003 to 0 along a line in 300 steps. How far can a
# weight be from its initial value after the run, at most?
#
# <details><summary>Answer</summary>
#
# Each step moves a weight by exactly τ(k), or not at all, so the distance is at most the sum of all
# τ(k) = 0.003 (1 − k/300) for k = 0 … 299, which is 0.003 · 301/2 = 0.4515. Weights that need a
# larger movement need more steps or a larger learning rate. The last cell compares with the trained
# weights.
#
# </details>
#
# ## The claims, as numbers

# %% tags=["inexact"]
for run in runs.values():
    assert np.allclose(run.history["loss"], reference, rtol=1e-3), "three models, one run"
print("accuracy on the validation set:", *(f"{a.mean():.3f}" for a in agree.values()))
assert min(a.mean() for a in agree.values()) > 0.85
assert difference(others["other batches"]).max() > 1e-2, "other batches differ"
assert 0 < difference(others["weights × (1 + 1e-6)"])[:100].max() < 1e-4, "a small change"
limit = sum(float(lo.schedules.linear(3e-3, 300)(k)) for k in range(300))
moved = max(
    np.abs(np.asarray(runs["linen"].params[n]["kernel"]) - w).max()
    for n, w in zip(names, W, strict=True)
)
print(f"largest movement of a weight: {moved:.3f}, limit {limit:.4f}")
assert np.isclose(limit, 0.4515, atol=1e-6), "the exercise"
assert moved <= limit + 1e-5
assert np.isclose(narrow[-1], 0.25), "an average in bfloat16 stalls"
scales = certificate.sections["homogeneity"]
assert [x["degree"] for x in scales["loss"]["ranges"]] == [0], "the scale of the loss is ignored"
assert min(scales["rotated"].values()) > 0.01, "a rotation changes the path"
assert max(scales["permuted"].values()) == 0, "the order of the coordinates does not"
assert np.allclose(wide_enough, 1 - 0.999**k, atol=5e-3), "the library's average does not"
assert np.abs(paths["sign descent"][-1]).max() < 0.01, "sign descent arrives"
assert np.abs(paths["gradient descent"][-1]).max() > 0.1, "gradient descent does not"
