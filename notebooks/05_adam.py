# %% [markdown]
# # 05 · Adam taken apart
#
# From SGD to Adam in four steps, one block each. This notebook shows the purpose of the bias
# correction, the position of ε, and the effect of the slide's formulas when they are taken
# literally: in three places they describe another method, and one of these ascends.
#
# Slides: *AdaGrad*, *RMSProp*, *Adam*.

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

import lecture_optax as lo
from lecture_optax.theory import literal, pictures

jax.config.update("jax_enable_x64", True)
plt.style.use("lecture.mplstyle")

# %% [markdown]
# ## Block by block
#
# The lecture's last line is θ(k+1) = θ(k) − τ(k) · D(k+1) · v(k+1). Adam is one choice of τ, D and
# v:

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
print(lo.adam(0.05))

# %% [markdown]
# A badly scaled valley: one coordinate has a hundred times the curvature of the other. Division by
# the size of the gradient makes both coordinates converge alike, in any units.

# %%
curvature = jnp.array([1.0, 0.01])


def distances(tx, slope=lambda θ: curvature * θ, start=(1.0, 1.0), steps=150):
    def step(carry, _):
        θ, state = carry
        update, state = tx.update(slope(θ), state, θ)
        return (optax.apply_updates(θ, update), state), jnp.abs(θ)

    θ = jnp.array(start)
    return jax.lax.scan(step, (θ, tx.init(θ)), length=steps)[1]


fig, axes = plt.subplots(1, 2, figsize=(10, 3.6), sharey=True)
for name, tx in methods.items():
    for ax, distance in zip(axes, distances(tx).T, strict=True):
        ax.semilogy(distance, label=name)
for ax, title in zip(axes, ["curvature 1", "curvature 0.01"], strict=True):
    ax.set(title=title, xlabel="step k", ylim=(1e-4, 2))
axes[0].set_ylabel("|θ|")
axes[0].legend(loc="upper right")
plt.show()

# %% [markdown]
# ## The purpose of the correction
#
# Both averages start at 0 and are too small at first, m by the factor 1 − 0.9ᵏ and c by 1 − 0.999ᵏ.
# Without the correction the first step is √((1 − 0.9)²/(1 − 0.999)) ≈ 3.16 τ, and later steps are
# even longer. With the correction the first step is exactly τ for any gradient.

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


fig, ax = plt.subplots()
ax.plot(steps_of(uncorrected, 1.0), label="without correction")
ax.plot(steps_of(lo.adam(1.0), 1.0), label="Adam")
ax.set(xlabel="step k", ylabel="length of the step / τ", title="a constant gradient", ylim=(0, 9))
ax.legend()
plt.show()
for g in (1e-3, 1.0, 1e3):
    print(f"g = {g:6g}: Adam's first step is {steps_of(lo.adam(1.0), g, 1)[0]:.5f} τ")

# %% [markdown]
# ## The position of ε
#
# The slide writes (c + ε)^(−1/2). The paper, Optax, PyTorch and this library write 1/(√c + ε);
# Optax and this library call the ε of the slide `eps_root`. With ε = 1e-8 the two differ for
# gradients below 1e-4: there the step of the slide's version depends on the scale of the gradient.

# %%
sizes = np.logspace(-8, 0, 33)
standing = {
    "1/(√c + ε): eps": lo.adam(1.0, eps=1e-8),
    "(c + ε)^(−1/2): eps_root": lo.adam(1.0, eps=0.0, eps_root=1e-8),
}
fig, ax = plt.subplots()
for name, tx in standing.items():
    ax.semilogx(sizes, [steps_of(tx, g, 1)[0] for g in sizes], label=name)
ax.set(xlabel="size of the gradient |g|", ylabel="first step / τ", title="ε = 1e-8")
ax.legend()
plt.show()

# %% [markdown]
# ## The slides, taken literally
#
# `theory.literal` contains the slides' formulas as they are written. The minus sign in
# v ← β v − (1 − β) g is a typo (an earlier slide has a plus): with it −τ D v points uphill. The
# exponent k, which starts at 0, divides by 1 − β⁰ = 0. Corrected averages that are fed back into
# their own recursion overflow, until D is 0 and θ stops.

# %%
read = {
    "Adam as it is meant": lo.adam(0.001),
    "minus sign": literal.adam_minus(0.001),
    "corrected values fed back": literal.adam_fed_back(0.001),
    "exponent k at k = 0": literal.adam_from_zero(0.001),
}
fig, ax = plt.subplots()
ends = {}
for name, tx in read.items():
    distance = np.asarray(distances(tx, lambda θ: θ, (1.0,), 1001)[:, 0])
    ends[name] = distance[-1]
    ax.plot(distance, label=f"{name}: ends at {distance[-1]:.2f}")
ax.set(xlabel="step k", ylabel="|θ|", title="θ²/2 from θ = 1, τ = 0.001")
ax.legend()
plt.show()

# %% [markdown]
# ## Adam moves to its edge of stability
#
# Near a minimum the gradient decreases, so D grows, until τ λ D reaches the largest value at which
# Adam's velocity is stable, its edge of stability: (2 + 2β₁)/(1 − β₁) = 38. It stays there.

# %%
pictures.adam_at_its_edge()
plt.show()

# %% [markdown]
# ## The slides' claims, as numbers

# %%
first = [steps_of(lo.adam(1.0), g, 1)[0] for g in (1e-3, 1.0, 1e3)]
outside, inside = (steps_of(tx, 1e-5, 1)[0] for tx in standing.values())
assert np.allclose(first, 1.0, atol=2e-5), "the first step is τ"
assert np.allclose([inside, outside], [0.0995, 0.999], atol=1e-4), "the position of ε"
assert np.isclose(ends["minus sign"], 2.17, atol=0.005), "the minus sign ascends"
assert np.isnan(ends["exponent k at k = 0"]), "0/0 at the first step"
