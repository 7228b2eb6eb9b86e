"""The lab's server: who may ask, what it answers to any message, and what ends a run."""

import http.client
import json
import threading
import time

import numpy as np
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from lecture_optax.interactive import server as lab
from lecture_optax.interactive.engine import Engine, first_state
from tests.interactive.serving import TOKEN, Endless, served, unpacked

STATE = {**first_state(["lo.sgd(0.1)", "lo.sgd(0.1, momentum=0.9)"]), "steps": 30}


@pytest.fixture(scope="module")
def port():
    with served(Engine()) as port:
        yield port


def get(port, path, **headers):
    connection = http.client.HTTPConnection(lab.HOST, port, timeout=10)
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    body = answer.read().decode()
    connection.close()
    return answer.status, answer.headers, body


def opened(port, *, token=TOKEN, origin="", **more):
    return connect(
        f"ws://{lab.HOST}:{port}/socket?token={token}",
        origin=origin if origin is None else origin or f"http://{lab.HOST}:{port}",
        max_queue=None,
        **more,
    )


def received(socket):
    return unpacked(socket.recv(timeout=30))


def asked(socket, **request):
    socket.send(json.dumps({"id": 7, **request}))
    while "progress" in (answer := received(socket))[0]:
        pass
    assert answer[0].pop("id") == 7
    return answer


@pytest.mark.parametrize("path", ["/", "/?token=", "/?token=a-tokem", "/?token=%ff", "/?token=é"])
def test_the_page_needs_the_token(port, path):
    status, _, body = get(port, path.replace("é", "%C3%A9"))
    assert status == 403 and body == lab.NO_TOKEN


