"""What a folder may hold, whose it is, and what happens to the files of others."""

import json
import subprocess
import sys
import threading

import pytest

from lecture_optax.training.checkpoint.folder import CheckpointFolder, path_of
from lecture_optax.training.checkpoint.lock import FolderLock
from lecture_optax.training.checkpoint.snapshot import check_saved

from .test_checkpoint import bytes_in, fit, interrupt, steps_in


def make(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("mine")
    return bytes_in(folder)


class TestOthers:
    @pytest.mark.parametrize(
        "names", [["3/photo.jpg", "2024/photo.jpg"], ["notes.txt"], ["weights/a.npz"], ["7.part/a"]]
    )
    def test_a_folder_of_someone_else_is_refused_and_untouched(self, tmp_path, names):
        before = make(tmp_path, *names)
        with pytest.raises(
            ValueError, match=r"must be a folder that a run has to itself, got one that holds"
        ) as told:
            fit(tmp_path)
        assert all(repr(name.partition("/")[0]) in str(told.value) for name in names)
        assert bytes_in(tmp_path) == before

    def test_an_empty_path_is_not_the_working_directory(self):
        with pytest.raises(ValueError, match="checkpoint must be a path, got ''"):
            fit("")

    @pytest.mark.parametrize("path", ["~no-such-user/run", "a\0b", "long" * 100, "loop"])
    def test_what_no_file_can_be_called_is_refused(self, tmp_path, path):
        (tmp_path / "loop").symlink_to("loop")
        where = path if path[0] == "~" else str(tmp_path / path)
        with pytest.raises((OSError, ValueError), match="must be a path that a file can have") as e:
            path_of(where)
        assert "\n" not in str(e.value)

    def test_what_comes_later_is_never_renamed_or_removed(self, tmp_path):
        interrupt(tmp_path, 10)
        names = ["3/photo.jpg", "2024/photo.jpg", "log.jsonl", "5.part/a", "40.damaged-1/a"]
        make(tmp_path, *names)
        interrupt(tmp_path, 20)
        interrupt(tmp_path, 30)
        fit(tmp_path)
        assert all((tmp_path / name).read_text() == "mine" for name in names)
        assert steps_in(tmp_path)[-2:] == [40, 2024]

    @pytest.mark.parametrize("name", [".DS_Store", ".gitignore"])
    def test_what_systems_put_into_an_empty_folder_is_harmless(self, tmp_path, name):
        make(tmp_path, name)
        interrupt(tmp_path)
        assert (tmp_path / name).read_text() == "mine"

    def test_a_run_that_was_killed_before_its_first_save_is_not_someone_else(self, tmp_path):
        folder = CheckpointFolder(tmp_path)
        folder.claim()
        folder.close()
        make(tmp_path, "log.jsonl")
        interrupt(tmp_path)


HOLD = """
import sys
from pathlib import Path
from lecture_optax.training.checkpoint.lock import FolderLock
lock = FolderLock(Path(sys.argv[1]))
lock.acquire()
lock.sign()
print("held", flush=True)
sys.stdin.read()
"""


class TestLock:
    def test_a_second_process_is_refused_until_the_first_is_killed(self, tmp_path):
        command = [sys.executable, "-c", HOLD, str(tmp_path)]
        holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(OSError, match=f"is in use by process {holder.pid}: .* another") as told:
            fit(tmp_path)
        assert "\n" not in str(told.value)
        holder.kill()
        holder.communicate()
        interrupt(tmp_path)

    def test_two_threads_are_two_runs(self, tmp_path):
        told = []

        def other():
            with pytest.raises(OSError, match="is in use by another run of this process") as error:
                fit(tmp_path)
            told.append(error)

        def meanwhile(event):
            if not told:
                thread = threading.Thread(target=other)
                thread.start()
                thread.join()

        fit(tmp_path, hooks=[meanwhile])
        assert told
        lock = FolderLock(tmp_path)
        lock.acquire()
        lock.release()


def changed(notes, path, value):
    """Return notes with another value at a path of keys."""
    copy = json.loads(json.dumps(notes))
    *keys, last = path
    place = copy
    for key in keys:
        place = place[key]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return copy


TAMPERED = [
    (["identity"], "all"),
    (["identity", "weights"], None),
    (["identity", "functions"], []),
    (["optimizer"], None),
    (["optimizer", "injected"], 1),
    (["names"], {"params['w']": "x", "nothing": "there"}),
    (["columns"], ["loss", "gain"]),
    (["evaluations"], [1, 2]),
    (["evaluations"], [{"loss": 1.0}]),
    (["best"], "none"),
    (["best", "step"], 10**9),
    (["step"], 3),
    (["finished"], "yes"),
    (["stopped"], 1),
    (["source"], 3),
]


def test_notes_that_are_not_as_written_are_a_damaged_checkpoint(tmp_path):
    """With right checksums, as someone has edited them."""
    interrupt(tmp_path)
    folder = CheckpointFolder(tmp_path)
    step, saved = folder.newest(check_saved)
    for path, value in TAMPERED:
        with pytest.raises(ValueError, match="its notes"):
            check_saved(step, saved._replace(notes=changed(saved.notes, path, value)))
    folder.write(30, saved.arrays, saved.notes)  # of another step than its name says
    folder.wait()
    with pytest.warns(
        UserWarning, match=f"checkpoint 30 .* step in its notes is not as .* checkpoint {step}"
    ):
        interrupt(tmp_path, 20)
    folder.close()
