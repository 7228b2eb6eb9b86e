"""The score of the benchmarks of regret: fair to averages and to early stopping, on both sets."""

import json

import numpy as np
import pytest

from benchmarks.regret import scores
from benchmarks.regret.table import print_comparison

GRID = {
    "hinge": {
        "start": {"valid": 2.0, "test": 2.0, "seeds": [2.0, 2.1]},
        "last": {"valid": 1.5, "test": 1.0},
        "best": {"valid": 1.0, "test": 1.0},
    },
    "poisson": {
        "start": {"valid": 10.0, "test": None, "seeds": [10.0, 10.0]},
        "last": {"valid": 0.0, "test": None},
        "best": {"valid": 0.0, "test": None},
    },
}
LOSSES = {
    "one, 1": {"hinge": [[1.1, 1.0, 1.0], [2.1, 5.0, 1.0]], "poisson": [[1.0, None, 1.0]] * 2},
    "other, 1": {"hinge": [[1.2, 1.5, 0.5], ["an error"]], "poisson": [[2.0, None, 1.0]] * 2},
}


@pytest.fixture(autouse=True)
def measured(tmp_path, monkeypatch):
    for name, data in (("TABLE", GRID), ("FILE", LOSSES)):
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps(data))
        monkeypatch.setattr(scores, name, path)


def test_a_regret_is_of_what_any_single_run_could_return():
    found = scores.regrets(LOSSES["one, 1"], GRID, "valid")
    np.testing.assert_allclose(found["hinge"], [10.0, 100.0])
    plain = scores.regrets(LOSSES["one, 1"], GRID, "valid", plain=True)
    np.testing.assert_allclose(plain["hinge"], [-80.0, 100.0])


def test_a_problem_without_a_test_set_has_no_regret_on_it():
    assert set(scores.regrets(LOSSES["one, 1"], GRID, "test")) == {"hinge"}


def test_a_model_that_was_trained_on_the_validation_set_has_no_regret_on_it():
    rows = {"hinge": [[None, 1.5, 6.0]]}
    assert scores.regrets(rows, GRID, "valid") == {}
    assert scores.regrets(rows, GRID, "test") == {"hinge": [50.0]}
    assert scores.untrained(rows, GRID) == 0


def test_a_failure_counts_as_all_of_the_progress():
    found = scores.regrets(LOSSES["other, 1"], GRID, "valid")
    np.testing.assert_allclose(found["hinge"], [20.0, 100.0])


def test_a_model_that_has_the_loss_of_its_own_start_is_untrained():
    assert scores.untrained(LOSSES["one, 1"], GRID) == 1
    assert scores.untrained(LOSSES["other, 1"], GRID) == 0


def test_the_interval_of_a_difference_is_over_problems():
    one, other = (scores.regrets(rows, GRID, "valid") for rows in LOSSES.values())
    found = scores.difference(one, other)
    assert found.mean == pytest.approx(-7.5)
    assert (found.low, found.high) == (pytest.approx(-10.0), pytest.approx(-5.0))
    assert (found.better, found.worse) == (3, 0)


def test_a_comparison_has_a_line_a_group_and_budget(capsys):
    print_comparison("one", "other", GRID)
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].startswith("development, 1")
    assert "valid (2) -7.50 [-10.00, -5.00], 3 : 0" in lines[1]
    assert "test (1) -25.00" in lines[1]


def test_a_row_waits_for_those_of_smaller_seeds():
    records = scores.Records()
    for seed in (3, 0, 2):
        records.add("one, 1", "hinge", seed, [seed])
    assert scores.load()["one, 1"]["hinge"] == [[0], [2.1, 5.0, 1.0], [2], [3]]


def test_what_is_saved_is_loaded():
    scores.save(LOSSES)
    assert scores.load() == LOSSES
