"""One compile serves every seed, length, rate, momentum and horizon; a second run has none."""

import pytest

import lecture_optax as lo

from ..compilations import COMPILED
from ..models import PROBLEMS, TRAIN, VALID, noisy

TX = lo.sgd(lo.schedules.cosine(0.1, 7), momentum=0.9, nesterov=True)


def make(learning_rate, momentum, total_steps):
    return lo.sgd(lo.schedules.cosine(learning_rate, total_steps), momentum=momentum)


def fit(kind, **arguments):
    usual = {"steps": 7, "batch_size": 12, "evaluations": 2}
    if kind == "functions":
        return lo.fit(PROBLEMS[kind](), **{**usual, **arguments})
    usual["average"] = kind == "linen"
    model, data = noisy(kind), {"data": TRAIN, "loss": "cross_entropy", "valid": VALID}
    return lo.fit(model, **{**data, **usual, **arguments})


@pytest.mark.filterwarnings("ignore:LO108")
@pytest.mark.parametrize(
    "kind", ["linen", "nnx", "functions", pytest.param("equinox", marks=pytest.mark.slow)]
)
def test_a_second_run_compiles_nothing_whatever_its_seed_and_length(kind):
    first = fit(kind, tx=TX)
    COMPILED.clear()
    second = fit(kind, tx=TX, steps=23, seed=5)
    assert COMPILED == []
    assert len(second.history) == 23
    assert (second.history["loss"][:7] != first.history["loss"]).any()


def test_rate_momentum_and_horizon_are_data_where_they_are_given_as_numbers():
    losses = []
    for rate, momentum, horizon in [(0.1, 0.9, 9), (0.003, 0.9, 9), (0.1, 0.0, 9), (0.1, 0.9, 23)]:
        numbers = {"learning_rate": rate, "momentum": momentum, "total_steps": horizon}
        COMPILED.clear()
        run = fit("functions", tx=make, hyperparams=numbers, steps=horizon)
        assert not losses or COMPILED == []
        losses.append(run.history["loss"][8])
    assert len(set(losses)) == 4
