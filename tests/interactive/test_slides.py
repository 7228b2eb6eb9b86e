"""The slides: one for each formula of the table, and what each sentence says is so."""

import re
from pathlib import Path

import numpy as np
import pytest

from lecture_optax.interactive.engine import Engine
from lecture_optax.interactive.expression import read
from lecture_optax.interactive.landscapes import LANDSCAPES
from lecture_optax.interactive.slides import SLIDES

pytestmark = pytest.mark.usefixtures("standard_promotion")

TABLE = (Path(__file__).parents[2] / "docs/explanation/slides.md").read_text("utf-8")
SLIDE = {slide.slide: slide for slide in SLIDES}
ENGINE = Engine()


def test_there_is_one_for_each_row_of_the_table():
    table = TABLE.partition("| slide | formula | file |")[2].partition("\n\n")[0]
    rows = re.findall(r"^\| ([^|]+?) \|", table, re.M)
    assert [slide.slide for slide in SLIDES] == rows[1:] if rows[0] == "---" else rows


@pytest.mark.parametrize("slide", SLIDES, ids=lambda slide: slide.slide)
def test_a_sentence_says_what_to_drag_in_a_few_lines(slide):
    assert "rag" in slide.sentence or slide.slide == "the recipe"
    assert slide.sentence.endswith(".") and len(slide.sentence) <= 240
    assert slide.view in ("loss", "learning_rate", "update", "ratio", "modes", "region")


def shown(slide, *replacements, **changes):
    """Return the methods and the arrays of a slide, after something was dragged."""
    state = {**SLIDE[slide].state(), **changes}
    for old, new in replacements:
        assert any(old in text for text in state["methods"])
        state["methods"] = [text.replace(old, new) for text in state["methods"]]
    answer, arrays = ENGINE.answer({"ask": "run", "state": state})
    assert "error" not in answer, answer
    return answer["methods"], arrays


