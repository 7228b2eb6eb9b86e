"""Questions about problems of the benchmarks, answered by the workers of a Ray cluster."""

from functools import partial

import pytest

from benchmarks.problems.chosen import chosen
from benchmarks.problems.side_by_side import Question, answers
from lecture_optax.recipe import RayExecutor

from ...benchmarks.test_problems import echo, given

pytestmark = pytest.mark.ray


def test_workers_of_ray_answer_questions_about_problems(cluster):
    asked = [Question(name, seed) for name in ("matches", "clicks") for seed in (0, 1)]
    executor = RayExecutor(resources_per_arm={"two": 1})
    alone, others = (
        dict(answers(asked, partial(chosen, given()), echo, x)) for x in (None, executor)
    )
    assert alone == others and set(others) == set(asked)
