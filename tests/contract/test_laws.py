"""Every law, held against every public transformation and optimizer."""

import pytest

from lecture_optax.testing import CONTRACT, LAWS


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("row", CONTRACT)
def test_law(row, law):
    LAWS[law](CONTRACT[row])
