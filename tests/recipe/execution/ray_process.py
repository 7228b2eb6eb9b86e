"""A search on the cluster at ADDRESS, to be killed: `python -m ...ray_process ADDRESS FOLDER OUT`.

Its steps wait, so that it can be killed in the middle. It saves whenever it can. A file beside OUT
gets a line for every segment that begins, and one for every segment that was saved. At its end it
writes its result to OUT.npz.
"""

import sys
import time
from pathlib import Path

import jax
import numpy as np

from lecture_optax.recipe import RayExecutor, run
from lecture_optax.recipe.checkpoint.snapshot import SearchSaver
from lecture_optax.recipe.search.runner import Runner
from lecture_optax.training import Problem
from lecture_optax.training.checkpoint import saver
from tests.recipe.problems import init, loss, predict, regression
from tests.stress.search_process import learned

OPTIONS = {"budget": 3.0, "steps": 60, "batch_size": 16, "progress": False}
SECONDS = 0.02


def wait(x):
    time.sleep(SECONDS)
    return np.zeros((), np.float32)


def slow_loss(params, batch, train):
    losses = loss(params, batch)
    if not train:
        return losses
    return losses + jax.pure_callback(wait, jax.ShapeDtypeStruct((), np.float32), batch["y"][0])


def slow_problem():
    rows = regression()
    parts = {"train": rows.train, "valid": rows.valid}
    return Problem.from_functions(init=init, loss=slow_loss, predict=predict, **parts)


def noting(method, words, path):
    def noted(self, *given):
        found = method(self, *given)
        with path.open("a") as file:
            file.writelines(f"{word}\n" for word in words(self, *given))
        return found

    return noted


def main(address, folder, out):
    path = Path(out).with_suffix(".segments")
    saver.FIRST, saver.SHARE = 0.0, 1e9

    def saved(self):
        return [f"saved {arm.name} {end}" for arm, end in self.runner.outcomes if self.is_saved]

    def begun(_, segment):
        return [f"begun {segment.arm.name} {segment.end}"]

    SearchSaver.save = noting(SearchSaver.save, saved, path)
    Runner._job = noting(Runner._job, begun, path)
    executor = RayExecutor(address, {"three": 1}) if address != "none" else None
    result = run(slow_problem(), checkpoint=folder, executor=executor, **OPTIONS)
    np.savez(out, *learned(result))


if __name__ == "__main__":
    main(*sys.argv[1:])
