"""The policy as ask and tell, on made-up outcomes: nothing is trained."""

import random

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

from lecture_optax.recipe.population.arms import Arm
from lecture_optax.recipe.population.curve import Evaluation
from lecture_optax.recipe.search.journal import Outcome
from lecture_optax.recipe.search.policy import next_segments

STEPS, GAINS = 100, (None, 10.0)


def noise(seed, arm, step, scale=1.0):
    return scale * random.Random(f"{seed} {arm} {step}").uniform(-1, 1)


def smooth(seed, arm, step):
    """A quadratic over log learning rates, best at another one for every seed."""
    best = -8 + 6 * noise(seed, arm.optimizer, 0)
    bad = ((arm.quarter_decades - best) / 8) ** 2
    return step, -((step / STEPS) ** 0.5) * max(-1.0, 1 - bad) * (1.1 if arm.decay else 1.0)


def unlike(seed, arm, step):
    """Losses without any order, and arms that diverge at some step."""
    end = random.Random(f"{seed} {arm}").randint(1, 3 * STEPS)
    return min(step, max(arm.begin + 1, end)), noise(seed, arm, step)


def overfits(seed, arm, step):
    return step, step / STEPS - 0.1 + noise(seed, arm, step, 0.01)


def diverges(seed, arm, step):
    return arm.begin + 1, np.inf


def flat(seed, arm, step):
    return step, 0.0


COURSES = [smooth, unlike, overfits, diverges, flat]
searches = st.builds(
    dict,
    course=st.sampled_from(COURSES),
    seed=st.integers(0, 999),
    budget=st.sampled_from([0.5, 1.0, 1.5, 3.0, 4.5]),
)


def outcome_of(course, seed, arm, start, end):
    """Return the outcome of a segment: evaluations every twentieth, the first without raw."""
    reached, _ = course(seed, arm, end)
    evaluations = [
        Evaluation(k, np.nan if k < 0.09 * STEPS else loss, loss, abs(loss))
        for k in sorted({*range(5, end, 5), end})
        if start < k <= reached and np.isfinite(loss := course(seed, arm, k)[1])
    ]
    return Outcome(reached, reached == end, tuple(evaluations), 1.0, 0.1 * arm.rate)


def rounds(course, seed, budget, steps=STEPS, shuffled=False):
    """Search. Yield the journal and the segments of every round, and check what they cost."""
    outcomes, reached, spent, limit = {}, {}, 0, int(budget * steps)
    for _ in range(200):
        known = list(outcomes.items())
        random.Random(seed).shuffle(known) if shuffled else None
        journal, segments = next_segments(dict(known), steps, limit, GAINS)
        assert journal.spent == spent
        yield journal, segments
        if not segments:
            return
        starts = [reached.get(x.arm, x.arm.begin) for x in segments]
        assert all(start < x.end for start, x in zip(starts, segments, strict=True))
        assert spent + sum(x.end for x in segments) - sum(starts) <= limit
        for start, segment in zip(starts, segments, strict=True):
            arm = segment.arm
            parent = arm._replace(decay=None)
            has_failed = any(not x.is_finite for y, x in outcomes.items() if y.arm == parent)
            assert arm.decay is None or reached[parent] - has_failed >= arm.begin
            outcomes[segment] = found = outcome_of(course, seed, arm, start, segment.end)
            reached[arm], spent = found.step, spent + found.step - start
    raise AssertionError("it does not end")


@settings(max_examples=10, deadline=None)
@given(searches)
def test_it_never_asks_beyond_the_budget_and_it_ends(search):
    for _, segments in rounds(**search):
        assert len({x.arm for x in segments}) == len(segments)
        assert all(x.end <= STEPS for x in segments)


@settings(max_examples=3, deadline=None)
@given(searches)
def test_the_order_in_which_segments_ended_does_not_matter(search):
    asked = [segments for _, segments in rounds(**search)]
    assert asked == [segments for _, segments in rounds(**search, shuffled=True)]


@settings(max_examples=5, deadline=None)
@given(searches, st.integers(0, 3))
def test_while_one_segment_runs_the_others_of_its_round_are_asked_for_again(search, which):
    course, seed, budget = search["course"], search["seed"], search["budget"]
    _, first = next_segments({}, STEPS, int(budget * STEPS), GAINS)
    done = first[which % len(first)]
    outcomes = {done: outcome_of(course, seed, done.arm, 0, done.end)}
    journal, rest = next_segments(outcomes, STEPS, int(budget * STEPS), GAINS)
    assert rest == [x for x in first if x != done]
    assert journal.asked == dict(first)


def test_the_hash_of_an_arm_decides_nothing(monkeypatch):
    """Arms hold None, whose hash is another one in another process."""
    asked = [segments for _, segments in rounds(unlike, 1, 4.5)]
    monkeypatch.setattr(Arm, "__hash__", lambda arm: hash((7, *map(str, arm))), raising=False)
    assert asked == [segments for _, segments in rounds(unlike, 1, 4.5)]


@pytest.mark.parametrize("course", COURSES)
def test_the_longest_chain_of_a_budget_of_four_and_a_half_is_shorter_than_two_runs(course):
    *_, (journal, _) = rounds(course, 5, 4.5)
    assert journal.chain <= 1.9 * STEPS


@pytest.mark.parametrize("seed", range(2))
def test_the_second_optimizer_is_tried_at_a_budget_of_three(seed):
    *_, (journal, _) = rounds(smooth, seed, 3.0)
    assert {arm.optimizer for arm in journal.arms} == {0, 1}
    assert any(x.step == STEPS for x in journal.arms.values())


@pytest.mark.parametrize(("steps", "budget"), [(2, 1.0), (7, 1.0), (7, 4.5), (19, 3.0)])
def test_a_short_run_is_trained(steps, budget):
    *_, (journal, _) = rounds(smooth, 0, budget, steps=steps)
    assert journal.arms and journal.spent <= budget * steps


@pytest.mark.parametrize("worse", [1, 2])
def test_only_two_evaluations_in_a_row_are_overfitting(worse):
    """Every arm is worse at its last evaluations before a mark, and would be best again."""

    def course(seed, arm, step):
        dips = step in [80, 75][:worse] and arm.decay is None
        return step, 0.5 if dips else smooth(seed, arm, step)[1]

    journals = [journal for journal, _ in rounds(course, 3, 1.5)]
    ran_on = [arm for arm, x in journals[-1].arms.items() if x.step == STEPS and not arm.decay]
    assert bool(ran_on) == (worse == 1)
