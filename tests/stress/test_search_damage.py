"""A damaged search or sweep gives the right bits, repeats work, or is refused in one sentence.

Every trial damages a copy of a folder at random, resumes from it, and compares what is found with
what an undisturbed search finds. No trial may raise another error than a `ValueError` that names
the folder, and none may find anything else. What the search did not write must be left as it was.
"""

import collections
import random
import shutil
import warnings

import pytest

from tests.recipe.checkpoint.test_interruptions import Killed, found, kill_at, recipe
from tests.recipe.grid_search.test_sweep import grid

from ..recipe.problems import STEPS
from .damage import damage

SMALL = {"steps": STEPS, "budget": 1.5}
GRID = {"rates": [1e-3, 1e-2], "seeds": [0], "steps": 20, "progress": False}


@pytest.fixture(scope="module")
def searches(tmp_path_factory):
    """Folders of a search that is finished, of one that was killed, and of another search."""
    folder = tmp_path_factory.mktemp("searches")
    whole = recipe(folder / "finished", **SMALL)
    recipe(folder / "other", **SMALL, seed=1)
    with pytest.MonkeyPatch.context() as patch, pytest.raises(Killed):
        patch.setattr("lecture_optax.training.checkpoint.saver.FIRST", 0.0)
        patch.setattr("lecture_optax.training.checkpoint.saver.SHARE", 1e9)
        kill_at(patch, 15)
        recipe(folder / "killed", **SMALL)
    return folder, comparable(whole)


@pytest.fixture(scope="module")
def sweeps(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sweeps")
    for name, steps in (("other", 21), ("finished", 20)):
        (folder / name).mkdir()
        path = folder / name / "runs.jsonl"
        whole = grid(checkpoint=path, **{**GRID, "steps": steps}).rows
    lines = (folder / "finished" / "runs.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "killed").mkdir()
    (folder / "killed" / "runs.jsonl").write_bytes(b"".join(lines[:-2]) + lines[-2][:50])
    return folder, whole


def comparable(result):
    (params, model_state), words = found(result)
    return [x.tobytes() for x in params.values()], model_state, words


def outcome(trained, whole, folder):
    """Return "right" or "refused", or raise."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            result = trained()
        except ValueError as error:
            assert str(folder) in str(error) and "\n" not in str(error)
            return "refused", str(error)
    assert result == whole, "other bits"
    return "right", ""


def one_search(searches, place, seed):
    (folder, whole), chance = searches, random.Random(seed)
    shutil.copytree(folder / chance.choice(("finished", "killed")), place)
    told = damage(place, chance, folder / "other")
    mine = {x: x.read_bytes() for x in place.rglob("*") if x.is_file() and is_foreign(x)}
    try:
        found = outcome(lambda: comparable(recipe(place, **SMALL)), whole, place)
    except BaseException as error:
        error.add_note(f"seed {seed}: {told}")
        raise
    assert all(x.read_bytes() == content for x, content in mine.items())
    return told, *found


def one_sweep(sweeps, place, seed):
    (folder, whole), chance = sweeps, random.Random(seed)
    shutil.copytree(folder / chance.choice(("finished", "killed")), place)
    told = damage(place, chance, folder / "other")
    try:
        path = place / "runs.jsonl"
        found = outcome(lambda: grid(checkpoint=path, **GRID).rows, whole, place)
    except BaseException as error:
        error.add_note(f"seed {seed}: {told}")
        raise
    return told, *found


def is_foreign(file):
    return file.suffix != ".npz" and not file.name.startswith("search-0")


@pytest.mark.parametrize("seed", range(8))
def test_a_damaged_search_gives_the_right_bits_or_one_sentence(searches, tmp_path, seed):
    one_search(searches, tmp_path / "damaged", seed)


@pytest.mark.parametrize("seed", range(8))
def test_a_damaged_sweep_gives_the_right_rows_or_one_sentence(sweeps, tmp_path, seed):
    one_sweep(sweeps, tmp_path / "damaged", seed)


@pytest.mark.slow  # two minutes
@pytest.mark.parametrize(("kind", "trials"), [("search", 140), ("sweep", 60)])
def test_hardly_any_damage_makes_a_folder_unreadable(searches, sweeps, tmp_path, kind, trials):
    one, whole = (one_search, searches) if kind == "search" else (one_sweep, sweeps)
    ends = [one(whole, tmp_path / str(seed), seed) for seed in range(trials)]
    count = collections.Counter(end for _, end, _ in ends)
    print(kind, dict(count), *[f"\n{told}: {words}" for told, end, words in ends if words])
    unreadable = [end for end in ends if "can be read" in end[2] or "must be a file" in end[2]]
    assert len(unreadable) <= 0.02 * trials
