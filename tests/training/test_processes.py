"""Two processes train one model on the devices of both. All return it, and one writes."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
from jax.sharding import Mesh

from lecture_optax.training.compiled.processes import ALONE, OtherProcessError, Processes

from .one_of_two import STEPS

ROOT = Path(__file__).parents[2]
ULPS = 1e-4  # a sum over two devices rounds in another order, and 60 steps of Adam multiply that


def of_two_processes(folder):
    """Start both, and return what each has found and printed."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "tests.training.one_of_two", str(i), str(port), str(folder)],
            cwd=ROOT,
            env={**os.environ, "JAX_PLATFORMS": "cpu"},
            stderr=subprocess.PIPE,
            text=True,
        )
        for i in (0, 1)
    ]
    try:
        printed = [process.communicate(timeout=600)[1] for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert [process.returncode for process in processes] == [0, 0], printed
    found = [json.loads((folder / f"{i}.json").read_text()) for i in (0, 1)]
    return [(x, "steps/s" in text) for x, text in zip(found, printed, strict=True)]


@pytest.mark.slow
def test_two_processes_train_one_model(tmp_path):
    (first, first_shows), (second, second_shows) = of_two_processes(tmp_path)
    # every process has the result
    for name in ("whole", "resumed", "streamed", "evaluated", "report"):
        assert first[name] == second[name]
    assert first["spec"] == [None, "devices"]
    # that of one process, up to rounding
    for found, wanted in zip(("whole", "streamed"), first["alone"], strict=True):
        for ours, theirs in zip(first[found], wanted, strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=ULPS, atol=ULPS)
    # one writes and shows
    assert first["log"] == second["log"] == STEPS
    assert (tmp_path / "page-0.html").exists() and not (tmp_path / "page-1.html").exists()
    assert (first_shows, second_shows) == (True, False)
    # a signal to one of them ends both, and the run resumes with the same bits
    assert first["stopped"] == second["stopped"] == "SystemExit: 143"
    assert first["resumed"] == first["whole"]
    # an error of one of them ends both
    assert first["failed"].startswith("OtherProcessError: process 1 of this run has stopped")
    assert second["failed"] == "OSError: its disk is full"
    assert first["other data"] == second["other data"]
    assert first["other data"].startswith("ValueError: all processes must call this with the same")


class Two(Processes):
    """Two processes, of which another has these numbers and has perhaps failed."""

    def __init__(self, other, *, failed=False):
        super().__init__(Mesh(np.array(jax.devices()[:2]), ("x",)))
        self._mesh, self._owners = Mesh(np.array(jax.devices()[:2]), ("x",)), [0, 1]
        self.other, self.sent = [other, failed], []

    def _gathered(self, number, *, has_failed):
        self.sent.append((number, has_failed))
        return np.array([[number, has_failed], self.other])


def test_processes_agree_on_the_number_of_the_first_or_on_the_largest():
    assert (Two(5).agreed(3), Two(5).largest(3), Two(5).largest(7)) == (3, 5, 7)
    assert (ALONE.agreed(3), ALONE.largest(3), ALONE.is_first) == (3, 3, True)
    with pytest.raises(ValueError, match="not the same"):
        Two(5).check_same("a", "not the same")


def test_an_error_in_one_process_ends_all_of_them():
    ours = Two(0)
    with pytest.raises(KeyError), ours.together():
        raise KeyError
    assert ours.sent == [(0, True)]
    theirs = Two(0, failed=True)
    with pytest.raises(OtherProcessError, match="see what it has written"), theirs.together():
        theirs.agreed(1)
    assert theirs.sent == [(1, False)]  # and nothing more: the others wait for nobody
