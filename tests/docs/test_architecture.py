"""Every file and name in docs/explanation/architecture.md exists."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "explanation" / "architecture.md").read_text()
NAMES = sorted(set(re.findall(r"`([\w/]+\.py:[\w.]+)`", PAGE)))


def names_of(body, prefix=""):
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield prefix + node.name
            if isinstance(node, ast.ClassDef):
                yield from names_of(node.body, f"{node.name}.")


@pytest.mark.parametrize("place", NAMES)
def test_a_name_is_defined_in_its_file(place):
    path, name = place.split(":")
    tree = ast.parse((ROOT / "lecture_optax" / path).read_text())
    assert name in names_of(tree.body)


def test_a_path_exists():
    paths = set(re.findall(r"`(\w[\w/]*(?:\.py|/))`", PAGE))
    folders = {ROOT, *(file.parent for file in (ROOT / "lecture_optax").rglob("*.py"))}
    assert not [path for path in paths if not any((at / path).exists() for at in folders)]
