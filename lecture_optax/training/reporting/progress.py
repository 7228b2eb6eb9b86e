"""How does a person follow a run? A bar on a terminal, one cell in a notebook, lines elsewhere."""

import html
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np

from ..loop.run import Event, Hook


class Status(NamedTuple):
    """What is shown, wherever it is shown.

    - `step`, `steps`: done, and in all.
    - `loss`: the mean over the steps since the last moment; NaN before the first.
    - `held_out`: the last look at held-out data, by name.
    - `rate`: steps per second, without the first chunk and the first look: they compile.
    - `seconds`: since the run began, or went on.
    - `ended`: whether the run has come to its end.
    - `note`: what is being done, where that changes.
    """

    step: int
    steps: int
    loss: float
    held_out: dict[str, float]
    rate: float
    seconds: float
    ended: bool
    note: str = ""

    @property
    def done(self) -> str:
        return f"{self.step:,} of {self.steps:,} steps"

    @property
    def seen(self) -> str:
        """The losses and the metrics: loss 0.123, valid_loss 0.456."""
        numbers = {"loss": self.loss} if np.isfinite(self.loss) else {}
        return ", ".join(f"{name} {x:.4g}" for name, x in {**numbers, **self.held_out}.items())

    @property
    def time(self) -> str:
        """How fast, and how long still; at the end, how long it took."""
        if not self.rate:
            return "compiling" if not self.ended else f"in {clock_words(self.seconds)}"
        speed = f"{self.rate:,.0f}" if self.rate >= 10 else f"{self.rate:.2g}"
        left = clock_words((self.steps - self.step) / self.rate)
        when = f"in {clock_words(self.seconds)}" if self.ended else f"{left} left"
        return f"{speed} steps/s, {when}"

    def __str__(self) -> str:
        return ", ".join(filter(None, (self.done, self.seen, self.time)))


@runtime_checkable
class Display(Protocol):
    """A place to show a status. `seconds` lie between two of them; the last is always shown."""

    seconds: float

    def show(self, status: Status) -> None: ...

    def close(self) -> None: ...


@contextmanager
def watch(progress: Any = None) -> Iterator[list[Hook]]:
    """The hook that shows a run, and puts the terminal back however the run ends.

    **Arguments**

    - `progress`: None shows a run in the way that fits where it runs, and nothing under CI; True
      shows it there too; False shows nothing.
    """
    display = display_for(progress)
    if display is None:
        yield []
        return
    try:
        yield [Watch(display)]
    finally:
        display.close()


class Watch:
    """From moments to what is shown of them, not more often than the display wants."""

    def __init__(self, display: Display, clock: Callable[[], float] = time.perf_counter):
        self.display, self.clock = display, clock
        self.began = clock()
        self.shown = -np.inf
        self.compiled: tuple[float, int] | None = None
        self.evaluated = False
        self.held_out: dict[str, float] = {}

    def __call__(self, event: Event) -> None:
        now, run = self.clock(), event.run
        if event.evaluation:
            self.held_out = {
                name: x
                for name, x in event.evaluation.items()
                if name.startswith(("valid_", "averaged_"))
            }
        ended = event.step >= run.steps or run.stopped is not None
        if ended or now - self.shown >= self.display.seconds:
            self.shown = now
            self.display.show(self._status(event, now, ended))
        if event.records and (self.compiled is None or (not self.evaluated and event.evaluation)):
            self.compiled, self.evaluated = (now, event.step), event.evaluation is not None

    def _status(self, event: Event, now: float, ended: bool) -> Status:
        losses = event.records.get("loss", ())
        since, first = self.compiled or (now, event.step)
        return Status(
            step=event.step,
            steps=event.run.steps,
            loss=float(np.mean(losses)) if len(losses) else np.nan,
            held_out=self.held_out,
            rate=(event.step - first) / (now - since) if now > since else 0.0,
            seconds=now - self.began,
            ended=ended,
        )


class Bar:
    """A line that Rich draws anew. Nothing else writes to the terminal while it is there."""

    seconds = 0.1

    def __init__(self, console: Any):
        from rich.progress import BarColumn, Progress, TextColumn

        # no thread of its own: it would take turns with the one that trains
        self.progress = Progress(
            BarColumn(bar_width=16),
            TextColumn("{task.description}"),
            TextColumn("[bold]{task.fields[seen]}"),
            TextColumn("[dim]{task.fields[time]}"),
            console=console,
            auto_refresh=False,
        )
        self.task = self.progress.add_task("starting", seen="", time="")
        self.progress.start()

    def show(self, status: Status) -> None:
        self.progress.update(
            self.task,
            total=status.steps,
            completed=status.step,
            description=status.done,
            seen=status.seen,
            time=status.time,
            refresh=True,
        )

    def close(self) -> None:
        self.progress.stop()


class Cell:
    """One output of a notebook, replaced as the run goes on, that is plain text in the end.

    Widgets leave a dead one in a saved notebook; this leaves what it said last.
    """

    seconds = 0.5

    def __init__(self, display: Callable[..., Any]):
        self.display, self.handle = display, None
        self.last: Status | None = None

    def show(self, status: Status) -> None:
        self.last = status
        bar = "" if status.ended else f'<progress value="{status.step}" max="{status.steps}">'
        self._put(str(status), bar + ("" if status.ended else "</progress> "))

    def close(self) -> None:
        if self.last is not None and not self.last.ended:
            self._put(f"stopped after {self.last.done}, {self.last.seen}", "")

    def _put(self, text: str, bar: str) -> None:
        both = {"text/plain": text, "text/html": f"<div>{bar}{html.escape(text)}</div>"}
        if self.handle is None:
            self.handle = self.display(both, raw=True, display_id=True)
        else:
            self.handle.update(both, raw=True)


class Lines:
    """A line now and then, for a log file; the last one always."""

    seconds = 5.0

    def __init__(self, stream: Any):
        self.stream = stream

    def show(self, status: Status) -> None:
        if status.ended or np.isfinite(status.loss):
            with suppress(OSError):  # a full disk, a closed pipe: the run is worth more
                print(status, file=self.stream, flush=True)

    def close(self) -> None:
        pass


def clock_words(seconds: float) -> str:
    """0.4 s, 12 s, 3:05, 2:10:00."""
    if seconds < 59.5:
        return f"{seconds:.0f} s" if seconds >= 9.95 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def display_for(progress: Any) -> Display | None:
    """The display that fits where this process writes."""
    if progress not in (True, False, None):
        raise TypeError(f"progress must be True, False or None, got {progress!r}.")
    if progress is False or (progress is None and os.environ.get("CI")):
        return None
    if (shell := _notebook()) is not None:
        return Cell(shell)
    if sys.stderr is None:  # a windowed program has none
        return None
    # not `console.is_terminal`: FORCE_COLOR makes a file one, and a bar would be drawn into it
    if not sys.stderr.isatty():
        return Lines(sys.stderr)
    try:
        from rich.console import Console
    except ImportError:
        return Lines(sys.stderr)
    console = Console(stderr=True)
    return Lines(sys.stderr) if console.is_dumb_terminal else Bar(console)


def _notebook() -> Callable[..., Any] | None:
    """IPython's `display` where there is a kernel to show it."""
    if "IPython" not in sys.modules:
        return None
    from IPython import display, get_ipython  # pyright: ignore

    return display.display if getattr(get_ipython(), "kernel", None) is not None else None
