"""The published matrix: its rows, its data, its pages, and scripts that show what they say."""

import re
import subprocess
import sys

import optax
import pytest

from lecture_optax.testing import LAWS
from lecture_optax.testing.certification.candidate import candidate_of
from lecture_optax.testing.certification.choices import CHOICES, CHOICES_OF_TWO_DTYPES, choice
from tools.matrix.certificates import STORED, TEXTS, stored, texts
from tools.matrix.pages import kinds_of, pages
from tools.matrix.rows import aliases, rows, without_row
from tools.matrix.words import EXPECTED, FAULTS

CHEAP = ("optax.sgd", "optax.sign_sgd", "lo.sgd")
COMMAND = "certify them by `python -m tools.matrix --packages`"


def test_every_public_alias_of_optax_has_a_row_or_a_reason():
    listed = {row.name for row in rows().values() if row.name.startswith("optax.")}
    assert listed | set(without_row()) == set(aliases()), COMMAND
    assert not listed & set(without_row())


def test_a_new_alias_is_found(monkeypatch):
    monkeypatch.setattr(optax, "brand_new", lambda learning_rate=0.1: optax.sgd(learning_rate), 0)
    assert "optax.brand_new" in aliases()


def test_every_row_is_stored_and_nothing_else():
    found = {path.stem for path in STORED.glob("*.json") if path != TEXTS}
    assert found == set(rows()), COMMAND


def test_the_data_are_small():
    assert sum(path.stat().st_size for path in STORED.glob("*.json")) < 900_000
    assert all(len(key) == 8 for key in texts())


def test_every_law_has_its_words():
    assert FAULTS.keys() >= LAWS.keys() >= {*CHOICES, *CHOICES_OF_TWO_DTYPES, *EXPECTED}


def test_what_optax_leaves_to_promotion_has_two_dtypes():
    law = "a_step_returns_what_it_was_given"
    assert choice(law, 'x = jnp.ones(3, "bfloat16") + jnp.ones(3, "float32")')
    assert not choice(law, 'x = jnp.ones(3, "float32")')


@pytest.mark.parametrize(
    ("name", "law", "kind"),
    [
        ("optax.adam", "a_zero_gradient_gives_a_finite_update", "broken"),
        ("optax.adam", "the_learning_rate_is_in_the_state_once", "choice"),
        ("optax.adam", "a_step_returns_what_it_was_given", "choice"),
        ("optax.contrib.dadapt_adamw", "one_compiled_step_serves_every_value", "unshown"),
    ],
)
def test_a_fault_a_choice_and_what_nobody_can_try_are_told_apart(name, law, kind):
    assert kinds_of(rows()[name], stored(name)["laws"])[law] == kind


def test_an_issue_can_be_read_without_this_library():
    for name, text in pages().items():
        for issue in re.findall(r"`{5}\{code-block\} markdown\n(.*?)\n`{5}", text, re.S):
            assert not re.search(r"\b[Ll]aws?\b|certify|θ|τ", issue), (name, issue)
            parts = re.findall(r"^\*\*(.*)\*\*$", issue, re.M)
            assert parts == ["What happens", "What is expected", "Code", "Versions"], name
            if name.startswith("optax."):
                assert "lecture_optax" not in issue, name


def test_a_red_cell_leads_to_a_fault_of_its_page():
    files = pages()
    links = re.findall(r'href="generated/([\w.]+)\.html#(law-\d)"', files["_tables.md"])
    assert len(links) > 200
    headings = {name: re.findall(r"^## (.*)$", text, re.M) for name, text in files.items()}
    for name, place in links:
        assert place.replace("law-", "Law ") in headings[f"{name}.md"], (name, place)


@pytest.mark.parametrize("name", CHEAP)
def test_a_row_says_what_the_laws_say(name):
    laws = stored(name)["laws"]["laws"]
    subject = candidate_of(rows()[name].make()).subject
    for law in ("a_step_is_pure", "a_bad_value_is_refused_by_name", "init_aliases_nothing"):
        try:
            LAWS[law](subject)
            verdict = "kept"
        except AssertionError:
            verdict = "broken"
        assert laws[law]["verdict"] == verdict, (name, law)


def test_a_published_script_shows_its_fault_with_jax_and_optax_alone():
    shown = stored("optax.adam")["laws"]["laws"]
    script = shown["a_zero_gradient_gives_a_finite_update"]["reproduction"]
    assert "lecture_optax" not in script
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 1
    assert "AssertionError: a zero gradient gives an update that is not finite" in done.stderr
