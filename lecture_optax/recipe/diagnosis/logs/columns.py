"""Which column is the step, the loss, the validation loss and the learning rate."""

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import numpy as np

from .table import Column, Table
from .words import words_of

LOSS = {"loss", "losses"}
TRAIN = {"train", "training", "tr", "trn"}
VALID = {"val", "valid", "validation", "eval", "evaluation", "dev"}
TEST = {"test"}
RATE = {"lr", "learning", "rate", "learningrate"}
UNITS = {"step", "steps", "epoch", "epochs", "batch", "iter", "iteration"}
AVERAGED = {"epoch", "avg", "average", "averaged", "running", "smooth", "smoothed", "ema", "mean"}
"""Words of a loss that is a mean over many steps."""

PLAIN = UNITS | AVERAGED | {"total", "overall", "cross", "entropy", "ce", "nll", "metrics", "log"}
"""Words that do not change what a loss is."""

STEPS = (
    *({"global", "step"}, {"trainer", "global", "step"}, {"train", "global", "step"}),
    *({"step"}, {"steps"}, {"train", "step"}, {"training", "step"}, {"train", "steps"}),
    *({"iteration"}, {"iterations"}, {"iter"}, {"iters"}, {"update"}, {"updates"}),
    *({"num", "updates"}, {"batch"}, {"epoch"}, {"epochs"}),
)
"""Names of the step, in the order in which they are taken."""

NORMS = ({"grad", "norm"}, {"gradnorm"}, {"update", "norm"}, {"parameter"})
"""Names of other numbers that show where a run failed; gradients first."""

EPOCHS = ({"epoch"}, {"epochs"})

LINE = "line"
"""The name of the step of a log whose lines are counted."""

SCORES = {"acc", "accuracy", "auc", "f1", "precision", "recall", "score", "iou", "bleu", "reward"}
"""Words of numbers of which a higher one is better."""

TIME = {"time", "date", "timestamp", "datetime", "duration", "elapsed", "eta"}
"""Words of columns of texts that do not say what a row is."""

DENSER = 4
"""Of two columns that could be the loss, one with four times the numbers is taken."""

ENOUGH = 0.9
"""The part of the losses whose rows must have a step."""


class Columns(NamedTuple):
    """The names of the columns, where the reader should not choose them itself."""

    step: str | None = None
    loss: str | None = None
    valid_loss: str | None = None
    rate: str | None = None


class Chosen(NamedTuple):
    """The columns that were found, "" for none, and what was not, with the reason."""

    step: str
    loss: str
    valid_loss: str
    rate: str
    norms: tuple[str, ...]
    not_found: dict[str, str]

    @property
    def averaged(self) -> bool:
        """Whether a loss is a mean over many steps."""
        return bool(words_of(self.loss) & AVERAGED) or self.in_epochs

    @property
    def scores(self) -> list[str]:
        """The columns taken as losses whose names are those of scores."""
        return [x for x in (self.loss, self.valid_loss) if words_of(x) & SCORES]

    @property
    def in_epochs(self) -> bool:
        return words_of(self.step) in EPOCHS


def choose(name: str, table: Table, wanted: Columns) -> Chosen:
    """Return the columns of a log, those that were asked for by name and the known ones.

    **Raises** `ValueError` if a wanted column does not exist, and if none or several could be the
    loss.
    """
    for role, title in wanted._asdict().items():
        if title is not None and title not in table.columns and (role, title) != ("step", LINE):
            raise ValueError(_no_column(name, role, title, table))
    loss = wanted.loss or _loss(name, table)
    missing: dict[str, str] = {}
    valid = wanted.valid_loss or _other(table, _valid_rank, "valid_loss", missing)
    rate = wanted.rate or _other(table, _rate_rank, "rate", missing)
    norms = tuple(title for title in table.columns if any(x <= words_of(title) for x in NORMS))
    step = "" if wanted.step == LINE else wanted.step or _step(name, table, loss)
    return Chosen(step, loss, valid, rate, norms, missing)


def _loss(name: str, table: Table) -> str:
    candidates = _ranked(table, _loss_rank)
    if not candidates:
        raise ValueError(
            f"{name} must have a column with the training loss, got none that is known among "
            f"{_listed(table.columns)}: choose one by --loss{_texts(table)}."
        )
    if len(candidates) > 1:
        raise ValueError(
            f"{name} must have one column with the training loss, got {_listed(candidates)}: "
            "choose one by --loss."
        )
    return candidates[0]


