"""What the sections that measure say of methods whose answers are known."""

from functools import partial

import jax
import jax.numpy as jnp
import optax
import pytest

import lecture_optax as lo
from lecture_optax.testing.certification.candidate import candidate_of, ordinary_session
from lecture_optax.testing.certification.sections import SECTIONS


def measured(name, make):
    section = SECTIONS[name]
    with ordinary_session():
        numbers = section.measure(candidate_of(make))
    return numbers, "\n".join(section.lines(numbers))


@pytest.mark.parametrize(
    ("make", "loss", "params", "coordinates"),
    [
        (optax.sgd, 1, -1, -1),
        (partial(lo.sgd, momentum=0.9), 1, -1, -1),
        (partial(optax.adam, eps=0.0), 0, 0, 0),
        (optax.sign_sgd, 0, 0, 0),
        (partial(lo.rmsprop, eps=0.0), 0, 0, 0),
        (lambda: optax.chain(optax.scale_by_trust_ratio(), optax.scale(-0.1)), 0, 1, None),
        (lambda: optax.chain(optax.normalize_by_update_norm(), optax.scale(-0.1)), 0, 0, None),
    ],
)
def test_degrees_are_found(make, loss, params, coordinates):
    numbers, _ = measured("homogeneity", make)
    for key, degree in (("loss", loss), ("params", params)):
        (only,) = numbers[key]["ranges"]
        assert only["degree"] == degree
    assert numbers["coordinates"]["degree"] == coordinates


def test_a_root_has_a_degree_that_is_no_integer():
    def root():
        return optax.stateless(
            lambda updates, params: jax.tree.map(
                lambda g: -jnp.sign(g) * jnp.sqrt(jnp.abs(g)), updates
            )
        )

    numbers, text = measured("homogeneity", root)
    (only,) = numbers["loss"]["ranges"]
    assert only["degree"] == 0.5
    assert "c^0.5 times as large" in text


def test_a_clip_has_one_degree_below_its_bound_and_one_above():
    numbers, _ = measured("homogeneity", lambda: optax.chain(optax.clip(1.0), optax.scale(-1.0)))
    below, above = numbers["loss"]["ranges"]
    assert (below["degree"], above["degree"]) == (1, 0)
    assert below["to"] <= 1 <= above["from"]


def test_eps_ends_the_range_of_adam():
    (only,) = measured("homogeneity", optax.adam)[0]["loss"]["ranges"]
    assert 1e-7 < only["from"] < 1 and only["to"] == 1e8


def test_coordinates_are_told_apart():
    changes = {"rotated": 0, "permuted": 0, "reflected": 0, "translated": 0}

    def kept(make):
        numbers, _ = measured("homogeneity", make)
        return {name for name in changes if max(numbers[name].values()) <= 1e-5}

    assert kept(optax.sgd) == {*changes}
    assert kept(optax.adam) == {*changes} - {"rotated"}
    assert kept(lambda: optax.chain(optax.add_decayed_weights(0.1), optax.scale(-0.1))) == {
        *changes
    } - {"translated"}
    numbers, _ = measured("homogeneity", optax.contrib.muon)
    assert numbers["matrices_rotated"]["['w']"] < 1e-4 < numbers["rotated"]["['w']"]


def test_the_stability_edge_is_the_one_of_the_formula():
    numbers, text = measured("probes", partial(optax.sgd, momentum=0.9))
    assert numbers["largest_stable_curvature"]["value"] == pytest.approx(3.8 / 1e-3)
    assert "τλ = 3.8" in text
    assert numbers["frozen_edge"] is None


def test_the_worst_case_is_the_one_of_gradient_descent():
    numbers, text = measured("probes", optax.sgd)
    worst = numbers["worst_case"]
    assert worst["value"] == pytest.approx(worst["L"] / (4 * worst["steps"] + 2), rel=1e-4)
    assert "Worst case over convex losses" in text


def test_adaptive_methods_have_the_edge_of_their_frozen_d():
    numbers, text = measured("probes", optax.adam)
    assert numbers["frozen_edge"]["value"] == pytest.approx(38, rel=1e-2)
    assert "is not linear" in numbers["largest_stable_curvature"]["why_not"]
    assert "Stability edge: " in text


def test_a_norm_has_no_edge():
    numbers, _ = measured("probes", optax.lars)
    assert "divides a gradient by its own size" in numbers["frozen_edge"]["why_not"]


def test_the_first_step_of_adam_is_the_learning_rate_where_eps_is_small():
    numbers, text = measured("first_step", optax.adam)
    assert numbers["of_the_learning_rate"] == pytest.approx(1, rel=1e-4)
    assert numbers["descends"]
    assert "it is the same" in text


def test_ascent_is_seen_in_the_first_step():
    assert not measured("first_step", lambda: optax.scale(0.1))[0]["descends"]


def test_programs_are_counted():
    def rounded(learning_rate=0.1, digits=0.5):
        return optax.chain(optax.scale(-round(float(digits), 1)), optax.scale(learning_rate))

    numbers, text = measured("compilations", rounded)
    found = numbers["by_hyperparameter"]
    assert found["learning_rate"]["programs"] == 1
    assert found["digits"]["programs"] == numbers["values"]
    assert "digits cannot be data" in text


def test_a_state_that_changes_its_dtype_needs_a_second_program():
    def stale():
        def update_fn(updates, state, params=None):
            return jax.tree.map(jnp.negative, updates), state + jnp.float32(1)

        return optax.GradientTransformation(lambda params: jnp.zeros((), jnp.int32), update_fn)

    numbers, text = measured("compilations", stale)
    assert numbers["of_three_steps"] == 2
    assert "need 2 programs" in text


def test_a_cost_is_counted_on_a_tree_that_its_state_allows():
    numbers, _ = measured("cost", optax.sgd)
    assert numbers["parameters"] > 1e6
    by = lo.full_matrix(diagonal_above=10**8)
    full, text = measured("cost", lambda: lo.precondition(optax.identity(), by=by))
    assert full["parameters"] == 64
    assert "measurements of this machine" in text
