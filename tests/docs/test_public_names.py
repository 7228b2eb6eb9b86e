"""The public names are those that CONTRIBUTING.md states, and each has a docstring."""

import ast
import importlib
import re
from pathlib import Path
from types import ModuleType

import pytest

import lecture_optax as lo
from lecture_optax.cli import main

ROOT = Path(__file__).parents[2]
PACKAGES = ["lo", "lo.recipe", "lo.training", "lo.theory", "lo.testing", "lo.schedules"]
MODULES = ["lo.training.problems", "lo.training.callbacks"]


def module_named(name):
    return importlib.import_module(name.replace("lo", "lecture_optax", 1))


def names_of(module):
    """The names that an `__init__` exports (`from .x import y as y`), or that a module defines."""
    tree = ast.parse(Path(module.__file__).read_text())
    if hasattr(module, "__path__"):
        imports = (node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom))
        exported = {x.name for node in imports for x in node.names if x.asname == x.name}
        return sorted(exported - {"__version__"})
    return sorted(name for name in definitions(tree) if not name.startswith("_"))


def definitions(tree):
    """The docstring of everything that a module defines; of a value, the string below it."""
    found = {}
    for node, below in zip(tree.body, [*tree.body[1:], None], strict=True):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found[node.name] = ast.get_docstring(node)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            target = node.target if isinstance(node, ast.AnnAssign) else node.targets[0]
            is_text = isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant)
            text = below.value.value if is_text else None
            found |= {x.id: text for x in ast.walk(target) if isinstance(x, ast.Name)}
    return found


def docstring_of(module, name):
    """The docstring of a name, from the file that defines it."""
    value = getattr(module, name)
    if isinstance(value, ModuleType):
        return value.__doc__
    home = getattr(value, "__module__", None)
    if home and home.startswith("lecture_optax"):
        return value.__doc__
    tree = ast.parse(Path(module.__file__).read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and name in {alias.name for alias in node.names}:
            path = ".".join([module.__name__, node.module])
            return docstring_of(importlib.import_module(path), name)
    return definitions(tree)[name]


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
    assert shown == names_of(module)


@pytest.mark.parametrize("owner, name", PUBLIC)
def test_a_public_name_has_a_docstring_that_begins_with_a_statement(owner, name):
    assert not name.startswith("_")
    text = docstring_of(module_named(owner), name)
    first = (text or "").strip().partition("\n")[0]
    assert first.endswith(".") and "?" not in first, first


def test_a_public_name_has_one_path():
    paths = {}
    for owner, name in PUBLIC:
        paths.setdefault(id(getattr(module_named(owner), name)), []).append(f"{owner}.{name}")
    assert not [several for several in paths.values() if len(several) > 1]


def test_help_lists_every_public_name_with_a_line():
    listed = re.findall(r"^    (\w+) +\S.*\.$", lo.__doc__, re.M)
    assert sorted(listed) == names_of(lo)


def test_the_version_is_stated_once(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"lecture-optax {lo.__version__}\n"
    assert f"version: {lo.__version__}\n" in (ROOT / "CITATION.cff").read_text()
