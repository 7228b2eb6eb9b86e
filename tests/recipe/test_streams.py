"""A search on batches that stream: the same pick as on arrays, wherever and however often read."""

import dataclasses
import functools
import itertools
import pickle

import chex
import grain
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import lecture_optax as lo
from lecture_optax.recipe import run
from lecture_optax.training.checkpoint import saver
from lecture_optax.training.compiled.row_order import batch_rows
from lecture_optax.training.compiled.step import keys_of
from lecture_optax.training.conversion import batches as conversion
from lecture_optax.training.loop.sources import batches_of
from lecture_optax.training.loop.streams import READERS, SharedStream

from .problems import BATCH, STEPS, regression

OPTIONS = {"steps": STEPS, "progress": False}
TRAIN = regression().train


@functools.cache
def order(seed):
    """The rows of every batch of a run on arrays."""
    key = keys_of(jax.random.key(seed))[0]
    rows = jax.jit(jax.vmap(lambda step: batch_rows(key, step, 48, BATCH)))(jnp.arange(STEPS))
    return np.asarray(rows)


def batches(seed):
    for rows in order(seed):
        yield {name: x[rows] for name, x in TRAIN.items()}


def pipeline(seed):
    return grain.MapDataset.source(list(batches(seed))).repeat()


STREAMS = {
    "function": lambda: batches,
    "grain": lambda: pipeline(0).to_iter_dataset(grain.ReadOptions(num_threads=0)),
}


def on(stream, **options):
    problem = dataclasses.replace(regression(), train=stream)
    return run(problem, **{**OPTIONS, "budget": 3.0, **options})


def picks(result):
    """Which arms ran, how far, and what was selected."""
    found = result.selection.candidate
    steps = {arm: curve.step for arm, curve in result.history.items()}
    return list(steps.items()), (found.arm, found.step, found.is_average)


@pytest.fixture(scope="module")
def arrays():
    return run(regression(), **OPTIONS, batch_size=BATCH, budget=3.0)


@pytest.mark.parametrize("kind", STREAMS)
def test_a_stream_has_the_pick_of_the_same_batches_as_arrays(kind, arrays):
    problem = dataclasses.replace(regression(), train=STREAMS[kind]())
    result = lo.fit(problem, **OPTIONS, budget=3)
    assert picks(result.search) == picks(arrays)
    chex.assert_trees_all_close(result.params, arrays.params, rtol=1e-4)
    assert "batch_size" not in result.search.code


def program_and_carry():
    problem = dataclasses.replace(regression(), train=next(batches(0)))
    program = lo.training.Program.of(problem, lo.sgd(1e-2), batch_size=BATCH)
    return program, program.init()


def losses(stream, program, carry, *steps):
    found = []
    for n in steps:
        carry, table, *_ = stream.advance(program, carry, n)
        found += np.asarray(table)[:n, 0].tolist()
    return found, carry


@pytest.mark.parametrize("kind", STREAMS)
def test_which_batches_a_run_takes_follows_from_its_step(kind):
    program, carry = program_and_carry()
    stream = SharedStream(batches_of(STREAMS[kind](), 0, 1))
    each = [jax.tree.map(jnp.copy, carry) for _ in range(3)]
    usual, _ = losses(stream, program, each[0], 20)
    one, middle = losses(stream, program, each[1], 3, 5)
    two, _ = losses(stream, program, each[2], 8, 2)
    rest, _ = losses(stream, program, middle, 12)
    assert two == usual[:10] and one + rest == usual


def test_few_readers_are_open_and_closed_ones_are_not_needed():
    read = []

    def counted(seed):
        for i, batch in enumerate(batches(seed)):
            read.append(i)
            yield batch

    program, carry = program_and_carry()
    stream = SharedStream(batches_of(counted, 0, 1))
    waiting = [jax.tree.map(jnp.copy, carry) for _ in range(READERS + 2)]
    ends = [losses(stream, program, each, 2)[1] for each in waiting]
    assert len(read) == 2 * len(waiting) and len(stream._readers) == READERS
    for each in ends:
        losses(stream, program, each, 1)
    assert len(stream._readers) == READERS


