"""Searches and sweeps on a Ray cluster, whose workers and drivers are killed: `make test-ray`."""

import os
import random
import subprocess
import sys
import time

import numpy as np
import pytest

import lecture_optax as lo
from lecture_optax.recipe import RayExecutor
from tests.stress.harness import ROOT, same_bits
from tests.stress.search_process import learned

from ..problems import BATCH, regression
from .ray_process import OPTIONS, slow_problem
from .test_ray import killing

pytestmark = pytest.mark.ray


def search(problem=slow_problem, **options):
    return learned(lo.recipe.run(problem(), **{**OPTIONS, **options}))


@pytest.fixture(scope="module")
def alone(cluster):
    return search()


@pytest.mark.parametrize("places", ["one", "two", "three"])
def test_a_search_has_the_same_bits_on_any_number_of_workers(cluster, alone, places):
    assert same_bits(search(executor=RayExecutor(None, {places: 1})), alone)


def test_a_search_whose_workers_are_killed_has_the_same_bits(cluster, alone):
    with killing(10) as kills:
        while len(kills) < 10:
            assert same_bits(search(executor=RayExecutor(None, {"three": 1})), alone)


def test_a_search_whose_driver_is_killed_repeats_no_segment_that_was_saved(
    cluster, alone, tmp_path
):
    """A driver is killed some time after its first segment has begun."""
    out, chance = tmp_path / "result.npz", random.Random(1)
    notes = out.with_suffix(".segments")
    names = "tests.recipe.execution.ray_process", cluster.address, tmp_path / "saved", out
    command = [sys.executable, "-m", *map(str, names)]
    for kill in [True] * 5 + [False]:
        before = lines(notes)
        with subprocess.Popen(command, cwd=ROOT, env=os.environ, stderr=subprocess.PIPE) as driver:
            while kill and lines(notes) == before and driver.poll() is None:
                time.sleep(0.02)
            if kill:
                time.sleep(chance.uniform(0.2, 2.0))
                driver.kill()
            errors = driver.communicate()[1]
            assert kill or driver.returncode == 0, errors.decode()
    with np.load(out) as arrays:
        assert same_bits([arrays[name] for name in arrays.files], alone)
    saved = set()
    for line in lines(notes):
        kind, _, segment = line.partition(" ")
        assert kind == "saved" or segment not in saved
        if kind == "saved":
            saved.add(segment)


def lines(path):
    return path.read_text().splitlines() if path.exists() else []


def test_a_sweep_has_the_same_rows(cluster):
    options = {"rates": [1e-3, 1e-1, 1e5], "steps": 20, "progress": False, "batch_size": BATCH}
    one, other = (
        lo.recipe.sweep(regression(), executor=executor, **options)
        for executor in (None, RayExecutor(None, {"three": 1}))
    )
    assert one.rows == other.rows
