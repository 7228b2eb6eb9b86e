"""Every code block of the README runs, and every command it names exists."""

import doctest
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```python\n(.*?)^```", README, re.M | re.S)

pytestmark = pytest.mark.usefixtures("standard_promotion")  # the README is a user's own code


def test_there_are_blocks_to_run():
    assert len(BLOCKS) >= 4


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.strip().splitlines()[0])
def test_a_block_runs(block):
    if not block.startswith(">>>"):
        return exec(compile(block, "README.md", "exec"), {"__name__": "readme"})
    example = doctest.DocTestParser().get_doctest(block, {}, "README", "README.md", 0)
    assert doctest.DocTestRunner().run(example).failed == 0


def test_every_make_target_it_names_is_in_the_makefile():
    targets = set(re.findall(r"^\$ make ([a-z-]+)", README, re.M))
    makefile = (ROOT / "Makefile").read_text()
    assert {"demo", "test"} <= targets
    assert not {target for target in targets if not re.search(rf"^{target}:", makefile, re.M)}


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`((?:\w+/)*_?\w+\.py)`", README))))
def test_every_file_it_names_exists(path):
    assert (ROOT / path).exists() or (ROOT / "lecture_optax" / path).exists()
