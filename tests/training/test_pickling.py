"""Results, problems and optimizers are pickled and copied, and predict with the same bits."""

import copy
import io
import pickle
import subprocess
import sys

import cloudpickle
import joblib
import numpy as np
import pytest

import lecture_optax as lo
from lecture_optax.recipe.population.arms import arm_optimizer

from ..recipe.problems import BATCH, regression
from .compilations import COMPILED
from .models import ADAM, TRAIN, X, linen_problem, noisy


def through_joblib(x):
    file = io.BytesIO()
    joblib.dump(x, file)
    file.seek(0)
    return joblib.load(file)


WAYS = {
    "pickle": lambda x: pickle.loads(pickle.dumps(x)),
    "cloudpickle": lambda x: pickle.loads(cloudpickle.dumps(x)),
    "joblib": through_joblib,
    "deepcopy": copy.deepcopy,
}


def fit(kind):
    usual = {"loss": "cross_entropy", "tx": ADAM, "steps": 2, "batch_size": 12}
    return lo.fit(noisy(kind), TRAIN, **usual)


@pytest.fixture(scope="module")
def linen():
    return fit("linen")


@pytest.mark.parametrize("way", WAYS)
def test_a_result_predicts_and_continues_with_the_same_bits(linen, way):
    again = WAYS[way](linen)
    np.testing.assert_array_equal(again.predict(X), linen.predict(X))
    np.testing.assert_array_equal(again.model(X, train=False), linen.model(X, train=False))
    assert (again.report(), str(again.optimizer)) == (linen.report(), str(linen.optimizer))
    WAYS[way](lo.training.Problem.from_linen(again.model, TRAIN, loss="cross_entropy"))  # bound


@pytest.mark.parametrize("kind", ["nnx", pytest.param("equinox", marks=pytest.mark.slow)])
def test_so_does_that_of_another_library(kind):
    result = fit(kind)
    for way in WAYS.values():
        again = way(result)
        np.testing.assert_array_equal(again.predict(X), result.predict(X))
        assert type(again.model) is type(result.model)


def test_a_search_and_the_fork_of_a_run_too():
    problem, usual = regression(), {"steps": 12, "batch_size": BATCH}
    found, run = lo.recipe.run(problem, budget=1.0, **usual), lo.fit(problem, tx=ADAM, **usual)
    fork, x = lo.recipe.fork(problem, run, ADAM, steps=12), problem.valid["x"]
    for way in WAYS.values():
        again = way(found)
        np.testing.assert_array_equal(again.predict(x), found.predict(x))
        assert again.explain() == found.explain()
        assert str(way(fork)) == str(lo.recipe.fork(way(problem), way(run), ADAM, steps=12))


def test_a_problem_that_was_pickled_needs_no_other_program():
    problem = linen_problem()
    lo.fit(problem, tx=ADAM, steps=2, batch_size=12)
    COMPILED.clear()
    lo.fit(pickle.loads(pickle.dumps(problem)), tx=ADAM, steps=2, batch_size=12)
    assert COMPILED == []


@pytest.mark.parametrize(
    "tx",
    [
        ADAM,
        lo.sgd(lo.schedules.cosine(0.1, 100), momentum=0.9, nesterov=True),
        lo.adamw(1e-3, weight_decay=0.1),
        lo.chain(lo.trace(0.9), lo.scale_by_learning_rate(lo.schedules.inverse_time(0.1, 1.0))),
        arm_optimizer()(0, 0.1, 10, 5),
    ],
    ids=str,
)
def test_an_optimizer_is_pickled_as_the_call_that_builds_it(tx):
    assert str(pickle.loads(pickle.dumps(tx))) == str(tx)


def test_a_function_without_a_name_is_refused_by_python_in_its_own_words():
    problem = lo.training.Problem.from_linen(noisy("linen"), TRAIN, loss=lambda p, y: p[:, 0])
    with pytest.raises((AttributeError, pickle.PicklingError), match="lambda"):
        pickle.dumps(problem)
    assert pickle.loads(cloudpickle.dumps(problem)).per_example(X, None).shape == (100,)


@pytest.mark.slow
def test_another_process_predicts_with_the_same_bits(linen, tmp_path):
    (tmp_path / "result").write_bytes(pickle.dumps((linen, X)))
    code = (
        "import pickle, numpy, sys; result, x = pickle.load(open(sys.argv[1], 'rb')); "
        "numpy.save(sys.argv[2], result.predict(x))"
    )
    paths = str(tmp_path / "result"), str(tmp_path / "predicted.npy")
    subprocess.run([sys.executable, "-c", code, *paths], check=True)
    np.testing.assert_array_equal(np.load(paths[1]), linen.predict(X))
