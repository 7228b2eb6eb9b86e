"""The recipe from a shell."""

import json

from lecture_optax.cli import main


def test_the_command_prints_what_was_found_as_one_json_object(capsys):
    words = "recipe logistic --steps 40 --batch-size 32 --budget 1 --json"
    assert main(words.split()) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["loss"] < record["start"]
    assert record["gradients"] <= 40
    assert record["family"] == "adam"
    assert "lo.fit(" in record["code"]


def test_a_budget_below_half_a_run_was_mistyped(capsys):
    assert main(["recipe", "logistic", "--budget", "0.1"]) == 2
    assert "budget must be a finite number >= 0.5, got 0.1" in capsys.readouterr().err
