# %% [markdown]
# # 10 · Write your own
#
# A new method is a block of ten lines. This notebook defines a block, uses it in a chain, checks
# the nine laws on it, shows a mistake that the laws detect, and trains a linen, an nnx and an
# Equinox model: three libraries, one function, the same numbers.
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
# Lion uses the sign of an average and ignores its size. The average is already a block of the
# library; the sign is new.


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
# A block that stores its average in the dtype of the gradient seems correct. But in bfloat16
# 1 + 0.001 is 1, so the average stalls. The laws detect this:


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

# %% [markdown]
# ## Three libraries, one function
#
# The same network with the same initial weights, as a linen, an nnx and an Equinox model. `lo.fit`
# converts each to one pure step, so the runs are the same.

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
        run.history["loss"], label=f"{name}: validation loss {run.history['valid_loss'].min():.4f}"
    )
ax.set(xlabel="step k", ylabel="training loss", title="sign descent on digits: three equal curves")
ax.legend()
plt.show()

# %% [markdown]
# ## The claims, as numbers

# %% tags=["inexact"]
first, *others = (run.history["loss"] for run in runs.values())
for other in others:
    assert np.allclose(first, other, rtol=1e-3), "three models, one run"
agree = [run.predict(held_out[0]).argmax(-1) == held_out[1] for run in runs.values()]
print("accuracy on the validation set:", *(f"{a.mean():.3f}" for a in agree))
assert min(a.mean() for a in agree) > 0.85
