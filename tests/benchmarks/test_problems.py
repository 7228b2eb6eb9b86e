"""The problems of the benchmarks: groups, data that are not installed, those of a folder."""

import argparse
import json
import pickle
import sys
from functools import partial

import jax
import pytest

from benchmarks.problems import GROUPS, Case
from benchmarks.problems.chosen import chosen
from benchmarks.problems.side_by_side import Question, answers, executor_named
from benchmarks.regret import scores
from benchmarks.regret.__main__ import measure_all
from benchmarks.regret.grid import TABLE, prepare
from benchmarks.regret.scores import group_of
from lecture_optax.recipe import RayExecutor
from lecture_optax.recipe.execution.devices import Devices
from lecture_optax.recipe.execution.executor import InThisProcess

FOLDER = """
from types import SimpleNamespace as Given
import jax.numpy as jnp, numpy as np
def line():
    x = np.linspace(-1, 1, 40, dtype=np.float32)
    loss = lambda params, batch: jnp.mean((params * batch - 3 * batch) ** 2)
    init = lambda key: jnp.zeros(())
    return Given(init=init, loss=loss, train=x, valid=x[::2], batch_size=8, steps=20)
P2 = {"line": line}
"""
PICKER = """
def pick(problem, seed):
    return {"params": 1.0 * seed, "gradient_evals": 10 * seed}
"""


def given(**arguments) -> argparse.Namespace:
    return argparse.Namespace(**{"names": [], "group": None, "folder": None} | arguments)


def test_no_problem_is_in_two_groups():
    assert sum(map(len, GROUPS.values())) == len(chosen(given()))
    assert list(chosen(given(group=["fresh"]))) == list(GROUPS["fresh"])


def test_four_new_problems_have_few_validation_examples():
    few = "matches", "polynomial", "heavy_tails", "forty_held_out", "memorised"
    tasks = [GROUPS["fresh"][name].build() for name in few]
    assert all(30 <= len(jax.tree.leaves(x.problem.valid)[0]) <= 100 for x in tasks)


def echo(name, case, task):
    return lambda seed: (name, case.steps, seed)


def test_a_problem_whose_data_are_not_installed_is_skipped(capsys):
    def build():
        raise FileNotFoundError("The data are missing: install them.")

    both = [Question("images", seed) for seed in range(2)]
    assert list(answers(both, lambda: {"images": Case(build, 1, 1)}, echo)) == []
    assert capsys.readouterr().out == "images is skipped. The data are missing: install them.\n"


class Elsewhere(InThisProcess):
    """An executor whose worker is pickled, and whose jobs end in another order."""

    def start(self, worker, poll):
        pool = super().start(pickle.loads(pickle.dumps(worker)), poll)
        run = pool.run
        pool.run = lambda jobs: reversed(list(run(jobs)))
        return pool


def test_questions_are_answered_in_other_processes_and_in_any_order():
    asked = [Question(name, seed) for name in ("matches", "clicks") for seed in (0, 1)]
    found = list(answers(asked, partial(chosen, given()), echo, Elsewhere()))
    assert found == [(x, (x.name, GROUPS["fresh"][x.name].steps, x.key)) for x in asked[::-1]]


def test_an_executor_is_named_by_a_word():
    assert isinstance(executor_named("devices"), Devices)
    assert executor_named("ray") == RayExecutor()
    on_cluster = executor_named("ray:host:6379")
    assert isinstance(on_cluster, RayExecutor) and on_cluster.address == "host:6379"
    with pytest.raises(argparse.ArgumentTypeError, match="must be devices, ray or ray:ADDRESS"):
        executor_named("rays")


def test_losses_are_recorded_by_seed_in_whatever_order_they_are_measured(tmp_path, monkeypatch):
    (tmp_path / "problems_of_lines.py").write_text(FOLDER)
    (tmp_path / "picker.py").write_text(PICKER)
    monkeypatch.setattr(sys, "path", [*sys.path])
    tables = []
    for executor in (None, Elsewhere()):
        monkeypatch.setattr(scores, "FILE", tmp_path / f"{len(tables)}.json")
        options = {"folder": tmp_path, "picker": str(tmp_path), "label": "mine", "budgets": [2.0]}
        options |= {"seeds": 3, "only": [""], "again": False, "folds": 0, "executor": executor}
        measure_all([f"{tmp_path.name}/line"], given(**options))
        tables.append(scores.load())
    assert tables[0] == tables[1]
    ((_, rows),) = tables[0]["mine, 2"].items()
    assert [row[1:] for row in rows] == [[None, 0.0], [None, 0.5], [None, 1.0]]
    assert rows[0][0] > rows[1][0] > rows[2][0]


@pytest.mark.parametrize("name", ["matches"])
def test_a_problem_starts_where_the_grid_found_it(name):
    case, row = chosen(given())[name], json.loads(TABLE.read_text())[name]
    problem = case.build().problem
    assert problem.functions.init is not None
    params, state = problem.functions.init(jax.random.key(1), problem.train)
    loss = float(problem.loss(params, state, problem.valid, None)[0])
    assert loss == pytest.approx(row["start"]["seeds"][1], rel=1e-5)


def test_the_grid_of_a_problem_in_a_folder(tmp_path):
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "problems_of_lines.py").write_text(FOLDER)
    choose = partial(chosen, given(folder=folder))
    ((question, row),) = answers(list(map(Question, choose())), choose, prepare)
    assert (question.name, group_of(question.name)) == ("elsewhere/line", "elsewhere")
    assert 0 <= row["best"]["valid"] <= row["last"]["valid"] < 0.1 * row["start"]["valid"]
    assert row["best"]["test"] is None and list(row["by"]) == ["valid"]
