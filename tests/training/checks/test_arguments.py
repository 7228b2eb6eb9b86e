"""What does not fit together is refused by name, before anything runs; nothing given is ignored."""

import re

import numpy as np
import pytest

import lecture_optax as lo

from ..models import ADAM, PROBLEMS, TRAIN, VALID, LinenNet

pytestmark = pytest.mark.usefixtures("untyped")
MODEL = {"model": LinenNet(), "data": TRAIN, "loss": "cross_entropy", "tx": ADAM, "steps": 1}


def refusal(kind, **arguments):
    with pytest.raises(kind) as raised:
        lo.fit(**{**MODEL, **arguments})
    return str(raised.value)


def test_a_budget_beside_an_optimizer_is_refused():
    says = refusal(ValueError, budget=4.0)
    assert re.search(r"budget needs tx=None, got budget=4.0 and tx=chain\((.|\n)*leave out", says)


@pytest.mark.parametrize("budget", [0.4, -1, float("nan")])
def test_a_budget_is_at_least_half_a_run(budget):
    says = refusal(ValueError, tx=None, budget=budget)
    assert f"budget must be a finite number >= 0.5, got {budget}" in says


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("data", TRAIN),
        ("loss", "mse"),
        ("valid", VALID),
        ("params", {}),
        ("apply", print),
        ("metrics", ["accuracy"]),
        ("dtype", "bfloat16"),
    ],
)
def test_what_a_problem_brings_itself_is_refused_beside_it(name, value):
    arguments = {"model": PROBLEMS["functions"](), "data": None, "loss": None}
    says = refusal(ValueError, **{**arguments, name: value})
    assert f"got {name} beside it" in says
    assert "give it to Problem.from_linen" in says


def test_several_of_them_are_all_named():
    says = refusal(ValueError, model=PROBLEMS["functions"](), valid=VALID)
    assert "got data, loss and valid beside it" in says
    assert "give them to" in says


OTHERS = [
    (
        {"batch_size": "64"},
        TypeError,
        "batch_size must be a whole number of examples >= 1, got '64'",
    ),
    (
        {"batch_size": 6.5},
        ValueError,
        "batch_size must be a whole number of examples >= 1, got 6.5",
    ),
    ({"batch_size": True}, TypeError, "batch_size must be a whole number of examples"),
    ({"batch_size": [8]}, TypeError, "batch_size must be a whole number of examples"),
    ({"accumulate": None}, TypeError, "accumulate must be a whole number of batches"),
    ({"steps": "many"}, TypeError, "steps must be a whole number of steps >= 1, got 'many'"),
    ({"callbacks": print}, TypeError, "callbacks must be a list of functions, got <built-in"),
    ({"hooks": [1]}, TypeError, r"hooks must be a list of functions, got \[1\]"),
    ({"apply": "model"}, TypeError, "apply must be a function that calls the model, got 'model'"),
    ({"mesh": "data"}, TypeError, "mesh must be a jax.sharding.Mesh, got 'data': jax.make_mesh"),
    ({"dtype": "int8"}, TypeError, "dtype must be a real floating dtype .* got 'int8'"),
    ({"dtype": "wide"}, TypeError, "dtype must be a real floating dtype .* got 'wide'"),
    ({"dtype": "float64"}, ValueError, "dtype=float64 needs 64 bits: .*jax_enable_x64"),
    ({"seed": 1.5}, TypeError, "seed must be a whole number >= 0, got 1.5"),
    ({"keep": "lowest"}, ValueError, "keep must be one of 'best', 'last', 'average', got 'lowest'"),
    ({"keep": True}, ValueError, "keep must be one of 'best', 'last', 'average', got True"),
    ({"keep": "best"}, ValueError, 'keep="best" needs a validation set .* got valid=None.*"last"'),
    (
        {"evaluations": "often"},
        TypeError,
        "evaluations must be a whole .* got 'often'",
    ),
    ({"evaluations": 2.5}, TypeError, "evaluations must be a whole number >= 0 .* got 2.5"),
    ({"evaluations": True}, TypeError, "evaluations must be a whole number"),
    ({"evaluations": -1}, ValueError, "evaluations must be >= 0.* got -1"),
    ({"evaluations": [1, 2]}, ValueError, r"from 0 to 1, the length of the run, got \[1, 2\]"),
    ({"hyperparams": {"b1": 0.9}}, TypeError, r"hyperparams are .* function that builds .* tx=lo"),
    ({"hyperparams": [0.9]}, TypeError, r"hyperparams must be a dict .* got \[0.9\]"),
    ({"tx": None, "hyperparams": {}}, TypeError, "hyperparams are the arguments of tx.*tx=None"),
    ({"tx": lo.adam}, TypeError, r"factory missing its call, as in adam instead of adam\(1e-3\)"),
    ({"model": LinenNet}, TypeError, "model must be an instance, got the class LinenNet: call it"),
]


def _names(x):
    """The arguments alone: the repr of a function is another in every process of a test run."""
    return " ".join(x) if isinstance(x, dict) else ""


@pytest.mark.parametrize(("given", "kind", "says"), OTHERS, ids=_names)
def test_a_value_of_the_wrong_kind_is_refused_by_name(given, kind, says):
    assert re.search(says, refusal(kind, **given).replace("\n", " "))


def test_looks_may_be_any_list_of_whole_numbers():
    evaluation_steps = lo.training.loop.evaluation.evaluation_steps
    assert evaluation_steps(4, 8) == (2, 4, 6, 8)
    assert evaluation_steps(np.array([3, 1]), 8) == evaluation_steps((1, 3), 8) == (1, 3, 8)
    assert evaluation_steps(range(0, 9, 4), 8) == (0, 4, 8)
    assert evaluation_steps(0, 8) == evaluation_steps([], 8) == (8,)