def _other(
    table: Table, rank: Callable[[set[str]], int | None], role: str, missing: dict[str, str]
) -> str:
    """Return the column of a role that a run may be without, or "" and the reason."""
    found = _ranked(table, rank)
    if len(found) > 1:
        first = table.columns[found[0]].values
        if not all(np.array_equal(first, table.columns[x].values) for x in found):
            option = role.replace("_", "-")
            missing[role] = f"it could be {_listed(found)}: choose one by --{option}"
            return ""
    return found[0] if found else ""


def _ranked(table: Table, rank: Callable[[set[str]], int | None]) -> list[str]:
    """Return the columns of the lowest rank, without those that have far fewer numbers."""
    ranks = {
        title: found
        for title, column in table.columns.items()
        if len(column.rows) and (found := rank(words_of(title))) is not None
    }
    most = max((len(table.columns[title].rows) for title in ranks), default=0)
    dense = {x: found for x, found in ranks.items() if len(table.columns[x].rows) * DENSER > most}
    return [title for title, found in dense.items() if found == min(dense.values())]


def _loss_rank(words: set[str]) -> int | None:
    if not words & LOSS or words - LOSS - TRAIN - PLAIN:
        return None
    return 2 * bool(words & AVERAGED) - ("step" in words)


def _valid_rank(words: set[str]) -> int | None:
    held_out = words & (VALID | TEST)
    if "step" in words:  # Lightning counts the batches of one evaluation
        return None
    if not words & LOSS or not held_out or words - LOSS - VALID - TEST - PLAIN:
        return None
    return 2 * bool(held_out & TEST)


def _rate_rank(words: set[str]) -> int | None:
    if not ("lr" in words or {"learning", "rate"} <= words or "learningrate" in words):
        return None
    if words & (LOSS | {"momentum", "decay", "scale", "scheduler", "weight", "steps", "mult"}):
        return None
    return len(words - RATE - TRAIN - PLAIN)


def _step(name: str, table: Table, loss: str) -> str:
    """Return the first known name of the step that the rows of the loss have, or "" for none.

    Rows are counted only if no other column counts something.
    """
    column = table.columns[loss]
    known = np.isfinite(column.values)
    rows = column.rows[known] if known.any() else column.rows
    has_epochs = any(words_of(title) in EPOCHS for title in table.columns)
    for words in STEPS:
        if words == {"batch"} and not has_epochs:  # it starts again at an epoch that is not known
            continue
        for title, column in table.columns.items():
            if words_of(title) == words and _covers(column, rows):
                return title
    if any(_identifies(table, title) for title in table.columns if title != loss) or any(
        not words_of(title) & TIME for title in table.texts
    ):
        raise ValueError(
            f"{name} must have a column with the step, got none that is known among "
            f"{_listed(table.columns)}: choose one by --step, or count the lines by --step {LINE}."
        )
    return ""


def _identifies(table: Table, title: str) -> bool:
    """Return whether a column says what its row is: other whole numbers than those of an index."""
    values = table.columns[title].values
    if not title or title.startswith("Unnamed") or not (values == np.round(values)).all():
        return False
    return (len({*values}) > 1) != (words_of(title) in EPOCHS)  # an epoch that never ends


def _covers(column: Column, rows: np.ndarray) -> bool:
    """Return whether the rows have a step, and not the same one again and again."""
    shared = np.isin(column.rows, rows)
    if shared.sum() < ENOUGH * len(rows):
        return False
    values = column.values[shared]
    if not (values == np.round(values)).all():
        return False
    return len(rows) < 3 or bool((np.diff(values) != 0).mean() >= ENOUGH)


def _listed(titles: Iterable[str], most: int = 12) -> str:
    titles = list(titles)
    more = f" and {len(titles) - most} more" if len(titles) > most else ""
    return ", ".join(titles[:most]) + more


def _texts(table: Table) -> str:
    """Return which columns have texts in place of numbers, as a loss might."""
    texts: Mapping[str, str] = {k: x for k, x in table.texts.items() if words_of(k) & LOSS}
    first = next(iter(texts.items()), None)
    return f" (column {first[0]} has the text {first[1][:30]!r})" if first else ""


def _no_column(name: str, role: str, title: str, table: Table) -> str:
    option = f"--{role.replace('_', '-')}"
    if title in table.texts:
        return (
            f"{option} must be a column of numbers of {name}, got {title}, which has "
            f"{table.texts[title][:30]!r}."
        )
    return f"{option} must be one of the columns of {name}, {_listed(table.columns)}, got {title}."
