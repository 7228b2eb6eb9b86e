"""What came of a sweep? A row a run; their means over seeds, the best, a picture."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np

from ..._core import validate
from ...training.checkpoint.snapshot import difference
from .grid import Key

MEASURES = ("final", "lowest", "averaged", "averaged_lowest")


class Row(NamedTuple):
    """One run: its numbers, and what held-out rows said of it. Infinite where it exploded.

    - `final`: the loss of the last weights; `lowest`: of the best that were looked at, at step
      `lowest_at`.
    - `averaged`, `averaged_lowest`: the same of the average of the weights.
    - `diverged_at`: the step that was not finite; None where all were.
    """

    optimizer: str
    rate: float
    schedule: str
    seed: int
    final: float
    lowest: float
    lowest_at: int
    averaged: float
    averaged_lowest: float
    diverged_at: int | None


class Cell(NamedTuple):
    """All seeds of a family, a rate and a schedule.

    - `loss`: the mean over seeds of the measure that was asked for; `low` to `high`: its range.
    - `exploded`: how many of the `seeds` runs did.
    """

    optimizer: str
    rate: float
    schedule: str
    loss: float
    low: float
    high: float
    seeds: int
    exploded: int


@dataclass(frozen=True)
class Sweep:
    """The rows of a sweep, in the order of the grid.

    `start` is the held-out loss before the first step, the mean over seeds; `steps`: of every run.
    """

    rows: tuple[Row, ...] = field(repr=False)
    start: float
    steps: int

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __getitem__(self, name: str) -> np.ndarray:
        """A column: `sweep["final"]`. `pandas.DataFrame(sweep.rows)` has all of them."""
        validate.one_of(*Row._fields, column=name)
        return np.array([getattr(row, name) for row in self.rows])

    def cells(self, by: str = "final") -> tuple[Cell, ...]:
        """The means over seeds, in the order of the grid. `by`: one of `MEASURES`."""
        validate.one_of(*MEASURES, by=by)
        groups: dict[tuple[str, float, str], list[Row]] = {}
        for row in self.rows:
            groups.setdefault(row[:3], []).append(row)
        return tuple(_cell(key, rows, by) for key, rows in groups.items())

    def best(self, by: str = "final") -> Cell:
        """The family, rate and schedule with the lowest mean over seeds."""
        return min(self.cells(by), key=lambda cell: cell.loss)

    def __str__(self) -> str:
        """For each family and schedule its best rate, and from which rate on runs exploded."""
        lines = [("", "best rate", "loss", "over seeds", "explodes from")]
        lines += [_line(name, cells) for name, cells in _lines_of(self.cells()).items()]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        table = [
            "  ".join([line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])]).rstrip()
            for line in lines
        ]
        best, head = self.best(), f"{len(self):,} runs of {self.steps:,} steps"
        found = f"the lowest held-out loss is {best.loss:.4g} (start {self.start:.4g})"
        return "\n".join([f"{head}; {found}:", f"{_name(best)} at {best.rate:.3g}", "", *table])

    def plot(self, ax: Any = None, by: str = "final") -> Any:
        """Draw the loss over the rate, a line for each family and schedule. Returns the axes.

        The band is the range over seeds, the star the best; crosses above are rates at which runs
        exploded. `by`: one of `MEASURES`.
        """
        from ..reporting.plots import RateLine, draw_rates

        lines = [
            RateLine(
                name,
                np.array([cell.rate for cell in cells]),
                np.array([[cell.loss, cell.low, cell.high] for cell in cells]),
                np.array([cell.rate for cell in cells if cell.exploded]),
            )
            for name, cells in _lines_of(self.cells(by)).items()
        ]
        best = self.best(by)
        chosen = (best.rate, best.loss) if np.isfinite(best.loss) else None
        return draw_rates(lines, ax, chosen=chosen, start=self.start, ylabel=_WORDS[by])


_WORDS = {
    "final": "held-out loss at the end",
    "lowest": "lowest held-out loss",
    "averaged": "held-out loss of the average, at the end",
    "averaged_lowest": "lowest held-out loss of the average",
}


def _cell(key: tuple[str, float, str], rows: list[Row], by: str) -> Cell:
    losses = np.array([getattr(row, by) for row in rows])
    exploded = sum(row.diverged_at is not None for row in rows)
    low, high = float(losses.min()), float(losses.max())
    return Cell(*key, float(losses.mean()), low, high, len(rows), exploded)


def _lines_of(cells: tuple[Cell, ...]) -> dict[str, list[Cell]]:
    """The cells of every family and schedule, the rates ascending."""
    lines: dict[str, list[Cell]] = {}
    for cell in sorted(cells, key=lambda cell: cell.rate):
        lines.setdefault(_name(cell), []).append(cell)
    order = dict.fromkeys(_name(cell) for cell in cells)
    return {name: lines[name] for name in order}


def _line(name: str, cells: list[Cell]) -> tuple[str, str, str, str, str]:
    best = min(cells, key=lambda cell: cell.loss)
    edge = next((f"{cell.rate:.3g}" for cell in cells if cell.exploded), "never")
    spread = f"{best.low:.4g} to {best.high:.4g}"
    return name, f"{best.rate:.3g}", f"{best.loss:.4g}", spread, edge


def _name(cell: Cell) -> str:
    return f"{cell.optimizer}, {cell.schedule}"


def finished(path: Path, what: Mapping[str, Any]) -> dict[Key, Row]:
    """The rows that a file holds. A last line that was cut by a kill is cut off.

    **Raises** `ValueError` if the file is of another sweep, with what differs.
    """
    lines = path.read_bytes().split(b"\n")[:-1] if path.exists() else []
    if not lines:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(what) + "\n")
        return {}
    if words := difference(what, _header(path, lines[0])):
        raise ValueError(
            f"checkpoint={str(path)!r} holds the runs of another sweep: {words}. Give another path."
        )
    with path.open("r+b") as file:
        file.truncate(sum(len(line) + 1 for line in lines))
    rows = [Row(**json.loads(line)) for line in lines[1:]]
    return {key_of(row): row for row in rows}


def keep(file: IO[str], row: Row) -> None:
    """Add a run; after a kill it is there."""
    file.write(json.dumps(row._asdict()) + "\n")
    file.flush()


def _header(path: Path, line: bytes) -> Mapping[str, Any]:
    try:
        header = json.loads(line)
    except ValueError:
        header = None
    if not isinstance(header, dict) or "batch_size" not in header:
        raise ValueError(f"checkpoint={str(path)!r} is no file of a sweep: give another path.")
    return header


def key_of(row: Row) -> Key:
    return row[:4]
