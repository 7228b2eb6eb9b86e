"""The recorded streams of torch and Keras."""

import numpy as np
import pytest

from tests.theory.streams import make_keras, make_torch, read

TORCH, KERAS = read("torch"), read("keras")
STORED = {("torch", name): x for name, x in TORCH.items()}
STORED |= {("keras", name): x for name, x in KERAS.items()}


@pytest.mark.parametrize(
    ("stored", "calls", "others"),
    [(TORCH, make_torch.CALLS, make_torch.MATRIX), (KERAS, make_keras.CALLS, {})],
    ids=["torch", "keras"],
)
def test_every_call_is_stored(stored, calls, others):
    assert {name.rpartition(" (")[0] for name in stored} == {*calls, *others}


@pytest.mark.parametrize("stored", STORED.values(), ids=map("-".join, STORED))
def test_a_stream_is_whole(stored):
    for name, update in stored.updates.items():
        assert stored.gradients[name].shape == stored.params[name].shape == update.shape
        assert stored.gradients[name].dtype == stored.params[name].dtype
        assert np.isfinite(update).all()
        assert (update != 0).any()
