"""Train an MLP on scikit-learn's digits with Adam and with SGD + Nesterov, and draw both runs.

python examples/demo.py         # prints a table and the path of the picture, demo.png
"""

from pathlib import Path
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import matplotlib
import numpy as np
import optax
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import lecture_optax as lo

matplotlib.use("Agg")
import matplotlib.pyplot as plt

STEPS, BATCH, SEED = 1000, 64, 0

cosine = lo.schedules.cosine
OPTIMIZERS = {
    "Adam": lo.adam(cosine(3e-3, total_steps=STEPS, warmup_steps=50)),
    "SGD + Nesterov": lo.sgd(
        cosine(1e-1, total_steps=STEPS, warmup_steps=50), momentum=0.9, nesterov=True
    ),
}


class MLP(nn.Module):
    """A network with 64 pixels, 128 hidden units and 10 digits."""

    @nn.compact
    def __call__(self, x):
        return nn.Dense(10)(nn.relu(nn.Dense(128)(x)))


class Run(NamedTuple):
    """A training run: the loss and learning rate of each step, the accuracy, the last state."""

    losses: np.ndarray
    rates: np.ndarray
    accuracy: float
    state: optax.OptState


def digits():
    """Return pixels in [0, 1] and labels; a fixed fifth is held out."""
    x, y = load_digits(return_X_y=True)
    return train_test_split(
        jnp.asarray(x / 16, jnp.float32), jnp.asarray(y), test_size=0.2, random_state=SEED
    )


def train(tx, x, y, x_held_out, y_held_out) -> Run:
    """Train in a plain loop: draw a batch, compute the gradient of its mean loss, update."""
    model = MLP()
    energy = lo.energy(lambda params, batch: cross_entropy(model.apply(params, batch[0]), batch[1]))

    @jax.jit
    def step(params, state, batch):
        loss, gradient = jax.value_and_grad(energy)(params, batch)
        updates, state = tx.update(gradient, state, params)
        return optax.apply_updates(params, updates), state, loss

    params = model.init(jax.random.key(SEED), x[:1])
    state, order = tx.init(params), np.random.default_rng(SEED)
    losses, rates = [], []
    for _ in range(STEPS):
        rows = order.choice(len(x), BATCH, replace=False)
        params, state, loss = step(params, state, (x[rows], y[rows]))
        losses.append(loss)
        rates.append(optax.tree.get(state, "learning_rate"))
    guesses = model.apply(params, x_held_out).argmax(-1)
    accuracy = float((guesses == y_held_out).mean())
    return Run(np.array(losses), np.array(rates), accuracy, state)


def cross_entropy(logits, labels):
    """Return one loss per example."""
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels)


def table(runs: dict[str, Run]) -> str:
    """Return a table: validation accuracy, last loss, steps, and the last learning rate."""
    lines = ["optimizer        validation accuracy  last loss  steps  learning rate"]
    for name, run in runs.items():
        now = lo.current(run.state)
        rate = next(iter(now.learning_rates.values()))
        lines.append(
            f"{name:16} {run.accuracy:19.1%} {run.losses[-50:].mean():10.4f} "
            f"{int(now.count):6d}  {float(rate):.2e}"
        )
    return "\n".join(lines)


def draw(runs: dict[str, Run], path: Path) -> None:
    """Draw the loss of each run, smoothed over 20 steps, and below it the learning rate."""
    figure, (above, below) = plt.subplots(
        2, 1, sharex=True, figsize=(8, 6), height_ratios=[2, 1], layout="constrained"
    )
    for (name, run), style in zip(runs.items(), ["-", "--"], strict=True):
        smooth = np.convolve(run.losses, np.ones(20) / 20, mode="valid")
        above.semilogy(np.arange(19, STEPS), smooth, style, label=f"{name}, {run.accuracy:.1%}")
        below.semilogy(run.rates, style, label=name)
    above.set(title="An MLP on digits", ylabel="training loss (nats, mean of 20 steps)")
    above.legend(title="validation accuracy")
    below.set(xlabel="step", ylabel="learning rate τ")
    figure.savefig(path, dpi=120)


def main() -> None:
    """Train both runs, print the table, and draw the picture."""
    x, x_held_out, y, y_held_out = digits()
    runs = {name: train(tx, x, y, x_held_out, y_held_out) for name, tx in OPTIMIZERS.items()}
    print(table(runs))
    path = Path("demo.png").resolve()
    draw(runs, path)
    print(path)


if __name__ == "__main__":
    main()
