"""A remark states what the training and the validation losses show."""

import warnings
from types import SimpleNamespace

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import lecture_optax as lo
from lecture_optax.recipe import diagnose
from lecture_optax.training.loop.run import History
from lecture_optax.training.reporting.remarks import LAG, OVERFITTING, overfitting, remarks
from lecture_optax.training.result import Kept

from ..models import TRAIN, VALID, LinenNet

STEPS = 400
K = np.arange(STEPS)
NOISE = np.random.default_rng(0).normal(size=STEPS)
LOW_AND_UP = np.where(K < 300, np.exp(-K / 40), 0.1 * 1.05 ** (K - 300))


def with_losses(losses, valid_losses=(), gradient=1.0, update=1.0, kept=None):
    """The result of a run with these losses, and with validation losses at equal distances."""
    losses, steps = np.asarray(losses, np.float32), len(losses)
    records = {
        "loss": losses,
        "grad_norm": np.full(steps, gradient),
        "update_norm": np.full(steps, update),
        "update_ratio": np.full(steps, 1e-3),
    }
    ends = np.linspace(0, steps, len(valid_losses) + 1).astype(int)
    lines = [
        {"step": int(b), "train_loss": float(losses[a:b].mean()), "valid_loss": loss}
        for a, b, loss in zip(ends[:-1], ends[1:], valid_losses, strict=True)
    ]
    history = History([records], lines)
    last = {"steps": steps, "stopped": None, "run": None, "kept": Kept(kept or steps)}
    problem = SimpleNamespace(per_example=None)
    return SimpleNamespace(history=history, model_state={}, problem=problem, **last)


U = np.abs(np.linspace(-1, 1, 20))  # validation losses that decrease and rise

FOUND = {
    "diverges from the start": (1.02**K, (), "diverged: its training loss rose from 1"),
    "and with a validation loss": (1.02**K, 1 + U, "diverged: its training loss rose from 1"),
    "diverges after a decrease": (LOW_AND_UP, 1 + U, "The run diverged: its training loss rose"),
    "at its end": (np.where(K < 385, np.exp(-K / 40), 20.5), (), "to 20.5 at the end"),
    "jumped, and is far above its start": (
        np.where(K == 0, 1, 1e5 * np.exp(-K / 80)),
        1 + U,
        "The run diverged",
    ),
    "does not learn": (2 + 0.1 * NOISE, (), "did not decrease by more than its noise: 2"),
    "oscillates": (
        np.exp(-K / 10) + 0.3 * np.sin(K / 12) ** 2 + 0.001 * NOISE,
        (),
        "rose 2 times in the second half",
    ),
    "overfits": (
        np.exp(-K / 40),
        1 + U,
        "since, while the training loss is 0.000206: the model overfits.",
    ),
    "overfits, few evaluations": (
        np.full(STEPS, 0.1) + 1e-3 * np.exp(-K / 9),
        [1.0, 0.5, 0.6, 0.75],
        "lowest at step 200 and has risen by 50% since, while",
    ),
    "both rise": (
        np.exp(-K / 40) + 1e-4 * np.maximum(0, K - 200) + 1e-3 * NOISE,
        1 + U,
        "since, and the training loss with it",
    ),
    "a gap": (0.1 + np.exp(-K / 40), np.geomspace(1, 0.5, 20), "0.5, is 5 times the training loss"),
    "constant": (np.exp(-K / 400), np.ones(20), "is 1 at every evaluation"),
    "still decreases": (np.geomspace(10, 0.1, STEPS), np.geomspace(10, 0.1, 4), "decreased by"),
    "not finite": (np.full(STEPS, 0.1), [np.inf] * 4, "4 of 4 validation losses were not finite"),
    "some not finite": (
        np.exp(-K / 400),
        [0.9, np.inf, 0.6, np.nan, 0.5],
        "2 of 5 validation losses were not finite",
    ),
}


@pytest.mark.parametrize("name", FOUND)
def test_a_remark_is_made_where_the_curves_ask_for_it(name):
    losses, valid_losses, words = FOUND[name]
    found = [str(finding) for finding in remarks(with_losses(losses, valid_losses))]
    assert any(words in x for x in found), found
    if "diverge" in words:
        assert not any("overfits" in x for x in found)