def distances(arrays, i, name="path"):
    """Return the distances to a minimum at 0 in the last quarter."""
    path = arrays[f"{name}.{i}"]
    return np.linalg.norm(path[3 * len(path) // 4 :], axis=1)


def test_a_batch_keeps_the_path_from_the_minimum():
    _, full = shown("the energy, divided by the number of examples")
    _, one = shown("the energy, divided by the number of examples", batch=1)
    assert distances(full, 0).mean() < 1e-3 < 0.1 < distances(one, 0).mean()


def test_momentum_is_faster_and_swings_past_the_minimum():
    methods, arrays = shown("momentum")
    assert arrays["loss.1"][-1] < arrays["loss.0"][-1] / 10
    limits = [method["predicted"]["limit"] for method in methods]
    np.testing.assert_allclose(limits, [2.0, 3.8], rtol=1e-9)
    radii = methods[1]["predicted"]["radii"]
    assert radii[0] > 0.9**0.5 + 0.01  # the flat direction: real eigenvalues, no swing
    (_, swinging), swings = shown("momentum", ("momentum=0.9", "momentum=0.98"))
    np.testing.assert_allclose(swinging["predicted"]["radii"], 0.98**0.5, rtol=1e-9)
    for modes, sides in ((arrays["modes.1"], 1), (swings["modes.1"], 2)):
        assert len(set(np.sign(modes[:, 0]))) == sides
    for rate, diverging in ((3.7, False), (3.9, True)):
        method = shown("momentum", ("0.1,", f"{rate},"))[0][1]
        assert (method["symptom"]["name"] == "diverging") == diverging
        assert (method["measured"] > 1) == diverging


def test_nesterov_damps_and_tolerates_less():
    methods, arrays = shown("Nesterov")
    limits = [method["predicted"]["limit"] for method in methods]
    np.testing.assert_allclose(limits, [3.8, 3.8 / 2.8], rtol=1e-9)
    assert round(limits[1], 3) == 1.357
    rises = [(np.diff(arrays[f"loss.{i}"]) > 0).sum() for i in range(2)]
    assert rises[1] < rises[0] and arrays["loss.1"][-1] < arrays["loss.0"][-1]
    for rate, diverging in ((1.3, False), (1.4, True)):
        heavy_ball, nesterov = shown("Nesterov", ("sgd(1.0", f"sgd({rate}"))[0]
        assert heavy_ball["symptom"]["name"] != "diverging"
        assert (nesterov["symptom"]["name"] == "diverging") == diverging


def test_a_restart_makes_a_large_momentum_useful():
    _, large = shown("restart if the velocity points uphill")
    _, small = shown("restart if the velocity points uphill", ("0.99", "0.9"))
    assert (np.diff(large["loss.0"]) > 0).sum() > 4 * (np.diff(large["loss.1"]) > 0).sum()
    assert large["loss.0"][-1] > 100 * small["loss.0"][-1]
    assert large["loss.1"][-1] < small["loss.0"][-1]


def test_adagrad_descends_between_steep_walls():
    for steepness in (10.0, 30.0, 100.0):
        _, arrays = shown("AdaGrad", controls={"steepness": steepness})
        across = [np.abs(arrays[f"path.{i}"][100:, 1]).mean() for i in range(2)]
        assert across[1] < across[0] / 30
    _, gentle = shown("AdaGrad", controls={"steepness": 3.0})
    assert np.abs(gentle["path.0"][100:, 1]).max() < 1e-6


def test_the_steps_of_adagrad_shrink_and_those_of_rmsprop_do_not():
    _, arrays = shown("RMSProp")
    early, late = (
        [arrays[f"update.{i}"][part].mean() for i in range(2)]
        for part in (slice(50, 150), slice(400, 500))
    )
    assert late[0] < 0.7 * early[0]
    np.testing.assert_allclose(arrays["update.1"][-50:], 2**0.5 * 0.05, rtol=1e-3)
    assert round(2**0.5 * 0.05, 3) == 0.071
    _, twice = shown("RMSProp", ("0.05", "0.1"))
    assert twice["update.1"][400:].mean() / late[1] == pytest.approx(2.0, rel=0.1)


def test_epsilon_inside_the_root_acts_like_its_root_outside():
    methods, arrays = shown("the position of ε")
    outside, inside, as_large = (arrays[f"update.{i}"][-50:].mean() for i in range(3))
    assert inside == pytest.approx(outside, rel=0.1)
    assert as_large > 5 * outside
    assert methods[1]["measured"] == pytest.approx(methods[0]["measured"], abs=1e-3)


def test_the_average_with_ten_times_the_learning_rate_takes_the_same_path():
    _, arrays = shown("Adam's velocity")
    np.testing.assert_allclose(arrays["path.0"], arrays["path.1"], atol=1e-5)
    _, apart = shown("Adam's velocity", ("first_moment(0.9)", "first_moment(0.8)"))
    assert np.abs(apart["path.0"] - apart["path.1"]).max() > 0.1


def test_without_bias_correction_the_first_step_is_3_2_times_as_long():
    for b2, factor, longest in ((0.999, 0.1 / 0.001**0.5, 0.65), (0.99, 1.0, 0.25)):
        _, arrays = shown("bias correction", ("0.999", f"{b2}"))
        assert arrays["update.1"][0] / arrays["update.0"][0] == pytest.approx(factor, rel=1e-4)
        assert arrays["update.1"].max() == pytest.approx(longest, abs=0.005)
    assert round(0.1 / 0.001**0.5, 1) == 3.2


def test_amsgrad_keeps_its_short_steps():
    def last(*replacements):
        _, arrays = shown("Adam and its variants", *replacements)
        return np.array([arrays[f"update.{i}"][-50:].mean() for i in range(3)])

    before, after = last(), last(("0.999", "0.9"))
    assert (after[:2] > 3 * before[:2]).all() and (after[:2] > 10 * after[2]).all()
    assert after[2] == pytest.approx(before[2], rel=0.1)


def test_the_best_learning_rate_and_the_largest_stable_one():
    rates = {}
    for rate in (0.1, 1.9, 1.97, 1.98, 1.99, 2.0, 2.1):
        (method,), _ = shown("the learning rate", ("0.1", f"{rate}"))
        rates[rate] = method["predicted"]["rate"]
        assert (method["symptom"]["name"] == "diverging") == (rate > 2.0)
    best = 2 / 1.01
    assert round(best, 2) == min(rates, key=rates.__getitem__) == 1.98
    assert method["predicted"]["limit"] == pytest.approx(2.0)


def test_a_decay_lets_the_path_in_unless_it_is_too_large():
    _, arrays = shown("1/k")
    assert distances(arrays, 1).mean() < distances(arrays, 0).mean() / 3
    _, stopped = shown("1/k", ("decay_rate=0.02", "decay_rate=1.0"))
    assert distances(stopped, 1).mean() > 2 * distances(stopped, 0).mean()
    assert stopped["update.1"][-100:].max() < 1e-2


def test_a_warm_restart_returns_to_the_first_learning_rate_and_to_the_noise():
    _, arrays = shown("warm restarts")
    rates = arrays["learning_rate.0"]
    assert np.flatnonzero(np.isclose(rates, rates[0])).tolist() == [0, 40, 120]
    steps, losses = arrays["update.0"], arrays["loss.0"]
    for restart, rise in ((40, 1.9), (120, 20)):
        before, after = slice(restart - 10, restart), slice(restart, restart + 20)
        assert steps[after][:10].mean() > 10 * steps[before].mean()
        assert losses[after].mean() > rise * losses[before].mean()


def test_the_average_is_closer_to_the_minimum_than_the_path():
    def averages(eta):
        _, arrays = shown("an average instead of a decay", ("8.0", eta))
        start = np.linalg.norm(arrays["average.0"][30])
        return start, distances(arrays, 0, "average").mean(), distances(arrays, 0).mean()

    found = [averages(eta) for eta in ("0.0", "8.0", "32.0")]
    for _, average, path in found:
        assert average < path / 2
    assert found[0][0] > found[1][0] > found[2][0]  # a larger η forgets the start sooner,
    assert found[1][1] < found[2][1]  # and keeps more noise


def test_newton_halves_the_distance_whatever_the_condition_number_and_the_rotation():
    paths = []
    for condition, rotation in ((100.0, 30.0), (10.0, 0.0), (1000.0, 80.0)):
        controls = {"condition": condition, "rotation": rotation}
        methods, arrays = shown("D as a matrix", controls=controls)
        assert methods[2]["measured"] == pytest.approx(0.5, abs=1e-3)
        paths.append([arrays[f"path.{i}"][:20] for i in range(3)])
    start = paths[0][2][0]
    for gradient_descent, adam, newton in paths:
        np.testing.assert_allclose(newton, start * 0.5 ** np.arange(20)[:, None], atol=1e-4)
        if gradient_descent is not paths[0][0]:
            assert np.abs(gradient_descent - paths[0][0]).max() > 0.1
            assert np.abs(adam - paths[0][1]).max() > 0.1


def test_the_recipe_would_choose_the_middle_one():
    methods, arrays = shown("the recipe")
    last = [arrays[f"loss.{i}"][-1] for i in range(3)]
    assert last[1] < last[0] / 10
    assert methods[2]["symptom"]["name"] == "diverging"


@pytest.mark.parametrize("slide", SLIDES, ids=lambda slide: slide.slide)
def test_what_is_to_be_dragged_is_a_handle_under_that_name(slide):
    state = slide.state()
    labels = [handle.label for text in state["methods"] for handle in read(text).handles]
    labels += [handle.label for handle in LANDSCAPES[state["landscape"]].controls]
    symbols = {word for label in labels for word in label.split()}
    drag = slide.sentence.partition("Drag")[2]
    assert set(re.findall(r"(?<!')\b(?:τ|μ|β₁|β₂|η|ε|s|d)\b", drag)) <= symbols
