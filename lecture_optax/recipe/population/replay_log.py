"""Replay log of all measurements of a search.

A search is deterministic given its measurements: how far an arm came, and its validation losses. A
resumed search starts anew and reads them from the log, in milliseconds. At the end of the log the
saved weights are restored (`checkpoint/snapshot.py`); everything after it is computed.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass
class ReplayLog:
    """Measurements and their results, which JSON can hold.

    - `entries`: pairs of a measurement's name and its result; `position`: how many were read again.
    - `restore`: restores the weights at the end of the log; None once that is done.
    - `poll`: called before and within what takes time: to save, to show, to stop.
    """

    entries: list[list[Any]] = field(default_factory=list)
    position: int = 0
    restore: Callable[[], None] | None = None
    poll: Callable[[], None] = lambda: None

    @property
    def is_replaying(self) -> bool:
        """Whether the weights at the end of the log are still to be restored."""
        return self.restore is not None

    def measure(
        self,
        name: str,
        measure: Callable[[], Any],
        replay: Callable[[Any], object] = lambda result: None,
    ) -> Any:
        """Return the result that the log holds, after `replay(result)`, or else measure it now.

        **Raises** `ValueError` where the log holds another measurement: the search has changed.
        """
        if self.position == len(self.entries):
            self.finish_replay()
            self.poll()
            result = measure()
            self.entries.append([name, result])
        else:
            logged, result = self.entries[self.position]
            if logged != name:
                raise ValueError(f"it measured {logged!r} where this one measures {name!r}")
            replay(result)
        self.position += 1
        return result

    def finish_replay(self) -> None:
        """Restore the weights, unless that has been done: nothing more is read.

        **Raises** `ValueError` where the log holds more than was asked for.
        """
        if self.restore is not None:
            if self.position < len(self.entries):
                raise ValueError(f"this one never measures {self.entries[self.position][0]!r}")
            self.restore()
            self.restore = None
