"""Inputs and targets that are out of scale are found, with the number."""

import numpy as np
import pytest

from lecture_optax.training.checks.scale import INPUTS, TARGETS, scale_findings

ROWS = np.random.default_rng(0).normal(size=(64, 3)).astype(np.float32)
ONE_HOT = np.eye(64, dtype=np.float32)


@pytest.mark.parametrize(
    ("x", "y", "named"),
    [
        (ROWS, ROWS[:, :1], {}),
        (ROWS * 16, ROWS[:, 0], {}),
        (ROWS + np.float32([0, 2000, 0]), ROWS[:, 0], {INPUTS: "x has a column with"}),
        (ROWS, 3e5 + 1e5 * ROWS[:, 0], {TARGETS: "y has a root mean square of 3e+05"}),
        (ROWS * np.float32([1, 1, 1e-4]), ROWS[:, 0], {}),
        (1e-4 * ROWS, 1e-5 * ROWS[:, 0], {INPUTS: "x has only columns below", TARGETS: "y has"}),
        (np.full((64, 4, 4, 1), 255.0), ROWS[:, 0], {}),
        (np.full((64, 9), 30_000), ROWS[:, 0], {}),
        (ONE_HOT, np.arange(64), {}),
        (ROWS, 0 * ROWS[:, 0], {}),
        ({"a": ROWS, "b": 1e4 * ROWS}, ROWS[:, 0], {INPUTS: "x['b'] has a column"}),
    ],
    ids=[
        "unit",
        "pixels 0..16",
        "a year",
        "prices",
        "a rare word",
        "tiny units",
        "images",
        "token ids",
        "one-hot, classes",
        "zeros",
        "a tree",
    ],
)
def test_a_column_that_is_out_of_scale_is_found(x, y, named):
    found = {finding.name: finding for finding in scale_findings((x, y))}
    assert found.keys() == named.keys()
    for name, words in named.items():
        assert words in found[name].sentence
        assert f"{found[name].numbers['root_mean_square']:.2g}" in found[name].sentence
