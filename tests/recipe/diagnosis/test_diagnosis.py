"""Diagnoses of curves with a known symptom and remedy."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, strategies as st
from hypothesis.extra import numpy as arrays

import lecture_optax as lo
from lecture_optax.recipe import Diagnosis, diagnose
from lecture_optax.recipe.diagnosis.runs import curve_of
from lecture_optax.recipe.population.curve import Curve, Evaluation
from lecture_optax.training import NonFiniteError, Problem
from lecture_optax.training.loop.run import History

STEPS = 400
K = np.arange(STEPS)
NOISE = np.random.default_rng(0).normal(size=STEPS)

BOWL = Problem.from_functions(
    init=lambda key: jnp.ones(2),
    loss=lambda params, batch: jnp.sum((params - batch) ** 2, -1),
    train=jnp.zeros((8, 2)),
)

CURVES = {
    "diverging": 1.01**K,
    "no progress": 3 + 0.1 * NOISE,
    "oscillating": np.exp(-K / 10) + 0.3 * np.sin(K / 12) ** 2 + 0.001 * NOISE,
    "quick plateau": 1 + np.exp(-K / 10) + 0.01 * NOISE,
    "converged": np.exp(-K / 20.0),
    "healthy": 1 / (1 + K / 20) + 0.01 * NOISE,
    "uncertain": np.exp(-K[:8] / 3),
}


def quadratic(rate, noise=0.0, steps=STEPS):
    """The loss of gradient descent on λ/2 θ² with λ = 1, from θ = 1, on the same batches."""
    theta, losses = 1.0, []
    for k in range(steps):
        losses.append(theta**2 / 2 + noise * NOISE[k])
        theta -= rate * (theta + noise * NOISE[k])
    return np.array(losses)


@pytest.mark.parametrize("name", CURVES)
def test_a_curve_with_a_known_symptom_is_named(name):
    found = diagnose(CURVES[name])
    assert found.symptom.name == name
    assert found.remedy in ("decrease" if name == "diverging" else "uncertain")
    assert str(found).startswith(f"{name}: ")


@pytest.mark.parametrize("change", [lambda x: x + 1024, lambda x: 1000 * x, lambda x: x / 1000])
@pytest.mark.parametrize("name", CURVES)
def test_units_of_the_loss_do_not_change_what_is_found(name, change):
    siblings = {10: 0.5 * CURVES[name], 0.1: CURVES[name][::-1]}
    before = diagnose(CURVES[name], siblings)
    after = diagnose(change(CURVES[name]), {r: change(x) for r, x in siblings.items()})
    assert (after.symptom.name, after.remedy) == (before.symptom.name, before.remedy)


class TestDiverging:
    def test_rare_spikes_are_not_divergence(self):
        slow = 1 - K / 1e5 + 0.01 * NOISE
        jumps = np.where(K % 23 == 22, 30.0, 0.0) * (K > STEPS // 2)
        assert diagnose(slow + jumps).symptom.name != "diverging"
        assert diagnose(slow + jumps + 1.03**K / 100).symptom.name == "diverging"

    def test_a_loss_that_leaps_at_every_step_diverges_unless_it_comes_back_between(self):
        k = np.arange(30)
        leaps = 2 * np.exp(k * np.abs(NOISE[84:114]))
        below = np.full(30, 2.0)
        assert diagnose(leaps, {0.1: below}).symptom.name == "diverging"
        back = np.where(k % 4 == 3, leaps, 1.999)
        assert diagnose(back, {0.1: below}).symptom.name != "diverging"

    def test_a_dozen_steps_that_rise_with_their_batches_are_not_divergence(self):
        batches = np.array([0, 1, -1, 30, 0, 40, 10, 50, 30, 40, 30, 50]) / 1000
        assert diagnose(2 + batches).symptom.name != "diverging"
        assert diagnose(2.0 ** np.arange(12)).symptom.name == "diverging"

    def test_the_step_and_the_number_are_named(self):
        found = diagnose([2.0, 1.0, 0.5, np.nan, 0.1])
        assert found.symptom.name == "diverging"
        assert found.symptom.failed == (4, "loss", "")
        assert "loss was not finite at step 4" in str(found)

    def test_it_is_seen_before_the_loss_has_doubled(self):
        losses = quadratic(2.001, steps=340)
        assert losses[-1] < 2 * losses[0]
        assert diagnose(losses).symptom.name == "diverging"

    def test_a_tenth_of_the_learning_rate_is_significant_if_it_stays_finite(self):
        above = quadratic(2.5)
        for below, is_significant in ((quadratic(0.25), True), (np.array([1.0, np.inf]), False)):
            found = diagnose(above, {0.1: below})
            assert (found.remedy, found.verdict.is_significant) == ("decrease", is_significant)

    def test_an_excursion_that_came_back_needs_a_warmup(self):
        losses = np.exp(-K / 30.0)
        losses[2:20] += 8
        found = diagnose(losses, {10: [1.0, np.inf], 0.1: np.exp(-K / 300.0)})
        assert found.symptom.name != "diverging"
        assert found.symptom.peak > 5
        assert found.remedy == "warmup"


class TestNoProgress:
    def test_a_vanished_gradient_is_dead(self):
        record = {"loss": CURVES["no progress"], "grad_norm": np.exp(-K / 5.0)}
        assert diagnose(record).symptom.cause == "dead"

    def test_a_level_above_the_start_comes_from_too_large_a_learning_rate(self):
        losses = np.where(K < 10, 1.0, 1.5) + 0.1 * NOISE
        losses[STEPS // 2 :] -= 0.2
        found = diagnose(losses).symptom
        assert (found.name, found.cause) == ("no progress", "too large")

    def test_a_sibling_that_decreases_at_ten_times_the_learning_rate_shows_too_small_a_one(self):
        found = diagnose(quadratic(1e-5, 0.1), {10: quadratic(1e-4, 0.1)})
        assert found.symptom.name == "no progress"
        assert found.remedy != "decrease"
        found = diagnose(quadratic(1e-4, 0.1), {10: quadratic(1e-3, 0.1)})
        assert (found.symptom.cause, found.remedy) == ("too small", "increase")

    def test_if_no_learning_rate_has_learned_the_run_is_too_short(self):
        flat = CURVES["no progress"]
        found = diagnose(flat, {10: flat + 0.5, 0.1: flat + 1e-6})
        assert (found.remedy, found.verdict.factor) == ("uncertain", None)
        assert found.verdict.phrase() == "uncertain: run longer"
        assert str(found.verdict).startswith("Uncertain: run longer, as no learning rate is")


class TestSiblings:
    def test_each_of_several_runs_gets_the_remedy_towards_the_best_one(self):
        rates = {rate: quadratic(rate, 0.01) for rate in (1e-4, 1e-3, 1e-2, 1e-1, 1.0)}
        found = diagnose(rates)
        assert [found[rate].remedy for rate in (1e-4, 1e-3)] == ["increase", "increase"]
        assert found[1.0].remedy in ("keep", "decrease")
        assert [found[rate].remedy for rate in (1e-2, 1e-1)] == ["keep", "keep"]

    def test_one_run_has_the_same_diagnosis_as_among_several(self):
        runs = {rate: quadratic(rate, 0.01) for rate in (1e-3, 1e-2, 1e-1)}
        others = {rate: run for rate, run in runs.items() if rate != 1e-2}
        assert diagnose(runs)[1e-2] == diagnose(runs[1e-2], others, rate=1e-2)

    def test_ratios_replace_learning_rates(self):
        found = diagnose(quadratic(0.01), {10: quadratic(0.1), 0.1: quadratic(0.001)})
        assert found == diagnose({r: quadratic(r) for r in (0.001, 0.01, 0.1)})[0.01]

    def test_a_plateau_above_a_sibling_is_quick_and_at_the_lowest_is_converged(self):
        low, high = np.exp(-K / 10.0) + 0.01 * NOISE, CURVES["quick plateau"]
        assert diagnose(high, {0.1: 2 * low}).symptom.name == "quick plateau"
        assert diagnose(2 * low, {10: high}).symptom.name == "converged"

    def test_a_sibling_with_the_same_losses_is_equally_low(self):
        flat = np.zeros(STEPS)
        assert (
            str(diagnose(flat, {10: flat}).verdict)
            == "Keep the learning rate: × 10 is equally low."
        )

    def test_noise_alone_does_not_change_the_learning_rate(self):
        noise = np.random.default_rng(1).normal(size=(3, STEPS))
        x, y, z = np.exp(-K / 40.0) + 0.1 * noise
        found = diagnose(x, {10: y, 0.1: z})
        assert (found.remedy, found.verdict.is_significant) == ("keep", False)

    def test_runs_recorded_in_other_windows_are_compared_over_the_same_steps(self):
        fine, coarse = Curve(), Curve()
        for curve, rate, steps in ((fine, 0.01, 200), (coarse, 0.1, STEPS)):
            curve.record(quadratic(rate, steps=steps), np.zeros(steps), np.zeros(steps))
        assert fine.width < coarse.width
        assert diagnose(fine, {10: coarse}).remedy == "increase"


class TestValidationLosses:
    """Validation losses at steps 200 and 400 of a run at 1, and of siblings at 10 and 0.1."""

    def verdict(self, own, above, below):
        evaluations = {1.0: own, 10.0: above, 0.1: below}
        runs = {
            ratio: {"loss": quadratic(0.01 * ratio), "step": [0, 200, 400], "valid_loss": [2.0, *x]}
            for ratio, x in evaluations.items()
        }
        return diagnose(runs[1.0], {10: runs[10.0], 0.1: runs[0.1]}, rate=1.0).verdict

    def test_they_decide_and_the_training_losses_do_not(self):
        overfits = self.verdict((1.0, 1.1), (0.9, 1.5), (0.9, 1.0))
        assert (overfits.remedy, overfits.is_significant) == ("decrease", True)
        assert self.verdict((1.0, 0.8), (0.9, 0.7), (1.2, 1.0)).remedy == "increase"
        assert self.verdict((1.0, 0.8), (1.1, 0.9), (1.2, 1.0)).remedy == "keep"
        assert "× 10 is 0.4 higher in validation loss" in str(overfits)

    def test_the_lower_of_two_lower_ones_wins(self):
        assert self.verdict((1.0, 1.0), (0.9, 0.8), (0.9, 0.7)).remedy == "decrease"
        assert self.verdict((1.0, 1.0), (0.9, 0.7), (0.9, 0.8)).remedy == "increase"

    def test_a_hundredth_of_the_largest_decrease_is_no_difference(self):
        found = self.verdict((1.0, 1.0), (1.0, 0.995), (1.0, 1.2))
        assert (found.remedy, found.is_significant) == ("keep", False)

    def test_one_lower_evaluation_is_too_early_to_change_the_learning_rate(self):
        found = self.verdict((1.0, 0.8), (1.1, 0.7), (1.2, 1.0))
        assert (found.remedy, found.phrase()) == ("uncertain", "uncertain: run longer")
        assert str(found).startswith("Uncertain: run longer, as no learning rate is reliably")
        assert "× 10 is 0.1 lower in validation loss" in str(found)

    def test_a_rise_of_the_training_loss_in_all_runs_does_not_decrease_the_learning_rate(self):
        """The first batches are easier than the later ones, at every learning rate."""
        runs = {
            ratio: {"loss": 1.01**K + 0.01 * NOISE, "step": [0, 200, 400], "valid_loss": losses}
            for ratio, losses in ((10, [2, 1, 0.5]), (1, [2, 1.9, 1.8]), (0.1, [2, 1.99, 1.98]))
        }
        found = diagnose(runs[1], {10: runs[10], 0.1: runs[0.1]}, rate=1.0)
        assert (found.symptom.name, found.remedy) == ("diverging", "increase")

    def test_on_a_plateau_a_smaller_learning_rate_is_not_better_because_it_moves_less(self):
        def found(*rises):
            runs = {
                ratio: {"loss": 2 + 0.1 * NOISE, "step": [0, STEPS], "valid_loss": [2.0, 2 + rise]}
                for ratio, rise in zip((0.1, 1.0, 10.0), rises, strict=True)
            }
            return diagnose(runs[1.0], {r: runs[r] for r in (0.1, 10.0)}, rate=1.0).remedy

        assert (
            found(0.0, 0.002, 0.02) == "uncertain"
        )  # by less than a tenth of the noise of a batch
        assert found(0.0, 0.2, 0.5) == "decrease"
        # the smaller one decreased further than this one rose
        assert found(-0.01, 0.002, 0.02) == "decrease"

    def test_the_lower_of_the_weights_and_their_average_counts(self):
        history = History([{"loss": np.ones(60)}], [{"step": 0, "valid_loss": 3.0}])
        history.evaluations.append({"step": 40, "valid_loss": 2.0, "averaged_loss": 1.0})
        history.evaluations.append({"step": 60, "valid_loss": 0.5, "averaged_loss": 0.8})
        assert curve_of(history).evaluations.by_step == {0: 3.0, 40: 1.0, 60: 0.5}

    def test_a_curve_of_the_recipe_has_them(self):
        evaluations = [
            Evaluation(10, np.nan, -0.5),
            Evaluation(20, -0.7, -0.6),
            Evaluation(30, np.inf, -0.6),
        ]
        assert curve_of(Curve(evaluations=evaluations)).evaluations.by_step == {
            0: 0.0,
            10: -0.5,
            20: -0.7,
        }


class TestInputs:
    def test_a_result_and_its_history_have_the_same_diagnosis_at_the_recorded_learning_rate(self):
        run = lo.fit(BOWL, tx=lo.sgd(0.01), steps=40, batch_size=8)
        found = diagnose(run)
        assert found == diagnose(run.history) == diagnose(run.history["loss"], rate=0.01)
        assert found.symptom.name == "healthy"
        assert diagnose(run, {0.1: [2.0, 1e-9] * 20}).verdict.above.ratio == pytest.approx(10)

    @pytest.mark.parametrize("losses", [[1.0, 2.0], []])
    def test_the_error_of_a_run_names_the_step_and_the_quantity(self, losses):
        history = History([{"loss": np.array(losses)}] if losses else [])
        run = lo.fit(BOWL, tx=lo.sgd(0.01), steps=1, batch_size=8).run
        error = NonFiniteError("", dataclasses.replace(run, history=history), 3, "grad_norm")
        assert diagnose(error).symptom.failed == (4, "grad_norm", "")

    def test_a_curve_of_the_recipe_with_the_leaf_that_failed(self):
        curve = Curve(failed=(7, "grad_norm"), leaf="['w']")
        curve.record(np.ones(6), np.ones(6), np.ones(6))
        assert str(diagnose(curve)).startswith(
            "diverging: grad_norm of ['w'] was not finite at step 7."
        )

    def test_a_history_by_its_losses(self):
        history = History([{"loss": CURVES["healthy"]}])
        assert diagnose(history) == diagnose(CURVES["healthy"])

    @pytest.mark.parametrize(
        ("typed", "error", "words"),
        [
            (
                ("no/such.csv",),
                ValueError,
                "curves must be runs or paths of logs, got 'no/such.csv'",
            ),
            ((3.0,), TypeError, "got float"),
            ((np.ones((2, 2)),), TypeError, r"of shape \(2, 2\)"),
            (([],), ValueError, "must have one loss per step"),
            (({},), ValueError, "at least one run"),
            (({"valid_loss": [1.0]},), ValueError, 'must have the key "loss"'),
            (
                ({-1.0: [1.0]},),
                ValueError,
                "the learning rates of curves must be a finite number > 0",
            ),
            (([1.0], {0.0: [1.0]}), ValueError, "the learning rates of siblings must be a finite"),
            (([1.0], {1.0: [1.0]}), ValueError, "siblings must have other learning rates"),
            (({0.1: [1.0]}, {1.0: [1.0]}), ValueError, "siblings and rate belong to one run"),
            (([1.0], [1.0]), TypeError, "siblings must be {learning rate: run}, got list"),
        ],
    )
    def test_an_invalid_curve_raises(self, untyped, typed, error, words):
        with pytest.raises(error, match=words):
            diagnose(*typed)


NUMBERS = st.floats(width=32, allow_nan=False, allow_infinity=False)
LOSSES = arrays.arrays(np.float32, st.integers(1, 40), elements=NUMBERS)


@given(LOSSES, LOSSES, LOSSES)
def test_every_finite_curve_has_a_diagnosis(run, above, below):
    found = diagnose(run, {10: above, 0.1: below})
    assert isinstance(found, Diagnosis)
    assert found.symptom.name in (*CURVES, "uncertain")
    assert str(found)
