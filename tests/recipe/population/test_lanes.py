"""Arms that run as one program: the same search up to rounding, and the same bits when resumed."""

import importlib

import jax
import numpy as np
import pytest

from lecture_optax.recipe import run
from lecture_optax.recipe.population import lanes
from lecture_optax.recipe.population.worker import SearchWorker

from ..checkpoint.test_interruptions import Killed, assert_same
from ..problems import BATCH, STEPS, regression

worker = importlib.import_module("lecture_optax.recipe.population.worker")


def search(**options):
    options = {"budget": 4.5, "lanes": 3, "progress": False, **options}
    return run(regression(), steps=STEPS, batch_size=BATCH, **options)


@pytest.fixture(scope="module")
def vectorized():
    return search()


def test_lanes_select_what_single_arms_do(vectorized):
    alone = search(lanes=1)
    assert vectorized.selection.candidate[1:4] == alone.selection.candidate[1:4]
    assert vectorized.gradients == alone.gradients
    np.testing.assert_allclose(vectorized.params["w"], alone.params["w"], rtol=1e-5)
    for arm, curve in alone.history.items():
        assert vectorized.history[arm].step == curve.step
        np.testing.assert_allclose(vectorized.history[arm].means, curve.means, rtol=1e-3)


@pytest.mark.parametrize("chunk", [3, 8])
def test_a_search_that_was_killed_within_lanes_has_the_same_bits(
    vectorized, tmp_path, monkeypatch, chunk
):
    chunks, advance = [], worker.advance_arms

    def killed(*given):
        advance(*given)
        chunks.append(len(given[1]))
        if len(chunks) == chunk:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(worker, "advance_arms", killed)
        patch.setattr("lecture_optax.training.checkpoint.saver.FIRST", 0.0)
        patch.setattr("lecture_optax.training.checkpoint.saver.SHARE", 1e9)
        with pytest.raises(Killed):
            search(checkpoint=tmp_path)
    assert max(chunks) > 1
    assert_same(search(checkpoint=tmp_path), vectorized)


def test_a_search_resumes_with_as_many_lanes_as_it_was_saved_with(monkeypatch, tmp_path):
    ended = []
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    monkeypatch.setattr(lanes, "LANES", (3, 5))
    monkeypatch.setattr(lanes, "seconds", lambda *given: 1.0)  # three take as long as one
    together = SearchWorker.run_together
    monkeypatch.setattr(
        SearchWorker, "run_together", lambda *given: ended.append(given[-2]) or together(*given)
    )
    one = search(lanes=None, budget=1.0, checkpoint=tmp_path)
    assert set(ended) == {3}
    monkeypatch.undo()
    assert_same(search(lanes=None, budget=1.0, checkpoint=tmp_path), one)
    with pytest.raises(ValueError, match="lanes"):
        search(lanes=2, budget=1.0, checkpoint=tmp_path)
    with pytest.raises(ValueError, match="lanes must be 1 here, as an executor runs every arm"):
        search(lanes=None, budget=1.0, executor="devices", checkpoint=tmp_path)


def test_lanes_and_an_executor_are_refused():
    with pytest.raises(ValueError, match="lanes must be 1 here, as an executor runs every arm"):
        search(executor="devices")
    with pytest.raises(ValueError, match="lanes must be a whole number of arms >= 1"):
        search(lanes=0)
