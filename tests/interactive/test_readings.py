"""What is read off a run: predicted and measured rates, regions, symptoms and modes."""

import numpy as np
import pytest

import lecture_optax as lo
from lecture_optax.interactive.expression import build, read
from lecture_optax.interactive.gallery import AVERAGE, METHODS
from lecture_optax.interactive.landscapes import LANDSCAPES, curvature_at_minimum
from lecture_optax.interactive.readings import (
    FORMS,
    MEANINGS,
    MOMENTA,
    PRODUCTS,
    predicted,
    rate_of,
    readings_of,
    region,
)
from lecture_optax.interactive.simulation import Programs
from lecture_optax.theory.probes.loop import Family
from lecture_optax.training.curves.symptoms import _PHRASES

pytestmark = pytest.mark.usefixtures("standard_promotion")

CURVATURES = np.array([0.01, 0.3, 1.0])
LINEAR = {
    "lo.sgd(0.3)": "heavy ball",
    "lo.sgd(0.3, momentum=0.9)": "heavy ball",
    "lo.sgd(0.3, momentum=0.0)": "heavy ball",
    "lo.chain(lo.scale_by_learning_rate(0.3), lo.trace(0.7))": "heavy ball",
    "lo.sgd(0.3, momentum=0.9, nesterov=True)": "Nesterov",
    f"lo.chain(lo.sgd(0.3, momentum=0.9, nesterov=True), {AVERAGE})": "Nesterov",
    "lo.chain(lo.first_moment(0.9), lo.scale_by_learning_rate(3.0))": "heavy ball",
    "lo.chain(optax.add_decayed_weights(0.1), lo.sgd(0.3, momentum=0.5))": None,
    "lo.chain(lo.first_moment(0.5), lo.nesterov_trace(0.5), lo.scale_by_learning_rate(0.3))": None,
}


def expression_with(text, numbers):
    """Return the expression with other numbers in the place of its own."""
    expression = read(text)
    for handle, value in reversed(list(zip(expression.handles, numbers, strict=True))):
        text = text[: handle.begin] + repr(value) + text[handle.end :]
    return read(text)


@pytest.mark.parametrize("text", LINEAR)
def test_the_prediction_is_that_of_the_theory_also_with_other_numbers(text):
    first = read(text)
    assert predicted(first, CURVATURES)
    expression = expression_with(text, [0.5 * x for x in first.numbers])
    found = predicted(expression, CURVATURES)
    tx = build(expression.structure, expression.numbers)
    radii = lo.theory.contraction(tx, CURVATURES)
    np.testing.assert_allclose(found["radii"], radii, rtol=0, atol=1e-9)
    assert found["rate"] == max(found["radii"])
    if "add_decayed" not in text:  # there τ multiplies the decay as well
        edge = lo.theory.largest_stable_curvature(tx) / CURVATURES[-1]
        rate = next(h.value for h in expression.handles if h.name == "learning_rate")
        assert found["limit"] == pytest.approx(rate * edge, rel=1e-9)


@pytest.mark.parametrize("text", LINEAR)
def test_above_the_limit_a_method_diverges_and_below_it_does_not(text):
    expression = read(text)
    limit = predicted(expression, CURVATURES)["limit"]
    i = next(i for i, h in enumerate(expression.handles) if h.name == "learning_rate")
    for factor, diverges in ((1 - 1e-6, False), (1 + 1e-6, True)):
        numbers = [*expression.numbers]
        numbers[i] = factor * limit
        assert (predicted(expression_with(text, numbers), CURVATURES)["rate"] > 1) == diverges


