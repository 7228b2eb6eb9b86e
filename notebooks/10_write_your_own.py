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
# # 10 · Write your own
#
# A new idea is a block of ten lines. You will write one, put it in a chain, have the nine laws
# checked on it, see the laws catch a mistake, and train a linen, an nnx and an Equinox model with
# it: three libraries, one function, the same numbers.
#
# Slides: *The general update*, θ(k+1) = θ(k) − τ(k) · D(k+1) · v(k+1).

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
from flax import nnx
from sklearn.datasets import load_digits

import lecture_optax as lo

plt.style.use("lecture.mplstyle")

# %% [markdown]
# ## Ten lines
#
# Lion's idea: go by the sign of an average, and never mind the size. The average is a block of the
# library already; what is new is the sign.


# %%
@lo.described
def sign():
    """The direction of each entry, and 0 where there is none."""

    def init_fn(params):
        return optax.EmptyState()

    def update_fn(updates, state, params=None, **extra_args):
        return jax.tree.map(jnp.sign, updates), state

    return lo.block(init_fn, update_fn)


# %% [markdown]
# ## In a chain
#
# A block stands beside others, ours or Optax's, and the chain says what it is. Two of its steps:


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
# Pure under `jit`, `scan`, `vmap`, donation and sharding; at least float32 inside; finite at zero;
# hyperparameters as data; the rate in the state; any tree; resumed bitwise … `lo.testing.check`
# tries them all, in every pair of dtypes, and says which one fails.

# %%
lo.testing.check(sign)  # raises, if one does not hold
print("all laws hold")

# %% [markdown]
# A block that keeps its average in the dtype of the gradient looks innocent. In bfloat16 1 + 0.001
# is 1: the average stalls. The laws notice:


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
    raise RuntimeError("the laws should have complained")

# %% [markdown]
# ## Three libraries, one function
#
# The same network, from the same numbers, as a linen, an nnx and an Equinox model. `lo.fit` reduces
# each to one pure step, so that not only the method but the run is the same.

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
fig, ax = plt.subplots()
for name, run in runs.items():
    ax.semilogy(
        run.history["loss"], label=f"{name}: {run.history['valid_loss'].min():.4f} held out"
    )
ax.set(xlabel="step k", ylabel="training loss", title="sign descent on digits: three lines in one")
ax.legend()
plt.show()

# %% [markdown]
# ## The claims, as numbers

# %% tags=["inexact"]
first, *others = (run.history["loss"] for run in runs.values())
for other in others:
    assert np.allclose(first, other, rtol=1e-3), "three models, one run"
agree = [run.predict(held_out[0]).argmax(-1) == held_out[1] for run in runs.values()]
print("right on held-out digits:", *(f"{a.mean():.3f}" for a in agree))
assert min(a.mean() for a in agree) > 0.85