def test_a_place_that_is_known_is_returned_to_without_reading():
    program, carry = program_and_carry()
    usual, _ = losses(SharedStream(pipeline(0)), program, jax.tree.map(jnp.copy, carry), 20)
    stream = SharedStream(pipeline(0))
    first, middle = losses(stream, program, carry, 10)
    stream.place(10)
    other = pickle.loads(pickle.dumps(stream))
    rest, _ = losses(other, program, middle, 10)
    assert first + rest == usual and [x.taken for x in other._readers] == [20]


class Shuffled:
    """Other batches in every epoch, after the first `same` of them."""

    def __init__(self, same):
        self.same, self.random = same, np.random.default_rng(0)

    def __iter__(self):
        for i, batch in enumerate(batches(0)):
            own = self.random.permutation(BATCH) if i >= self.same else slice(None)
            yield {name: x[own] for name, x in batch.items()}


@pytest.mark.parametrize(
    ("stream", "error", "words"),
    [
        (lambda: batches(0), TypeError, "once for each arm, got the generator, which gives them"),
        (lambda: iter(pipeline(0)), TypeError, "a function of the seed"),
        (lambda: Shuffled(0), ValueError, "first batch of data is another one when data are"),
        (lambda: lambda: batches(0), TypeError, "data must be a function of 1 argument"),
        (lambda: lambda seed: seed, TypeError, "must return an iterator of batches, got the int"),
    ],
)
def test_what_does_not_give_the_same_batches_again_is_refused(stream, error, words):
    with pytest.raises(error, match=words):
        on(stream(), budget=1.0)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"folds": 2, "budget": 6.0}, "folds=2 divide the examples of arrays"),
        ({"steps": None, "epochs": 2}, "give steps"),
        ({"batch_size": 4}, "batch_size is for arrays"),
        ({"sample_weight": np.ones(48)}, "sample_weight is for arrays"),
    ],
)
def test_what_needs_all_examples_at_once_is_refused(given, words):
    with pytest.raises(ValueError, match=words):
        on(batches, **given)


def test_a_stream_needs_a_validation_set_which_may_be_a_fixed_number_of_batches():
    problem = dataclasses.replace(regression(), train=batches, valid=None)
    with pytest.raises(ValueError, match="needs a validation set, got valid=None"):
        run(problem, **OPTIONS)
    valid = regression().valid
    parts = ({k: x[i : i + 8] for k, x in valid.items()} for i in itertools.count(0, 8))
    chex.assert_trees_all_equal(
        dataclasses.replace(problem, valid=itertools.islice(parts, 4)).valid, valid
    )


def test_an_endless_validation_set_is_refused(monkeypatch):
    monkeypatch.setattr(conversion, "MOST_BYTES", 2**11)
    endless = itertools.cycle([regression().valid])
    with pytest.raises(ValueError, match="the cycle, which has not ended after 3 batches"):
        dataclasses.replace(regression(), valid=endless)


class Killed(BaseException):
    """A `kill -9` from within: nothing is cleaned up after it."""


@pytest.mark.parametrize("kind", [pytest.param("function", marks=pytest.mark.slow), "grain"])
def test_a_search_on_a_stream_that_was_killed_resumes_with_the_same_bits(
    kind, tmp_path, monkeypatch
):
    options, advance, told = {"budget": 1.5, "checkpoint": tmp_path}, SharedStream.advance, []

    def killing(self, *given):
        told.append(1)
        if len(told) == 12:
            raise Killed
        return advance(self, *given)

    monkeypatch.setattr(saver, "FIRST", 0.0)
    monkeypatch.setattr(saver, "SHARE", 1e9)
    monkeypatch.setattr(SharedStream, "advance", killing)
    with pytest.raises(Killed):
        on(STREAMS[kind](), **options)
    result = on(STREAMS[kind](), **options)
    monkeypatch.undo()
    usual = on(STREAMS[kind](), budget=1.5)
    assert picks(result) == picks(usual)
    chex.assert_trees_all_equal(result.params, usual.params)
    with pytest.raises(ValueError, match="the first batch is #"):
        on(lambda seed: batches(1), **options)
