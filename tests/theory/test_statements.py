"""Every statement of the lecture holds on what is shipped."""

import pytest

from lecture_optax.theory import statements

TABLE = statements()


@pytest.mark.parametrize("name", TABLE)
def test_statement(name):
    if TABLE[name].missing:
        pytest.skip(f"{name} needs {', '.join(TABLE[name].missing)}: the extra 'theory'")
    failing = [finding for finding in TABLE[name]() if not finding.holds]
    assert not failing, (TABLE[name].claim, failing)