HEALTHY = {
    "converged": (np.exp(-K / 20) + 0.1, [0.3, 0.2, 0.15, 0.151]),
    "noisy": (np.exp(-K / 40) + 0.1 + 0.05 * NOISE, 0.15 + 0.02 * NOISE[:20]),
    "a spike": (np.exp(-K / 40) + 0.1 + 5 * (K == 333), np.geomspace(1, 0.12, 20)),
    "a peak at the start": (np.exp(-K / 40) + 0.1 + 3 * (K < 15), np.geomspace(1, 0.12, 20)),
    "a last spike": (np.exp(-K / 40) + 0.1 + 5 * (K > 397), np.geomspace(1, 0.12, 20)),
    "a decaying swing": (0.1 + np.exp(-K / 99) * np.cos(K / 25) ** 2, np.geomspace(1, 0.12, 20)),
    "few steps": (np.array([2.0, 1.0, 1.5]), [1.0, 1.1]),
}


@pytest.mark.parametrize("name", HEALTHY)
def test_no_remark_is_made_of_a_healthy_run(name):
    losses, valid_losses = HEALTHY[name]
    found = [str(finding) for finding in remarks(with_losses(losses, valid_losses))]
    assert [x for x in found if "lowest at step" not in x or name != "few steps"] == []


def test_overfitting_has_its_numbers_in_its_sentence():
    found = overfitting(0.000341, 0.052)
    assert found is not None and found.name == OVERFITTING
    assert "0.052, is 152 times the training loss, 0.000341: the model overfits" in str(found)
    assert found.numbers == {"train_loss": 0.000341, "valid_loss": 0.052}
    for losses in ((0.3, 0.5), (-1.0, 0.5), (0.0, 0.1), (np.nan, 1.0)):
        assert overfitting(*losses) is None


def test_the_kept_step_is_named_where_a_run_diverged_after_it():
    (found,) = remarks(with_losses(LOW_AND_UP, 1 + U, kept=200))
    assert found.name == "diverged" and found.sentence.endswith(
        "The returned parameters are those of step 200, before that."
    )


def test_a_gradient_or_an_update_that_is_always_0_is_named():
    flat = np.full(50, 2.0)
    (found,) = remarks(with_losses(flat, gradient=0.0, update=0.0))
    assert "gradient was 0" in str(found)
    (found,) = remarks(with_losses(flat, update=0.0))
    assert "Every update was 0" in str(found)
    assert diagnose({"loss": flat, "grad_norm": np.zeros(50)}).symptom.cause == "dead"


def test_a_validation_loss_that_is_never_finite_is_warned_of():
    def loss(prediction, target):
        one = 1.0 if len(target) < len(VALID[1]) else jnp.inf
        return one * optax.losses.softmax_cross_entropy_with_integer_labels(prediction, target)

    options = {"valid": VALID, "tx": lo.adam(1e-2), "steps": 8, "batch_size": 8}
    with pytest.warns(UserWarning, match="not finite at any of 9 evaluations.*step 8, the last"):
        found = lo.fit(LinenNet(), TRAIN, loss=loss, **options)
    assert found.kept == Kept(8)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert lo.fit(LinenNet(), TRAIN, loss=loss, **options, keep="last").kept == Kept(8)


class Lagging(nn.Module):
    @nn.compact
    def __call__(self, x, train):
        x = nn.BatchNorm(use_running_average=not train)(nn.Dense(8)(10 * x + 50))
        return nn.Dense(3)(nn.relu(x))


def test_running_statistics_that_lag_behind_are_measured_and_named():
    options = {"loss": "cross_entropy", "tx": lo.adam(1e-2), "steps": 60}
    found = lo.fit(Lagging(), TRAIN, **options, valid=VALID)
    (remark,) = remarks(found)
    assert remark.name == LAG and "average=True" in remark.sentence
    assert remark.numbers["loss"] == found.history["valid_loss"][-1]
    assert f"{remark.numbers['recomputed_loss']:.3g} with the batch" in remark.sentence
    assert "lag behind" in str(diagnose(found))
    averaged = lo.fit(Lagging(), TRAIN, **options, valid=VALID, average=True)
    assert LAG not in [x.name for x in remarks(averaged)]
    lowest = averaged.history["averaged_loss"].min()
    assert lowest < 0.5 * found.history["valid_loss"][-1]
    alone = lo.fit(Lagging(), TRAIN, **options)  # without a validation set
    assert [x.name for x in remarks(alone)] == [LAG]


def test_the_diagnosis_of_a_run_reads_its_validation_losses():
    overfits = diagnose(with_losses(np.exp(-K / 40), 1 + U))
    assert overfits.symptom.name == "overfitting"
    assert "at step 220 and has risen to 1.79, while the training loss is" in str(overfits)
    far = diagnose(with_losses(0.1 + np.exp(-K / 20), np.geomspace(1, 0.5, 20)))
    assert far.symptom.name == "converged"
    assert "the validation loss, 0.539, is 5.4 times as high" in str(far)
    rises = diagnose(with_losses(LOW_AND_UP, 1 + U))
    assert rises.symptom.name == "diverging" and "at the end" in str(rises)
