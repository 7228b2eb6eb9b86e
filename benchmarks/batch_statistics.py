"""Which running statistics of BatchNorm belong to averaged weights?

    python -m benchmarks.batch_statistics

Networks with BatchNorm are trained at a constant learning rate for 100, 400 and 1,600 steps with
`average_iterates()`. The table shows the validation loss (mean of three seeds) of the last weights,
and of their average with

    raw         the statistics of the last weights
    averaged    the statistics averaged as the weights are
    recomputed  the statistics recomputed with the averaged weights
                (`training/loop/batch_statistics.py`)

                                  last weights      raw  averaged  recomputed
    MLP, digits  Adam       100         0.2237   0.2471    0.2578    0.1786
                            400         0.0669   0.0584    0.0595    0.0577
                          1,600         0.0466   0.0438    0.0448    0.0439
    CNN, digits  SGD        100         3.3618   2.3455    2.6486    1.0240
                            400         2.0570   0.2769    0.5459    0.1930
                          1,600         0.2262   0.0991    0.0883    0.0824
"""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

import lecture_optax as lo
from lecture_optax.training import Problem, Program
from lecture_optax.training.loop.batch_statistics import recompute_batch_statistics
from lecture_optax.training.loop.evaluation import evaluate
from lecture_optax.training.problems import cnn_digits, logistic, mlp_digits, patches

from .measured import Figures, show

ETA = 8.0
SEEDS = 3


class Dense(nn.Module):
    """Two hidden layers, each normalised."""

    classes: int

    @nn.compact
    def __call__(self, x, train):
        for _ in range(2):
            x = nn.relu(nn.BatchNorm(use_running_average=not train)(nn.Dense(64)(x)))
        return nn.Dense(self.classes)(x)


class Convolutional(nn.Module):
    """Two convolutions, each normalised."""

    @nn.compact
    def __call__(self, x, train):
        x = x.reshape(-1, 8, 8, 1)
        for features in (8, 16):
            x = nn.Dense(features)(patches(x))
            x = nn.relu(nn.BatchNorm(use_running_average=not train)(x))
        return nn.Dense(10)(x.mean((1, 2)))


MODELS = {
    "MLP, digits": (Dense(10), mlp_digits),
    "CNN, digits": (Convolutional(), cnn_digits),
    "MLP, breast cancer": (Dense(2), logistic),
}
RULES = {"Adam 3e-3": lo.adam(3e-3), "SGD .1, momentum": lo.sgd(0.1, momentum=0.9)}


def trained(program, seed, steps):
    """The last carry, and the mean of the model state with the weights of the iterates."""

    def body(state, _):
        carry, mean, k = state
        carry, _ = program.step(carry, program.batch(carry))
        weight = (1 + ETA) / (k + ETA)
        mean = jax.tree.map(lambda m, s: m + weight * (s - m), mean, carry.model_state)
        return (carry, mean, k + 1), None

    @jax.jit
    def run(carry):
        start = carry, carry.model_state, jnp.float32(1)
        return jax.lax.scan(body, start, length=steps)[0][:2]

    return run(program.init(seed))


def losses(problem, rule, steps, seed):
    """Return the validation loss with each kind of statistics."""
    program = Program.of(problem, lo.chain(rule, lo.average_iterates(ETA)), batch_size=32)
    carry, mean = trained(program, seed, steps)
    params = lo.averaged(carry.opt_state, carry.params)
    anew = recompute_batch_statistics(
        program, carry, params, jax.tree.map(jnp.asarray, problem.train)
    )
    ways = {
        "last weights": (carry.params, carry.model_state),
        "raw": (params, carry.model_state),
        "averaged": (params, mean),
        "recomputed": (params, anew),
    }
    examples = problem.functions.examples
    return {name: evaluate(examples, *way, problem.valid)["loss"] for name, way in ways.items()}


def figures() -> Figures:
    for name, (model, built_in) in MODELS.items():
        given = built_in()
        problem = Problem.from_linen(model, given.train, loss="cross_entropy", valid=given.valid)
        for rule_name, rule in RULES.items():
            for steps in (100, 400, 1600):
                found = [losses(problem, rule, steps, seed) for seed in range(SEEDS)]
                means = {f"{way}, loss": np.mean([each[way] for each in found]) for way in found[0]}
                yield f"{name}, {rule_name}, {steps} steps", means


if __name__ == "__main__":
    show(figures())
