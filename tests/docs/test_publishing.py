"""What several files say of a release: dependencies, Python versions and links."""

import re
import tomllib
from pathlib import Path

import pytest

from lecture_optax import __version__
from tools import write_links

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
RECIPE = (ROOT / "recipe" / "recipe.yaml").read_text()


def test_the_conda_package_needs_what_the_wheel_needs():
    needed = [re.sub(r";.*", "", x).replace(">=", " >=").strip() for x in PROJECT["dependencies"]]
    run = RECIPE.partition("  run:\n    - python >=${{ python_min }}\n")[2].partition("\n\n")[0]
    assert re.findall(r"- (.+)", run) == needed
    assert f'version: "{__version__}"\n' in RECIPE
    assert f'python_min: "{PROJECT["requires-python"].removeprefix(">=")}"\n' in RECIPE
    assert f'summary: "{PROJECT["description"]}"\n' in RECIPE


def test_the_oldest_and_newest_python_are_those_of_the_page():
    versions = re.findall(r":: (3\.\d+)", str(PROJECT["classifiers"]))
    page = (ROOT / "docs" / "explanation" / "support.md").read_text()
    assert f"| Python | {versions[0]} | {versions[-1]} |" in page
    assert PROJECT["requires-python"] == f">={versions[0]}"


@pytest.mark.parametrize("name", write_links.PLACES)
def test_links_are_written_changed_and_removed(name):
    text, place = (ROOT / name).read_text(), write_links.PLACES[name]
    none = write_links.with_links(text, *place, "")
    linked = write_links.with_links(none, *place, "one/library")
    assert "https://one.github.io/library/" in linked or "https://github.com/one/library" in linked
    assert write_links.with_links(linked, *place, "one/library") == linked
    moved = write_links.with_links(linked, *place, "another/name")
    assert "one/library" not in moved
    assert write_links.with_links(moved, *place, "") == none
    assert write_links.with_links(text, *place, write_links.REPOSITORY) == text
