"""The lab as a user starts it, and tabs that show it."""

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lecture_optax import interactive
from tests.interactive.lab_tab import LabTab


@pytest.fixture(scope="session")
def address():
    """The address that `lecture-optax lab` prints."""
    if not (Path(interactive.__file__).parent / "static" / "lab.js").exists():
        pytest.fail("the page has no bundle: run `make frontend`")
    command = [sys.executable, "-m", "lecture_optax", "lab", "--no-browser"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        yield re.search(r"http\S+", server.stdout.readline())[0]
        server.send_signal(signal.SIGINT)


@pytest.fixture
def visit(browser, address):
    """Return a function that opens the lab; a fault of its page fails the test."""
    visits = []

    def begin(state="", **options):
        here = LabTab(browser, address, **options)
        visits.append(here)
        here.open(state)
        return here

    yield begin
    faults = [fault for each in visits for fault in each.faults]
    for each in visits:
        each.close()
    assert faults == []