@pytest.mark.parametrize("text", LINEAR)
def test_a_point_has_the_radius_of_the_method(text):
    found = predicted(read(text), CURVATURES)
    assert found["form"] == LINEAR[text]
    assert len(found["points"]) == (len(CURVATURES) if found["form"] else 0)
    if found["form"]:
        products, momenta = np.transpose(found["points"])
        assert len(set(momenta)) == 1
        tx = lo.sgd(1.0, momentum=momenta[0], nesterov=found["form"] == "Nesterov")
        radii = lo.theory.contraction(tx, products)
        np.testing.assert_allclose(found["radii"], radii, rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    "text",
    [
        *(METHODS[title] for title in ("Nesterov with restart", "Adam", "Newton")),
        "lo.chain(optax.clip(1.0), lo.sgd(0.1))",
        "lo.sgd(lo.schedules.cosine(0.1, total_steps=200))",
        "lo.sgd(lo.schedules.step(0.1, [1000]))",  # linear, and the same for 1000 steps
        "lo.sgd(0.1, momentum=lo.schedules.momentum_fista())",
    ],
)
def test_what_is_not_linear_or_has_a_schedule_has_no_prediction(text):
    assert predicted(read(text), CURVATURES) is None


def test_a_clip_that_binds_has_no_prediction_whatever_was_predicted_before():
    text = "lo.chain(optax.clip({}), lo.sgd(0.1))"
    assert predicted(read(text.format(1e9)), CURVATURES)
    assert predicted(read(text.format(1.0)), CURVATURES) is None
    assert predicted(read(text.format(1e9)), CURVATURES)


def test_a_method_that_ascends_has_no_form():
    for text, limit in (
        ("lo.trace(0.9)", None),
        ("lo.scale_by_learning_rate(0.1, flip_sign=False)", 0.0),
    ):
        found = predicted(read(text), CURVATURES)
        assert found["rate"] > 1 and found["form"] is None
        assert found["points"] == [] and found["limit"] == limit


@pytest.mark.parametrize("form", FORMS)
def test_a_region_is_the_spectral_radius_of_its_form(form):
    radius = region(form)
    assert radius.shape == (len(MOMENTA), len(PRODUCTS))
    assert (len(PRODUCTS), PRODUCTS[0], PRODUCTS[-1]) == (81, 0.0, 4.0)
    for row in (0, 49):
        tx = lo.sgd(1.0, momentum=MOMENTA[row], nesterov=form == "Nesterov")
        np.testing.assert_allclose(radius[row], lo.theory.contraction(tx, PRODUCTS), atol=1e-9)


RUNS = Programs()


def readings(text, name="quadratic", steps=1000, batch=64, **controls):
    landscape, expression = LANDSCAPES[name], read(text)
    controls = {h.name: h.value for h in landscape.controls} | controls
    trace = RUNS.run(expression, landscape, controls, landscape.start, batch=batch, steps=steps)
    return trace, readings_of(expression, landscape, controls, batch, trace)


@pytest.mark.parametrize("condition", [10.0, 100.0, 1000.0])
@pytest.mark.parametrize(
    "text",
    [
        "lo.sgd({})",
        "lo.sgd({}, momentum=0.9)",
        "lo.sgd({}, momentum=0.99)",
        "lo.sgd({}, momentum=0.9, nesterov=True)",
    ],
)
def test_the_measured_rate_is_the_predicted_one(text, condition):
    for rate in (0.1, 0.5, 1.2, 3.9):
        _, (record, _) = readings(text.format(rate), condition=condition)
        predicted_rate = record["predicted"]["rate"]
        # of complex eigenvalues, one sees the envelope through eight pieces
        assert record["measured"] == pytest.approx(predicted_rate, abs=1e-3)


def test_a_rate_is_measured_before_the_rounding_floor():
    k = np.arange(1000)
    distances = np.maximum(0.9**k, 1e-7)
    assert rate_of(distances, floor=1e-6) == pytest.approx(0.9)
    assert rate_of(0.9**k * np.abs(np.cos(0.3 * k)), 1e-30) == pytest.approx(0.9, abs=1e-3)
    assert rate_of(1.1**k, 1e-30) == pytest.approx(1.1)


def test_a_rate_has_no_meaning_with_noise_or_in_few_steps():
    text = "lo.sgd(0.5)"
    assert readings(text, steps=10)[1].record["measured"] is None
    assert readings(text, "noisy_quadratic", batch=8)[1].record["measured"] is None


@pytest.mark.parametrize("condition", [10.0, 100.0, 1000.0])
def test_the_rounding_of_the_examples_is_no_part_of_the_rate(condition):
    _, (record, _) = readings("lo.sgd(1.0)", "noisy_quadratic", 2000, condition=condition)
    assert record["measured"] == pytest.approx(record["predicted"]["rate"], abs=1e-3)