def test_the_page_loads_files_of_this_server_only_and_keeps_its_address_to_itself(port):
    status, headers, body = get(port, f"/?token={TOKEN}")
    assert status == 200 and "data-lab" in body
    policy = dict(
        part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";")
    )
    assert policy["default-src"] == policy["base-uri"] == policy["frame-ancestors"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == "'self'"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cache-Control"] == "no-store"


def test_the_page_gives_a_cookie_that_stands_for_the_token(port):
    cookie = get(port, f"/?token={TOKEN}")[1]["Set-Cookie"]
    pair, *marks = cookie.split("; ")
    assert pair == f"lecture-optax-lab-{port}={TOKEN}"
    assert sorted(mark.lower() for mark in marks) == ["httponly", "path=/", "samesite=strict"]
    for path in ("/", "/?token=old"):
        status, _, body = get(port, path, Cookie=pair)
        assert status == 200 and "data-lab" in body
    with opened(port, token="", additional_headers={"Cookie": pair}) as socket:
        assert "landscapes" in asked(socket, ask="page")[0]


@pytest.mark.parametrize("token", ["", "a-tokem", "é"])
def test_another_cookie_is_refused_and_none_is_given(port, token):
    cookie = f"lecture-optax-lab-{port}={token}".encode()
    status, headers, body = get(port, "/", Cookie=cookie)
    assert status == 403 and body == lab.NO_TOKEN and "Set-Cookie" not in headers


def test_the_cookie_of_another_port_is_refused(port):
    assert get(port, "/", Cookie=f"lecture-optax-lab-{port + 1}={TOKEN}")[0] == 403


@pytest.mark.parametrize("origin", [None, "http://evil.example", f"http://{lab.HOST}:1"])
def test_the_cookie_does_not_let_another_origin_in(port, origin):
    cookie = {"Cookie": f"lecture-optax-lab-{port}={TOKEN}"}
    with (
        pytest.raises(InvalidStatus, match=r"HTTP 403"),
        opened(port, token="", origin=origin, additional_headers=cookie),
    ):
        pass


def test_every_file_that_the_page_names_is_there_without_a_token(port):
    status, headers, _ = get(port, "/static/index.html")
    assert status == 200 and headers["Content-Security-Policy"]
    assert get(port, "/static/../server.py")[0] == get(port, "/static/%2e%2e/server.py")[0] == 404


def test_another_name_of_the_host_is_refused(port):
    assert get(port, f"/?token={TOKEN}", Host="evil.example")[0] == 400
    assert get(port, f"/?token={TOKEN}", Host=f"localhost:{port}")[0] == 200


@pytest.mark.parametrize(
    "credentials",
    [
        {"token": ""},
        {"token": "a-tokem"},
        {"origin": None},
        {"origin": "null"},
        {"origin": "http://evil.example"},
        {"origin": f"http://{lab.HOST}:1"},
        {"additional_headers": {"Host": "evil.example"}, "origin": "http://evil.example"},
    ],
    ids=str,
)
def test_a_socket_of_a_stranger_is_refused_before_it_is_accepted(port, credentials):
    with pytest.raises(InvalidStatus, match=r"HTTP 40[03]"), opened(port, **credentials):
        pass


def test_a_frame_is_what_the_engine_answers(port):
    engine = Engine()
    with opened(port) as socket:
        answer, arrays = asked(socket, ask="run", state=STATE)
    expected, expected_arrays = engine.answer({"ask": "run", "state": STATE})
    for each in (answer, expected):
        each.pop("milliseconds")
    assert answer == json.loads(json.dumps(expected))
    assert arrays.keys() == expected_arrays.keys()
    for name, array in expected_arrays.items():
        np.testing.assert_array_equal(arrays[name], np.float32(array), strict=True)


def test_a_run_that_diverges_is_sent(port):
    with opened(port) as socket:
        answer, arrays = asked(socket, ask="run", state={**STATE, "methods": ["lo.sgd(1e20)"]})
    assert answer["methods"][0]["diverged_at"] is not None and "error" not in answer
    assert not np.isfinite(arrays["path.0"]).all()


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("", "must be JSON"),
        ("{", "must be JSON"),
        ("[" * 50_000, "must be JSON"),
        ("1" * 50_000, "must be JSON"),
        ("[1, 2]", "must be a JSON object"),
        ("null", "must be a JSON object"),
        ('{"ask": "page"}', "must have an id"),
        ('{"id": [], "ask": "page"}', "must have an id"),
        ('{"id": 1}', "ask must be one of"),
        ('{"id": 1, "ask": "dance"}', "ask must be one of"),
        ('{"id": 1, "ask": {"a": []}}', "ask must be one of"),
        ('{"id": 1, "ask": "read"}', "text"),
        ('{"id": 1, "ask": "read", "text": "\\ud800"}', ""),
        ('{"id": 1, "ask": "run"}', "state"),
        ('{"id": 1, "ask": "run", "state": {"landscape": []}}', ""),
        ('{"id": 1, "ask": "field", "landscape": "nowhere", "controls": {}}', "nowhere"),
        ('{"id": 1, "ask": "field", "landscape": "digits", "controls": {}}', ""),
        (b"bytes", "must be text"),
        (" " * (lab.MOST_CHARACTERS + 1), "at most"),
    ],
    ids=lambda value: str(value)[:50],
)
def test_an_invalid_message_is_answered_and_the_socket_stays_open(port, message, words, capfd):
    with opened(port) as socket:
        socket.send(message)
        answer, arrays = received(socket)
        assert words in answer["error"] and arrays == {}
        assert asked(socket, ask="read", text="sgd(.1)")[0]["text"] == "lo.sgd(0.1)"
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    "change",
    [
        {"steps": 10**9},
        {"steps": 10**400},
        {"steps": -1},
        {"steps": "many"},
        {"seed": 2**70},
        {"batch": 0},
        {"start": [1e40, 0]},
        {"start": ["a", {}]},
        {"start": [[1], [2]]},
        {"controls": {"condition": -1, "rotation": 0}},
        {"controls": []},
        {"controls": {}},
        {"methods": "lo.sgd(0.1)"},
        {"methods": [None]},
        {"methods": []},
        {"landscape": "digits", "steps": 10**9},
    ],
    ids=str,
)
def test_an_invalid_state_is_refused_at_once(port, change, capfd):
    with opened(port) as socket:
        answer, arrays = asked(socket, ask="run", state={**STATE, **change})
    assert answer["error"] and arrays == {}
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("ask", ["read", "run"])
@pytest.mark.parametrize(
    "text",
    [
        "__import__('pathlib').Path({0!r}).touch()",
        "open({0!r}, 'w')",
        "exec('open({0!r}, \"w\")')",
        "lo.sgd(open({0!r}, 'w'))",
        "lo.sgd(0.1, momentum=(lambda: open({0!r}, 'w'))())",
        "lo.sgd(0.1, momentum=[open({0!r}, 'w') for _ in [1]][0])",
        "lo.sgd(0.1, momentum=f'{{open({0!r}, chr(119))}}')",
        "lo.sgd.__globals__['__builtins__']['open']({0!r}, 'w')",
        "lo.sgd(0.1).init.__globals__['sys'].modules['os'].mkdir({0!r})",
        "optax.tree.sys.modules['os'].mkdir({0!r})",
        "lo.fit(log={0!r})",
        "(x := open)({0!r}, 'w')",
        "lo.chain(*[open({0!r}, 'w')])",
        "lo.sgd(**dict(learning_rate=open({0!r}, 'w')))",
    ],
)
def test_text_that_is_typed_cannot_run_code(port, ask, text, tmp_path):
    target = tmp_path / "made"
    typed = text.format(str(target))
    with opened(port) as socket:
        answer, _ = asked(socket, ask=ask, text=typed, state={**STATE, "methods": [typed]})
    assert answer["error"] and not target.exists()


