"""Progress of a run or a search: a bar on a terminal, a cell in a notebook, lines elsewhere."""

import html
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np

from ..._core import validate
from ..loop.run import Event


class Status(NamedTuple):
    """The numbers that a progress display shows.

    - `step`, `steps`: done, and in all, counted in `unit`.
    - `loss`: NaN where there is none yet; `label` is its name.
    - `metrics`: the last evaluation, by name.
    - `per_second`: steps per second, without the time of compiling; 0 where it is not known yet.
    - `seconds`: since the start, or since it was resumed.
    - `ended`: whether this is the last status.
    - `note`: the current phase, where there are several.
    """

    step: int
    steps: int
    loss: float
    metrics: Mapping[str, float]
    per_second: float
    seconds: float
    ended: bool
    note: str = ""
    unit: str = "steps"
    label: str = "loss"

    @property
    def done(self) -> str:
        done = f"{self.step:,} of {self.steps:,} {self.unit}"
        return f"{self.note}, {done}" if self.note else done

    @property
    def losses(self) -> str:
        """The losses and the metrics: loss 0.123, valid_loss 0.456."""
        numbers = {self.label: self.loss} if np.isfinite(self.loss) else {}
        return ", ".join(f"{name} {x:.4g}" for name, x in {**numbers, **self.metrics}.items())

    @property
    def time(self) -> str:
        """The speed and the time left; at the end, the time it took."""
        taken, speed = f"in {clock_words(self.seconds)}", self.per_second
        if not speed:
            return taken if self.ended else "compiling"
        when = taken if self.ended else f"{clock_words((self.steps - self.step) / speed)} left"
        return f"{speed:{',.0f' if speed >= 10 else '.2g'}} {self.unit}/s, {when}"

    def __str__(self) -> str:
        return ", ".join(filter(None, (self.done, self.losses, self.time)))


@runtime_checkable
class Display(Protocol):
    """A place to show a status, at most every `seconds`; the last one is always shown."""

    seconds: float

    def show(self, status: Status) -> None: ...

    def close(self) -> None: ...


@contextmanager
def show_progress(
    progress: Any = None, *, unit: str = "steps", label: str = "loss"
) -> Iterator["ProgressReporter"]:
    """Yield the reporter of a run or a search, and restore the terminal at the end.

    **Arguments**

    - `progress`: None shows progress in the way that fits the process, and nothing under CI; True
      shows it there too; False shows nothing.
    - `unit`, `label`: what is counted, and the name of the loss: "gradients", "lowest loss".
    """
    display = display_for(progress)
    try:
        yield ProgressReporter(display, unit=unit, label=label)
    finally:
        if display is not None:
            display.close()


class ProgressReporter:
    """Show how far a run or a search is, as often as the display wants. It is a hook of a run.

    `display`: None shows nothing.
    """

    def __init__(
        self,
        display: Display | None,
        *,
        unit: str = "steps",
        label: str = "loss",
        clock: Callable[[], float] = time.perf_counter,
    ):
        self.display, self.unit, self.label, self.clock = display, unit, label, clock
        self.metrics: Mapping[str, float] = {}
        self._began, self._shown = clock(), -np.inf
        self._compiled, self._timed_from = 0, (self._began, 0)

    def __call__(self, event: Event) -> None:
        """Report the run after a chunk: the first chunk and the first evaluation compile."""
        if event.evaluation:
            names = [name for name in event.evaluation if name.startswith(("valid_", "averaged_"))]
            self.metrics = {name: event.evaluation[name] for name in names}
        losses, compiled = event.records.get("loss", ()), self._compiled
        if event.records:
            compiled = 2 if event.evaluation else max(1, compiled)
        self.update(
            event.step,
            event.run.steps,
            float(np.mean(losses)) if len(losses) else np.nan,
            ended=event.step >= event.run.steps or event.run.stopped is not None,
            compiled=compiled,
        )

    def update(
        self,
        done: int,
        total: int,
        loss: float = np.nan,
        *,
        note: str = "",
        ended: bool = False,
        compiled: int = 1,
    ) -> None:
        """Show this status, if it is time or `ended`.

        `compiled`: how many programs have been compiled so far. The speed is measured from the last
        change of this number, so that it leaves out the time of compiling; 0 shows no speed.
        """
        if self.display is None:
            return
        now, (since, first) = self.clock(), self._timed_from
        if ended or now - self._shown >= self.display.seconds:
            self._shown = now
            is_timed = self._compiled and now > since
            per_second = (done - first) / (now - since) if is_timed else 0.0
            seconds, words = now - self._began, (note, self.unit, self.label)
            self.display.show(
                Status(done, total, loss, self.metrics, per_second, seconds, ended, *words)
            )
        if compiled != self._compiled:
            self._compiled, self._timed_from = compiled, (now, done)


