"""Logs that other tools wrote, stored in `samples`; its README says how each was made."""

from pathlib import Path

import pytest

from lecture_optax.recipe.diagnosis.diagnose import diagnose_runs
from lecture_optax.recipe.diagnosis.logs.read_log import read_log

HERE = Path(__file__).parent / "samples"


@pytest.mark.parametrize(
    ("name", "rates", "losses", "identifiers", "remedies"),
    [
        ("keras_0.0001.csv", [None], 30, "LO208", "uncertain"),
        ("keras_0.01.csv", [None], 30, "LO203", "uncertain"),
        ("keras_plateau.csv", [1e-3], 24, "LO208", "uncertain"),
        ("keras_nan.csv", [None], 0, "LO201", "decrease"),
        ("hugging_face", [3e-4], 12, "LO208", "uncertain"),
        ("lightning", [1e-4, 1e-3, 1e-2], 40, "LO202 LO202 LO208", "increase increase keep"),
        ("tensorboard", [1e-4, 1e-3, 1e-2], 40, "LO202 LO202 LO208", "increase increase keep"),
    ],
)
def test_a_log_of_another_tool_is_read_and_diagnosed(name, rates, losses, identifiers, remedies):
    if name == "tensorboard":
        pytest.importorskip("tensorboardX")
    runs = read_log(HERE / name)
    found = diagnose_runs(runs)
    assert [None if x.curve.rate != x.curve.rate else x.curve.rate for x in runs] == rates
    assert {len(x.curve.losses) for x in runs} == {losses}
    assert " ".join(x.symptom.identifier for x in found) == identifiers
    assert " ".join(x.remedy for x in found) == remedies


def test_the_same_run_has_the_same_curve_in_both_formats_of_lightning():
    pytest.importorskip("tensorboardX")
    pairs = zip(read_log(HERE / "lightning"), read_log(HERE / "tensorboard"), strict=True)
    for text, events in pairs:
        assert text.curve.losses == pytest.approx(events.curve.losses, rel=1e-6)
        assert text.curve.evaluations.by_step == pytest.approx(events.curve.evaluations.by_step)
