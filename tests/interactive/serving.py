"""The lab's server in this process, a run that never ends, and the frames that it sends."""

import itertools
import json
import threading
import time
from contextlib import contextmanager

import numpy as np

from lecture_optax.interactive import server as lab
from lecture_optax.interactive.engine import Engine

TOKEN = "a-token"


class Endless(Engine):
    """Answers a run only when it is cancelled."""

    def __init__(self):
        super().__init__()
        self.running = set()

    def answer(self, request, report):
        if request["ask"] != "run":
            return super().answer(request, report)
        self.running.add(request["id"])
        try:
            for k in itertools.count():
                report({"fraction": 0.5, "text": f"step {k}"})
                time.sleep(1e-3)
        finally:
            self.running.remove(request["id"])


@contextmanager
def served(engine, port=0):
    """Serve in a thread, and yield the port."""
    listener = lab.listen(port)
    server = lab.server_of(TOKEN, engine)
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(10)
        assert not thread.is_alive()


def unpacked(frame):
    """Return the JSON values and the arrays of a frame, read as socket.ts reads it."""
    length = int.from_bytes(frame[:4], "little")
    answer, at, arrays = json.loads(frame[4 : 4 + length]), 4 + length, {}
    for name, shape in answer.pop("arrays").items():
        size = int(np.prod(shape))
        arrays[name] = np.frombuffer(frame, "<f4", size, at).reshape(shape)
        at += 4 * size
    assert at == len(frame)
    return answer, arrays
