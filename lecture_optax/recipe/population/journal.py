"""What was a search told? In order, so that one that was killed finds its way again.

A search is a function of what it is told: how far an arm came, what held-out rows say of it. One
that is resumed begins anew and is told the same, in milliseconds, as far as the journal goes. There
it is given the weights that were saved with it (`saves.py`), and all that it asks from then on is
computed.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Journal:
    """Questions and their answers, which JSON can say.

    - `told`: pairs of a question and its answer; `read`: how many the search has asked for again.
    - `arrive`: gives back the weights at the end of what was told; None once that is done.
    - `pause`: called before what takes time, and within: to save, to show, to stop.
    """

    told: list[list[Any]] = field(default_factory=list)
    read: int = 0
    arrive: Callable[[], None] | None = None
    pause: Callable[[], None] = lambda: None

    def ask(self, question: str, measure: Callable[[], Any]) -> Any:
        """What was told before, or else what is measured now.

        **Raises** `ValueError` where something else was asked then: the search has changed.
        """
        if self.read == len(self.told):
            self.catch_up()
            self.pause()
            self.told.append([question, measure()])
        asked, answer = self.told[self.read]
        if asked != question:
            raise ValueError(
                f"the checkpoint was written by another version of the search: it asked for "
                f"{asked!r} where this one asks for {question!r}. Give another folder, or remove "
                "this one to start anew."
            )
        self.read += 1
        return answer

    def catch_up(self) -> None:
        """Give the weights back, unless that has been done: nothing more is read."""
        if self.arrive is not None:
            arrive, self.arrive = self.arrive, None
            arrive()
