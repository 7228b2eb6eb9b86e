"""The verb `certify`: what it prints, its files, and its exit status."""

import json
import sys

import pytest

from lecture_optax.cli import main
from lecture_optax.testing import Certificate
from lecture_optax.testing.certification import page  # noqa: F401  before a test patches what it shows
from lecture_optax.testing.certification.sections import SECTIONS

MINE = """
from functools import partial

import jax
import optax


def noisy(learning_rate=0.1):
    print("printed by the factory")
    return optax.sgd(learning_rate)


class Made:
    adam = partial(optax.adam, 0.1)


tx = optax.sgd(0.1)


def broken():
    raise RuntimeError("of the user")


def needs(rank):
    return optax.sgd(rank)


def typo():
    return optax.stateless(lambda updates, _: undefined_name)


def divided():
    return optax.stateless(lambda updates, _: jax.tree.map(lambda g: g / abs(g), updates))
"""


@pytest.fixture(autouse=True)
def in_a_folder_with_the_users_module(tmp_path, monkeypatch, standard_promotion):
    (tmp_path / "mine.py").write_text(MINE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "mine", raising=False)


@pytest.fixture
def quick(monkeypatch):
    """Measure one section only."""
    section = SECTIONS["first_step"]
    monkeypatch.setattr(
        "lecture_optax.testing.certification.sections.SECTIONS", {"first_step": section}
    )


@pytest.mark.parametrize(
    "factory", ["optax:adam", "optax.contrib:muon", "mine:Made.adam", "mine:tx", "mine:noisy"]
)
def test_any_factory_prints_one_json_and_nothing_else(factory, quick, capsys):
    assert main(["certify", factory, "--json"]) == 0
    certificate = Certificate.from_json(capsys.readouterr().out)
    assert [*certificate.sections] == ["first_step"]
    assert certificate.sections["first_step"]["descends"]


def test_a_page_and_an_earlier_certificate(quick, capsys, tmp_path):
    assert main(["certify", "mine:noisy", "--json", "--page", "page.html"]) == 0
    assert "<h1>Certificate of noisy</h1>" in (tmp_path / "page.html").read_text("utf-8")
    (tmp_path / "before.json").write_text(capsys.readouterr().out)
    assert main(["certify", "mine:noisy", "--verify", "before.json"]) == 0
    assert capsys.readouterr().out == "Nothing differs.\n"
    assert main(["certify", "optax:adam", "--verify", "before.json", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)[0].startswith("The hash of what was certified is ")


def test_a_required_law_that_is_broken_has_status_1(monkeypatch, capsys):
    law = "a_zero_gradient_gives_a_finite_update"
    monkeypatch.setattr(
        "lecture_optax.testing.certification.sections.SECTIONS", {"laws": SECTIONS["laws"]}
    )
    assert main(["certify", "mine:divided", "--require", f"3,5,{law}"]) == 1
    out, err = capsys.readouterr()
    assert f"required, but broken: {law}.\n" in err
    assert err.endswith("required, but never checked, because it does not apply: 3.\n")
    assert "checks that a training can meet: " in out


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        (["optax:adm"], "Did you mean 'adam'?"),
        (["nowhere:adam"], "there is no module 'nowhere'"),
        (["optax"], "'optax' must be module:name, as optax:adam."),
        (["mine:broken"], "mine:broken cannot be certified: "),
        (["json:dumps"], "json:dumps cannot be certified: "),
        (["optax:__version__"], "got '0."),
        (["optax:sgd", "--sections", "lawz"], "sections must be one of 'laws'"),
        (["optax:sgd", "--sections", "state", "--require", "5"], "require needs the section laws"),
        (["mine:needs"], "write a function without arguments in your module"),
        (["mine:typo"], "mine.py, line "),
        (["optax:sgd", "--require", "10"], "require must be one of '1', '2'"),
        (["optax:sgd", "--verify", "none.json"], "verify must be the JSON of a certificate"),
        (["optax:sgd", "--verify", "mine.py"], "text must be the JSON of a certificate"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_certified_is_a_sentence_and_status_2(typed, words, capsys):
    assert main(["certify", *typed]) == 2
    out, err = capsys.readouterr()
    assert words in err and out == ""


def test_ctrl_c_has_status_130(monkeypatch):
    def interrupt(candidate):
        raise KeyboardInterrupt

    section = SECTIONS["first_step"]._replace(measure=interrupt)
    monkeypatch.setattr(
        "lecture_optax.testing.certification.sections.SECTIONS", {"first_step": section}
    )
    monkeypatch.setitem(SECTIONS, "first_step", section)
    assert main(["certify", "optax:sgd"]) == 130
