"""The verb `recipe`."""

import json

from lecture_optax.cli import main


def test_the_command_prints_one_json_object(capsys, tmp_path):
    words = "recipe logistic --steps 40 --batch-size 32 --budget 1 --json --report"
    page, folder = tmp_path / "page.html", tmp_path / "search"
    assert main([*words.split(), str(page), "--checkpoint", str(folder)]) == 0
    assert "<h1>logistic: adam at " in page.read_text()
    assert list(folder.glob("search-*.json"))
    record = json.loads(capsys.readouterr().out)
    assert record["loss"] < record["start"]
    assert record["gradients"] <= 40
    assert record["optimizer"] == "adam"
    assert "lo.fit(" in record["code"]


def test_a_page_that_cannot_be_written_raises_before_the_search(capsys, tmp_path):
    assert main(["recipe", "logistic", "--report", str(tmp_path / "none" / "page.html")]) == 2
    assert "report must be a file in a folder that exists" in capsys.readouterr().err


def test_a_budget_below_half_a_run_has_status_2(capsys):
    assert main(["recipe", "logistic", "--budget", "0.1"]) == 2
    assert "budget must be a finite number >= 0.5, got 0.1" in capsys.readouterr().err
