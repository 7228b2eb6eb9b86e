"""A run to be killed: `python -m tests.stress.train_process KIND STEPS FOLDER OUT [--eager]`.

When it begins to train, it prints the step; at its end it writes its result to OUT.npz. `--eager`
saves after every chunk, so that a kill falls into a save.
"""

import sys

import flax.linen as nn
import jax
import numpy as np
from flax import nnx

import lecture_optax as lo
from lecture_optax.training.checkpoint import saver as saves
from lecture_optax.training.loop.run import columns_of


class LinenNet(nn.Module):
    @nn.compact
    def __call__(self, x, train):
        x = nn.Dense(32)(x)
        x = nn.relu(nn.BatchNorm(use_running_average=not train)(x))
        return nn.Dense(10)(nn.Dropout(0.2, deterministic=not train)(x))


class NnxNet(nnx.Module):
    def __init__(self, rngs):
        self.hidden, self.norm = nnx.Linear(64, 32, rngs=rngs), nnx.BatchNorm(32, rngs=rngs)
        self.dropout, self.out = nnx.Dropout(0.2, rngs=rngs), nnx.Linear(32, 10, rngs=rngs)

    def __call__(self, x):
        return self.out(self.dropout(nnx.relu(self.norm(self.hidden(x)))))


def grain_batches(x, y, size=64):
    """Return a shuffled, repeated pipeline, whose place is part of a checkpoint."""
    import grain  # takes a second, which the other kinds do not need

    rows = grain.MapDataset.source(list(zip(x, y, strict=True))).shuffle(seed=1).repeat()
    ahead = grain.ReadOptions(num_threads=2, prefetch_buffer_size=8)
    return rows.batch(size, drop_remainder=True).to_iter_dataset(ahead)


def data():
    """Return data of the size of scikit-learn's digits, which takes a second to load."""
    random = np.random.default_rng(0)
    y = random.integers(0, 10, 1797).astype(np.int32)
    x = random.normal(size=(10, 64))[y] + 2 * random.normal(size=(1797, 64))
    x = x.astype(np.float32)
    return (x[:1437], y[:1437]), (x[1437:], y[1437:])


def trained(kind, steps, folder, *hooks):
    train, valid = data()
    model = NnxNet(nnx.Rngs(0)) if kind == "nnx" else LinenNet()
    return lo.fit(
        model,
        grain_batches(*train) if kind == "grain" else train,
        loss="cross_entropy",
        valid=valid,
        tx=lo.adam(lo.schedules.linear(1e-3, steps)),
        steps=steps,
        keep="last",
        hooks=hooks,
        checkpoint=folder,
        progress=False,
    )


def main(kind, steps, folder, out, *flags):
    if "--eager" in flags:
        saves.FIRST, saves.SHARE = 0.0, 1e9
    began = []

    def tell(event):
        began.append(event.step)
        if len(began) == 2:
            print(began[0], flush=True)

    result = trained(kind, int(steps), folder, tell)
    np.savez(out, *learned(result))


def learned(result):
    """Return all numbers of a result."""
    trees = result.params, result.model_state, result.opt_state
    evaluations = columns_of(result.history.evaluations).values()
    return [
        np.asarray(x)
        for x in (*jax.tree.leaves(trees), *evaluations, *result.history.per_step.values())
    ]


if __name__ == "__main__":
    main(*sys.argv[1:])
