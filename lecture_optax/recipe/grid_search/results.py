"""The results of a sweep: one row per run, means over seeds, the best, and a plot."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from ..._core import validate
from ..._core.tables import text_table
from .grid import Key

MEASURES = {
    "final": "validation loss at the end",
    "lowest": "lowest validation loss",
    "averaged": "validation loss of averaged weights at the end",
    "averaged_lowest": "lowest validation loss of averaged weights",
}
"""The losses of a `Row`, and their names in a plot."""


class Row(NamedTuple):
    """One run and its validation losses, which are infinite if it diverged.

    - `final`: the loss of the last weights; `lowest`: the lowest of all evaluations, at step
      `lowest_at`.
    - `averaged`, `averaged_lowest`: the same for the averaged weights.
    - `diverged_at`: the first step that was not finite, or None.
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


class GridCell(NamedTuple):
    """All seeds of an optimizer, a learning rate and a schedule.

    - `loss`: the mean of a measure over the seeds; `low` to `high`: its range.
    - `diverged`: how many of the `seeds` runs diverged.
    """

    optimizer: str
    rate: float
    schedule: str
    loss: float
    low: float
    high: float
    seeds: int
    diverged: int


@dataclass(frozen=True)
class SweepResult:
    """The rows of a sweep, in the order of the grid.

    `start`: the mean validation loss over the seeds before the first step; `steps`: of every run.
    """

    rows: tuple[Row, ...] = field(repr=False)
    start: float
    steps: int

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __getitem__(self, name: str) -> np.ndarray:
        """Return a column: `sweep["final"]`. `pandas.DataFrame(sweep.rows)` has all of them."""
        validate.one_of(*Row._fields, column=name)
        return np.array([getattr(row, name) for row in self.rows])

    def cells(self, by: str = "final") -> tuple[GridCell, ...]:
        """Return the means over seeds, in the order of the grid. `by`: one of `MEASURES`."""
        validate.one_of(*MEASURES, by=by)
        groups: dict[tuple[str, float, str], list[Row]] = {}
        for row in self.rows:
            groups.setdefault(row[:3], []).append(row)
        return tuple(_cell(key, rows, by) for key, rows in groups.items())

    def best(self, by: str = "final") -> GridCell:
        """Return the optimizer, learning rate and schedule with the lowest mean over seeds."""
        return min(self.cells(by), key=lambda cell: cell.loss)

    def __str__(self) -> str:
        """For each optimizer and schedule, the best learning rate and the first that diverged."""
        lines = [("", "learning rate", "loss", "over seeds", "diverges from")]
        lines += [_line(name, cells) for name, cells in _by_line(self.cells()).items()]
        best, head = self.best(), f"{len(self):,} runs of {self.steps:,} steps"
        found = f"the lowest validation loss is {best.loss:.4g} (start {self.start:.4g})"
        table = text_table(lines, "lrrrr")
        return f"{head}; {found}:\n{_name(best)} at {best.rate:.3g}\n\n{table}"

    def plot(self, ax: Any = None, by: str = "final") -> Any:
        """Draw the loss over the learning rate, one line per optimizer and schedule.

        The band is the range over seeds, the star is the best; crosses at the top are learning
        rates at which runs diverged. `by`: one of `MEASURES`. Returns the axes.
        """
        validate.axes(ax=ax)
        from ..reporting.plots import RateLine, draw_rates

        lines = [
            RateLine(
                name,
                np.array([cell.rate for cell in cells]),
                np.array([[cell.loss, cell.low, cell.high] for cell in cells]),
                np.array([cell.rate for cell in cells if cell.diverged]),
            )
            for name, cells in _by_line(self.cells(by)).items()
        ]
        best = self.best(by)
        selected = (best.rate, best.loss) if np.isfinite(best.loss) else None
        return draw_rates(lines, ax, selected=selected, start=self.start, ylabel=MEASURES[by])


def _cell(key: tuple[str, float, str], rows: list[Row], by: str) -> GridCell:
    losses = np.array([getattr(row, by) for row in rows])
    diverged = sum(row.diverged_at is not None for row in rows)
    low, high = float(losses.min()), float(losses.max())
    return GridCell(*key, float(losses.mean()), low, high, len(rows), diverged)


def _by_line(cells: tuple[GridCell, ...]) -> dict[str, list[GridCell]]:
    """Return the cells of every optimizer and schedule, by ascending learning rate."""
    lines: dict[str, list[GridCell]] = {_name(cell): [] for cell in cells}
    for cell in sorted(cells, key=lambda cell: cell.rate):
        lines[_name(cell)].append(cell)
    return lines


def _line(name: str, cells: list[GridCell]) -> tuple[str, str, str, str, str]:
    best = min(cells, key=lambda cell: cell.loss)
    edge = next((f"{cell.rate:.3g}" for cell in cells if cell.diverged), "never")
    spread = f"{best.low:.4g} to {best.high:.4g}"
    return name, f"{best.rate:.3g}", f"{best.loss:.4g}", spread, edge


def _name(cell: GridCell) -> str:
    return f"{cell.optimizer}, {cell.schedule}"


def key_of(row: Row) -> Key:
    return row[:4]
