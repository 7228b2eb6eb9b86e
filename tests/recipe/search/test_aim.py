"""The estimate of the learning rate that will be best at the end."""

import math

import pytest
from hypothesis import given, strategies as st

from lecture_optax.recipe.search.aim import Progress, aim, curvature, drift, scores_of, vertex

finite = st.floats(-10, 10)
levels = st.dictionaries(
    st.integers(-24, 8), st.builds(Progress, finite, st.floats(0, 10)), min_size=1, max_size=6
)


@pytest.mark.parametrize(("fraction", "quarters"), [(0.1, 1.0), (0.01, 2.0), (1.0, 0.0)])
def test_the_best_learning_rate_falls_with_the_fourth_root_of_time(fraction, quarters):
    assert drift(fraction) == pytest.approx(quarters)


def test_the_vertex_of_a_parabola_is_found():
    scores = {q: -((q + 7.3) ** 2) / 50 for q in (-12, -8, -4)}
    assert vertex(scores) == pytest.approx(-7.3)
    assert curvature(scores) == pytest.approx(1 / 50)
    assert aim(scores, 0.1) == pytest.approx(-8.3)


@given(levels)
def test_the_vertex_lies_beside_the_best_score(level):
    scores = scores_of(level, 0.05, -8, 1.0)
    best = max(sorted(scores), key=lambda q: scores[q])
    above = [q for q in scores if q > best]
    below = [q for q in scores if q < best]
    assert vertex(scores) <= ((best + min(above)) / 2 if above else best + 1)
    assert vertex(scores) >= ((best + max(below)) / 2 if below else best)


@given(levels, st.sampled_from([1e-3, 7.0, 1e4]))
def test_the_unit_of_the_loss_does_not_matter(level, unit):
    scaled = {q: Progress(x.decrease * unit, x.movement * unit) for q, x in level.items()}
    scores, others = scores_of(level, 0.05, -8, 1.0), scores_of(scaled, 0.05, -8, unit)
    assert all(math.isclose(scores[q], others[q], rel_tol=1e-6, abs_tol=1e-6) for q in scores)


def test_on_a_plateau_the_usual_learning_rate_scores_best():
    level = {q: Progress(0.001 * (q + 20), 1.0) for q in (-16, -12, -8, -4, 0)}
    scores = scores_of(level, 1.0, -8, 1.0)
    assert max(scores, key=lambda q: scores[q]) == -8


def test_a_clear_decrease_is_not_pulled():
    level = {q: Progress(x, x) for q, x in {-16: 0.2, -12: 1.0, -8: 0.5}.items()}
    scores = scores_of(level, 1.0, -8, 1.0)
    assert scores[-12] == pytest.approx(1.0)
    assert scores[-8] == pytest.approx(0.5)
