"""Every code block of the README runs, and every command it names exists."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```python\n(.*?)^```", README, re.M | re.S)

pytestmark = pytest.mark.usefixtures("standard_promotion")  # the README is a user's own code


def test_there_are_three_short_blocks():
    assert len(BLOCKS) == 3
    assert max(len(block.strip().splitlines()) for block in BLOCKS) <= 12


@pytest.mark.parametrize("block", BLOCKS, ids=["loop", "fit", "check"])
def test_a_block_runs(block):
    exec(compile(block, "README.md", "exec"), {"__name__": "readme"})


def test_every_page_and_picture_it_links_to_exists():
    links = {link.split("#")[0] for link in re.findall(r"(?:\]\(|src=\")([^)\"]+)", README)}
    local = [link for link in links if not link.startswith("https://")]
    assert local and not [link for link in local if not (ROOT / link).exists()]


def test_every_make_target_it_names_is_in_the_makefile():
    targets = set(re.findall(r"(?:^\$ |`)make ([a-z-]+)", README, re.M))
    makefile = (ROOT / "Makefile").read_text()
    assert {"demo", "test"} <= targets
    assert not {target for target in targets if not re.search(rf"^{target}:", makefile, re.M)}


@pytest.mark.parametrize("folder", ["start", "howto", "coming_from", "explanation", "reference"])
def test_two_clicks_reach_a_page_of_the_documentation_where_it_is_not_built(folder):
    index = ROOT / "docs" / folder / "index.md"
    linked = set(re.findall(r"\]\((\w+\.md)\)", index.read_text()))
    assert linked == {path.name for path in index.parent.glob("*.md")} - {"index.md"}
    assert f"docs/{folder}/" in README