def test_the_rate_at_a_saddle_is_that_of_the_loss():
    trace, (record, _) = readings("lo.sgd(0.1)", "saddle")
    np.testing.assert_allclose(trace.path[-1], [0.0, 1.0], atol=1e-6)
    assert record["measured"] == pytest.approx(0.9, abs=0.02)  # 1 - τλ, λ = 1


def test_the_modes_are_the_distances_along_the_eigenvectors():
    trace, (_, arrays) = readings("lo.sgd(0.5)", steps=50)
    flat, steep = arrays["modes"].T
    k = np.arange(51)
    np.testing.assert_allclose(flat, flat[0] * 0.995**k, rtol=1e-4)
    np.testing.assert_allclose(steep, steep[0] * 0.5**k, rtol=1e-4, atol=1e-7)
    np.testing.assert_allclose(
        np.linalg.norm(arrays["modes"], axis=1), np.linalg.norm(trace.path, axis=1), rtol=1e-5
    )


def test_the_modes_count_from_the_minimum():
    trace, (_, arrays) = readings("lo.sgd(0.1)", "rosenbrock", steps=5)
    curvature = curvature_at_minimum(LANDSCAPES["rosenbrock"], {"steepness": 20.0})
    np.testing.assert_allclose(
        curvature.minimum + arrays["modes"] @ curvature.vectors.T, trace.path, atol=1e-6
    )


@pytest.mark.parametrize(
    ("text", "name", "steps", "symptom"),
    [
        ("lo.sgd(2.1)", "quadratic", 200, "diverging"),
        ("lo.sgd(1.9, momentum=0.9)", "quadratic", 200, "converged"),
        ("lo.sgd(0.1)", "rosenbrock", 500, "healthy"),
        ("lo.sgd(0.1)", "quadratic", 5, "uncertain"),
        ("lo.sgd(0.0)", "quadratic", 100, "no progress"),
        ("lo.sgd(0.5)", "noisy_quadratic", 1000, "quick plateau"),
    ],
)
def test_the_symptom_is_that_of_diagnose(text, name, steps, symptom):
    trace, (record, _) = readings(text, name, steps, batch=8)
    found = lo.recipe.diagnose(trace.loss).symptom
    assert record["symptom"] == {"name": found.name, "text": MEANINGS[symptom]}
    assert found.name == symptom


def test_each_symptom_of_one_curve_has_a_meaning():
    assert set(MEANINGS) == set(_PHRASES) - {"overfitting"}  # which needs a validation loss


@pytest.mark.parametrize(("steps", "is_enough"), [(10, False), (11, True)])
def test_the_fewest_steps_are_named(steps, is_enough):
    symptom = readings("lo.sgd(0.1)", steps=steps)[1].record["symptom"]
    assert "(11 are needed)" in MEANINGS["uncertain"]
    assert (symptom["name"] != "uncertain") == is_enough


def test_a_run_that_overflows_tells_the_step():
    trace, (record, _) = readings("lo.sgd(10.0)", steps=500)
    step = record["diverged_at"]
    assert not np.isfinite(trace.loss[step]) and np.isfinite(trace.loss[:step]).all()
    assert record["symptom"]["name"] == "diverging"
    assert record["symptom"]["text"].endswith(f"at step {step}")
    assert readings("lo.sgd(0.1)", steps=500)[1].record["diverged_at"] is None


def test_the_loop_of_a_family_is_traced_once():
    structure, traces = read("lo.sgd(0.1, momentum=0.9)").structure, []

    def counted(numbers):
        traces.append(numbers)
        return build(structure, numbers)

    family = Family(counted)
    family.settled_loop((0.1, 0.9))
    first = len(traces)
    for momentum in (0.0, 0.5, 0.999):  # 0.0: the velocity feeds back no longer
        loop = family.settled_loop((0.3, momentum))
        tx = lo.sgd(0.3, momentum=momentum)
        matrix = lo.theory.iteration_matrix(tx, 0.7)
        np.testing.assert_allclose(loop.closed(np.array([[0.7]])), matrix, rtol=0, atol=1e-12)
    assert len(traces) == first
