"""A mistake of one line fails the statement about it."""

import doctest
from pathlib import Path

import jax
import pytest

from lecture_optax.theory import statements

from .mutants import is_caught, mutated
from .mutations import MUTATIONS

PAGE = (Path(__file__).parents[2] / "docs" / "explanation" / "theory.md").read_text()
HEAD = "| slide | claim | measured by | source | picture |"


def shown(rows):
    """A table in Markdown, without its head."""
    escaped = [[cell.replace("|", r"\|") for cell in row] for row in rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in escaped)


def cases():
    """All mutations; the first in each module in every run, the others by `pytest -m slow`."""
    seen = set()
    for mutation in MUTATIONS:
        marks = [pytest.mark.slow] if mutation.module in seen else []
        yield pytest.param(mutation, id=mutation.what, marks=marks)
        seen.add(mutation.module)


@pytest.mark.parametrize("mutation", list(cases()))
def test_a_mistake_is_caught_by_the_statement_that_speaks_of_it(mutation):
    pytest.importorskip("PEPit") if mutation.caught_by.startswith("certified") else None
    assert is_caught(mutation)


def test_a_mutant_leaves_no_trace():
    import lecture_optax as lo

    before = lo.trace
    with mutated(next(m for m in MUTATIONS if m.module == "_trace")):
        assert lo.trace is not before
    assert lo.trace is before


def test_the_documentation_shows_this_table():
    rows = [[m.what, f"`{m.module}`", f"`{m.caught_by}`"] for m in MUTATIONS]
    assert shown(rows) in PAGE


def test_the_documentation_shows_each_statement_with_its_place_its_source_and_its_picture():
    rows = {
        shown([[s.slide, f"`{s.name}`", f"`{s.where}`", s.source, s.picture and f"`{s.picture}`"]])
        for s in statements().values()
    }
    section = PAGE.partition("## Each claim, and where it is measured")[2].partition("\n## ")[0]
    assert {line for line in section.splitlines() if line.startswith("| ")} - rows == {HEAD}
    assert rows <= set(section.splitlines())


def test_the_documentations_examples_run():
    example = doctest.DocTestParser().get_doctest(PAGE.replace("```", ""), {}, "theory", None, 0)
    with jax.numpy_dtype_promotion("standard"):
        assert doctest.DocTestRunner().run(example).failed == 0
