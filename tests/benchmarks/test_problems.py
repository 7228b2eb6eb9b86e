"""The problems of the benchmarks: groups, data that are not installed, those of a folder."""

import argparse
import json

import jax
import pytest

from benchmarks.problems import GROUPS, Case
from benchmarks.problems.chosen import built, chosen
from benchmarks.regret.grid import TABLE, Grid
from benchmarks.regret.scores import group_of

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


def given(**arguments) -> argparse.Namespace:
    return argparse.Namespace(**{"names": [], "group": None, "folder": None} | arguments)


def test_no_problem_is_in_two_groups():
    assert sum(map(len, GROUPS.values())) == len(chosen(given()))
    assert list(chosen(given(group=["fresh"]))) == list(GROUPS["fresh"])


def test_four_new_problems_have_few_validation_examples():
    few = "matches", "polynomial", "heavy_tails", "forty_held_out", "memorised"
    tasks = [GROUPS["fresh"][name].build() for name in few]
    assert all(30 <= len(jax.tree.leaves(x.problem.valid)[0]) <= 100 for x in tasks)


def test_a_problem_whose_data_are_not_installed_is_skipped(capsys):
    def build():
        raise FileNotFoundError("The data are missing: install them.")

    assert list(built({"images": Case(build, 1, 1)})) == []
    assert capsys.readouterr().out == "images is skipped. The data are missing: install them.\n"


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
    ((name, case, task),) = built(chosen(given(folder=folder)))
    assert (name, group_of(name)) == ("elsewhere/line", "elsewhere")
    row = Grid(case, task).row()
    assert 0 <= row["best"]["valid"] <= row["last"]["valid"] < 0.1 * row["start"]["valid"]
    assert row["best"]["test"] is None and list(row["by"]) == ["valid"]
