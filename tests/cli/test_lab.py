"""`lecture-optax lab`: its address, its errors, and how it ends."""

import json
import signal
import socket
import subprocess
import sys
import time
import webbrowser
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest
from websockets.sync.client import connect

import lecture_optax as lo
from lecture_optax.cli import lab, main
from lecture_optax.interactive import server
from lecture_optax.interactive.engine import first_state


class Never:
    """A server that ends at once."""

    def run(self, sockets):
        for each in sockets:
            each.close()


@pytest.fixture
def opened(monkeypatch):
    """The addresses that a browser opens; nothing is served or compiled."""
    addresses = []
    monkeypatch.setattr(webbrowser, "open", addresses.append)
    monkeypatch.setattr(lab, "_compile", lambda engine, state: None)
    monkeypatch.setattr(server, "server_of", lambda token, engine: Never())
    return addresses


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        (["--landscape", "rosenbrok"], "Did you mean 'rosenbrock'?"),
        (["lo.sgd(0.1"], "was never closed"),
        (["lo.sgd(0.1)", "adma(0.1)"], "did you mean lo.adam?"),
        (["lo.sgd(-1.0)"], "learning_rate must be"),
        (["sgd(1.)", "sgd(.1)", "sgd(.2)", "sgd(.3)"], "at most 3, got 4"),
        (["--port", "70000"], "port must be in [0, 65535], got 70000"),
        (["--port", "abc"], "Error parsing --port: it must be an integer, got 'abc'."),
        (["--prot", "8000"], "run lecture-optax lab --help"),
    ],
    ids=str,
)
def test_invalid_arguments_print_a_sentence_and_have_status_2(typed, words, opened, capsys):
    try:
        status = main(["lab", *typed])
    except SystemExit as end:
        status = end.code
    out, err = capsys.readouterr()
    assert status == 2 and words in err and out == "" and opened == []


def test_a_port_that_is_in_use_is_named(opened, capsys):
    with socket.create_server((server.HOST, 0)) as other:
        port = other.getsockname()[1]
        assert main(["lab", "--port", str(port)]) == 2
    assert f"port {port} cannot be used: address already in use" in capsys.readouterr().err


@pytest.mark.parametrize("package", ["starlette", "uvicorn", "websockets"])
def test_without_its_packages_a_sentence_names_the_extra(package, opened, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, package, None)
    assert main(["lab"]) == 1
    assert 'pip install ".[lab]"' in capsys.readouterr().err


def test_the_address_that_is_printed_is_opened_and_holds_the_state(opened, capsys):
    typed = ["sgd(.1, momentum=.9)", "lo.chain(lo.trace(0.5), lo.scale_by_learning_rate(1e-2))"]
    assert main(["lab", *typed, "--landscape", "rosenbrock"]) == 0
    address = urlsplit(opened[0])
    assert f" {opened[0]} " in capsys.readouterr().out
    assert address.hostname == "127.0.0.1" and len(dict(parse_qsl(address.query))["token"]) > 40
    assert parse_qsl(address.fragment) == [
        ("landscape", "rosenbrock"),
        ("method", "lo.sgd(0.1, momentum=0.9)"),
        ("method", "lo.chain(lo.trace(0.5), lo.scale_by_learning_rate(0.01))"),
    ]


def test_no_browser_opens_none(opened):
    assert main(["lab", "--no-browser"]) == 0
    assert opened == []


@pytest.mark.parametrize(
    ("number", "times", "status", "said"),
    [
        (signal.SIGINT, 1, 130, "lecture-optax: interrupted.\n"),
        (signal.SIGINT, 2, 130, "lecture-optax: interrupted.\n"),
        (signal.SIGTERM, 1, 143, ""),
    ],
)
def test_a_signal_ends_it_at_once_while_a_page_is_open_and_a_run_in_progress(
    number, times, status, said
):
    command = [sys.executable, "-m", "lecture_optax", "lab", "lo.sgd(0.1)", "--no-browser"]
    root = Path(lo.__file__).parents[1]
    with subprocess.Popen(
        command, cwd=root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        address = urlsplit(process.stdout.readline().split()[4])
        origin = f"http://{address.netloc}"
        with connect(f"ws://{address.netloc}/socket?{address.query}", origin=origin) as page:
            page.send(json.dumps({"id": 1, "ask": "read", "text": "sgd(.1)"}))
            assert b'"lo.sgd(0.1)"' in page.recv(timeout=60)
            state = {**first_state(["lo.sgd(0.1)"], "digits"), "steps": 2000}
            page.send(json.dumps({"id": 2, "ask": "run", "state": state}))
            assert b'"progress"' in page.recv(timeout=60)
            for _ in range(times):
                process.send_signal(number)
                time.sleep(0.05)
            assert process.wait(10) == status
        assert process.stderr.read() == said and process.stdout.read() == ""