class TerminalDisplay:
    """A line that Rich redraws. Nothing else writes to the terminal meanwhile."""

    seconds = 0.1

    def __init__(self, console: Any):
        from rich.progress import BarColumn, Progress, TextColumn

        # a thread for refreshing would take turns with the one that trains
        self.progress = Progress(
            BarColumn(bar_width=16),
            TextColumn("{task.description}"),
            TextColumn("[bold]{task.fields[losses]}"),
            TextColumn("[dim]{task.fields[time]}"),
            console=console,
            auto_refresh=False,
        )
        self.task = self.progress.add_task("starting", losses="", time="")
        self.progress.start()

    def show(self, status: Status) -> None:
        self.progress.update(
            self.task,
            total=status.steps,
            completed=status.step,
            description=status.done,
            losses=status.losses,
            time=status.time,
            refresh=True,
        )

    def close(self) -> None:
        self.progress.stop()


class NotebookDisplay:
    """One output of a notebook, which is replaced, and is plain text at the end.

    A saved notebook shows a widget as dead; this output keeps its last text.
    """

    seconds = 0.5

    def __init__(self, display: Callable[..., Any]):
        self.display, self.handle = display, None
        self.last: Status | None = None

    def show(self, status: Status) -> None:
        self.last = status
        bar = f'<progress value="{status.step}" max="{status.steps}"></progress> '
        self._put(str(status), "" if status.ended else bar)

    def close(self) -> None:
        if self.last is not None and not self.last.ended:
            self._put(f"stopped after {self.last.done}, {self.last.losses}", "")

    def _put(self, text: str, bar: str) -> None:
        both = {"text/plain": text, "text/html": f"<div>{bar}{html.escape(text)}</div>"}
        if self.handle is None:
            self.handle = self.display(both, raw=True, display_id=True)
        else:
            self.handle.update(both, raw=True)


class LineDisplay:
    """A line every few seconds, for a log file."""

    seconds = 5.0

    def __init__(self, stream: Any):
        self.stream = stream

    def show(self, status: Status) -> None:
        if status.ended or np.isfinite(status.loss):
            with suppress(OSError):  # a full disk or a closed pipe must not stop the run
                print(status, file=self.stream, flush=True)

    def close(self) -> None:
        pass


def clock_words(seconds: float) -> str:
    """Return a duration as 0.4 s, 12 s, 3:05 or 2:10:00."""
    if seconds < 59.5:
        return f"{seconds:.0f} s" if seconds >= 9.95 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def display_for(progress: Any) -> Display | None:
    """Return the display that fits where this process writes, or None."""
    validate.switch(or_none=True, progress=progress)
    if os.environ.get("CI") if progress is None else not progress:
        return None
    if (shell := _notebook()) is not None:
        return NotebookDisplay(shell)
    if sys.stderr is None:  # a program without a console has none
        return None
    # not `console.is_terminal`: FORCE_COLOR makes a file one, and a bar would be drawn into it
    if not sys.stderr.isatty():
        return LineDisplay(sys.stderr)
    try:
        from rich.console import Console
    except ImportError:
        return LineDisplay(sys.stderr)
    console = Console(stderr=True)
    return LineDisplay(sys.stderr) if console.is_dumb_terminal else TerminalDisplay(console)


def _notebook() -> Callable[..., Any] | None:
    """Return IPython's `display` where there is a kernel to show it."""
    if "IPython" not in sys.modules:
        return None
    from IPython import display, get_ipython  # pyright: ignore

    return display.display if getattr(get_ipython(), "kernel", None) is not None else None
