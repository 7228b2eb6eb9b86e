"""The public names are those that CONTRIBUTING.md states, and each has a docstring."""

import ast
import re

import pytest

import lecture_optax as lo
from lecture_optax.cli import main
from tools.imports import ROOT
from tools.public_names import (
    MODULES,
    PACKAGES,
    definition_of,
    module_named,
    names_of,
    schedules,
    sections,
)

PUBLIC = [(owner, name) for owner in PACKAGES + MODULES for name in names_of(module_named(owner))]


def test_contributing_says_what_is_public():
    text = " ".join((ROOT / "CONTRIBUTING.md").read_text().split())
    (sentence,) = re.findall(r"What (.+?) export is public, plus (.+?)\. ", text)
    packages, modules = (re.findall(r"`(.+?)`", part) for part in sentence)
    assert (packages, modules) == (PACKAGES, MODULES)


@pytest.mark.parametrize("owner", PACKAGES)
def test_dir_shows_what_a_package_exports(owner):
    module = module_named(owner)
    shown = [name for name in dir(module) if not re.fullmatch(r"__\w+__", name)]
    assert shown == sorted(names_of(module))


@pytest.mark.parametrize("owner, name", PUBLIC)
def test_a_public_name_has_a_docstring_that_begins_with_a_statement(owner, name):
    assert not name.startswith("_")
    first = definition_of(module_named(owner), name).docstring.partition("\n")[0]
    assert first.endswith(".") and "?" not in first, first


def test_a_public_name_has_one_path():
    paths = {}
    for owner, name in PUBLIC:
        paths.setdefault(id(getattr(module_named(owner), name)), []).append(f"{owner}.{name}")
    assert not [several for several in paths.values() if len(several) > 1]


def test_help_lists_every_public_name_with_a_line():
    listed = re.findall(r"^    (\w+) +\S.*\.$", lo.__doc__, re.M)
    assert sorted(listed) == sorted(names_of(lo))
    assert listed == [name for names in sections().values() for name in names]


@pytest.mark.parametrize(
    "owner, name",
    [("lo", name) for name in sections()["Optimizers"]]
    + [("lo.schedules", name) for name in schedules()],
)
def test_an_optimizer_or_schedule_says_when_to_use_it_and_its_other_names(owner, name):
    text = definition_of(module_named(owner), name).docstring
    assert "\n\n**When**: " in text and "\n\n**Elsewhere**: " in text


def test_the_gallery_has_an_example_of_every_schedule():
    tree = ast.parse((ROOT / "docs" / "_ext" / "gallery.py").read_text())
    assigned = {ast.unparse(x.target): x.value for x in tree.body if isinstance(x, ast.AnnAssign)}
    assert sorted(ast.literal_eval(assigned["EXAMPLES"])) == sorted(schedules())


def test_the_version_is_stated_once(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"lecture-optax {lo.__version__}\n"
    assert f"version: {lo.__version__}\n" in (ROOT / "CITATION.cff").read_text()