def test_several_pages_ask_at_once(port):
    states = [{**STATE, "methods": [f"lo.sgd({rate})"]} for rate in (0.1, 0.2, 0.3, 0.4)]
    engine = Engine()
    with opened(port) as a, opened(port) as b, opened(port) as c, opened(port) as d:
        sockets = a, b, c, d
        for socket, state in zip(sockets, states, strict=True):
            socket.send(json.dumps({"id": 7, "ask": "run", "state": state}))
        for socket, state in zip(sockets, states, strict=True):
            while "progress" in (answer := received(socket))[0]:
                pass
            loss = engine.answer({"ask": "run", "state": state})[1]["loss.0"]
            np.testing.assert_array_equal(answer[1]["loss.0"], loss)


def wait_until(condition):
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(1e-3)


def test_a_newer_run_cancels_the_one_in_progress_and_those_that_wait():
    engine = Endless()
    with served(engine) as port, opened(port) as socket:
        for number in (1, 2, 3):
            socket.send(json.dumps({"id": number, "ask": "run"}))
        cancelled = []
        while len(cancelled) < 2:
            answer, _ = received(socket)
            if answer.get("is_cancelled"):
                cancelled.append(answer["id"])
        assert cancelled == [1, 2]
        wait_until(lambda: engine.running == {3})
        # another question does not wait for the run
        assert "landscapes" in asked(socket, ask="page")[0]


def test_closing_the_page_ends_its_run_and_its_threads():
    engine, before = Endless(), threading.active_count()
    with served(engine) as port:
        server_threads = threading.active_count() - before
        with opened(port) as one, opened(port) as other:
            for number, socket in enumerate((one, other)):
                socket.send(json.dumps({"id": number, "ask": "run"}))
            wait_until(lambda: engine.running == {0, 1})
            one.close()
            wait_until(lambda: engine.running == {1})
        wait_until(lambda: engine.running == set())
        wait_until(lambda: threading.active_count() == before + server_threads)
    wait_until(lambda: threading.active_count() == before)


def test_a_request_is_refused_while_too_many_wait():
    goes_on = threading.Event()

    class Slow(Engine):
        def answer(self, request, report):
            assert goes_on.wait(10)
            return {}, {}

    with served(Slow()) as port, opened(port) as socket:
        for number in range(lab.MOST_WAITING + 1):
            socket.send(json.dumps({"id": number, "ask": "page"}))
        refusal = received(socket)[0]
        assert refusal["id"] == lab.MOST_WAITING and "at most 64 requests" in refusal["error"]
        goes_on.set()
        answers = [received(socket)[0] for _ in range(lab.MOST_WAITING)]
        assert [answer["id"] for answer in answers] == [*range(lab.MOST_WAITING)]
        assert asked(socket, ask="page")[0] == {}


def test_a_port_that_is_in_use_is_an_error():
    with lab.listen() as other:
        port = other.getsockname()[1]
        with pytest.raises(ValueError, match=f"port {port} cannot be used: address already in use"):
            lab.listen(port)


def test_a_port_outside_of_the_range_is_an_error():
    with pytest.raises(ValueError, match=r"port must be in \[0, 65535\], got 65536"):
        lab.listen(65536)
