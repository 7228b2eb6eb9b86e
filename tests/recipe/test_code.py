"""`Result.code`: what you would type, and the same model again."""

import pytest

import lecture_optax as lo
from lecture_optax.recipe.population.arms import Arm
from lecture_optax.recipe.result import problem_as_code, reproduction_code

from ..training.models import (
    TRAIN,
    VALID,
    LinenNet,
    equinox_module,
    functions_problem,
    nnx_model,
    noisy,
)
from .reporting.records import GOOD, explanation, record

MODELS = {
    "linen": LinenNet,
    "nnx": nnx_model,
    "equinox": equinox_module,
    "equinox with BatchNorm and dropout": lambda: noisy("equinox"),
}
CASES = [
    ("linen", True),
    ("nnx", False),
    ("equinox", False),
    pytest.param("linen", False, marks=pytest.mark.slow),
    pytest.param("nnx", True, marks=pytest.mark.slow),
    pytest.param("equinox", True, marks=pytest.mark.slow),
    pytest.param("equinox with BatchNorm and dropout", False, marks=pytest.mark.slow),
    pytest.param("equinox with BatchNorm and dropout", True, marks=pytest.mark.slow),
]


def loss_of_the_code(search, **names):
    """Run the code under your own names, and return its validation loss."""
    exec(search.code.replace("seed=0,", "seed=0, progress=False,"), names)
    return names["result"].evaluate(search.problem.valid)["loss"]


@pytest.mark.parametrize(("kind", "holds_out"), CASES)
def test_the_code_has_the_same_validation_loss(kind, holds_out):
    x, y = TRAIN
    options = {"loss": "cross_entropy", "steps": 60, "budget": 1.5, "progress": False}
    given = {} if holds_out else {"valid": VALID}
    search = lo.fit(MODELS[kind](), (x, y), **options, **given).search
    e = search.explanation
    again = loss_of_the_code(search, model=MODELS[kind](), x=x, y=y, xv=VALID[0], yv=VALID[1])
    assert again == pytest.approx(e.loss, abs=1e-3 * (e.start - e.loss))


def test_so_has_that_of_a_problem():
    problem = functions_problem()
    search = lo.recipe.run(problem, steps=60, budget=1.5, progress=False)
    e = search.explanation
    again = loss_of_the_code(search, problem=problem)
    assert again == pytest.approx(e.loss, abs=1e-3 * (e.start - e.loss))


def test_the_code_is_the_call_that_you_would_type():
    call = problem_as_code(object(), loss="cross_entropy", valid=VALID, metrics=["f1"], apply=len)
    e = explanation(GOOD._replace(rate=Arm(0, -6).rate))
    assert reproduction_code(e, call, 64, 3, []) == (
        """import lecture_optax as lo

result = lo.fit(
    model,
    (x, y),
    loss="cross_entropy",
    valid=(xv, yv),
    metrics=["f1"],
    apply=apply,
    tx=lo.adam(10**-1.5),  # 0.0316
    average=True,
    steps=40,
    batch_size=64,
    seed=3,
    keep="last",
)
"""
    )


@pytest.mark.parametrize(
    ("winner", "changed", "own", "lines"),
    [
        (GOOD, {}, [], ["    tx=lo.adam(0.01),\n", "    average=True,\n"]),
        (GOOD, {"is_average": False}, [], ["    tx=lo.adam(0.01),\n    steps=40,\n"]),
        (
            record(0.1, -0.5, -0.8, -0.9, -1.0, decay=(20, 40), optimizer="nesterov"),
            {},
            [],
            [
                "tx=lo.sgd(lo.schedules.wsd(0.1, decay_start=20, decay_steps=20), momentum=0.9, "
                "nesterov=True),"
            ],
        ),
        (
            record(0.1, -0.5, -0.8, -0.9, -0.8, decay=(20, 40)),
            {"step": 30},
            [],
            ["    steps=40,\n    batch_size=64,\n    seed=0,\n    evaluations=[30],\n)"],
        ),
        (GOOD, {}, ["wrap"], ["tx=wrap(lo.adam(0.01)),"]),
        (GOOD, {}, ["optimizers", "wrap"], ["tx=wrap(optimizers['adam'](0.01)),"]),
        (
            GOOD,
            {"held_out_from_train": True},
            [],
            [
                "train, valid = lo.recipe.holdout_split((x, y), seed=0)\nresult = lo.fit(\n",
                "    model,\n    train,\n    loss=loss,\n    valid=valid,\n    tx=",
            ],
        ),
        (GOOD, {"is_average": False, "has_statistics": True}, [], ["# The running statistics of"]),
    ],
)
def test_the_code_names_what_only_you_have(winner, changed, own, lines):
    call = problem_as_code(object(), loss=len)
    code = reproduction_code(explanation(winner, **changed), call, 64, 0, own)
    compile(code, "code", "exec")
    for line in lines:
        assert line in code


def test_a_problem_is_named_and_split():
    call = problem_as_code(functions_problem())
    code = reproduction_code(explanation(GOOD, held_out_from_train=True), call, 64, 0, [])
    assert "    lo.recipe.holdout_split(problem, seed=0),\n" in code


def test_without_a_better_arm_there_is_nothing_to_train():
    e = explanation(GOOD)._replace(winner=None)
    assert reproduction_code(e, "problem", 64, 0, []).startswith("# No arm was better")


@pytest.mark.parametrize("data", [None, TRAIN[0], {"x": TRAIN[0]}])
def test_only_a_pair_or_a_problem_is_split(data):
    with pytest.raises(TypeError, match=r"data must be \(x, y\), as lo\.fit takes them"):
        lo.recipe.holdout_split(data)
