"""Who asks a run to stop? A scheduler by SIGTERM, a person by Ctrl-C: noted, and obeyed later.

An exception in the middle of a chunk would do worse: JAX swallows it where it collects garbage, and
what still computes when Python ends takes the exit code with it (a segmentation fault).
"""

import signal
import threading
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Interruptions:
    """Note a request to stop, in place of stopping in the middle of a step.

    Inside the `with`, `asked` is None until SIGTERM or Ctrl-C arrives; a second Ctrl-C leaves
    `at_once`. Afterwards the handlers are those from before. Python delivers signals to the main
    thread only: in another one nothing is installed, and nothing is ever asked.
    """

    def __init__(self):
        self.asked: int | None = None
        self.at_once = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "Interruptions":
        if threading.current_thread() is not threading.main_thread():
            return self
        for number in SIGNALS:
            # SIG_IGN is a wish (a job in the background ignores Ctrl-C); None is a handler that
            # was not set from Python, and could not be put back
            if signal.getsignal(number) not in (signal.SIG_IGN, None):
                self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *exception: Any) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def obey(self, words: str = "") -> None:
        """Leave, if that was asked: with exit code 128 + 15, or `KeyboardInterrupt(words)`."""
        if self.asked == signal.SIGTERM:
            raise SystemExit(128 + signal.SIGTERM)
        if self.asked is not None:
            raise KeyboardInterrupt(words)

    def _note(self, number: int, frame: FrameType | None) -> None:
        # a scheduler repeats its SIGTERM; a person who presses Ctrl-C again does not want to wait
        if self.asked is not None and number == signal.SIGINT:
            self.at_once = True
            raise KeyboardInterrupt
        self.asked = self.asked or number
