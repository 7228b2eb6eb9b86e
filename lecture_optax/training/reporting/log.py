"""The log of a run: a function of (step, dict), a file of JSON lines, or a TensorBoard folder.

A run has about a hundred lines, at steps that depend on its length alone, and one at every
evaluation. If a number is not finite, the last line holds it.
"""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ..._core import validate
from ..._core.extras import require
from ..loop.nonfinite import NonFiniteError
from ..loop.run import Event, Hook

LINES = 100

Write = Callable[[int, dict[str, float]], Any]


@contextmanager
def log_to(target: Any) -> Iterator[list[Hook]]:
    """Yield the hook that writes to `target`, and close at the end what it opened.

    **Arguments**

    - `target`: a function of (step, {"loss": ...}); a path ending in `.jsonl`; or another path, a
      folder for TensorBoard. Lines of a file after the step at which the run begins are removed:
      a resumed run continues the file, and a new run starts it again.

    **Raises** `TypeError` for anything else, and `ImportError` without tensorboardX.
    """
    if target is None:
        yield []
        return
    if not callable(target) and not isinstance(target, (str, os.PathLike)):
        raise TypeError(
            f"log must be a function of (step, dict), a path ending in .jsonl or a folder for "
            f"TensorBoard, got {target!r}."
        )
    if callable(target):
        validate.function(takes=2, log=target)
    else:
        validate.path(log=target)
        if (suffix := Path(target).suffix) and suffix != ".jsonl":
            raise ValueError(
                f"log must be a function of (step, dict), a path ending in .jsonl or a folder for "
                f"TensorBoard, got {str(target)!r}, which ends in {suffix}: log="
                f"{str(Path(target).with_suffix('.jsonl'))!r} writes JSON lines."
            )
    with ExitStack() as opened:
        if callable(target):
            log = _Log(lambda step: target)
        else:
            kind = _json_lines if Path(target).suffix == ".jsonl" else _tensorboard
            log = _Log(kind(Path(target), opened))
        try:
            yield [log]
        except NonFiniteError as error:
            log.fail(error)
            raise


class _Log:
    """Turn events, at steps that depend on the clock, into lines at fixed steps."""

    def __init__(self, open_at: Callable[[int], Write]):
        self.open_at = open_at
        self.write: Write | None = None
        self.waiting: dict[str, np.ndarray] = {}
        self.step = 0

    def fail(self, error: NonFiniteError) -> None:
        """Write the lines that are still missing, and what was not finite."""
        if self.write is None:
            return
        run = error.run
        if (known := len(run.history)) > self.step:
            unseen = {name: x[self.step :] for name, x in run.history.per_step.items()}
            self(Event(run, known, unseen, None))
        self.write(error.step + 1, {error.quantity.split()[-1]: np.nan})

    def __call__(self, event: Event) -> None:
        if self.write is None:
            self.write = self.open_at(event.step)
        records = event.records
        if records:
            waiting = self.waiting or {name: x[:0] for name, x in records.items()}
            self.waiting = {name: np.append(waiting[name], x) for name, x in records.items()}
        every = max(1, event.run.steps // LINES)
        while len(self.waiting.get("loss", ())):
            first = event.step - len(self.waiting["loss"])
            end = min((first // every + 1) * every, event.step)
            if end % every and not (event.evaluation and end == event.step):
                break
            evaluation = event.evaluation if end == event.step else None
            self.write(end, {**self._window(end - first), **_without_step(evaluation)})
        if event.evaluation and not records:
            self.write(event.step, _without_step(event.evaluation))
        self.step = event.step

    def _window(self, length: int) -> dict[str, float]:
        """Return the mean loss of the first waiting steps, and the last known other records."""
        window = {name: x[:length] for name, x in self.waiting.items()}
        self.waiting = {name: x[length:] for name, x in self.waiting.items()}
        known = {name: x[np.isfinite(x)] for name, x in window.items()}
        last = {name: float(x[-1]) for name, x in known.items() if len(x)}
        return {**last, "loss": float(np.mean(window["loss"], dtype=np.float64))}


def _without_step(evaluation: Mapping[str, float] | None) -> dict[str, float]:
    return {name: value for name, value in (evaluation or {}).items() if name != "step"}


def _json_lines(path: Path, opened: ExitStack) -> Callable[[int], Write]:
    """Return a function that opens a file with one JSON object a line: {"step": 20, ...}."""

    def open_at(step: int) -> Write:
        path.parent.mkdir(parents=True, exist_ok=True)
        before = path.read_text().splitlines() if step and path.exists() else []
        # each line is written at once: the file can be followed, and the process killed
        file = opened.enter_context(path.open("w", buffering=1))
        file.writelines(f"{line}\n" for line in before if _step(line) <= step)
        return lambda step, values: print(json.dumps({"step": step, **values}), file=file)

    return open_at


def _step(line: str) -> float:
    """Return the step of a line; infinity for a line that a kill has cut."""
    try:
        return json.loads(line)["step"]
    except (ValueError, KeyError):
        return np.inf


def _tensorboard(path: Path, opened: ExitStack) -> Callable[[int], Write]:
    """Return a function that opens a TensorBoard folder: scalars by name."""
    what, way_out = f"the TensorBoard folder {str(path)!r}", "Or give a path ending in .jsonl."
    module = require("tensorboardX", extra="log", what=what, otherwise=way_out)

    def open_at(step: int) -> Write:
        try:
            writer = module.SummaryWriter(str(path), purge_step=step + 1)
        except OSError as error:
            raise ValueError(f"log={str(path)!r} cannot be written: {error}") from error
        opened.enter_context(closing(writer))

        def write(step: int, values: dict[str, float]) -> None:
            for name, value in values.items():
                writer.add_scalar(name, value, step)

        return write

    return open_at
