"""Every row of the table of the laws page is what the script measures."""

import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "explanation" / "laws.md"
sys.path.insert(0, str(ROOT))
from examples.versus_optax import ROWS, main  # noqa: E402

pytestmark = pytest.mark.usefixtures("standard_promotion")


def in_page():
    rows = re.findall(r"^\| `([a-z0-9-]+)` \| .* \| (.+) \| (.+) \|$", PAGE.read_text(), re.M)
    return {name: (theirs, ours) for name, theirs, ours in rows}


@pytest.mark.parametrize("name", ROWS)
def test_the_page_says_what_is_measured(name):
    row = ROWS[name]()
    assert in_page()[name] == (row.optax, row.ours)


def test_a_mistyped_row_is_answered_with_the_rows_there_are(capsys):
    assert main(["refusal"]) == 2
    assert "choose from injected-bfloat16" in capsys.readouterr().err
