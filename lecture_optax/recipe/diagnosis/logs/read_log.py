"""The runs of a log: recognise the format by its content, choose the columns, build the curves."""

import math
from pathlib import Path
from typing import NamedTuple

from ....training.curves.learning_curve import Evaluations, LearningCurve
from .columns import Chosen, Columns, choose
from .curve import curves_of
from .delimited import read_delimited
from .json_text import read_json
from .table import Table
from .tensorboard import PATTERN, is_event_file, read_event_file, read_event_folder

STATE, METRICS = "trainer_state.json", "metrics.csv"
"""The logs of Hugging Face and of Lightning in a folder of theirs."""

SHOWN = 4
"""The most folders that a note lists."""

FAR = 0.1
"""Evaluations that end before .1 of the steps of the run count something else."""


class LoggedRun(NamedTuple):
    """A run of a log.

    - `name`: the log, the run within it, and a number if the run has no name of its own.
    - `curve`: its losses.
    - `source`: the format of the log.
    - `columns`: the columns that were read.
    """

    name: str
    curve: LearningCurve
    source: str
    columns: Chosen

    @property
    def unit(self) -> str:
        """What a step of the log is: a step, an epoch, or a line if the log does not count."""
        return "line" if not self.columns.step else "epoch" if self.columns.in_epochs else "step"


def read_log(path: Path | str, columns: Columns | None = None) -> list[LoggedRun]:
    """Return the runs of a log in order.

    A file is JSON lines of `lo.fit(log=...)` or of another tool, `trainer_state.json` of Hugging
    Face, a CSV of Keras, Lightning or Weights & Biases, plain columns of numbers, or an event file
    of TensorBoard. A folder holds `trainer_state.json`, `metrics.csv` or event files; the first of
    these that it has is read, and `unseen` of each curve names folders with others.

    - `columns`: the names of the columns that should be read; the others are found by known names.

    **Raises** `OSError` if the file cannot be read, `ValueError` if it is not a log.
    """
    path, wanted, runs = Path(path), columns or Columns(), []
    left_out = _left_out(path)
    note = f"the logs of other tools in {path}: {left_out}; name these folders to read them"
    for name, table in _tables(path):
        chosen = choose(name, table, wanted)
        curves = [_checked(name, curve, chosen) for curve in curves_of(table, chosen)]
        for i, curve in enumerate(curves, 1):
            number = f" #{i}" if len(curves) > 1 else ""
            noted = curve._replace(unseen=curve.unseen + (note,) * bool(left_out))
            runs.append(LoggedRun(f"{name}{number}", noted, table.source, chosen))
    return runs


def _checked(name: str, curve: LearningCurve, chosen: Chosen) -> LearningCurve:
    """Return the curve with what the log does not show, or raise without a loss."""
    if not len(curve.losses) and curve.failed is None:
        raise ValueError(f"{name} must have losses in {chosen.loss}, got no finite number.")
    unseen = [f"{role}: {reason}" for role, reason in chosen.not_found.items()]
    unseen += [
        f"whether {score} is a loss: by its name a higher one is better, but here a lower one is"
        for score in chosen.scores
    ]
    if chosen.rate and math.isnan(curve.rate):
        unseen.append(f"the learning rate: {chosen.rate} has no number above 0")
    if chosen.averaged:
        unseen.append(f"oscillation from step to step: {chosen.loss} is a mean over many steps")
    if curve.evaluations is not None and _counts_otherwise(curve, curve.evaluations):
        unseen.append(f"overfitting: {chosen.valid_loss} has other steps than {chosen.loss}")
        curve = curve._replace(evaluations=None)
    return curve._replace(unseen=tuple(unseen))


def _counts_otherwise(curve: LearningCurve, seen: Evaluations) -> bool:
    """Return whether validation losses count epochs, and training losses count steps."""
    return len(seen.steps) > 2 and int(seen.steps[-1]) < FAR * curve.steps


def _left_out(path: Path) -> str:
    """Return the logs in a folder that are not read, as another tool has one there, or "".

    Event files in the folder of a run that is read are that run's.
    """
    if not path.is_dir():
        return ""
    states, metrics = list(path.rglob(STATE)), list(path.rglob(METRICS))
    own = {_run_folder(x) for x in states} or {x.parent for x in metrics}
    others = [x for x in path.rglob(PATTERN) if x.is_file()] if own else []
    others += metrics if states else []
    folders = {x.parent for x in others if not own & {*x.parents}}
    names = sorted(x.relative_to(path).as_posix() for x in folders)
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more


def _tables(path: Path) -> list[tuple[str, Table]]:
    """Return the tables of a file or a folder by the names of their runs."""
    if path.is_dir():
        return _folder(path)
    with path.open("rb") as file:
        start = file.read(4096)
    if is_event_file(start):
        tables = read_event_file(path)
    else:
        text = _text(path, start)
        tables = (read_json if text.lstrip()[:1] in ("{", "[") else read_delimited)(str(path), text)
    if not any(table.rows for table in tables):
        raise ValueError(f"{path} must have numbers of a training run, got none.")
    return [(f"{path}{table.name and f': {table.name}'}", table) for table in tables]


def _folder(path: Path) -> list[tuple[str, Table]]:
    """Return the tables of the runs in a folder: of one tool, the first that has a log there."""
    states = sorted(path.rglob(STATE))
    if states:
        return [found for x in _last_checkpoints(states) for found in _tables(x)]
    metrics = sorted(path.rglob(METRICS))
    if metrics:
        return [found for x in metrics for found in _tables(x)]
    if any(x.is_file() for x in path.rglob(PATTERN)):
        tables = read_event_folder(path)
        if not tables:
            raise ValueError(f"{path} must have scalars in its event files, got none.")
        return [(f"{path / table.name}", table) for table in tables]
    raise ValueError(
        f"{path} must hold event files of TensorBoard, a {STATE} or a {METRICS}, got none of them: "
        "name the files of the logs."
    )


def _last_checkpoints(states: list[Path]) -> list[Path]:
    """Return one file a run: the history of a checkpoint holds that of the ones before it."""
    runs: dict[Path, Path] = {}
    for path in sorted(states, key=_step_of):
        runs[_run_folder(path)] = path
    return list(runs.values())


def _run_folder(state: Path) -> Path:
    """Return the folder of the run that a `trainer_state.json` belongs to."""
    is_checkpoint = state.parent.name.startswith("checkpoint-")
    return state.parent.parent if is_checkpoint else state.parent


def _step_of(path: Path) -> float:
    """Return the step of the folder of a checkpoint, or infinity for that of the run."""
    name, _, step = path.parent.name.partition("-")
    return int(step) if name == "checkpoint" and step.isdigit() else math.inf


def _text(path: Path, start: bytes) -> str:
    """Return the text of a file in UTF-8, with or without a mark of the byte order, or UTF-16."""
    if start[:2] in (b"\xff\xfe", b"\xfe\xff"):
        encoding = "utf-16"
    elif b"\0" in start:
        raise ValueError(f"{path} must be a text or an event file of TensorBoard, got other bytes.")
    else:
        encoding = "utf-8-sig"
    try:
        text = path.read_text(encoding)
    except UnicodeDecodeError:
        text = path.read_text("latin-1")
    if not text.strip():
        raise ValueError(f"{path} must have a line for every evaluation of a run, got none.")
    return text
