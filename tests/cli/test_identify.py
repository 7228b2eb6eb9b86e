"""The verb `identify` on recorded updates."""

import json

import jax
import numpy as np
import optax
import pytest

import lecture_optax as lo
from lecture_optax import theory
from lecture_optax.cli import main
from lecture_optax.theory.identification.result import Deviation, Identification

STEPS, LEAVES = 12, {"layer/kernel": (3, 2), "layer/bias": (4,)}
X = np.ones((STEPS, 3))


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def recording(tx):
    """The arrays of a recording of a transformation, by key."""
    random = np.random.default_rng(0)

    def normal(*shape):
        return random.standard_normal(shape).astype(np.float32)

    gradients = {name: normal(STEPS, *shape) for name, shape in LEAVES.items()}
    θ = {name: normal(*shape) for name, shape in LEAVES.items()}
    state, rows = tx.init(θ), []
    for k in range(STEPS):
        g = {name: x[k] for name, x in gradients.items()}
        update, state = tx.update(g, state, θ)
        rows.append((g, update, θ))
        θ = optax.apply_updates(θ, update)
    trees = (jax.tree.map(lambda *x: np.stack(x), *trees) for trees in zip(*rows, strict=True))
    kinds = dict(zip(("gradients", "updates", "params"), trees, strict=True))
    return {f"{kind}/{name}": x for kind, tree in kinds.items() for name, x in tree.items()}


def test_a_known_method_is_named_with_its_chain(capsys):
    np.savez("updates.npz", **recording(lo.sgd(0.25, momentum=0.5)))
    assert main(["identify", "updates.npz"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("This is sgd with momentum with learning rate 0.25, momentum = 0.5.")
    assert "lo.chain(lo.trace(0.5), lo.scale_by_learning_rate(0.25))" in printed


def test_json_has_the_whole_identification(capsys):
    np.savez("updates.npz", **recording(lo.sgd(0.25, momentum=0.5)))
    assert main(["identify", "updates.npz", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert list(found) == [
        *("name", "chain", "hyperparameters", "learning_rates", "schedule"),
        *("intervals", "same_as", "would_decide", "error", "deviation", "reason"),
        *("steps", "unused", "by_leaf", "text"),
    ]
    assert found["name"] == "sgd with momentum"
    assert found["hyperparameters"] == {"momentum": 0.5}
    np.testing.assert_allclose(found["learning_rates"], [0.25] * STEPS, rtol=1e-5)
    assert found["deviation"] is None


def test_updates_that_no_method_makes_have_status_1_and_where_they_deviate(capsys, monkeypatch):
    """The search for such updates is tested, and long, in tests/theory."""
    none = Identification(
        None, "lo.sgd(0.1)", deviation=Deviation(17, "layer/bias", 0.01), reason="it differs"
    )
    monkeypatch.setattr(theory, "identify", lambda *recording: none)
    np.savez("updates.npz", gradients=X, updates=X)
    assert main(["identify", "updates.npz", "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert (found["name"], found["error"], found["reason"]) == (None, None, "it differs")
    assert found["deviation"] == {"step": 17, "leaf": "layer/bias", "error": 0.01}
    assert main(["identify", "updates.npz"]) == 1
    assert capsys.readouterr().out == f"{none}\n"


def test_a_single_leaf_needs_no_name_and_parameters_may_be_missing(capsys):
    arrays = recording(lo.sgd(0.25))
    np.savez(
        "updates.npz", **{kind: arrays[f"{kind}/layer/bias"] for kind in ("gradients", "updates")}
    )
    assert main(["identify", "updates.npz", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["name"] == "sgd"


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({}, "must have the arrays gradients/NAME and updates/NAME of each leaf NAME"),
        ({"gradients/a": X}, "or gradients and updates, got gradients/a."),
        ({"gradients/a": X, "updates/b": X}, "same leaves in gradients and in updates, got a in"),
        ({"gradients/a": X, "updates/a": X, "params": X}, "in params, got a single leaf in params"),
        ({"gradients": X, "gradients/a": X, "updates": X}, "either gradients or gradients/NAME"),
        ({"gradients": X, "updates": X[:5]}, "updates in updates.npz must have the shape (12, 3)"),
        ({"gradients": X[0, 0], "updates": X[0, 0]}, "must have an axis of steps, got ()."),
        ({"gradients": X.astype(int), "updates": X}, "a floating-point dtype, got int64"),
        ({"gradients": np.array([{}]), "updates": X}, "of arrays of numbers: Object arrays"),
    ],
)
def test_a_recording_that_does_not_fit_has_status_2_and_a_sentence(capsys, arrays, words):
    np.savez("updates.npz", **arrays)
    assert main(["identify", "updates.npz"]) == 2
    assert words in capsys.readouterr().err


def test_another_file_has_status_2_and_a_sentence(capsys):
    np.save("x.npy", X)
    np.savez("cut.npz", gradients=X, updates=X)
    with open("cut.npz", "r+b") as file:
        file.seek(60)
        file.write(b"\xff" * 200)
    for path, words in (
        ("none.npz", "the recording must be a file, got none.npz, which is not a file."),
        (".", "the recording must be a file, got ., which is not a file."),
        ("x.npy", "x.npy must be an .npz file, as numpy.savez writes it, got another kind."),
        ("cut.npz", "cut.npz must be an .npz file of arrays of numbers:"),
    ):
        assert main(["identify", path]) == 2
        assert words in capsys.readouterr().err
