"""The table of statements: what it prints, what it returns, what it skips."""

import json
import subprocess
import sys

import jax.numpy as jnp
import pytest

import lecture_optax as lo
from lecture_optax.theory import Finding, run, statement, statements
from lecture_optax.theory.claims.statement import STATEMENTS


@pytest.fixture
def entered():
    """Enter statements for the length of a test."""
    before = dict(statements())
    yield
    STATEMENTS.clear()
    STATEMENTS.update(before)


def enter(name, find, **options):
    return statement(name, claim="a claim", slide="", source="ours", **options)(find)


def test_a_statement_that_holds_returns_0_and_shows_its_numbers(capsys):
    assert run("the-lone-spike") == 0
    printed = capsys.readouterr().out
    assert "holds    the-lone-spike" in printed and "3.162206234" in printed
    assert "1 statement: 1 hold, 0 fail, 0 skipped" in printed


def test_the_records_are_json(capsys):
    assert run("literal-epsilon", json=True) == 0
    (record,) = json.loads(capsys.readouterr().out)
    assert record["verdict"] == "holds" and record["source"]
    assert {finding["relation"] for finding in record["findings"]} == {"="}


def test_a_statement_that_fails_or_breaks_returns_1_and_the_others_still_run(entered, capsys):
    enter("zz-fails", lambda: Finding(1.0, 2.0, 0.5))
    enter("zz-breaks", lambda: 1 / 0)
    enter("zz-says-nothing", lambda: ())
    enter("zz-holds", lambda: Finding(1.0, 2.0, relation="<="))
    assert run("zz-") == 1
    printed = capsys.readouterr().out
    assert "← fails" in printed and "ZeroDivisionError" in printed
    assert "4 statements: 1 hold, 3 fail, 0 skipped" in printed


def test_without_its_extra_a_statement_is_skipped_counted_and_does_not_fail(entered, capsys):
    enter("zz-needs", lambda: Finding(1, 2), needs=("no_such_module",))
    assert run("zz-") == 0
    printed = capsys.readouterr().out
    assert "needs no_such_module. Install it in a clone of lecture_optax: pip install" in printed
    assert "0 hold, 0 fail, 1 skipped" in printed


def test_a_name_that_nothing_has_is_refused():
    with pytest.raises(ValueError, match=r"got 'the-lone-spkie'. Did you mean 'the-lone-spike'\?"):
        run("the-lone-spkie")
    with pytest.raises(ValueError, match=r"Did you mean 'certified-silver-steps'\?"):
        run("silver")
    with pytest.raises(ValueError, match=r"got 'xyz'. The names are .*literal-minus, literal-f"):
        run("xyz")


def test_a_name_is_taken_once(entered):
    enter("zz-taken", lambda: Finding(1, 1))
    with pytest.raises(ValueError, match="name must be unique, got 'the-lone-spike'"):
        enter("the-lone-spike", lambda: Finding(1, 1))


def test_a_claim_is_put_to_another_method():
    spike = statements()["the-lone-spike"]
    assert all(finding.holds for finding in spike(adam=lo.adam))
    assert not all(finding.holds for finding in spike(adam=lambda rate, eps: lo.sgd(rate)))
    with pytest.raises(
        TypeError, match="unknown subject 'sgd' for the-lone-spike; choose from adam"
    ):
        spike(sgd=lo.sgd)


def test_a_statement_computes_in_float64_and_gives_the_precision_back(entered):
    found = enter("zz-wide", lambda: Finding(jnp.float64(0.1), 0.1))()
    assert found[0].holds
    assert jnp.zeros(1).dtype == jnp.float32


@pytest.mark.parametrize(
    ("finding", "holds"),
    [
        (Finding(1.0, 1.05, 0.1), True),
        (Finding(1.0, 1.05, 0.01), False),
        (Finding(float("inf"), float("inf")), True),
        (Finding(float("nan"), float("nan"), 1.0), False),
        (Finding(float("nan"), 0.0, 1.0, ">="), False),
        (Finding(2.0, 1.0, 0.5, "<="), False),
        (Finding(2.0, 1.0, relation=">="), True),
    ],
)
def test_a_finding_holds_within_its_tolerance(finding, holds):
    assert finding.holds is holds


def test_a_tolerance_below_zero_is_refused():
    with pytest.raises(ValueError, match="tolerance must be a finite number >= 0, got -1"):
        Finding(1.0, 1.0, -1)


@pytest.mark.slow
def test_from_a_shell_all_statements_hold():
    command = [sys.executable, "-m", "lecture_optax", "theory", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    records = json.loads(done.stdout)
    assert done.returncode == 0 and len(records) == len(statements())
