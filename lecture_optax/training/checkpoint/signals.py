"""Requests to stop: SIGTERM by a scheduler and Ctrl-C, noted at once and obeyed between chunks.

An exception in the middle of a chunk does not work: JAX swallows it where it collects garbage, and
a computation that still runs when Python ends crashes the process.
"""

import signal
import threading
from types import FrameType
from typing import Any

from ..compiled.processes import ALONE, Processes

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Interruptions:
    """Note a request to stop, without stopping in the middle of a step.

    Inside the `with`, `asked` is None until SIGTERM or Ctrl-C arrives. A second Ctrl-C sets
    `at_once` and raises `KeyboardInterrupt`. Afterwards the earlier handlers are restored. Python
    delivers signals to the main thread only: in another thread no handler is installed.

    `processes`: those that stop together, if one of them is asked to.
    """

    def __init__(self, processes: Processes = ALONE):
        self.processes = processes
        self.asked: int | None = None
        self.at_once = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "Interruptions":
        if threading.current_thread() is not threading.main_thread():
            return self
        for number in SIGNALS:
            # SIG_IGN is set on purpose (a background job ignores Ctrl-C); None is a handler that
            # was not set from Python and cannot be restored
            if signal.getsignal(number) not in (signal.SIG_IGN, None):
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *exception: Any) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def agree(self) -> None:
        """Note what any of the processes was asked; all of them call this together."""
        self.asked = self.processes.largest(self.asked or 0) or None

    def obey(self, words: str = "") -> None:
        """Raise if asked to stop: `SystemExit(128 + 15)` or `KeyboardInterrupt(words)`."""
        if self.asked == signal.SIGTERM:
            raise SystemExit(128 + signal.SIGTERM)
        if self.asked is not None:
            raise KeyboardInterrupt(words)

    def _note(self, number: int, frame: FrameType | None) -> None:
        # a scheduler repeats its SIGTERM; a second Ctrl-C means: do not wait
        if self.asked is not None and number == signal.SIGINT:
            self.at_once = True
            raise KeyboardInterrupt
        self.asked = self.asked or number
