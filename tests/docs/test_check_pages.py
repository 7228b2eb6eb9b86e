"""No code on a page of the site is left without an execution, or a reason."""

from pathlib import Path

import pytest

from tools import check_pages

PAGES = sorted((Path(__file__).parents[2] / "docs").rglob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_has_no_code_that_nothing_executes(page):
    assert not list(check_pages.findings(page.read_text()))


@pytest.mark.parametrize(
    ("page", "word"),
    [
        ("```python\n1 + 1\n```", "not executed"),
        ("```\nlo.adam(1e-3)\n```", "without a language"),
        ("```{code-block} python\n1 + 1\n```", "not executed"),
        ("````{note}\n```pycon\n>>> 1 + 1\n```\n````", "not executed"),
        ("% not executed:\n```python\n1 + 1\n```", "not executed"),
        ("```{code-cell} python\n:tags: [skip-execution]\n1 + 1\n```", "skipped"),
        ("```console\n$ make coffee\n```", "'coffee'"),
        ("```console\n$ lecture-optax trian mlp_digits\n```", "train"),
        ("```console\n$ lecture-optax theory --onyl adam  # a typing error\n```", "--only"),
    ],
)
def test_a_mistake_is_found(page, word):
    [(_, wrong)] = check_pages.findings(page)
    assert word in wrong


@pytest.mark.parametrize(
    "page",
    [
        "% not executed: it needs a cluster\n```python\n1 + 1\n```",
        "```{code-cell} python\n1 + 1\n```\n\n```json\n{}\n```",
        "````{note}\n```{code-cell} python\n1 + 1\n```\n````\n\ntext",
        "```console\n$ make docs VENV=.venv\n$ lecture-optax --version\n1.0\n```",
    ],
)
def test_what_is_executed_or_has_a_reason_is_accepted(page):
    assert not list(check_pages.findings(page))
